"""Train a Recursive Stem Model (RSM, arXiv 2603.15641): whole thoughts, which get longer.

There are no slots and no halting. Every optimiser step thinks about fresh puzzles, from the same
initial latents, and takes one loss at the end. The thoughts begin short, and grow at fixed shares
of the run.
"""

import torch

from trm_lite.data.dataset import IGNORE, Batch
from trm_lite.training.losses import StepLoss, cell_losses, together
from trm_lite.training.optim import SignSGD
from trm_lite.training.recipe import Recipe
from trm_lite.training.rsm_depth import depth, ramp
from trm_lite.training.trainer import Trainer


class RSMTrainer(Trainer):
    """The trainer for an RSM: no slots, a loss at the end of a thought, and growth."""

    def prepare_slots(self) -> None:
        """Make the optimiser of the puzzle embeddings; there are no slots."""
        recipe = self.recipe
        self.puzzle_optimizer = SignSGD(
            self.model.puzzle_embedding, recipe.puzzle_lr, recipe.puzzle_weight_decay, self.ranks
        )

    def slot_state(self) -> dict:
        """Only the optimiser of the puzzle embeddings, because there are no slots."""
        return {"puzzle_optimizer": self.puzzle_optimizer.state_dict()}

    def load_slots(self, state: dict) -> None:
        """Restore what `slot_state` returned."""
        self.puzzle_optimizer.load_state_dict(state["puzzle_optimizer"])

    @property
    def depth(self) -> tuple[int, int]:
        """The outer and the inner steps of the coming optimiser step."""
        return depth(self.recipe, self.model.config, self.steps_done + 1)

    def step_draws(self) -> bool:
        """Draw whether the gradient reaches the answer before the last outer step."""
        chance = self.recipe.keep_history
        return chance > 0 and float(torch.rand(1, generator=self.batches.generator)) >= 1 - chance

    def supervise(self, fresh: Batch, draws: bool | None = None) -> StepLoss:
        """Compute the gradients of whole thoughts about a batch; returns the loss."""
        self.model.train()
        (outer, inner), keep = self.depth, self.step_draws() if draws is None else draws
        losses = []
        for rows in self.micro_batches():
            part = fresh.rows(rows)
            with self.precision():
                thought = self.model.think_through(part.inputs, part.puzzle_ids, outer, inner, keep)
            loss = answer_loss(thought.logits, part, self.recipe)
            self.backward(loss)
            losses.append(loss.detached())
        return together(losses)

    def rate_factor(self) -> float:
        """The schedule of the learning rate, times the ramp after a growth."""
        return super().rate_factor() * ramp(self.recipe, self.model.config, self.steps_done + 1)

    def update_weights(self) -> None:
        """Update the weights; what is frozen by then stays as it is, also in the moving average."""
        if self.steps_done and depth(self.recipe, self.model.config, self.steps_done) != self.depth:
            self._forget()
        weight = self.model.token_embedding.weight
        frozen = self.steps_done + 1 >= self.recipe.freeze_embedding * self.recipe.steps
        averaged = self.ema.module.token_embedding.weight
        before = averaged.detach().clone()
        if frozen:
            weight.grad = None
        super().update_weights()
        if frozen:
            averaged.data.copy_(before)

    def _forget(self) -> None:
        """Scale the optimiser's moments after a growth."""
        for state in self.optimizer.state.values():
            for moment in ("m", "v"):
                state[moment] *= self.recipe.growth_memory


def answer_loss(logits: torch.Tensor, batch: Batch, recipe: Recipe) -> StepLoss:
    """The loss of the answer alone, (B, L, V) logits against the labels of a batch.

    Unlike in TRM, a puzzle without graded cells counts as wrong.
    """
    graded = batch.labels != IGNORE
    cells = graded.sum(-1).clamp(min=1)
    right = ((logits.argmax(-1) == batch.labels) & graded).sum(-1)
    total = (cell_losses(logits, batch.labels, recipe.loss).sum(-1) / cells).sum()
    nothing = torch.zeros_like(total)
    return StepLoss(total, total, nothing, right / cells, right == cells)
