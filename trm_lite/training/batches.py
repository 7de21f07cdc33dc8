"""The batches of a training run, and whatever else its steps draw at random.

On a GPU a thread prepares the next step's batch while the GPU works on this one. Tokens travel as
bytes, from memory that the GPU can read by itself, so nobody waits for the copy; the GPU widens
them. What is drawn, and in which order, is the same as without a thread.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.device import sendable
from trm_lite.data.dataset import Batch, Deck, PuzzleSet, with_hints
from trm_lite.data.official_deck import OfficialDeck
from trm_lite.training.recipe import Preset


class Drawn(NamedTuple):
    """What a training step draws at random."""

    batch: Batch  # this process's share of the batch
    draws: Tensor | bool | None  # further draws, see `Learner.step_draws`


class Batches:
    """Draws the batches of a run; `state` is where another object can go on exactly.

    Args:
        preset: the experiment.
        puzzles: the training split.
        slots: this process's share of every batch.
        device: where the batches go.
        more: draws what else a step needs, from `generator`.
    """

    def __init__(
        self,
        preset: Preset,
        puzzles: PuzzleSet,
        slots: slice,
        device: torch.device,
        more: Callable[[], Tensor | bool | None],
    ):
        self.puzzles, self.recipe, self.slots, self.device = puzzles, preset.recipe, slots, device
        self.more = more
        self.generator = torch.Generator().manual_seed(preset.seed)
        size, epochs = preset.recipe.batch_size, preset.recipe.official_epochs
        if epochs:
            self.deck = OfficialDeck(puzzles, size, preset.seed, epochs)
        else:
            self.deck = Deck(puzzles, size, preset.seed)
        self.thread = None if device.type == "cpu" else ThreadPoolExecutor(1, "next batch")
        # What the thread works on: the step, the state before it, and its result.
        self.ahead: tuple[int, dict, Future] | None = None

    def at(self, step: int) -> Drawn:
        """Everything that step number `step`, from 0, draws; the next one is begun already."""
        if self.ahead is not None and self.ahead[0] == step:
            drawn = self.ahead[2].result()
            self.ahead = None
        else:
            self.rewind()
            drawn = self._draw(step)
        if self.thread is not None:
            self.ahead = (step + 1, self.state(), self.thread.submit(self._draw, step + 1))
        draws = drawn.draws
        if isinstance(draws, Tensor):
            draws = draws.to(self.device, non_blocking=True)
        return Drawn(self._sent(drawn.batch), draws)

    def batch(self, step: int, symmetric: bool = True) -> Batch:
        """Batch number `step` alone, with random symmetries and hints if `symmetric`."""
        self.rewind()
        return self._sent(self._read(step, symmetric))

    def _draw(self, step: int) -> Drawn:
        batch, draws = self._read(step), self.more()
        if isinstance(draws, Tensor):
            draws = sendable(draws, self.device)
        return Drawn(Batch(*(sendable(part, self.device) for part in batch)), draws)

    def _read(self, step: int, symmetric: bool = True) -> Batch:
        """This process's share of a batch, as it is stored; see `PuzzleSet.read`."""
        rows, hints = self.deck.rows(step), self.recipe.hints if symmetric else 0
        generator = self.generator if symmetric else None
        if not hints and (generator is None or self.puzzles.augment is None):
            return self.puzzles.read(rows[self.slots])
        # Symmetries and hints are drawn for all slots, so that they do not depend on the division.
        batch = self.puzzles.read(rows, generator)
        if hints:
            batch = with_hints(batch, hints, self.generator, self.recipe.most_hints)
        return batch.rows(self.slots)

    def _sent(self, batch: Batch) -> Batch:
        return Batch(*(part.to(self.device, non_blocking=True) for part in batch)).graded()

    # --- going on elsewhere -------------------------------------------------------------------

    def rewind(self) -> None:
        """Take back what was drawn ahead, as if it had not been."""
        if self.ahead is not None:
            _, before, result = self.ahead
            result.exception()  # waits for the thread
            self.ahead = None
            self.load(before)

    def state(self) -> dict:
        """The random state, and for the authors' order the place in it, before the coming step."""
        if self.ahead is not None:
            return self.ahead[1]
        place = {"deck": self.deck.state()} if isinstance(self.deck, OfficialDeck) else {}
        return {"random": self.generator.get_state()} | place

    def load(self, state: dict) -> None:
        """Go on from what `state` returned; runs of earlier versions do not know their place."""
        self.rewind()
        self.generator.set_state(state["random"])
        if isinstance(self.deck, OfficialDeck) and "deck" in state:
            self.deck.load(state["deck"])
