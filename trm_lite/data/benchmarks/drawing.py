"""Benchmarks of Sudokus or of mazes: drawn from public CSV files, or made here, then written."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.common.files import cache_folder
from trm_lite.data.benchmarks.csv_files import Notation, Rows, joined, pieces, take
from trm_lite.data.benchmarks.download import DataFile, fetch_data, sha256
from trm_lite.data.benchmarks.options import Drawing, Making
from trm_lite.data.folder import is_built, new_folder

# Writes the splits into a folder as the options in `about` say, to which it may add. Symmetries
# come from numpy's legacy generator, if there is one, in the order of the authors' code.
Write = Callable[[Path, dict[str, Rows], dict, np.random.RandomState | None], None]


@dataclass(frozen=True)
class CsvBenchmark:
    """A benchmark of public CSV files."""

    about: dict  # its name, the puzzle, the shape
    files: tuple[DataFile, ...]  # to learn from, and to be tested on
    notation: Notation
    write: Write


@dataclass(frozen=True)
class MadeHere:
    """A benchmark of generated puzzles."""

    about: dict
    make: Callable[[Making], dict[str, Rows]]  # the splits
    write: Write


def build_from_csv(folder: Path, benchmark: CsvBenchmark, drawing: Drawing) -> bool:
    """Build a benchmark into `folder`; False if it is there already, built the same way.

    Raises UserError if that cannot be done, PuzzleError for a row that is no proper puzzle.
    """
    paths, hashes = find_files(benchmark.files, drawing.source)
    about = benchmark.about | asdict(drawing) | {"sources": hashes}
    del about["source"]  # where the files were tells nothing, their hashes do
    if is_built(folder, about):
        return False
    official = np.random.RandomState(drawing.seed) if drawing.official_order else None
    paths = paths or fetched(benchmark.files)
    with new_folder(folder, about) as unfinished:
        splits = draw_splits(paths, benchmark.notation, drawing, official)
        benchmark.write(unfinished, splits, about, official)
    return True


def build_made_here(folder: Path, benchmark: MadeHere, making: Making) -> bool:
    """Build a benchmark into `folder` without a network: minutes. The rest as `build_from_csv`."""
    about = benchmark.about | asdict(making)
    if is_built(folder, about):
        return False
    check_sizes(train=making.train, test=making.test)
    with new_folder(folder, about) as unfinished:
        benchmark.write(unfinished, benchmark.make(making), about, None)
    return True


# Which rows


def draw_splits(
    paths: list[Path],
    notation: Notation,
    drawing: Drawing,
    official: np.random.RandomState | None = None,
) -> dict[str, Rows]:
    """The rows of each split: train, validation if it is not empty, and test.

    Training and validation rows are drawn from the first file without repetition. Test rows are
    all of the second file, or what is left of a single one.

    Args:
        paths: One file, or one to learn from and one to be tested on.
        notation: How their puzzles are written.
        drawing: How many of which puzzles.
        official: Numpy's legacy generator, to draw training rows as the authors' code does.
    """
    if official and len(paths) < 2:
        raise UserError(
            "The authors' order needs a training and a test file; name the folder of both.",
            "source",
        )
    ratings = np.concatenate([rows.ratings for rows in pieces(paths[0], notation)])
    drawn, held_out = _draw_rows(paths[0].name, ratings, drawing, official)
    chosen = np.concatenate((drawn, held_out))
    rows = take(paths[0], notation, chosen)
    splits = {"train": rows.at(slice(len(drawn)))}
    if len(held_out):
        splits["validation"] = rows.at(slice(len(drawn), None))
    if len(paths) > 1:
        test = joined(pieces(paths[1], notation))
        if official and drawing.min_rating is not None:
            test = test.at(test.ratings >= drawing.min_rating)
    else:
        rest = np.setdiff1d(np.arange(len(ratings)), chosen)
        test = take(paths[0], notation, rest) if len(rest) else rows.at(slice(0))
    if not len(test.ratings):
        raise UserError(
            f"No puzzle of {paths[-1].name} is left to test on; lower what you ask for.",
            *("train", "validation", "min_rating"),
        )
    return splits | {"test": test}


def _draw_rows(
    file: str, ratings: np.ndarray, drawing: Drawing, official: np.random.RandomState | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `file`, whose `ratings` (N,) are known, to learn from and for validation."""
    enough = np.arange(len(ratings))
    if drawing.min_rating is not None:
        enough = np.flatnonzero(ratings >= drawing.min_rating)
    train, validation = drawing.train, drawing.validation
    if train is not None:
        check_sizes(train=train)
    needed = 1 if train is None else train
    if needed + validation > len(enough):
        rated = f" rated {drawing.min_rating} or more" if drawing.min_rating is not None else ""
        raise UserError(
            f"{file} has {len(enough):,} puzzles{rated}, too few for {needed:,} to train on and "
            f"{validation:,} for validation; ask for fewer.",
            *("train", "validation"),
        )
    train = len(enough) - validation if train is None else train
    drawn = _draw(enough, train, official or np.random.default_rng([drawing.seed, 0]))
    left = np.setdiff1d(enough, drawn)
    return drawn, _draw(left, validation, np.random.default_rng([drawing.seed, 1]))


def _draw(
    rows: np.ndarray, count: int, rng: np.random.Generator | np.random.RandomState
) -> np.ndarray:
    """`count` of `rows` at random without repetition; all of them stay in their order."""
    return rows if count == len(rows) else rows[rng.choice(len(rows), count, replace=False)]


def check_sizes(**sizes: int) -> None:
    """UserError if a split, given by its name, is empty."""
    empty = [name for name, size in sizes.items() if size < 1]
    if empty:
        raise UserError(f"There must be at least 1 puzzle to {empty[0]} on; ask for more.", *empty)


# Which files


def public_files(repository: str, revision: str, **sha256s: str) -> tuple[DataFile, ...]:
    """The files train.csv and test.csv of a data set on the Hub, with their SHA-256."""
    return tuple(
        DataFile(repository, revision, f"{split}.csv", sha256s[split]) for split in sha256s
    )


def find_files(
    files: tuple[DataFile, ...], source: Path | None
) -> tuple[list[Path], dict[str, str]]:
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
                f"There is no file {path}; name a folder that holds {names}, or one CSV file for "
                "all splits.",
                "source",
            )
    return paths, {path.name: sha256(path) for path in paths}


def fetched(files: tuple[DataFile, ...]) -> list[Path]:
    """The `files` of the Hub, downloaded once and kept in the cache folder."""
    return [
        fetch_data(file, cache_folder() / "hub" / file.repository / file.revision[:8])
        for file in files
    ]
