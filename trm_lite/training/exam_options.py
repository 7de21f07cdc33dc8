"""How a network is examined, as a value; reading it needs no torch."""

from dataclasses import dataclass
from typing import Literal

from trm_lite.common.choices import MAX_STEPS
from trm_lite.common.errors import UserError


@dataclass(frozen=True)
class ExamOptions:
    """How a network is examined. UserError for what cannot be asked.

    Args:
        weights: Of a run folder: those of the last or the best look at validation puzzles, both
            averaged (EMA), or "raw": those with which training would go on.
        split: Which puzzles. Choose by validation, report test.
        steps: Supervision steps to think.
        kinds: Examine on fresh Sudokus of these kinds instead.
        count: Puzzles: of fresh ones 1000, else all, if None; of ARC, augmentations that vote.
        bands: Also the exact match by difficulty.
        tries: Attempts at each puzzle, of which the halting head chooses one. Each but the first
            sees the Sudoku in another guise, unless there is
        noise: Deviation of Gaussian noise on the initial z.
        batch_size: Puzzles thought about at once.
    """

    weights: Literal["last", "best", "raw"] = "last"
    split: Literal["test", "validation"] = "test"
    steps: int = MAX_STEPS
    kinds: tuple[str, ...] = ()
    count: int | None = None
    bands: bool = False
    tries: int = 1
    noise: float = 0.0
    batch_size: int = 256

    def __post_init__(self):
        if self.steps < 1:
            raise UserError(
                f"A thought has at least 1 supervision step, not {self.steps}.", "steps"
            )
        if self.tries < 1:
            raise UserError(f"Each puzzle needs at least 1 attempt, not {self.tries}.", "tries")
        if self.noise < 0:
            raise UserError(f"A deviation of noise is not negative, as {self.noise} is.", "noise")
        if self.count is not None and self.count < 0:
            raise UserError(f"An exam needs at least 1 puzzle, not {self.count}.", "count")

    @property
    def as_in_the_papers(self) -> bool:
        """Whether each puzzle is tried once, from the usual start."""
        return self.tries == 1 and self.noise == 0

    @property
    def whole_test(self) -> bool:
        """Whether it is the exam of the papers on the whole test split."""
        return (
            self.as_in_the_papers and self.split == "test" and not self.kinds and self.count is None
        )


USUAL = ExamOptions()
