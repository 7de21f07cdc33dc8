"""The options of an exam as a dataclass, in a file that does not import torch."""

from dataclasses import dataclass
from typing import Literal

from trm_lite.common.choices import MAX_STEPS
from trm_lite.common.errors import UserError


@dataclass(frozen=True)
class ExamOptions:
    """How to test a network.

    Args:
        weights: Which weights of a run folder: "last" and "best" are the moving averages (EMA)
            at the last and the best validation, "raw" the weights that training continues from.
        split: Which puzzles. Use validation for choosing, and test for reporting.
        steps: Supervision steps per puzzle.
        kinds: Generate new Sudokus of these kinds, and test on them instead.
        count: Number of puzzles. By default all, or 1000 new ones. For ARC it is the number of
            augmentations that vote, by default all.
        bands: Also report exact match by difficulty.
        tries: Attempts at each puzzle, of which the halting head chooses one. Every attempt but
            the first shows the puzzle in another guise, or differs by noise if there is any.
        noise: Standard deviation of Gaussian noise on the initial z.
        batch_size: Puzzles in the network at once.
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
        """Raise UserError for values that make no sense."""
        if self.steps < 1:
            raise UserError(
                f"The number of supervision steps must be at least 1, not {self.steps}.", "steps"
            )
        if self.tries < 1:
            raise UserError(f"Each puzzle needs at least 1 attempt, not {self.tries}.", "tries")
        if self.noise < 0:
            raise UserError(f"The noise must be 0 or more, not {self.noise}.", "noise")
        if self.count is not None and self.count < 0:
            raise UserError(f"An exam needs at least 1 puzzle, not {self.count}.", "count")

    @property
    def as_in_the_papers(self) -> bool:
        """Whether each puzzle is tried once, from the usual initial latents, as in the papers."""
        return self.tries == 1 and self.noise == 0

    @property
    def whole_test(self) -> bool:
        """Whether this is the papers' exam on the whole test split."""
        return (
            self.as_in_the_papers and self.split == "test" and not self.kinds and self.count is None
        )


USUAL = ExamOptions()
