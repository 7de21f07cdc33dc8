"""The mazes of open_mazes.py, turned and mirrored in training, and then answered by the rule."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from trm_lite.puzzles import get_puzzle, hard_mazes, maze

MAZE = get_puzzle("maze-5x5")


def make(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mazes and their answers, both (count, 25); each answer is the path that the rule finds."""
    seed = int(rng.integers(2**32))
    return hard_mazes.generate(count, 5, seed=seed, density=(0.1, 0.25), least_moves=5)


def augment(questions: Tensor, answers: Tensor, generator: torch.Generator) -> tuple:
    """Turned mazes (B, 25), each with the answer that the rule gives for it as it is now."""
    turned, _ = MAZE.augment(questions, answers, generator)
    anew = np.stack([maze.shortest_path(cells) for cells in turned.numpy()])
    return turned, torch.from_numpy(anew)


PUZZLE = replace(
    MAZE,
    name="open-mazes-answered-anew",
    make=make,
    solve=maze.shortest_path,
    augment=augment,
)
