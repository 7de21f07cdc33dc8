"""Mazes as a `Puzzle`, and their eight symmetries as tensors."""

import numpy as np
import torch
from torch import Tensor

from trm_lite.puzzles import maze
from trm_lite.puzzles.puzzle import Puzzle

GREATEST_SEED = 2**32


def as_puzzle(size: int) -> Puzzle:
    """Mazes of `size` rows and columns as a puzzle.

    Those that `make` draws, of an odd size, have a single path. Others may have many shortest
    paths: then a turned answer is still valid, but seldom the one that is meant.
    """

    def make(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return maze.generate(count, size, seed=int(rng.integers(GREATEST_SEED)))

    return Puzzle(
        name=f"maze-{size}x{size}",
        tokens=maze.CHARACTERS,
        shape=(size, size),
        blanks=" ",
        make=make,
        family=lambda question, answer: canonical(question),
        augment=augment,
        breaks=maze.breaks,
        solve=maze.only_path,
        words=("padding", "wall", "open", "S", "G", "path"),
        colours=("white", "#222222", "white", "white", "white", "#0072b2"),
        valid="any shortest path",
        full=True,
    )


def augment(questions: Tensor, answers: Tensor, generator: torch.Generator) -> tuple:
    """Turn and mirror each maze at random, and its answer in the same way.

    Args:
        questions: (B, n*n) tokens of the mazes.
        answers: (B, n*n) tokens of their answers.
        generator: source of the random draws.
    """
    drawn = torch.randint(8, (len(questions),), generator=generator)
    cells = _symmetries(maze.size_of(questions))[drawn]  # (B, n*n) which cell each is copied from
    return questions.gather(1, cells), answers.gather(1, cells)


def canonical(cells: np.ndarray) -> bytes:
    """A fingerprint of a maze (n*n,) that is the same in all of its eight guises."""
    return min(cells[turned].tobytes() for turned in _symmetries(maze.size_of(cells)).numpy())


def _symmetries(size: int) -> Tensor:
    """The cell numbers of a square in its eight guises, (8, n*n)."""
    square = torch.arange(size * size).view(size, size)
    both = (square, square.T)
    return torch.stack([torch.rot90(s, k).reshape(-1) for s in both for k in range(4)])
