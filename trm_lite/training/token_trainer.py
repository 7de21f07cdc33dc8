"""Train a network that writes its answer token by token.

The network is `trm_lite.nets.autoregressive`. It learns by *teacher forcing*: in training it reads
the right text, and predicts the next token at every position. When tested, it reads its own text.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from trm_lite.common.device import sendable
from trm_lite.common.errors import UserError
from trm_lite.data.dataset import IGNORE, Batch
from trm_lite.nets.autoregressive import PAD, Autoregressive
from trm_lite.nets.configs import AutoregressiveConfig
from trm_lite.puzzles import Puzzle, get_puzzle
from trm_lite.training.losses import StepLoss, together
from trm_lite.training.recipe import Preset
from trm_lite.training.rsm_trainer import RSMTrainer
from trm_lite.training.trainer import Trainer


def trainer_for(preset: Preset, **options) -> Trainer:
    """The right kind of trainer for the network of `preset`; `options` are those of `Trainer`."""
    trainers = {"Autoregressive": TokenTrainer, "RSM": RSMTrainer}
    return trainers.get(preset.model.network, Trainer)(preset, **options)


class TokenTrainer(Trainer):
    """The trainer for networks that write token by token: no slots, and a next-token loss."""

    def prepare_slots(self) -> None:
        """Make no slots, because a text is written in one go; UserError if it cannot be made."""
        puzzle = self.model.puzzle
        if self.model.config.scratch_len and puzzle is not None:
            check_solver(puzzle)

    def slot_state(self) -> dict:
        """Empty, because there are no slots."""
        return {}

    def load_slots(self, state: dict) -> None:
        """Do nothing. Older run folders hold empty slots, which are ignored."""

    def optimizers_and_rates(self) -> list[tuple[Optimizer, float]]:
        """The network's optimiser only, because there are no puzzle embeddings."""
        return [(self.optimizer, self.recipe.lr)]

    def step_draws(self) -> None:
        """Draw nothing beside the batch."""

    def supervise(self, fresh: Batch, draws: None = None) -> StepLoss:
        """Compute the gradients of the next-token loss on a batch; returns the loss."""
        self.model.train()
        losses = []
        for rows in self.micro_batches():
            with self.precision():
                loss = next_token_loss(self.model, fresh.rows(rows))
            self.backward(loss)
            losses.append(loss)
        return together(losses)


def next_token_loss(model: Autoregressive, batch: Batch) -> StepLoss:
    """The mean cross-entropy of the tokens that the network must write, summed over the batch.

    `correct` and `correct_cells` of the result hold for teacher forcing, with the right text
    before each token.
    """
    config, inputs = model.config, batch.inputs
    labels = batch.labels
    scratch = worked_out(inputs, labels, config, model.puzzle)  # (B, S)
    text = torch.cat((inputs, scratch, labels.masked_fill(labels == IGNORE, PAD)), dim=1)
    target = torch.cat((scratch.masked_fill(scratch == PAD, IGNORE), labels), dim=1)  # (B, S + L)
    logits = model.read(text[:, :-1])[:, config.seq_len - 1 :].float()  # (B, S + L, vocabulary)
    losses = F.cross_entropy(
        logits.transpose(1, 2), target, ignore_index=IGNORE, reduction="none"
    )  # (B, S + L)
    graded = target != IGNORE
    total = (losses.sum(-1) / graded.sum(-1).clamp(min=1)).sum()
    answers, graded = logits[:, config.scratch_len :].argmax(-1), labels != IGNORE
    right = (answers == labels) & graded
    return StepLoss(
        total,
        answer=total,
        halt=torch.zeros_like(total),
        correct_cells=right.sum(-1) / graded.sum(-1).clamp(min=1),
        correct=right.sum(-1) == graded.sum(-1),
    )


def worked_out(
    inputs: Tensor, labels: Tensor, config: AutoregressiveConfig, puzzle: Puzzle | None = None
) -> Tensor:
    """The scratch (B, S) to learn from: a solver's steps as cell, token, ..., END and padding.

    Cells come in the order in which the puzzle's solver finds them (`Puzzle.rounds`; in Sudoku by
    singles, and those that need a search come last). Steps that do not fit into S tokens are left
    out. Raises UserError for a puzzle without such a solver.

    Args:
        inputs: (B, L) tokens of the questions.
        labels: (B, L) tokens of their answers.
        config: the network's sizes.
        puzzle: what the tokens mean; by default what `config` says.
    """
    device, shape = inputs.device, (len(inputs), config.scratch_len)
    if config.scratch_len == 0:
        return inputs.new_full(shape, PAD)
    scratch = torch.full(shape, PAD)
    puzzle = puzzle or get_puzzle(config.puzzle)
    check_solver(puzzle)
    inputs, labels = torch.stack((inputs, labels)).cpu()  # a GPU is asked once
    rounds = puzzle.call("rounds", inputs.numpy())
    order = torch.from_numpy(np.argsort(rounds, axis=1, kind="stable"))  # clues first
    clues = torch.from_numpy((rounds == 0).sum(1))
    room = (config.scratch_len - 1) // 2
    for row, cells in enumerate(order):
        cells = cells[clues[row] :][:room]
        pairs = torch.stack((config.vocab_size + cells, labels[row, cells]), dim=1)
        scratch[row, : 2 * len(cells)] = pairs.flatten()
        scratch[row, 2 * len(cells)] = config.end_token
    return sendable(scratch, device).to(device, non_blocking=True)


def check_solver(puzzle: Puzzle) -> None:
    """UserError unless the puzzle has a solver whose steps can be written down."""
    if puzzle.rounds is None:
        raise UserError(
            f"No solver works out '{puzzle.name}' step by step, so a network cannot learn its "
            "steps; choose a network without a scratch.",
            "row",
        )
