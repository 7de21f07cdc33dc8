"""Mazes of 5x5 cells, most of them with several shortest paths, shown as they are."""

from dataclasses import replace

import numpy as np

from trm_lite.puzzles import get_puzzle, hard_mazes, maze


def make(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mazes and their answers, both (count, 25); each answer is the path that the rule finds."""
    seed = int(rng.integers(2**32))
    return hard_mazes.generate(count, 5, seed=seed, density=(0.1, 0.25), least_moves=5)


PUZZLE = replace(
    get_puzzle("maze-5x5"),
    name="open-mazes",
    make=make,
    solve=maze.shortest_path,
    augment=None,
)
