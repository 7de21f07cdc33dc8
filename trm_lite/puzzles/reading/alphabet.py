"""How the boards of a puzzle are written, and what reading a text can find."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Written(NamedTuple):
    """A board that stands in a text."""

    line: int  # the line that it begins on, from 1
    cells: str  # one character for each cell, row by row


class Unread(NamedTuple):
    """Lines of a text that hold no board."""

    line: int  # the first of them, from 1
    problem: str  # what is wrong, as a sentence


class Found(NamedTuple):
    """What there is in a text, in its order."""

    boards: list[Written]
    problems: list[Unread]


@dataclass(frozen=True)
class Alphabet:
    """How the boards of a puzzle are written.

    Args:
        noun: what a board is called, "Sudoku", say.
        clues: the characters that a cell can hold.
        blanks: the characters that stand for an empty cell; the first is used for all of them.
        shapes: rows and columns of the boards that there are.
    """

    noun: str
    clues: str
    blanks: str
    shapes: tuple[tuple[int, int], ...]

    @cached_property
    def rows_of(self) -> dict[int, int]:
        """How many rows a board has, by the cells of a row."""
        return {columns: rows for rows, columns in self.shapes}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many cells a board can have."""
        return tuple(rows * columns for rows, columns in self.shapes)

    @cached_property
    def cells(self) -> frozenset[str]:
        """All characters that may stand for a cell."""
        return frozenset(self.clues + self.blanks)

    @cached_property
    def _plain(self) -> Callable[[str], str]:
        table = str.maketrans(dict.fromkeys(self.blanks, self.blanks[0]))
        return lambda cells: cells.translate(table)

    def plain(self, cells: str) -> str:
        """The cells with the usual character for each blank."""
        return self._plain(cells)

    def holds(self, text: str) -> bool:
        """Whether `text` consists of cells only."""
        return self.cells.issuperset(text)

    @property
    def wanted(self) -> str:
        """What a board has to be, for messages: "16, 36 or 81 cells"."""
        *most, last = map(str, self.sizes)
        return f"{', '.join(most)} or {last} cells" if most else f"{last} cells"
