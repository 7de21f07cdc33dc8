"""The batches of the authors' code, example for example.

The trainer normally uses `Deck`, which has the same distribution and can start anywhere at once.
This file is for comparing runs with the authors': it gives the same puzzles in the same order.
For that, the data must have been built in their order too (`trm-lite data NAME --official-order
--augment 1000`), and the recipe needs `official_epochs`, the epochs between two evaluations.

Their training goes in iterations of several epochs. An epoch visits the groups in random order.
From each group it takes one random puzzle with all its examples, or as many as the batch has room
for. Examples without room are skipped, and so is a last batch that is not full. Each iteration
chooses groups and puzzles by a Philox generator of its own. The choice among a puzzle's examples
uses numpy's global generator, which their code seeds elsewhere; here it has `choice_seed`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import IGNORE, Batch, PuzzleSet
from trm_lite.data.folder import Arrays

NOTHING = -1  # in place of an example, where a batch is padded


class Drawn(NamedTuple):
    """Which examples a batch consists of."""

    examples: np.ndarray  # (B,) int64 rows of the split, NOTHING for padding
    puzzles: np.ndarray  # (B,) int64 the puzzle of each example, by its number in the split
    puzzle_ids: np.ndarray  # (B,) int32 its identifier, 0 for padding
    real: int  # examples that are not padding, over all ranks
    groups_dealt: int = 0  # groups used so far in this iteration, this batch included


@dataclass(eq=False)
class Place:
    """How far the endless order of batches has been dealt; `OfficialSampler` moves it on."""

    choices: np.random.RandomState  # chooses among a puzzle's examples
    number: int = 1  # of the iteration
    dealt: int = 0  # groups used so far in this iteration
    generator: np.random.Generator | None = None  # chooses puzzles; None before an iteration

    def state(self) -> dict:
        """The place as numbers, for `from_state`."""
        bits = None if self.generator is None else self.generator.bit_generator.state
        return {
            "number": self.number,
            "dealt": self.dealt,
            "choices": _plain(self.choices.get_state(legacy=False)),
            "generator": _plain(bits),
        }

    @classmethod
    def from_state(cls, state: dict) -> "Place":
        """The place that `state` returned. Raises TypeError, ValueError or KeyError for others."""
        choices, generator = np.random.RandomState(), None
        choices.set_state(state["choices"])
        if state["generator"] is not None:
            generator = np.random.Generator(np.random.Philox())
            generator.bit_generator.state = state["generator"]
        return cls(choices, state["number"], state["dealt"], generator)


def _plain(value):
    """The state of a numpy generator without arrays, which a checkpoint must not hold."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


