"""Learning to write answers token by token, and where the first mistake falls.

The network is `trm_lite.nets.autoregressive`. It learns by *teacher forcing*: it reads the right
text, and at every place predicts the next token. In the exam it reads its own.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from trm_lite.common.device import precision
from trm_lite.data.dataset import IGNORE, Batch
from trm_lite.nets.autoregressive import PAD, Autoregressive
from trm_lite.nets.configs import AutoregressiveConfig
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.solver import found_in_round
from trm_lite.training.losses import StepLoss, together
from trm_lite.training.recipe import Preset
from trm_lite.training.trainer import Trainer


def trainer_for(preset: Preset, **options) -> Trainer:
    """The trainer that fits the network of `preset`."""
    writes = isinstance(preset.model, AutoregressiveConfig)
    return (TokenTrainer if writes else Trainer)(preset, **options)


class TokenTrainer(Trainer):
    """The trainer, for networks that write: no slots and no carry, one next-token loss."""

    def prepare_slots(self) -> None:
        """None: every batch is written once, and nothing is carried on."""

    def slot_state(self) -> dict:
        """Nothing, for there are no slots."""
        return {}

    def load_slots(self, state: dict) -> None:
        """Nothing to take; older run folders hold empty slots."""

    def optimizers_and_rates(self) -> list[tuple[Optimizer, float]]:
        """The optimiser of the network alone."""
        return [(self.optimizer, self.recipe.lr)]

    def supervise(self, fresh: Batch) -> StepLoss:
        """Gradients of the next-token loss on a batch of puzzles."""
        self.model.train()
        losses = []
        for rows in self.micro_batches():
            with precision(self.device, self.recipe.bfloat16):
                loss = next_token_loss(self.model, fresh.rows(rows))
            self.backward(loss)
            losses.append(loss)
        return together(losses)


def next_token_loss(model: Autoregressive, batch: Batch) -> StepLoss:
    """Sum over the batch of the mean cross-entropy of the tokens to be written."""
    config, inputs = model.config, batch.inputs
    labels = batch.labels
    scratch = worked_out(inputs, labels, config).to(inputs.device)  # (B, S)
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


def worked_out(inputs: Tensor, labels: Tensor, config: AutoregressiveConfig) -> Tensor:
    """Solver steps as text (B, S): cell, digit, cell, digit, ..., END, and padding.

    The cells of the Sudokus `inputs` (B, L) come in the order in which singles find them (see
    `found_in_round`), cells that only a search finds at the end. What has no room is left out.
    """
    scratch = torch.full((len(inputs), config.scratch_len), PAD)
    if config.scratch_len == 0:
        return scratch
    rounds = found_in_round(sudoku.from_tokens(inputs.cpu().numpy()))
    order = torch.from_numpy(np.argsort(rounds, axis=1, kind="stable"))  # clues first
    clues = torch.from_numpy((rounds == 0).sum(1))
    room = (config.scratch_len - 1) // 2
    for row, cells in enumerate(order):
        cells = cells[clues[row] :][:room]
        pairs = torch.stack((config.vocab_size + cells, labels[row].cpu()[cells]), dim=1)
        scratch[row, : 2 * len(cells)] = pairs.flatten()
        scratch[row, 2 * len(cells)] = config.end_token
    return scratch
