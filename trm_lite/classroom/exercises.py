"""Helpers for exercises in lessons and assignments, which import quickly."""

import unicodedata
import zlib
from contextlib import contextmanager
from typing import Any

import numpy as np


def seed_of(student: str) -> int:
    """The seed (0..999,999) of a student's own numbers, the same on every machine."""
    # macOS writes é as two characters; this makes one of them.
    name = unicodedata.normalize("NFC", student.strip().lower())
    return zlib.crc32(name.encode()) % 1_000_000


@contextmanager
def when_solved():
    """A context for code that needs an exercise: until that is done, it prints "Not yet: ...".

    Without it, the code would stop the notebook with an error.

    Example:
        >>> with when_solved():
        ...     raise NotImplementedError("exercise 'add' is waiting")
        Not yet: exercise 'add' is waiting
    """
    try:
        yield
    except NotImplementedError as waiting:
        print(f"Not yet: {waiting}")


def check(answer: Any, *cases: Any) -> None:
    """Say whether an exercise of a lesson is solved, and if not, what is wrong; never stop.

    Args:
        answer: what the reader wrote: a function, or a value. None and ... mean "not done yet".
        cases: for a function, tuples of its arguments and, last, of what it should return; for a
            value, what it should be. Numbers, arrays and tensors may be off by a thousandth.

    Example:
        >>> check(lambda a, b: a - b, (1, 2, 3))
        Not yet: of (1, 2) you make -1, and 3 is right.
    """
    for case in cases:
        arguments, expected = (case[:-1], case[-1]) if callable(answer) else (None, case)
        try:
            found = answer(*arguments) if callable(answer) else answer
        except NotImplementedError:
            found = None
        except Exception as error:
            print(f"Not yet: of {_say(arguments)} it makes a {type(error).__name__}: {error}")
            return
        if found is None or found is ...:
            print("Not done yet.")
            return
        problem = _difference(found, expected)
        if problem:
            print(f"Not yet: {f'of {_say(arguments)} ' if callable(answer) else ''}{problem}")
            return
    print("Right.")


def _say(arguments: tuple) -> str:
    """Arguments as they are written down, on one line."""
    said = ", ".join(" ".join(repr(argument).split()) for argument in arguments)
    return said if len(arguments) == 1 else f"({said})"


def _difference(found: Any, expected: Any) -> str:
    """What is wrong with `found`, as the rest of a sentence; nothing if it is right."""
    if isinstance(expected, str):
        return "" if found == expected else f"you make {found!r}, and {expected!r} is right."
    if hasattr(found, "detach"):
        found = found.detach()  # a gradient is no fault
    try:
        ours, theirs = np.asarray(expected, float), np.asarray(found, float)
    except (TypeError, ValueError):
        return f"you make {found!r}, which is no number or array of numbers."
    if ours.shape != theirs.shape:
        return f"you make the shape {theirs.shape}, and {ours.shape} is right."
    wrong = ~np.isclose(theirs, ours, rtol=1e-3, atol=1e-3, equal_nan=True)
    if not wrong.any():
        return ""
    if ours.ndim == 0:
        return f"you make {theirs:g}, and {ours:g} is right."
    place = tuple(map(int, np.argwhere(wrong)[0]))
    where = ", ".join(map(str, place))
    return f"you make {theirs[place]:g} at [{where}], and {ours[place]:g} is right."
