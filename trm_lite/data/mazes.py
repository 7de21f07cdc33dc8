"""Small mazes made here: one path from S to G, split without turned or mirrored twins."""

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.puzzles import maze


def build_mazes(size: int, sizes: tuple[int, int, int], puzzle_seed: int) -> Splits:
    """The splits that a `MazeData` describes; UserError if there are not enough without twins.

    Args:
        size: Rows and columns, odd.
        sizes: How many mazes the three splits hold.
        puzzle_seed: Of everything that is drawn.
    """
    if min(sizes) < 0 or sum(sizes) == 0:
        raise UserError("The sizes of the splits must be 0 or more, and one of them not 0.")
    for spare in (1.1, 2, 4):  # some turn out to be twins, of small mazes most
        count = round(spare * sum(sizes)) + 1
        mazes, answers = maze.generate(count, size, seed=puzzle_seed)
        seen: dict[bytes, int] = {}
        for row, cells in enumerate(mazes):
            seen.setdefault(_canonical(cells), row)
        if len(seen) >= sum(sizes):
            break
    else:
        raise UserError(
            f"Only {len(seen)} mazes of size {size} without twins were found, "
            f"{sum(sizes)} were asked for; ask for fewer or for a larger size."
        )
    rows = np.fromiter(seen.values(), int)
    ends = np.cumsum(sizes)
    parts = np.split(rows[: ends[-1]], ends[:-1])
    return Splits(*(maze_set(mazes[part], answers[part]) for part in parts))


def maze_set(mazes: np.ndarray, answers: np.ndarray) -> PuzzleSet:
    """Mazes (N, n*n) and their answers as tokens, augmented by turning and mirroring."""
    return PuzzleSet(
        torch.from_numpy(maze.to_tokens(mazes)),
        torch.from_numpy(maze.to_tokens(answers)),
        torch.zeros(len(mazes), dtype=torch.long),
        augment,
    )


def augment(inputs: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn and mirror every maze (B, n*n) at random, its answer with it."""
    drawn = torch.randint(8, (len(inputs),), generator=generator)
    cells = _symmetries(maze.size_of(inputs))[drawn]  # (B, n*n) where each cell is taken from
    return inputs.gather(1, cells), labels.gather(1, cells)


def _symmetries(size: int) -> Tensor:
    """(8, n*n) cell numbers of a square under its symmetries."""
    square = torch.arange(size * size).view(size, size)
    both = (square, square.T)
    return torch.stack([torch.rot90(s, k).reshape(-1) for s in both for k in range(4)])


def _canonical(cells: np.ndarray) -> bytes:
    """The same for all turned and mirrored versions of a maze (n*n,)."""
    return min(cells[turned].tobytes() for turned in _symmetries(maze.size_of(cells)).numpy())
