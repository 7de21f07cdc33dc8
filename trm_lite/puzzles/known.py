"""Puzzles by name: Sudoku, mazes and ARC, and those that were loaded from a file.

Weights, data folders and run folders carry the name of their puzzle. Those of earlier versions
do not; what they are is told here, and nowhere else.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles import arc, maze
from trm_lite.puzzles.puzzle import DESCRIBED, Puzzle

# By token: padding, the end of a row or column, and the colours in which ARC is usually shown.
ARC_COLOURS = (
    "white", "#d8d8d8", "#000000", "#1e78d2", "#ff4136", "#2ecc40", "#ffdc00",
    "#9a9a9a", "#e53aa3", "#ff851b", "#87d8f1", "#921231",
)  # fmt: skip
OURS = re.compile(r"(sudoku|maze|arc)-(\d+)x\2")
_LOADED: dict[str, Puzzle] = {}  # from files, by name


def get_puzzle(name: str) -> Puzzle:
    """The puzzle called `name`: "sudoku-6x6", "maze-7x7", "arc-30x30", or one that was loaded.

    Raises PuzzleError if there is none.
    """
    if name in _LOADED:
        return _LOADED[name]
    match = OURS.fullmatch(name)
    if match is None:
        raise PuzzleError(f"The puzzle '{name}' is not known here; load its file first.")
    return _made(match[1], int(match[2]))


@lru_cache
def _made(family: str, size: int) -> Puzzle:
    if family == "sudoku":
        from trm_lite.puzzles.sudoku.as_puzzle import as_puzzle  # needs torch
    elif family == "maze":
        from trm_lite.puzzles.maze_puzzle import as_puzzle
    else:
        as_puzzle = arc_puzzle
    return as_puzzle(size)


def arc_puzzle(side: int) -> Puzzle:
    """Grids of ARC on a square canvas. Their rules differ from task to task, so none is known."""
    return Puzzle(
        name=f"arc-{side}x{side}",
        tokens="_|0123456789",
        shape=(side, side),
        words=("padding", "end", *(f"colour {colour}" for colour in range(arc.COLOURS))),
        colours=ARC_COLOURS,
    )


def remember(puzzle: Puzzle) -> None:
    """Let networks and data that name this puzzle find it from now on, in this process.

    Raises PuzzleError if it is called like one of the course's.
    """
    if OURS.fullmatch(puzzle.name):
        raise PuzzleError(f"'{puzzle.name}' is a puzzle of the course; call yours otherwise.")
    _LOADED[puzzle.name] = puzzle


def from_description(about: Mapping) -> Puzzle:
    """The puzzle that a file describes, as `Puzzle.described` does.

    It is the known one of that name, with all that it can do, if that reads the same boards.
    Otherwise only what the file says is known of it. Raises PuzzleError for a description that
    makes no sense.
    """
    puzzle = Puzzle(**{name: about[name] for name in DESCRIBED if name in about})
    try:
        known = get_puzzle(puzzle.name)
    except PuzzleError:
        return puzzle
    return known if (known.tokens, known.shape) == (puzzle.tokens, puzzle.shape) else puzzle


def name_of_earlier(family: str, length: int) -> str:
    """The name of a puzzle that earlier versions called "sudoku", "maze" or "arc".

    `length` counts the cells of a board. Any other name stays as it is.
    """
    side = math.isqrt(length)
    return f"{family}-{side}x{side}" if family in ("sudoku", "maze", "arc") else family


def name_by_sizes(vocab_size: int, length: int) -> str:
    """Which puzzle the weights of earlier versions read, which do not say so; "" if none fits."""
    whole = all(isinstance(size, int) and size > 0 for size in (vocab_size, length))
    side = math.isqrt(length) if whole else 0
    if side == 0 or side * side != length:
        return ""
    if vocab_size == side + 2 and side in (4, 6, 9):
        return name_of_earlier("sudoku", length)
    family = {len(maze.CHARACTERS): "maze", arc.VOCAB_SIZE: "arc"}.get(vocab_size, "")
    return name_of_earlier(family, length)
