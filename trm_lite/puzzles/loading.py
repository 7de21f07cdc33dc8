"""Load a puzzle from a Python file that the user names, and try out all that it can do.

Nothing else in the package executes code from a file. Every mistake is told in one sentence, with
the function, the row and the value.
"""

import hashlib
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.known import remember
from trm_lite.puzzles.puzzle import PAD, Puzzle, kind_of, told

if TYPE_CHECKING:
    from torch import Generator, Tensor

TRIED = 8  # examples that are made to try a puzzle out


def load_puzzle(path: Path | str) -> Puzzle:
    """The `PUZZLE` that a Python file defines, after trying out all of its functions.

    The file is executed. Afterwards networks and data that name the puzzle find it. Raises
    PuzzleError, in one sentence, for whatever is wrong with the file.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PuzzleError(f"The puzzle file {path} cannot be read: {error}.") from error
    module = _run(path, text)
    if not hasattr(module, "PUZZLE"):
        raise PuzzleError(f"{path} defines no PUZZLE; end it with PUZZLE = Puzzle(name=..., ...).")
    if not isinstance(module.PUZZLE, Puzzle):
        raise PuzzleError(
            f"PUZZLE in {path} is of type {type(module.PUZZLE).__name__}; make it a "
            "trm_lite.puzzles.Puzzle."
        )
    try_out(module.PUZZLE)
    remember(module.PUZZLE)
    return module.PUZZLE


def load_same(file: str, sha256: str, name: str) -> Puzzle:
    """The puzzle in `file`, if it still is the one of that hash. Raises PuzzleError otherwise.

    Args:
        file: a puzzle file; "" if nobody named one.
        sha256: the hash of its content.
        name: what the puzzle is called, for the message.
    """
    if not file:
        raise PuzzleError(
            f"The rules of '{name}' are in a puzzle file, which is executed only if you name it; "
            "do so.",
            "puzzle",
        )
    if hash_of(Path(file)) != sha256:
        raise PuzzleError(
            f"{file} is no longer the puzzle file that this experiment began with; restore it, or "
            "begin a new one.",
            "puzzle",
        )
    return _same(file, sha256)


@lru_cache
def _same(file: str, sha256: str) -> Puzzle:
    return load_puzzle(file)


def hash_of(path: Path) -> str:
    """The SHA-256 of a puzzle file. Raises PuzzleError if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PuzzleError(f"The puzzle file {path} cannot be read: {error.strerror}.") from error


def _run(path: Path, text: str) -> ModuleType:
    """Execute a file as a module, without leaving compiled files beside it."""
    name = f"puzzle_file_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except PuzzleError as error:
        raise PuzzleError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else _line(error)
        where = f", line {line}" if line else ""
        beside = path.with_name(f"{getattr(error, 'name', None)}.py")
        if isinstance(error, ModuleNotFoundError) and beside.exists():
            raise PuzzleError(
                f"{path}{where} imports {error.name}, which lies beside it; a puzzle file must "
                "stand alone, because a run keeps a copy of it, so put what it needs into it."
            ) from error
        said = f"SyntaxError: {error.msg}" if isinstance(error, SyntaxError) else told(error)
        raise PuzzleError(f"{path}{where} cannot be run: {said}.") from error
    return module


def _line(error: BaseException) -> int | None:
    """The line of the file itself in which something went wrong."""
    trace = error.__traceback__.tb_next  # the first is that of `exec`
    return trace.tb_lineno if trace else None


# --- trying out -----------------------------------------------------------------------------------


def try_out(puzzle: Puzzle) -> None:
    """Make a few examples, and ask every function of a puzzle about them.

    Raises PuzzleError, naming function, row and value, for the first thing that is wrong.
    """
    if puzzle.make is None:
        return
    questions, answers = make_examples(puzzle, TRIED, np.random.default_rng(0))
    same = make_examples(puzzle, TRIED, np.random.default_rng(0))
    other = make_examples(puzzle, TRIED, np.random.default_rng(1))
    if not all(map(np.array_equal, (questions, answers), same)):
        raise PuzzleError(
            f"make of the puzzle '{puzzle.name}' gave other examples for the same rng; draw every "
            "random number from rng."
        )
    if all(map(np.array_equal, (questions, answers), other)):
        raise PuzzleError(
            f"make of the puzzle '{puzzle.name}' gave the same {TRIED} examples for different "
            "rng; draw the examples from rng."
        )
    check_rules(puzzle, "make", questions, answers)
    if puzzle.family is not None:
        for row, pair in enumerate(zip(questions, answers, strict=True)):
            family_of(puzzle, *pair, row)
    if puzzle.augment is not None:
        _try_augment(puzzle, questions, answers)
    if puzzle.solve is not None:
        _try_solve(puzzle, questions[0])


