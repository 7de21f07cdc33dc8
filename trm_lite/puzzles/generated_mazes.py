"""Small mazes made here: one path from S to G, split without turned or mirrored twins."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trm_lite.errors import UserError
from trm_lite.puzzles import maze
from trm_lite.puzzles.dataset import Data, PuzzleSet, Splits


@dataclass(frozen=True)
class MazeData(Data):
    """Generated mazes of an odd `size` with a single path, so that any symmetry may be applied.

    They are made in a second or two, and therefore not kept on disk.
    """

    size: int = 7
    train: int = 2000
    validation: int = 200
    test: int = 500
    puzzle_seed: int = 0
    source: Literal["generated mazes"] = "generated mazes"  # names the class in files

    @property
    def puzzle(self) -> str:
        return "maze"

    @property
    def vocab_size(self) -> int:
        return len(maze.CHARACTERS) + 1

    @property
    def seq_len(self) -> int:
        return self.size**2

    def build(self) -> Splits:
        """The splits; UserError if there are not enough mazes without twins."""
        sizes = (self.train, self.validation, self.test)
        if min(sizes) < 0 or sum(sizes) == 0:
            raise UserError("The sizes of the splits must be 0 or more, and one of them not 0.")
        for spare in (1.1, 2, 4):  # some turn out to be twins, of small mazes most
            count = round(spare * sum(sizes)) + 1
            mazes, answers = maze.generate(count, self.size, seed=self.puzzle_seed)
            seen: dict[bytes, int] = {}
            for row, cells in enumerate(mazes):
                seen.setdefault(_canonical(cells), row)
            if len(seen) >= sum(sizes):
                break
        else:
            raise UserError(
                f"Only {len(seen)} mazes of size {self.size} without twins were found, "
                f"{sum(sizes)} were asked for; ask for fewer or for a larger size."
            )
        rows = np.fromiter(seen.values(), int)
        ends = np.cumsum(sizes)
        parts = np.split(rows[: ends[-1]], ends[:-1])
        return Splits(*(as_set(mazes[part], answers[part]) for part in parts))


def as_set(mazes: np.ndarray, answers: np.ndarray) -> PuzzleSet:
    """Mazes (N, n*n) and their answers as tokens, augmented by turning and mirroring."""
    return PuzzleSet(
        torch.from_numpy(maze.to_tokens(mazes)),
        torch.from_numpy(maze.to_tokens(answers)),
        torch.zeros(len(mazes), dtype=torch.long),
        augment,
    )


def augment(inputs: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn and mirror every maze (B, n*n) at random, its answer with it."""
    guise = torch.randint(8, (len(inputs),), generator=generator)
    cells = _guises(maze.size_of(inputs))[guise]  # (B, n*n) where each cell is taken from
    return inputs.gather(1, cells), labels.gather(1, cells)


def _guises(size: int) -> Tensor:
    """(8, n*n) cell numbers of a square under its symmetries."""
    square = torch.arange(size * size).view(size, size)
    both = (square, square.T)
    return torch.stack([torch.rot90(s, k).reshape(-1) for s in both for k in range(4)])


def _canonical(cells: np.ndarray) -> bytes:
    """The same for all turned and mirrored versions of a maze (n*n,)."""
    return min(cells[guise].tobytes() for guise in _guises(maze.size_of(cells)).numpy())
