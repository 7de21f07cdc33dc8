"""The options of an exam as a dataclass, in a file that does not import torch."""

from dataclasses import dataclass, replace
from typing import Literal

from trm_lite.common.choices import MAX_STEPS, Choice, Latent
from trm_lite.common.errors import UserError, check_range


@dataclass(frozen=True)
class ExamOptions:
    """How to test a network.

    Args:
        weights: Which weights of a run folder: "last" and "best" are the moving averages (EMA)
            at the last and the best validation, "raw" the weights that training continues from.
        split: Which puzzles. Use validation for choosing, and test for reporting.
        steps: Supervision steps per puzzle; by default 16, or 1 for a network that was trained to
            answer at once.
        kinds: Generate new Sudokus of these kinds, and test on them instead.
        count: Number of puzzles. By default all, or 1000 new ones. For ARC it is the number of
            augmentations that vote, by default all.
        bands: Also report exact match by difficulty.
        tries: Attempts at each puzzle, of which one is chosen.
        vary: How attempts differ: by the random "start" of a network that draws one, by "noise" on
            a latent, or by the "guise" of a puzzle with symmetries. By default the first of these
            that there is.
        noise: Standard deviation of Gaussian noise on a latent.
        noise_on: Which latent, y or z; a network of one state has y alone, which is disturbed.
        noise_every_step: Add noise before every supervision step (PTRM), not only the first.
        choose: Which attempt counts: the one of which the halting head is most sure ("halting"),
            whose logits ("residual") or latents ("latent") changed least in the last steps, or
            with which most others agree ("majority").
        window: The last steps whose changes count for a residual; 0 for all.
        halt: Stop thinking about a puzzle when the network halts itself, and give its place to the
            next one. A fraction of the work; after halting a puzzle keeps its answer.
        seed: Seed of everything that is drawn.
        batch_size: Puzzles in the network at once.
    """

    weights: Literal["last", "best", "raw"] = "last"
    split: Literal["test", "validation"] = "test"
    steps: int | None = None
    kinds: tuple[str, ...] = ()
    count: int | None = None
    bands: bool = False
    tries: int = 1
    vary: Literal["start", "noise", "guise"] | None = None
    noise: float = 0.0
    noise_on: Latent = "z"
    noise_every_step: bool = False
    choose: Choice = "halting"
    window: int = 3
    halt: bool = False
    seed: int = 0
    batch_size: int = 256

    def __post_init__(self):
        """Raise UserError for values that make no sense."""
        check_range("batch_size", self.batch_size, 1)
        if self.steps is not None and self.steps < 1:
            raise UserError(
                f"The number of supervision steps must be at least 1, not {self.steps}.", "steps"
            )
        if self.tries < 1:
            raise UserError(f"Each puzzle needs at least 1 attempt, not {self.tries}.", "tries")
        if self.noise < 0:
            raise UserError(f"The noise must be 0 or more, not {self.noise}.", "noise")
        check_choice(self.choose, self.tries, MAX_STEPS if self.steps is None else self.steps)
        if self.window < 0:
            raise UserError(f"A window has at least 0 steps, not {self.window}.", "window")
        if self.halt and not (self.tries == 1 and self.noise == 0):
            raise UserError(
                "A puzzle that halts by itself is tried once and without noise; leave one out.",
                "halt", "tries", "noise",
            )  # fmt: skip
        if self.vary not in (None, "noise") and self.noise:
            raise UserError(
                f"Attempts differ either by noise or by {self.vary}; leave one out.",
                "vary", "noise",
            )  # fmt: skip
        if self.vary == "noise" and not self.noise:
            raise UserError(
                "Attempts cannot differ by a noise of 0; give it a size, such as 0.3.", "noise"
            )
        if self.count is not None and self.count < 0:
            raise UserError(f"An exam needs at least 1 puzzle, not {self.count}.", "count")

    def settled(self, trained_steps: int | None) -> "ExamOptions":
        """The same options with a number of steps, for a network trained with so many at most."""
        usual = 1 if trained_steps == 1 else MAX_STEPS
        return self if self.steps is not None else replace(self, steps=usual)

    @property
    def as_in_the_papers(self) -> bool:
        """Whether each puzzle is tried once, for all steps, from the usual initial latents."""
        return self.tries == 1 and self.noise == 0 and not self.halt

    @property
    def whole_test(self) -> bool:
        """Whether this is the papers' exam on the whole test split."""
        return (
            self.as_in_the_papers and self.split == "test" and not self.kinds and self.count is None
        )


def check_choice(choose: str, tries: int, steps: int) -> None:
    """Raise UserError for a choice between attempts that there is nothing to choose by.

    Args:
        choose: how to choose.
        tries: the number of attempts.
        steps: supervision steps of each one.
    """
    if choose not in ("halting", "rules") and tries < 2:
        raise UserError(
            f"There is nothing to choose by {choose} with a single attempt; try at least 2.",
            "choose", "tries",
        )  # fmt: skip
    if choose in ("residual", "latent") and steps < 2:
        raise UserError(
            "A residual is the change between two supervision steps; take at least 2.",
            "choose", "steps",
        )  # fmt: skip


USUAL = ExamOptions()
