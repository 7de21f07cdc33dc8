"""The metrics that the authors' code logs, computed from what our networks say."""

import math

import torch
from torch import Tensor

from trm_lite.data.dataset import IGNORE
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.official.golden import EXACT, OUTPUT, Golden
from trm_lite.thinking import Carry
from trm_lite.training.losses import StepLoss

COUNTED = ("count", "exact_accuracy", "q_halt_accuracy", "steps", "max_steps", "raw_steps")


def metrics(loss: StepLoss, thought: Thought, carry: Carry) -> dict[str, Tensor]:
    """Their metrics of a supervision step, after which `carry` is the state of the slots.

    Most are sums over the halted slots with any graded cell; those of the latents are sums over
    all slots, and the last five exist in EqR's code only.
    """
    valid = carry.halted & (carry.batch.labels != IGNORE).any(-1)
    logits, believed = thought.halt_logit, thought.halt_logit >= 0
    said, count = logits[valid], valid.sum()
    hits = (believed & loss.correct).sum()
    steps = torch.where(valid, carry.steps, 0)
    return {
        "count": count,
        "accuracy": loss.correct_cells[valid].sum(),
        "exact_accuracy": loss.correct[valid].sum(),
        "q_halt_accuracy": (believed == loss.correct)[valid].sum(),
        "steps": steps.sum(),
        "halted_q_logits": said.sum(),
        "max_q_logits": said.max() if count else torch.zeros(()),
        "min_q_logits": said.min() if count else torch.tensor(math.inf),
        "q_halt_precision": count * hits / believed.sum().clamp(min=1),
        "q_halt_recall": count * hits / loss.correct.sum().clamp(min=1),
        "max_steps": steps.max(),
        "min_steps": steps[valid].min() if count else torch.tensor(math.inf),
        "raw_steps": steps,
    }


def latent_metrics(latents: Latents) -> dict[str, Tensor]:
    """EqR's metrics of y (their zH) and z (their zL): means over positions, summed over slots."""
    y, z = latents
    if y.shape != z.shape:
        return {}
    pair = [latent - latent.mean(-1, keepdim=True) for latent in (y, z)]
    found = {
        "zH_zL_cos_sim": torch.cosine_similarity(y, z, dim=-1),
        "zH_zL_pearson": torch.cosine_similarity(*pair, dim=-1),
    }
    for name, latent in (("zH", y), ("zL", z)):
        found |= {f"{name}_mean": latent.mean(-1), f"{name}_std": latent.std(-1)}
    return {name: value.mean(1).sum() for name, value in found.items()}


def all_metrics(loss: StepLoss, thought: Thought, carry: Carry) -> dict[str, Tensor]:
    """All metrics of a supervision step, with the losses; for the arguments see `metrics`."""
    losses = {"lm_loss": loss.answer, "q_halt_loss": loss.halt, "total_loss": loss.total}
    if loss.going_on is not None:
        losses["q_continue_loss"] = loss.going_on
    return metrics(loss, thought, carry) | latent_metrics(thought.latents) | losses


def check_metrics(
    golden: Golden, prefix: str, loss: StepLoss, thought: Thought, carry: Carry
) -> None:
    """Compare all metrics of a supervision step; for the arguments see `metrics`."""
    for name, value in all_metrics(loss, thought, carry).items():
        golden.check(prefix + name, value, EXACT if name in COUNTED else OUTPUT)