def make_examples(
    puzzle: Puzzle, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`count` examples of a puzzle's own, checked: questions and answers, (count, L) tokens.

    Raises PuzzleError if `make` fails, or returns something else.
    """
    made = puzzle.call("make", count, rng)
    who = f"make of the puzzle '{puzzle.name}'"
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise PuzzleError(
            f"{who} returned {kind_of(made)}; return two arrays, questions and answers."
        )
    boards = []
    for name, part in zip(("questions", "answers"), made, strict=True):
        boards.append(_checked(puzzle, part, f"{who} returned {name}"))
        if len(boards[-1]) != count:
            raise PuzzleError(
                f"{who} was asked for {count} examples and returned {len(boards[-1])} {name}; "
                "return as many as are asked for."
            )
    check_graded(who, boards[1])
    return tuple(boards)


def check_graded(who: str, answers: np.ndarray) -> None:
    """PuzzleError, beginning with `who`, if nothing is graded in one of the answers (N, L)."""
    empty = np.flatnonzero((answers == PAD).all(1))
    if len(empty):
        raise PuzzleError(
            f"{who}: answers[{empty[0]}] is token 0 in all cells, which is padding and never "
            "graded; use tokens from 1 on for what is to be answered."
        )


def _checked(puzzle: Puzzle, part: object, what: str) -> np.ndarray:
    """An array of boards (N, L) of the puzzle's own type. `what` begins the message."""
    try:
        found = np.asarray(part)
    except ValueError:
        raise PuzzleError(f"{what} of different lengths; pad them with token 0.") from None
    if found.ndim != 2 or found.shape[1] != puzzle.length:
        shape = f"of shape {found.shape}" if found.ndim else f"as {kind_of(part)}"
        raise PuzzleError(
            f"{what} {shape}; for boards of shape {puzzle.shape} it must be "
            f"(count, {puzzle.length})."
        )
    if not np.issubdtype(found.dtype, np.integer):
        raise PuzzleError(f"{what} of type {found.dtype}; return whole numbers, the tokens.")
    bad = np.argwhere((found < 0) | (found >= puzzle.vocab_size))
    if len(bad):
        row, cell = map(int, bad[0])
        raise PuzzleError(
            f"{what}[{row}] with token {found[row, cell]} at {puzzle.place(cell)}, but the "
            f"puzzle's tokens are 0 to {puzzle.vocab_size - 1}."
        )
    return found.astype(puzzle.dtype)


def check_rules(puzzle: Puzzle, who: str, questions: np.ndarray, answers: np.ndarray) -> None:
    """PuzzleError if one of the answers (N, L) that function `who` gave breaks a rule."""
    bad = np.argwhere(puzzle.broken(questions, answers))
    if len(bad):
        row, cell = map(int, bad[0])
        raise PuzzleError(
            f"{who} of the puzzle '{puzzle.name}' returned answers[{row}], which breaks says is "
            f"against a rule at {puzzle.place(cell)}, where it has token "
            f"{answers[row, cell]} ({puzzle.word(answers[row, cell])!r}); correct one of the two."
        )


def family_of(puzzle: Puzzle, question: np.ndarray, answer: np.ndarray, row: int) -> object:
    """The family of an example, checked; `row` is its number for the message."""
    if puzzle.family is None:
        return question.tobytes() + answer.tobytes()
    family = puzzle.call("family", question.copy(), answer.copy())
    try:
        hash(family)
    except TypeError:
        raise PuzzleError(
            f"family of the puzzle '{puzzle.name}' returned {type(family).__name__} for "
            f"questions[{row}] and answers[{row}], which has no hash; return text, a number, bytes "
            "or a tuple of these."
        ) from None
    return family


def augmented(
    puzzle: Puzzle, questions: "Tensor", answers: "Tensor", generator: "Generator"
) -> "tuple[Tensor, Tensor]":
    """Examples, as int64 tensors (B, L), as `augment` of their puzzle shows them.

    Raises PuzzleError, naming row and value, if these are no boards of the puzzle.
    """
    import torch

    who = f"augment of the puzzle '{puzzle.name}'"
    shown = puzzle.call("augment", questions.clone(), answers.clone(), generator)
    if not isinstance(shown, tuple | list) or len(shown) != 2:
        raise PuzzleError(f"{who} returned {kind_of(shown)}; return two tensors.")
    for name, part in zip(("questions", "answers"), shown, strict=True):
        if not isinstance(part, torch.Tensor) or part.shape != questions.shape:
            raise PuzzleError(
                f"{who} returned {name} as {kind_of(part)}; return a tensor of shape "
                f"{tuple(questions.shape)}."
            )
        _checked(puzzle, part.numpy(), f"{who} returned {name}")
    return tuple(shown)


def _try_augment(puzzle: Puzzle, questions: np.ndarray, answers: np.ndarray) -> None:
    import torch

    given = [torch.from_numpy(part).long() for part in (questions, answers)]
    shown = augmented(puzzle, *given, torch.Generator().manual_seed(0))
    check_rules(puzzle, "augment", *(part.numpy().astype(puzzle.dtype) for part in shown))


def _try_solve(puzzle: Puzzle, question: np.ndarray) -> None:
    try:
        found = puzzle.call("solve", question.copy())
    except PuzzleError:  # this one may have several answers
        return
    _checked(puzzle, [found], f"solve of the puzzle '{puzzle.name}' returned answers")
