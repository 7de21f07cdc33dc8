"""What the notebooks of assignments need; it imports nothing that takes time."""

import unicodedata
import zlib
from contextlib import contextmanager


def seed_of(student: str) -> int:
    """The seed of a student's own numbers, 0..999,999; the same on every machine."""
    name = unicodedata.normalize("NFC", student.strip().lower())  # macOS writes é as two signs
    return zlib.crc32(name.encode()) % 1_000_000


@contextmanager
def when_solved():
    """Around a given cell that needs an exercise: says so, in place of an error, until it is done.

    Example:
        >>> with when_solved():
        ...     raise NotImplementedError("exercise 'add' is waiting")
        Not yet: exercise 'add' is waiting
    """
    try:
        yield
    except NotImplementedError as waiting:
        print(f"Not yet: {waiting}")
