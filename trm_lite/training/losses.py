"""The loss of a supervision step: is the answer right, and does the network know whether it is?"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trm_lite.common.choices import LossName
from trm_lite.data.dataset import IGNORE


def log_stablemax(logits: Tensor) -> Tensor:
    """Log-probabilities by stablemax, a softmax that grows linearly: (..., V) -> (..., V).

    The probability of v is s(v) / sum of s, where s(v) is v + 1 for v >= 0 and 1 / (1 - v) for
    v < 0 (Prieto et al. 2025, arXiv 2501.04697). Computed in float64, as in the authors' code.
    """
    v = logits.float() if logits.device.type == "mps" else logits.double()  # MPS has no float64
    s = torch.where(v < 0, 1 / (1 - v + 1e-30), v + 1)
    return (s / s.sum(dim=-1, keepdim=True)).log()


def cell_losses(logits: Tensor, labels: Tensor, loss: LossName = "stablemax") -> Tensor:
    """The cross-entropy (B, L) of every cell, and 0 where its label is IGNORE.

    Args:
        logits: (B, L, V) scores of the tokens.
        labels: (B, L) right tokens, or IGNORE.
        loss: how scores become probabilities.
    """
    log_p = log_stablemax(logits) if loss == "stablemax" else logits.float().log_softmax(-1)
    picked = -log_p.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return torch.where(labels != IGNORE, picked, 0)


class StepLoss(NamedTuple):
    """The loss of one supervision step, and its parts. Losses are sums over the batch."""

    total: Tensor  # answer + 0.5 halt (+ 0.5 going_on); has a gradient
    answer: Tensor  # each puzzle's mean cross-entropy of the graded cells
    halt: Tensor  # binary cross-entropy of the halt logit
    correct_cells: Tensor  # (B,) share of the graded cells that are right
    correct: Tensor  # (B,) bool: every graded cell is right ("exact match")
    going_on: Tensor | None = None  # binary cross-entropy of the continue logit, in Q-learning

    def detached(self) -> "StepLoss":
        """The same numbers without their gradient history."""
        return StepLoss(*(None if part is None else part.detach() for part in self))


def together(losses: list[StepLoss]) -> StepLoss:
    """Combine the losses of the consecutive parts of a batch into that of the whole batch."""

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
    done: Tensor | None = None,
) -> StepLoss:
    """The loss of one supervision step: of the answer, and of the belief that it is right.

    For each puzzle it is the mean cross-entropy of the cells plus half the binary cross-entropy
    of the halt logit, whose target is whether all cells are right. The result is a sum over the
    batch, so divide by the global batch size before `backward`. A puzzle without graded cells
    counts as right, as in the authors' code.

    Args:
        logits: (B, L, V) scores of the answer's tokens.
        halt_logit: (B,).
        labels: (B, L) right tokens, or IGNORE.
        loss: how scores become probabilities.
        continue_logit: (B,), needed in Q-learning only.
        continue_target: (B,) its target, see `thinking.worth_of_going_on`. If given, half the
            binary cross-entropy of the continue logit is added.
        done: (B,) bool, the target of the halt logit; by default whether all cells are right.
    """
    graded = labels != IGNORE
    cells = graded.sum(-1).clamp(min=1)  # (B,)
    right = (logits.argmax(-1) == labels) & graded
    correct = right.sum(-1) == graded.sum(-1)
    answer = (cell_losses(logits, labels, loss).sum(-1) / cells).sum()
    done = correct if done is None else done
    halt = F.binary_cross_entropy_with_logits(halt_logit, done.float(), reduction="sum")
    total, going_on = answer + 0.5 * halt, None
    if continue_target is not None:
        going_on = F.binary_cross_entropy_with_logits(
            continue_logit, continue_target, reduction="sum"
        )
        total = total + 0.5 * going_on
    return StepLoss(total, answer, halt, right.sum(-1) / cells, correct, going_on)