@dataclass(frozen=True, eq=False)
class OfficialSampler:
    """Draws batches of examples as the authors' code does.

    Raises UserError if a batch cannot be divided equally among the processes.
    """

    arrays: Arrays  # the split
    batch_size: int  # examples of a batch, over all ranks
    seed: int = 0  # of the choice of groups and puzzles
    epochs_per_iteration: int = 1  # epochs between two evaluations of the authors' code
    choice_seed: int = 0  # of the choice among a puzzle's examples
    rank: int = 0  # this process, which gets its slice of every batch
    ranks: int = 1  # how many processes there are

    def __post_init__(self):
        if self.batch_size < 1 or self.batch_size % self.ranks:
            raise UserError(
                f"A batch of {self.batch_size} cannot be divided equally among {self.ranks} "
                f"processes; choose a multiple of {self.ranks}."
            )

    def batches(self, start: int = 0) -> Iterator[Drawn]:
        """Endless training batches from batch `start` on. Earlier ones are drawn and skipped."""
        return islice(self.batches_from(self.start()), start, None)

    def start(self) -> Place:
        """The place before the first batch."""
        return Place(np.random.RandomState(self.choice_seed))

    def batches_from(self, place: Place) -> Iterator[Drawn]:
        """Endless training batches from a place on, which is moved along with them."""
        while True:
            order, generator = self.group_order(place.number)
            place.generator = place.generator or generator
            full = place.dealt > 0
            for batch in self._deal(order, place):
                if len(batch.examples) == self.batch_size:
                    full = True
                    yield self._share(batch)
            if not full:
                raise UserError(
                    f"{self.epochs_per_iteration} epochs have too few examples for a batch of "
                    f"{self.batch_size}; use more epochs, or a smaller batch."
                )
            place.number, place.dealt, place.generator = place.number + 1, 0, None

    def group_order(self, number: int) -> tuple[np.ndarray, np.random.Generator]:
        """The order of the groups in iteration `number`, from 1, and the generator after it."""
        generator = np.random.Generator(np.random.Philox(seed=self.seed + number))
        groups = len(self.arrays.group_indices) - 1
        epochs = [generator.permutation(groups) for _ in range(self.epochs_per_iteration)]
        return np.concatenate(epochs), generator

    def iteration(self, number: int, choices: np.random.RandomState) -> Iterator[Drawn]:
        """The batches of iteration `number`, from 1, over all ranks; the last one may be short.

        `choices` draws the examples of a puzzle.
        """
        order, generator = self.group_order(number)
        return self._deal(order, Place(choices, number, 0, generator))

    def _deal(self, order: np.ndarray, place: Place) -> Iterator[Drawn]:
        """The batches of an iteration from a place on; a batch that is yielded moves it."""
        puzzle_starts, group_starts = self.arrays.puzzle_indices, self.arrays.group_indices
        examples: list[np.ndarray] = []
        puzzles: list[int] = []
        room = self.batch_size
        for dealt in range(place.dealt + 1, len(order) + 1):
            group = order[dealt - 1]
            puzzle = int(place.generator.integers(group_starts[group], group_starts[group + 1]))
            first, last = puzzle_starts[puzzle], puzzle_starts[puzzle + 1]
            taken = min(int(last - first), room)
            chosen = place.choices.choice(last - first, taken, replace=False)
            examples.append(first + chosen)
            puzzles += [puzzle] * taken
            room -= taken
            if room == 0 or dealt == len(order):
                place.dealt = dealt
                drawn = np.array(puzzles)
                identifiers = self.arrays.puzzle_identifiers[drawn]
                yield Drawn(np.concatenate(examples), drawn, identifiers, len(drawn), dealt)
                examples, puzzles, room = [], [], self.batch_size

    def test_batches(self) -> Iterator[Drawn]:
        """All examples in order, in batches. This rank's slice of a short batch is padded."""
        total = len(self.arrays.inputs)
        for start in range(0, total, self.batch_size):
            examples = np.arange(start, min(start + self.batch_size, total))
            puzzles = np.searchsorted(self.arrays.puzzle_indices, examples, side="right") - 1
            identifiers = self.arrays.puzzle_identifiers[puzzles]
            yield self._share(Drawn(examples, puzzles, identifiers, len(examples)))

    def batch(self, drawn: Drawn) -> Batch:
        """The tokens of the drawn examples. Padding is PAD, with no graded cells."""
        there = drawn.examples != NOTHING
        rows = np.where(there, drawn.examples, 0)
        inputs, labels = (
            torch.from_numpy(np.where(there[:, None], part[rows], 0).astype(np.int64))
            for part in (self.arrays.inputs, self.arrays.labels)
        )
        puzzle_ids = torch.from_numpy(drawn.puzzle_ids.astype(np.int64))
        return Batch(inputs, labels.masked_fill(labels == 0, IGNORE), puzzle_ids)

    def _share(self, whole: Drawn) -> Drawn:
        """This rank's slice of a batch, padded to its size."""
        size = self.batch_size // self.ranks
        mine = slice(self.rank * size, (self.rank + 1) * size)
        examples, puzzles, identifiers = (
            np.pad(part[mine], (0, size - len(part[mine])), constant_values=padding)
            for part, padding in zip(whole[:3], (NOTHING, NOTHING, 0), strict=True)
        )
        return whole._replace(examples=examples, puzzles=puzzles, puzzle_ids=identifiers)


class OfficialDeck:
    """Gives the trainer the batches of `OfficialSampler`, in place of a `Deck`.

    Consecutive batches are quick, and so is going on from a `state`. At any other step, it draws
    all earlier batches again.

    Args:
        puzzles: the training split.
        batch_size: rows per batch.
        seed: see `OfficialSampler`.
        epochs: epochs per iteration.
    """

    def __init__(self, puzzles: PuzzleSet, batch_size: int, seed: int, epochs: int):
        starts, groups = puzzles.puzzle_starts, puzzles.group_starts
        starts = np.arange(len(puzzles) + 1) if starts is None else starts.numpy()
        arrays = Arrays(
            puzzles.inputs.numpy(),
            puzzles.labels.numpy(),
            puzzles.puzzle_ids.numpy()[starts[:-1]],
            starts,
            starts if groups is None else groups.numpy(),
        )
        self.sampler = OfficialSampler(arrays, batch_size, seed, epochs)
        self._go_on(0, self.sampler.start())

    def _go_on(self, step: int, place: Place) -> None:
        self.next_step, self.place = step, place
        self.stream = self.sampler.batches_from(place)

    def rows(self, step: int) -> torch.Tensor:
        """The row numbers (batch_size,) of batch number `step`, from 0."""
        if step != self.next_step:
            self._go_on(step, self.sampler.start())
            next(islice(self.stream, step, step), None)  # draws the earlier ones
        self.next_step = step + 1
        return torch.from_numpy(next(self.stream).examples)

    def state(self) -> dict:
        """The place after the latest batch, as numbers."""
        return {"step": self.next_step} | self.place.state()

    def load(self, state: dict) -> None:
        """Go on from what `state` returned. Raises TypeError, ValueError or KeyError for others."""
        self._go_on(state["step"], Place.from_state(state))
