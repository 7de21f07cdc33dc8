"""Sudoku boards: their geometry, their text form, and the rules.

A board is a flat uint8 array (n*n,), row by row, where 0 is a blank and 1..n are digits. A
batch is (B, n*n). The size n is 4 (boxes of 2x2 cells), 6 (2 rows x 3 columns) or 9 (3x3), and
follows from the length of the array.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trm_lite.common.errors import PuzzleError

BOX_SHAPES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # size -> (rows, columns) of a box
SIZES = tuple(BOX_SHAPES)
PAD = 0  # the token for "no cell here"
BLANK = 1  # the token of an empty cell


@dataclass(frozen=True)
class Geometry:
    """Which cells of a board share a row, a column or a box ("units")."""

    size: int  # n
    box_rows: int  # rows of a box
    box_columns: int  # columns of a box
    units: np.ndarray  # (3n, n) the cells of each unit: n rows, then n columns, then n boxes
    memberships: np.ndarray  # (n*n, 3) the row, column and box of each cell, as indices of `units`

    @property
    def cells(self) -> int:
        """The number of cells, n*n."""
        return self.size * self.size


@lru_cache
def geometry(size: int) -> Geometry:
    """The geometry of boards of size 4, 6 or 9. Raises PuzzleError for any other size."""
    if size not in BOX_SHAPES:
        raise PuzzleError(f"A Sudoku of size {size} is not supported; use 4, 6 or 9.")
    box_rows, box_columns = BOX_SHAPES[size]
    row, column = np.divmod(np.arange(size * size), size)
    box = row // box_rows * (size // box_columns) + column // box_columns
    memberships = np.stack([row, size + column, 2 * size + box], axis=1)
    units = np.array([np.flatnonzero((memberships == unit).any(1)) for unit in range(3 * size)])
    units.flags.writeable = memberships.flags.writeable = False  # shared by all callers
    return Geometry(size, box_rows, box_columns, units, memberships)


def size_of(boards: np.ndarray) -> int:
    """The size n of boards (..., n*n). Raises PuzzleError if the last axis fits no size."""
    cells = np.shape(boards)[-1] if np.ndim(boards) else 0
    for size in SIZES:
        if size * size == cells:
            return size
    raise PuzzleError(f"A board has 16, 36 or 81 cells, but this one has {cells}.")


def to_line(board: np.ndarray) -> str:
    """A board (n*n,) as one line of n*n characters, which begins like `53..7....`, say."""
    size_of(board)
    return "".join(str(digit) if digit else "." for digit in board)


def render(board: np.ndarray, marks: np.ndarray | None = None) -> str:
    """A board (n*n,) as n lines of text, with rules drawn between the boxes.

    Cells where `marks` (n*n,) is true are followed by `*`, for example to point out mistakes.
    """
    shape = geometry(size_of(board))
    cell_texts = [digit + " " for digit in to_line(board)]
    if marks is not None:
        cell_texts = [
            cell[0] + "*" if marked else cell
            for cell, marked in zip(cell_texts, marks, strict=True)
        ]
    segment = shape.box_columns
    boxes_across = shape.size // segment
    rule = "+".join(["-" * (2 * segment + 1)] * boxes_across)
    lines = []
    for row in range(shape.size):
        if row and row % shape.box_rows == 0:
            lines.append(rule)
        start = row * shape.size
        pieces = [
            " " + "".join(cell_texts[start + box * segment : start + (box + 1) * segment])
            for box in range(boxes_across)
        ]
        lines.append("|".join(pieces).rstrip())
    return "\n".join(lines)


def validate(board: np.ndarray) -> None:
    """Raise PuzzleError if a digit stands twice in a row, column or box; the message says where."""
    shape = geometry(size_of(board))
    size = shape.size
    for unit, cells in enumerate(shape.units):
        for digit in range(1, size + 1):
            twins = cells[board[cells] == digit][:2]
            if len(twins) < 2:
                continue
            (row_a, column_a), (row_b, column_b) = (divmod(int(cell), size) for cell in twins)
            number = unit % size + 1
            if unit < size:
                where = f"Row {number} holds two {digit}s, in columns {column_a + 1} and"
                where += f" {column_b + 1}"
            elif unit < 2 * size:
                where = f"Column {number} holds two {digit}s, in rows {row_a + 1} and {row_b + 1}"
            else:
                where = f"Box {number} holds two {digit}s, at row {row_a + 1} column"
                where += f" {column_a + 1} and at row {row_b + 1} column {column_b + 1}"
            raise PuzzleError(f"{where}; change one of them.")


def violations(boards: np.ndarray) -> np.ndarray:
    """Mark every cell whose digit stands again in the same row, column or box.

    `boards` and the result are (B, n*n). Blanks never break a rule.
    """
    shape = geometry(size_of(boards))
    units = boards[:, shape.units]  # (B, 3n, n)
    broken = np.zeros(boards.shape, dtype=bool)
    for digit in range(1, shape.size + 1):
        repeated = (units == digit).sum(-1) > 1  # (B, 3n)
        broken |= (boards == digit) & repeated[:, shape.memberships].any(-1)
    return broken


def is_solution(puzzles: np.ndarray, boards: np.ndarray) -> np.ndarray:
    """Whether each board solves its puzzle: it is complete, keeps the rules and all the clues.

    `puzzles` and `boards` are (B, n*n), and the result is (B,) bool.
    """
    size = size_of(boards)
    complete = ((boards >= 1) & (boards <= size)).all(-1)
    agrees = ((puzzles == 0) | (puzzles == boards)).all(-1)
    return complete & agrees & ~violations(boards).any(-1)


def to_tokens(boards: np.ndarray) -> np.ndarray:
    """Boards (..., n*n) as the uint8 tokens of a network: digit + 1, so that a blank is 1.

    With PAD = 0 the vocabulary has n + 2 tokens.
    """
    return (boards + 1).astype(np.uint8)


def from_tokens(tokens: np.ndarray) -> np.ndarray:
    """Tokens (..., n*n) back as boards (..., n*n). Padding becomes a blank."""
    return np.where(tokens == PAD, 0, tokens - 1).astype(np.uint8)
