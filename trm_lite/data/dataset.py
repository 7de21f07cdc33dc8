"""Sets of puzzles as tensors: splits, and batches drawn from a shuffled deck."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

IGNORE = -100  # label of a cell that is not graded


class Batch(NamedTuple):
    """Puzzles with their answers, as token ids."""

    inputs: Tensor  # (B, L) int64
    labels: Tensor  # (B, L) int64, IGNORE where a cell is not graded
    puzzle_ids: Tensor  # (B,) int64

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(tensor.to(device) for tensor in self))

    def rows(self, rows: slice) -> "Batch":
        return Batch(*(tensor[rows] for tensor in self))


def with_hints(batch: Batch, share: float, generator: torch.Generator, most: float = 1.0) -> Batch:
    """`batch` with some cells of the answer filled in, in a random `share` of the puzzles.

    Every solved puzzle holds easier ones: a part of its cells is told, from none to `most` (1 is
    all), each part equally often. A curriculum that needs no more puzzles.
    """
    B, L = batch.inputs.shape
    chosen, draw = torch.rand(2, B, 1, generator=generator)
    told = torch.rand(B, L, generator=generator) < most * draw * (chosen < share)
    told &= batch.labels != IGNORE
    return batch._replace(inputs=torch.where(told, batch.labels, batch.inputs))


@dataclass
class PuzzleSet:
    """N examples, each a question and its answer.

    For Sudoku and mazes an example is a puzzle. In ARC a puzzle is a task under one augmentation
    and has several examples; all augmentations of a task are a group. Rows of a puzzle stand side
    by side, and so do the puzzles of a group.
    """

    inputs: Tensor  # (N, L) uint8 tokens
    labels: Tensor  # (N, L) uint8 tokens, 0 (PAD) where a cell is not graded
    puzzle_ids: Tensor  # (N,)
    augment: Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]] | None = None
    puzzle_starts: Tensor | None = None  # (P + 1,) first row of each puzzle, and N
    group_starts: Tensor | None = None  # (G + 1,) first puzzle of each group, and P

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, count: int) -> "PuzzleSet":
        """The first `count` examples, without their groups."""
        return self.at(slice(count))

    def at(self, rows: Tensor | slice) -> "PuzzleSet":
        """The examples at `rows`, without their groups."""
        parts = (part[rows] for part in (self.inputs, self.labels, self.puzzle_ids))
        return PuzzleSet(*parts, self.augment)

    def batch(self, rows: Tensor | slice, generator: torch.Generator | None = None) -> Batch:
        """The examples at `rows`; under a random symmetry each if a `generator` is given."""
        inputs, labels = self.inputs[rows].long(), self.labels[rows].long()
        if generator is not None and self.augment is not None:
            inputs, labels = self.augment(inputs, labels, generator)
        return Batch(inputs, labels.masked_fill(labels == 0, IGNORE), self.puzzle_ids[rows])


@dataclass(frozen=True, eq=False)
class Deck:
    """An endless shuffled deck of rows: batch k is a function of k, so it resumes anywhere.

    An epoch deals every row once; where there are groups, it draws one puzzle of each and deals
    its rows, so that a group with many augmentations counts no more than another.
    """

    puzzles: PuzzleSet
    batch_size: int
    seed: int

    def rows(self, step: int) -> Tensor:
        """Row numbers (batch_size,) of batch `step`."""
        first, length = step * self.batch_size, self.epoch_length
        places = range(first, first + self.batch_size)
        return torch.stack([self._epoch(p // length)[p % length] for p in places])

    @property
    def epoch_length(self) -> int:
        """Rows dealt in an epoch."""
        return len(self._epoch(0))

    @lru_cache(maxsize=3)  # noqa: B019 (a batch touches at most two epochs unless N is tiny)
    def _epoch(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        if self.puzzles.group_starts is None:
            return torch.randperm(len(self.puzzles), generator=generator)
        groups, starts = self.puzzles.group_starts, self.puzzles.puzzle_starts
        order = torch.randperm(len(groups) - 1, generator=generator)
        sizes = groups[order + 1] - groups[order]
        draws = torch.rand(len(order), generator=generator, dtype=torch.float64)
        chosen = groups[order] + (draws * sizes).long()
        return torch.cat(
            [
                starts[puzzle]
                + torch.randperm(int(starts[puzzle + 1] - starts[puzzle]), generator=generator)
                for puzzle in chosen
            ]
        )


class Splits(NamedTuple):
    """Train to learn from, validation to choose by, test to report."""

    train: PuzzleSet
    validation: PuzzleSet
    test: PuzzleSet
