"""The public CSV files of puzzles, read piece by piece and checked row by row.

The files have the columns source, question, answer, rating, and one character per cell. Fields are
never stripped: a maze may well begin or end with spaces.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from trm_lite.common.errors import PuzzleError, UserError

PIECE = 20_000  # rows in memory at once
COLUMNS = ("question", "answer", "rating")  # those that are needed
STRAY = 255  # stands for a character that is none of the notation


class Rows(NamedTuple):
    """N puzzles."""

    questions: np.ndarray  # (N, L) uint8 cells
    answers: np.ndarray  # (N, L) uint8
    ratings: np.ndarray  # (N,) int64

    def at(self, rows: np.ndarray | slice) -> "Rows":
        """The puzzles at `rows`, in that order."""
        return Rows(*(part[rows] for part in self))


@dataclass(frozen=True)
class Notation:
    """How puzzles are written, and what makes a proper one."""

    values: dict[str, int]  # the cell that each character stands for
    cells: int | None  # of a puzzle; as many as the first one has if None
    # Of questions and answers (N, L): what can be wrong, and where (N,) it is.
    problems: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]

    def read(self, texts: list[str], cells: int) -> np.ndarray:
        """Texts of `cells` characters as cells (N, L), STRAY for a character of no meaning."""
        table = np.full(256, STRAY, np.uint8)
        table[[ord(character) for character in self.values]] = list(self.values.values())
        characters = "".join(texts).encode("ascii", "replace")  # "?" for what is not ASCII
        return table[np.frombuffer(characters, np.uint8)].reshape(-1, cells)


def pieces(path: Path, notation: Notation, wanted: np.ndarray | None = None) -> Iterator[Rows]:
    """The puzzles of a file, or its rows number `wanted`, an ascending array; PIECE rows at a time.

    Raises PuzzleError, naming the line, at the first row that is not proper.
    """
    cells, first = notation.cells, 0
    for lines, rows in _raw(path):
        cells = cells or len(rows[0][0])
        last = first + len(rows)
        if wanted is not None:
            chosen = wanted[slice(*np.searchsorted(wanted, (first, last)))] - first
            lines, rows = ([part[row] for row in chosen] for part in (lines, rows))
        if rows:
            yield _parsed(path.name, notation, cells, lines, rows)
        first = last


def take(path: Path, notation: Notation, wanted: np.ndarray) -> Rows:
    """The rows number `wanted` of a file, in that order."""
    order = np.argsort(wanted, kind="stable")
    return joined(pieces(path, notation, wanted[order])).at(np.argsort(order))


def joined(rows: Iterable[Rows]) -> Rows:
    """All of the puzzles, one piece after the other."""
    return Rows(*map(np.concatenate, zip(*rows, strict=True)))


def _parsed(
    name: str, notation: Notation, cells: int, lines: list[int], rows: list[list[str]]
) -> Rows:
    """Rows of texts that stand on `lines` of file `name`, once nothing is found wrong with them."""

    def check(problem: str, bad: list[bool] | np.ndarray) -> None:
        if np.any(bad):
            raise PuzzleError(f"{name}, line {lines[int(np.argmax(bad))]}: {problem}.")

    *texts, ratings = zip(*rows, strict=True)
    boards = []
    for column, column_texts in zip(COLUMNS, texts, strict=False):
        lengths = np.array([len(text) for text in column_texts])
        check(f"the {column} does not have {cells} characters", lengths != cells)
        boards.append(notation.read(column_texts, cells))
        stray = f"the {column} holds a character that is none of '{''.join(notation.values)}'"
        check(stray, (boards[-1] == STRAY).any(1))
    whole = [text.isascii() and text.isdigit() for text in ratings]
    check("the rating is no whole number", ~np.array(whole))
    for problem, bad in notation.problems(*boards).items():
        check(problem, bad)
    return Rows(*boards, np.array([int(text) for text in ratings]))


def _raw(path: Path) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Pieces of a CSV file: the line numbers, and question, answer, rating of each row."""
    bar = tqdm(
        total=path.stat().st_size, unit="B", unit_scale=True, desc=f"reading {path.name}", delay=1
    )
    with open(path, "rb") as file, bar:

        def text() -> Iterator[str]:
            for line in file:
                bar.update(len(line))
                yield line.decode("utf-8", "replace")

        reader = csv.reader(text())
        try:
            header = [name.removeprefix("\ufeff") for name in next(reader, [])]
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise UserError(
                    f"{path.name} has no column '{missing[0]}'; its first line should name "
                    "source, question, answer and rating."
                )
            places = [header.index(name) for name in COLUMNS]
            lines: list[int] = []
            rows: list[list[str]] = []
            for row in reader:
                if len(row) != len(header):
                    raise PuzzleError(
                        f"{path.name}, line {reader.line_num}: {len(row)} fields instead of "
                        f"{len(header)}."
                    )
                lines.append(reader.line_num)
                rows.append([row[place] for place in places])
                if len(rows) == PIECE:
                    yield lines, rows
                    lines, rows = [], []
            if rows:
                yield lines, rows
            elif reader.line_num < 2:
                raise UserError(f"{path.name} holds no puzzles, only its first line.")
        except csv.Error as error:
            raise PuzzleError(f"{path.name}, line {reader.line_num}: {error}.") from error
