"""The public CSV files of puzzles: read piece by piece, checked row by row, drawn from a seed.

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
from trm_lite.common.files import cache_folder
from trm_lite.data.benchmarks.download import DataFile, fetch_data, sha256
from trm_lite.data.folder import is_built, new_folder

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


# Building


def build_from_csv(
    folder: Path,
    about: dict,
    files: list[DataFile],
    notation: Notation,
    write: Callable[[Path, dict[str, Rows], dict, np.random.RandomState | None], None],
    *,
    source: Path | None,
    train: int | None,
    validation: int,
    min_rating: int | None,
    augmentations: int,
    seed: int,
    official_order: bool,
) -> bool:
    """Build a benchmark of puzzles of one kind; False if it is there already, built the same way.

    `files` are the public ones, `source` takes their place (see `find_files`), and `draw_splits`
    says what the settings mean. `write(folder, splits, about, official)` writes what was drawn.
    """
    paths, hashes = find_files(files, source)
    about = about | {
        "train": train,
        "validation": validation,
        "min_rating": min_rating,
        "augmentations": augmentations,
        "seed": seed,
        "official_order": official_order,
        "sources": hashes,
    }
    if is_built(folder, about):
        return False
    official = np.random.RandomState(seed) if official_order else None
    with new_folder(folder, about) as unfinished:
        splits = draw_splits(
            paths or fetched(files),
            notation,
            train=train,
            validation=validation,
            min_rating=min_rating,
            seed=seed,
            official=official,
        )
        write(unfinished, splits, about, official)
    return True


# Which rows


def draw_splits(
    paths: list[Path],
    notation: Notation,
    *,
    train: int | None,
    validation: int,
    min_rating: int | None = None,
    seed: int,
    official: np.random.RandomState | None,
) -> dict[str, Rows]:
    """The rows of each split: train, validation if it is not empty, and test.

    Training rows are drawn from the first of `paths` without repetition, all in their order if
    `train` is None; validation rows are drawn from the others. Both are rated `min_rating` or
    more. Test rows are all of the second file, or what is left of a single one.

    With numpy's legacy generator as `official`, training rows are drawn from it as the authors'
    code does, and `min_rating` applies to the test rows too, as it does there.
    """
    if official and len(paths) < 2:
        raise UserError("--official-order needs a training and a test file; name their folder.")
    ratings = np.concatenate([rows.ratings for rows in pieces(paths[0], notation)])
    enough = np.arange(len(ratings))
    if min_rating is not None:
        enough = np.flatnonzero(ratings >= min_rating)
    train = len(enough) - validation if train is None else train
    if train + validation > len(enough):
        raise UserError(
            f"{paths[0].name} has {len(enough):,} puzzles"
            + (f" rated {min_rating} or more" if min_rating is not None else "")
            + f", too few for {train:,} to train on and {validation:,} for validation; "
            "ask for fewer."
        )
    check_sizes(train, validation)
    drawn = _draw(enough, train, official or np.random.default_rng([seed, 0]))
    left = np.setdiff1d(enough, drawn)
    held_out = _draw(left, validation, np.random.default_rng([seed, 1]))
    chosen = np.concatenate((drawn, held_out))
    rows = take(paths[0], notation, chosen)
    splits = {"train": rows.at(slice(train))}
    if validation:
        splits["validation"] = rows.at(slice(train, None))
    if len(paths) > 1:
        test = _joined(pieces(paths[1], notation))
        if official and min_rating is not None:
            test = test.at(test.ratings >= min_rating)
    else:
        rest = np.setdiff1d(np.arange(len(ratings)), chosen)
        test = take(paths[0], notation, rest) if len(rest) else rows.at(slice(0))
    if not len(test.ratings):
        raise UserError(
            f"No puzzle of {paths[-1].name} is left to test on; lower --train, --validation or "
            "--min-rating."
        )
    return splits | {"test": test}


def _draw(
    rows: np.ndarray, count: int, rng: np.random.Generator | np.random.RandomState
) -> np.ndarray:
    """`count` of `rows` at random without repetition; all of them stay in their order."""
    return rows if count == len(rows) else rows[rng.choice(len(rows), count, replace=False)]


def check_sizes(train: int, validation: int, test: int = 1) -> None:
    """UserError for splits that are too small; there may be none for validation."""
    if min(train, test) < 1 or validation < 0:
        raise UserError("Splits to train and to test on need at least 1 puzzle; ask for more.")


def take(path: Path, notation: Notation, wanted: np.ndarray) -> Rows:
    """The rows number `wanted` of a file, in that order."""
    order = np.argsort(wanted, kind="stable")
    return _joined(pieces(path, notation, wanted[order])).at(np.argsort(order))


def _joined(rows: Iterable[Rows]) -> Rows:
    return Rows(*map(np.concatenate, zip(*rows, strict=True)))


# Reading


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


def public_files(repository: str, revision: str, **sha256s: str) -> list[DataFile]:
    """The files train.csv and test.csv of a data set on the Hub, with their SHA-256."""
    return [
        DataFile(repository, revision, f"{split}.csv", sha256) for split, sha256 in sha256s.items()
    ]


def find_files(files: list[DataFile], source: Path | None) -> tuple[list[Path], dict[str, str]]:
    """Where the training and the test file are, if they need not be fetched, and their SHA-256.

    `source` is a folder with files of these names, or a single file, which then is to give all
    splits. Without it they are those of the Hub; see `fetched`.
    """
    if source is None:
        return [], {file.name: file.sha256 for file in files}
    paths = [source / file.name for file in files] if source.is_dir() else [source]
    for path in paths:
        if not path.is_file():
            names = " and ".join(file.name for file in files)
            raise UserError(
                f"There is no file {path}; name with --from a folder that holds {names}, or one "
                "CSV file for all splits."
            )
    return paths, {path.name: sha256(path) for path in paths}


def fetched(files: list[DataFile]) -> list[Path]:
    """The `files` of the Hub, downloaded once and kept in the cache folder."""
    return [
        fetch_data(file, cache_folder() / "hub" / file.repository / file.revision[:8])
        for file in files
    ]
