"""What a supervision step is graded on: the answer, and the wish to halt."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trm_lite.common.choices import LossName
from trm_lite.data.dataset import IGNORE


def log_stablemax(logits: Tensor) -> Tensor:
    """Logarithm of `s(v) / sum s`, with s(v) = v + 1 for v >= 0 and 1 / (1 - v) below.

    It grows linearly where softmax grows exponentially, in float64 as in the authors' code
    (Prieto et al. 2025, arXiv 2501.04697).
    """
    v = logits.float() if logits.device.type == "mps" else logits.double()  # MPS has no float64
    s = torch.where(v < 0, 1 / (1 - v + 1e-30), v + 1)
    return (s / s.sum(dim=-1, keepdim=True)).log()


def cell_losses(logits: Tensor, labels: Tensor, loss: LossName = "stablemax") -> Tensor:
    """Cross-entropy of every cell, (B, L, V) and (B, L) -> (B, L); zero where IGNORE."""
    log_p = log_stablemax(logits) if loss == "stablemax" else logits.float().log_softmax(-1)
    picked = -log_p.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return torch.where(labels != IGNORE, picked, 0)


class StepLoss(NamedTuple):
    """Loss of one supervision step, summed over the batch, and what it was made of."""

    total: Tensor  # answer + 0.5 halt (+ 0.5 going_on), with gradient
    answer: Tensor
    halt: Tensor
    correct_cells: Tensor  # (B,) share of the graded cells that are right
    correct: Tensor  # (B,) bool: every graded cell is right ("exact match")
    going_on: Tensor | None = None  # of the continue logit, in Q-learning only


def together(losses: list[StepLoss]) -> StepLoss:
    """The loss of a whole batch from those of its parts, in their order."""

    def combine(parts: tuple) -> Tensor | None:
        if parts[0] is None:
            return None
        return torch.cat(parts) if parts[0].dim() else torch.stack(parts).sum()

    return StepLoss(*map(combine, zip(*losses, strict=True)))


def step_loss(
    logits: Tensor,
    halt_logit: Tensor,
    labels: Tensor,
    loss: LossName = "stablemax",
    continue_logit: Tensor | None = None,
    continue_target: Tensor | None = None,
) -> StepLoss:
    """Sum over the batch of the mean cell loss plus 0.5 BCE(halt logit, "all right now").

    Divide by the global batch size before `backward`. A sample without any graded cell counts
    as right, as in the authors' code. With a `continue_target` (B,), see
    `thinking.worth_of_going_on`, 0.5 BCE(continue logit, target) is added.
    """
    graded = labels != IGNORE
    cells = graded.sum(-1).clamp(min=1)  # (B,)
    right = (logits.argmax(-1) == labels) & graded
    correct = right.sum(-1) == graded.sum(-1)
    answer = (cell_losses(logits, labels, loss).sum(-1) / cells).sum()
    halt = F.binary_cross_entropy_with_logits(halt_logit, correct.float(), reduction="sum")
    total, going_on = answer + 0.5 * halt, None
    if continue_target is not None:
        going_on = F.binary_cross_entropy_with_logits(
            continue_logit, continue_target, reduction="sum"
        )
        total = total + 0.5 * going_on
    return StepLoss(total, answer, halt, right.sum(-1) / cells, correct, going_on)
