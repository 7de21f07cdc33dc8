"""Sudokus from text: which characters stand for which digit."""

from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.reading.alphabet import Alphabet, Unread
from trm_lite.puzzles.reading.boards import find_boards
from trm_lite.puzzles.sudoku.board import SIZES, size_of

ALPHABET = Alphabet(
    noun="Sudoku",
    clues="123456789",
    blanks=".0_*xX?-·",
    shapes=tuple((size, size) for size in SIZES),
)


class Read(NamedTuple):
    """The Sudokus that stand in a text, and what could not be read."""

    boards: list[tuple[int, np.ndarray]]  # line numbers, from 1, and boards (n*n,)
    problems: list[Unread]  # of lines that hold no Sudoku


def read(text: str) -> Read:
    """All Sudokus in a text, in almost any format; see `find_boards`.

    Whether they keep the rules is not checked.
    """
    found = find_boards(text, ALPHABET)
    read = Read([], list(found.problems))
    for line, cells in found.boards:
        try:
            read.boards.append((line, _board(cells)))
        except PuzzleError as error:
            read.problems.append(Unread(line, str(error)))
    read.problems.sort()
    return read


def parse(text: str) -> np.ndarray:
    """Read the only board (n*n,) of a text, in almost any format.

    Digits are clues; dots, zeros and what else is usual are blanks. The size follows from the
    number of cells. Whether the board keeps the rules is not checked; see `validate`. Raises
    PuzzleError, naming the line if there are several, unless there is exactly one board.
    """
    boards, problems = read(text)
    if problems:
        line, problem = problems[0]
        raise PuzzleError(f"Line {line}: {problem}" if "\n" in text.strip() else problem)
    if len(boards) != 1:
        raise PuzzleError(f"This text holds {len(boards) or 'no'} Sudokus; give one.")
    return boards[0][1]


def _board(cells: str) -> np.ndarray:
    board = np.frombuffer(cells.replace(".", "0").encode(), np.uint8) - ord("0")
    size = size_of(board)
    too_large = np.flatnonzero(board > size)
    if len(too_large):
        row, column = divmod(int(too_large[0]), size)
        raise PuzzleError(
            f"A Sudoku of size {size} uses the digits 1 to {size}, but row {row + 1} column "
            f"{column + 1} holds {board[too_large[0]]}."
        )
    return board
