"""Sets of puzzles as tensors, their splits, and the order in which training draws batches."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.loading import augmented, check_graded

IGNORE = -100  # the label of a cell that is not graded


class Sizes(Protocol):
    """What the configuration of every network has."""

    vocab_size: int  # different tokens, V
    seq_len: int  # cells of a puzzle, L


class Batch(NamedTuple):
    """B puzzles with their answers, as token ids."""

    inputs: Tensor  # (B, L) int64, the puzzles
    labels: Tensor  # (B, L) int64, the answers; IGNORE where a cell is not graded
    puzzle_ids: Tensor  # (B,) int64, puzzle identifiers

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(tensor.to(device) for tensor in self))

    def rows(self, rows: slice) -> "Batch":
        """Some rows of the batch."""
        return Batch(*(tensor[rows] for tensor in self))

    def graded(self) -> "Batch":
        """What `PuzzleSet.read` returned as a batch to learn from."""
        labels = self.labels.long().masked_fill(self.labels == 0, IGNORE)
        return Batch(self.inputs.long(), labels, self.puzzle_ids)


def with_hints(batch: Batch, share: float, generator: torch.Generator, most: float = 1.0) -> Batch:
    """Make some puzzles of a batch easier by filling in cells of the answer.

    The share of cells that are filled in varies uniformly from 0 to `most`. So training meets
    easy and hard versions of each puzzle, a curriculum that needs no further puzzles.

    Args:
        batch: B puzzles.
        share: probability, in 0..1, that a puzzle gets hints.
        generator: source of the random draws.
        most: the largest share of cells to fill in.
    """
    B, L = batch.inputs.shape
    chosen, draw = torch.rand(2, B, 1, generator=generator)
    told = torch.rand(B, L, generator=generator) < most * draw * (chosen < share)
    told &= batch.labels > 0  # neither IGNORE nor, before `graded`, padding
    return batch._replace(inputs=torch.where(told, batch.labels, batch.inputs))


@dataclass
class PuzzleSet:
    """N examples, each a question and its answer.

    For Sudoku and mazes, an example is a puzzle. In ARC, a puzzle is a task under one
    augmentation and has several examples, and all augmentations of a task form a group. The rows
    of a puzzle follow one another, and so do the puzzles of a group.
    """

    inputs: Tensor  # (N, L) tokens of the questions, uint8 if they fit
    labels: Tensor  # (N, L) tokens of the answers, 0 (PAD) where a cell is not graded
    puzzle_ids: Tensor  # (N,) puzzle identifiers
    # Applies random symmetries: (inputs, labels, generator) -> (inputs, labels).
    augment: Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]] | None = None
    puzzle_starts: Tensor | None = None  # (P + 1,) the first row of each puzzle, then N
    group_starts: Tensor | None = None  # (G + 1,) the first puzzle of each group, then P
    puzzle: Puzzle | None = None  # what the tokens mean, and which rules hold
    ratings: Tensor | None = None  # (N,) how hard each example is, where that is known

    @property
    def has_guises(self) -> bool:
        """Whether an example under a symmetry of its puzzle is as good an example."""
        return bool(self.augment and self.puzzle and self.puzzle.symmetry)

    @classmethod
    def of(cls, puzzle: Puzzle, questions: np.ndarray, answers: np.ndarray) -> "PuzzleSet":
        """Examples of one puzzle, both (N, L) tokens, with its symmetries.

        Raises PuzzleError if these are no boards of the puzzle.
        """
        for name, boards in (("Questions", questions), ("Answers", answers)):
            if boards.shape != (len(questions), puzzle.length):
                raise PuzzleError(
                    f"{name} of shape {boards.shape} are no {len(questions)} boards of "
                    f"'{puzzle.name}', which have {puzzle.length} cells; give each example a row."
                )
            if boards.size and boards.max() >= puzzle.vocab_size:
                raise PuzzleError(
                    f"{name} hold token {boards.max()}, but the tokens of '{puzzle.name}' are 0 to "
                    f"{puzzle.vocab_size - 1}; make tokens of its text by `encode`."
                )
        check_graded(f"Answers of '{puzzle.name}'", answers)
        return cls(
            torch.from_numpy(questions),
            torch.from_numpy(answers),
            torch.zeros(len(questions), dtype=torch.long),
            None if puzzle.augment is None else partial(augmented, puzzle),
            puzzle=puzzle,
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def check_fits(self, sizes: Sizes) -> None:
        """Raise UserError unless a network of these sizes can read the puzzles."""
        cells = self.inputs.shape[1]
        tokens = self.puzzle.vocab_size if self.puzzle else sizes.vocab_size
        if (tokens, cells) != (sizes.vocab_size, sizes.seq_len):
            raise UserError(
                f"This network reads boards of {sizes.seq_len} cells of {sizes.vocab_size} tokens, "
                f"but these puzzles have {cells} cells of {tokens} tokens; take others, or another "
                "network."
            )

    def first(self, count: int) -> "PuzzleSet":
        """The first `count` examples, without the division into puzzles and groups."""
        return self.at(slice(count))

    def at(self, rows: Tensor | slice) -> "PuzzleSet":
        """The examples at `rows`, without the division into puzzles and groups."""
        parts = (part[rows] for part in (self.inputs, self.labels, self.puzzle_ids))
        ratings = None if self.ratings is None else self.ratings[rows]
        return PuzzleSet(*parts, self.augment, puzzle=self.puzzle, ratings=ratings)

    def batch(self, rows: Tensor | slice, generator: torch.Generator | None = None) -> Batch:
        """The examples at `rows` as a batch.

        With a `generator`, each is shown under a random symmetry, if the set has any.
        """
        return self.read(rows, generator).graded()

    def read(self, rows: Tensor | slice, generator: torch.Generator | None = None) -> Batch:
        """The same in the type in which it is stored, with 0 (PAD) where a cell is not graded."""
        inputs, labels = self.inputs[rows], self.labels[rows]
        if generator is not None and self.augment is not None:
            shown = self.augment(inputs.long(), labels.long(), generator)
            inputs, labels = (part.to(inputs.dtype) for part in shown)
        return Batch(inputs, labels, self.puzzle_ids[rows])


@dataclass(frozen=True, eq=False)
class Deck:
    """The order of training examples: an endless deck that is shuffled again for every epoch.

    Batch k depends only on k, so training can resume anywhere. An epoch deals every row once.
    Where there are groups, it deals the rows of one random puzzle per group, so that a group
    with many augmentations counts no more than others.
    """

    puzzles: PuzzleSet  # the examples
    batch_size: int  # rows per batch
    seed: int  # of the shuffling

    def rows(self, step: int) -> Tensor:
        """The row numbers (batch_size,) of batch number `step`, from 0."""
        first, length = step * self.batch_size, self.epoch_length
        end, parts = first + self.batch_size, []
        while first < end:
            epoch, place = divmod(first, length)
            parts.append(self._epoch(epoch)[place : place + end - first])
            first += len(parts[-1])
        return torch.cat(parts)

    @property
    def epoch_length(self) -> int:
        """How many rows an epoch deals."""
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
    """The three parts of a data set."""

    train: PuzzleSet  # to learn from
    validation: PuzzleSet  # for choosing between networks or checkpoints
    test: PuzzleSet  # for reporting results

    def checked(self, sizes: Sizes) -> "Splits":
        """The splits, for a network of these sizes.

        Raises UserError if it cannot read them, or if there is nothing to learn from or to
        validate on.
        """
        for name in ("train", "validation"):
            if not len(getattr(self, name)):
                raise UserError(f"The {name} split has no puzzles; ask for at least 1.", name)
        self.train.check_fits(sizes)
        return self
