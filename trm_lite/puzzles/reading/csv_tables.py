"""CSV as it is found: any separator, line end and order of columns, names known in the field."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from trm_lite.common.errors import PuzzleError

SEPARATORS = ",;\t|"
# The columns that matter, and what public data sets call them.
BEGINNING = 20  # lines, of which one should be the header
NAMES = {
    "question": ("question", "questions", "puzzle", "puzzles", "quiz", "quizzes", "problem",
                 "sudoku", "board", "grid", "clues", "unsolved", "input", "inputs"),
    "answer": ("answer", "answers", "solution", "solutions", "solved", "output", "outputs",
               "target", "targets", "label", "labels"),
    "rating": ("rating", "ratings", "difficulty"),
    "split": ("split", "splits", "subset"),
}  # fmt: skip


class CsvProblem(PuzzleError):
    """A row that cannot be read, and its line."""

    def __init__(self, line: int, problem: str):
        super().__init__(f"Line {line}: {problem}")
        self.line, self.problem = line, problem


class Table(NamedTuple):
    """The rows of a CSV file, and where its columns are."""

    header: list[str]  # the names of all columns, as they are written
    places: dict[str, int]  # of the columns named in NAMES, as far as they are there
    # (line, fields) of each row; raises CsvProblem where quotation marks do not fit.
    rows: Iterator[tuple[int, list[str]]]


def read_table(lines: Iterable[str]) -> Table | None:
    """Read CSV from its lines, which still have their ends.

    Empty lines and comments before the header are skipped. Returns None if no line is left.
    Raises CsvProblem for a header whose quotation marks do not fit, or that names a column twice.
    """
    lines = iter(lines)
    first, separator, skipped = _header(lines)
    if not first:
        return None
    # Whoever writes a space after the separators of the header does so in the rows.
    spaced = f"{separator} " in first
    rows = _rows(chain([first], lines), separator, skipped, spaced)
    line, header = next(rows, (0, []))
    places, names = _places(header), [_plain(name) for name in header]
    for place in places.values():
        if names.count(names[place]) > 1:
            raise CsvProblem(line, f"two columns are called '{names[place]}'; rename one of them")
    return Table(header, places, rows)


def one_line(field: str) -> str:
    """A field as one line of text: the rows of a board may stand on lines of their own."""
    return "".join(field.splitlines())


def is_csv(lines: Iterable[str]) -> bool:
    """Whether lines begin with a header of several columns, one of which is of puzzles."""
    first, separator, _ = _header(iter(lines))
    return separator in first and "question" in _places(first.split(separator))


def _header(lines: Iterator[str]) -> tuple[str, str, int]:
    """The first line that is neither empty nor a comment, its separator, and how many are not."""
    first, separator, skipped = next(lines, ""), "", 0
    while first and (not first.strip() or first.startswith(("#", "sep="))):
        separator = first[4:5] if first.startswith("sep=") else separator  # Excel's way to tell it
        first, skipped = next(lines, ""), skipped + 1
    return first, separator if separator.strip() else _separator(first), skipped


def _separator(header: str) -> str:
    """The separator that makes the header name most columns."""
    return max(SEPARATORS, key=lambda s: (len(_places(header.split(s))), header.count(s)))


def _places(header: list[str]) -> dict[str, int]:
    names = [_plain(name) for name in header]
    found = {}
    for column, known in NAMES.items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            found[column] = place
    return found


def _plain(name: str) -> str:
    """The name of a column without quotation marks, in small letters."""
    return name.strip().strip("\"'\ufeff").strip().casefold()


def _rows(
    lines: Iterable[str], separator: str, skipped: int, spaced: bool
) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of all rows that are not empty; `skipped` lines stand before."""
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=spaced)
    line = skipped + 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise CsvProblem(
            line, f"this is not proper CSV ({error}); check the quotation marks from here on"
        ) from error
