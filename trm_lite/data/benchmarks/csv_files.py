"""The public CSV files of puzzles, read piece by piece and checked row by row.

The files have the columns source, question, answer, rating, and one character per cell; other
names that are usual in the field are known, see `csv_tables`. Fields are never stripped: a maze
may well begin or end with spaces. Files of Sudokus without answers are read as well.
"""

import io
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.texts import encoding_of, read_text
from trm_lite.puzzles.reading.alphabet import Alphabet
from trm_lite.puzzles.reading.boards import find_boards
from trm_lite.puzzles.reading.csv_tables import BEGINNING, CsvProblem, Table, is_csv, read_table

PIECE = 20_000  # rows in memory at once
INTEGER = 18  # digits of a whole number that surely fits into 64 bits
STRAY = 255  # stands for a character that is none of the notation


class Rows(NamedTuple):
    """N puzzles."""

    questions: np.ndarray  # (N, L) uint8 cells
    answers: np.ndarray  # (N, L) uint8
    ratings: np.ndarray  # (N,) int64, or float64; NaN where there are none

    def at(self, rows: np.ndarray | slice) -> "Rows":
        """The puzzles at `rows`, in that order."""
        return Rows(*(part[rows] for part in self))

    @property
    def known_ratings(self) -> np.ndarray | None:
        """The ratings, None where there are none."""
        return None if np.isnan(self.ratings).any() else self.ratings


@dataclass(frozen=True)
class Notation:
    """How puzzles are written, and what makes a proper one."""

    values: dict[str, int]  # the cell that each character stands for
    cells: int | None  # of a puzzle; as many as the first one has if None
    # Of questions and answers (N, L): what can be wrong, and where (N,) it is.
    problems: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]

    # Of Sudokus, which need neither CSV nor answers: how boards are written, and what solves them,
    # (N, L) to (N, L), with zeros where there is not exactly one solution.
    boards: Alphabet | None = None
    solve: Callable[[np.ndarray], np.ndarray] | None = None

    def read(self, texts: Iterable[str], cells: int) -> np.ndarray:
        """Texts of `cells` characters as cells (N, L), STRAY for a character of no meaning."""
        table = np.full(256, STRAY, np.uint8)
        table[[ord(character) for character in self.values]] = list(self.values.values())
        codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), np.uint32)
        return table[np.minimum(codes, 255)].reshape(-1, cells)


class Texts(NamedTuple):
    """A row as it is written."""

    question: str
    answer: str | None
    rating: str | None


def pieces(path: Path, notation: Notation, wanted: np.ndarray | None = None) -> Iterator[Rows]:
    """The puzzles of a file, or its rows number `wanted`, an ascending array; PIECE rows at a time.

    Raises PuzzleError, naming the line, at the first row that is not proper.
    """
    cells, first = notation.cells, 0
    for lines, rows in _raw(path, notation):
        cells = cells or len(rows[0].question)
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


def _parsed(name: str, notation: Notation, cells: int, lines: list[int], rows: list[Texts]) -> Rows:
    """Rows of texts that stand on `lines` of file `name`, once nothing is found wrong with them."""

    def check(problem: str, bad: np.ndarray) -> None:
        if np.any(bad):
            raise PuzzleError(f"{name}, line {lines[int(np.argmax(bad))]}: {problem}.")

    def board(column: str, texts: Iterable[str]) -> np.ndarray:
        lengths = np.array([len(text) for text in texts])
        check(f"the {column} does not have {cells} characters", lengths != cells)
        read = notation.read(texts, cells)
        stray = f"the {column} holds a character that is none of '{''.join(notation.values)}'"
        check(stray, (read == STRAY).any(1))
        return read

    questions, answers, ratings = zip(*rows, strict=True)
    asked = board("question", questions)
    if answers[0] is None:
        right = notation.solve(asked)
        check("the question does not have exactly one solution", ~right.any(1))
    else:
        right = board("answer", answers)
    numbers = _numbers(ratings)
    check("the rating is no number", ~np.isfinite(numbers) & (np.array(ratings) != None))  # noqa: E711
    for problem, bad in notation.problems(asked, right).items():
        check(problem, bad)
    return Rows(asked, right, numbers)


def _numbers(texts: tuple[str | None, ...]) -> np.ndarray:
    """Texts as numbers (N,), whole ones if all are; NaN for what is none."""

    def number(text: str | None) -> float:
        try:
            return float(text or "nan")
        except ValueError:
            return math.nan

    if all(text and len(text) <= INTEGER and text.isascii() and text.isdigit() for text in texts):
        return np.array([int(text) for text in texts])
    return np.array([number(text) for text in texts])


def _raw(path: Path, notation: Notation) -> Iterator[tuple[list[int], list[Texts]]]:
    """Pieces of a file: the line numbers, and what stands there."""
    bar = tqdm(
        total=path.stat().st_size, unit="B", unit_scale=True, desc=f"reading {path.name}", delay=1
    )
    with open(path, "rb") as file, bar:
        encoding = encoding_of(file.read(4))
        file.seek(0)
        text = io.TextIOWrapper(file, encoding, "replace", newline="")
        rows = _rows_of(path, notation, text)
        while piece := list(islice(rows, PIECE)):
            bar.update(file.tell() - bar.n)
            yield tuple(map(list, zip(*piece, strict=True)))


def _rows_of(path: Path, notation: Notation, file: Iterable[str]) -> Iterator[tuple[int, Texts]]:
    """(line, texts) of the rows of a file: of CSV, or of anything else with boards."""
    beginning = list(islice(file, BEGINNING))
    if notation.boards is not None and not is_csv(beginning):
        yield from _boards_of(path, notation.boards)
        return
    try:
        table = read_table(chain(beginning, file))
        if table is None:
            raise UserError(f"{path.name} is empty; it should name question, answer and rating.")
        yield from _rows_of_table(path.name, table, notation)
    except CsvProblem as error:
        raise PuzzleError(f"{path.name}, line {error.line}: {error.problem}.") from error


def _rows_of_table(name: str, table: Table, notation: Notation) -> Iterator[tuple[int, Texts]]:
    needed = ("question",) if notation.solve else ("question", "answer")
    missing = [column for column in needed if column not in table.places]
    if missing:
        raise UserError(
            f"{name} has no column '{missing[0]}'; its first line should name question, answer "
            f"and rating, not {', '.join(table.header)[:80]}."
        )
    row, places = None, [table.places.get(column) for column in Texts._fields]
    for row in table.rows:
        line, fields = row
        if len(fields) != len(table.header):
            raise CsvProblem(line, f"{len(fields)} fields instead of {len(table.header)}")
        yield line, Texts(*(None if place is None else fields[place] for place in places))
    if row is None:
        raise UserError(f"{name} holds no puzzles, only its first line.")


def _boards_of(path: Path, alphabet: Alphabet) -> Iterator[tuple[int, Texts]]:
    """(line, texts) of boards that are written in any other way."""
    found = find_boards(read_text(path), alphabet)
    for line, problem in found.problems:
        raise PuzzleError(f"{path.name}, line {line}: {problem}")
    if not found.boards:
        raise UserError(f"{path.name} holds no puzzles; write one per line.")
    for line, cells in found.boards:
        yield line, Texts(cells, None, None)
