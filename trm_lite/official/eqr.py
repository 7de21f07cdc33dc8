"""Compare what only EqR does with golden numbers: breadth, choice by residual, exploration."""

import re
from math import comb

import torch
from torch import Tensor

from trm_lite.data.dataset import IGNORE, Batch
from trm_lite.evaluation.breadth import (
    agreement,
    fingerprint,
    logit_change,
    residual,
)
from trm_lite.nets.reasoner import Thought
from trm_lite.official.golden import EXACT, LATENT, OUTPUT, Golden
from trm_lite.official.metrics import all_metrics
from trm_lite.official.replay import Replay
from trm_lite.official.rerun import GoldenTrainer
from trm_lite.thinking import Carry, advance, refill, think
from trm_lite.training.losses import step_loss


def compare_rollouts(golden: Golden, trainer: GoldenTrainer) -> None:
    """Compare several thoughts about each puzzle, from the authors' random starts."""
    model, batch = trainer.model.eval(), golden.batch("rollouts/batch/")
    steps, rows = golden["rollouts/logits"].shape[:2]
    starts = rows // len(batch.inputs)
    wide = Batch(*(part.repeat_interleave(starts, dim=0) for part in batch))
    Replay.of(golden, "rollouts/draws/", model)
    thoughts = list(think(model, wide.inputs, wide.puzzle_ids, steps=steps))
    logits = torch.stack([thought.logits for thought in thoughts])  # (steps, rows, S, V)
    golden.check("rollouts/logits", logits, LATENT)
    scores = residual(logit_change(logits[:-1], logits[1:])).view(-1, starts)
    golden.check("rollouts/scores", scores, OUTPUT)
    golden.check("rollouts/order", scores.argsort(dim=1, stable=True), EXACT)
    _check_set_metrics(golden, trainer, thoughts[-1], wide, steps)
    answers = logits[-1].argmax(-1)
    golden.check_best("rollouts", answers, LATENT)
    answers = answers.view(len(batch.inputs), starts, -1)
    _check_choices(golden, "rollouts/metrics/", answers, batch.labels, scores)


def _check_set_metrics(
    golden: Golden, trainer: GoldenTrainer, thought: Thought, batch: Batch, steps: int
) -> None:
    """Compare the metrics after the last step, as means over all thoughts."""
    rows = len(batch.inputs)
    loss = step_loss(thought.logits, thought.halt_logit, batch.labels, trainer.recipe.loss)
    halted = torch.ones(rows, dtype=torch.bool)
    carry = Carry(thought.latents, batch, torch.full((rows,), steps), halted)
    for name, value in all_metrics(loss, thought, carry).items():
        mean = value if name.startswith(("max", "min")) else value / rows
        golden.check(f"rollouts/set_metrics/{name}", mean, OUTPUT)


def compare_choice(golden: Golden) -> None:
    """Compare the choice between given answers by the residual of their logits."""
    logits = golden["units/residual/logits"]  # (steps, puzzles, starts, S, V)
    answers = logits[-1].argmax(-1)
    golden.check("units/residual/preds", answers, EXACT)
    changes = logit_change(logits[:-1], logits[1:])
    labels = golden["units/residual/labels"].long()
    for name in dict.fromkeys(n.split("/")[0] for n in golden.names("units/residual/window")):
        place = f"units/residual/window{name}/"
        scores = residual(changes, int(name))
        golden.check(f"{place}scores", scores, OUTPUT)
        golden.check(f"{place}order", scores.argsort(dim=1, stable=True), EXACT)
        golden.check(f"{place}chosen", scores.argmin(1), EXACT)
        _check_choices(golden, f"{place}metrics/", answers, labels, scores)


def _check_choices(
    golden: Golden, prefix: str, answers: Tensor, labels: Tensor, scores: Tensor
) -> None:
    """Compare the authors' statistics of N puzzles with R answers each.

    Args:
        golden: the file.
        prefix: where in it.
        answers: (N, R, S) tokens.
        labels: (N, S) right tokens.
        scores: (N, R) residuals.
    """
    graded = (labels != IGNORE)[:, None]
    right = (answers == labels[:, None]) & graded
    correct = (right | ~graded).all(-1)  # (N, R)
    (count, starts), rows = correct.shape, torch.arange(len(labels))
    voted = agreement(fingerprint(answers).T).argmax(0)  # (N,)
    found = {
        "different_init/avg_pass_rate": correct.double().mean(),
        "different_init/any_correct": correct.any(1).double().mean(),
        "different_init/majority_vote_acc": correct[rows, voted].double().mean(),
        "different_init/total_samples": count,
        "different_init/n": starts,
        "majority_vote/exact_accuracy": correct[rows, voted].double().mean(),
        "majority_vote/accuracy": right[rows, voted].sum() / graded.sum(),
        "majority_vote/num_samples": count,
    }
    found |= _pass_at(golden, prefix, "different_init", correct)
    if f"{prefix}convergence_top_k/k" in golden.arrays:
        k = int(golden[f"{prefix}convergence_top_k/k"])
        order = scores.argsort(dim=1, stable=True)[:, :k]
        settled = correct.gather(1, order)
        found |= {
            "convergence_top_k/exact_accuracy": settled.double().mean(),
            "convergence_top_k/any_correct": settled.any(1).double().mean(),
            "convergence_top_k/avg_convergence_score": scores.gather(1, order).mean(),
            "convergence_top_k/total_samples": count,
            "convergence_top_k/k": k,
        }
        for top in range(1, k + 1):
            share = settled[:, :top].double().mean()
            found[f"convergence_top_k/cumulative_exact_acc_top{top}"] = share
        found |= _pass_at(golden, prefix, "convergence_top_k", settled)
    for name, value in found.items():
        golden.check(prefix + name, value, OUTPUT)


def _pass_at(golden: Golden, prefix: str, group: str, correct: Tensor) -> dict[str, float]:
    """How often k answers, drawn from the R of each puzzle, hold a right one: pass@k."""
    found, (count, starts) = {}, correct.shape
    for name in golden.names(f"{prefix}{group}/pass@"):
        k = int(re.match(r"\d+", name)[0])
        missed = sum(comb(starts - right, k) for right in correct.sum(1).tolist())
        found[f"{group}/pass@{k}"] = 1 - missed / comb(starts, k) / count
    return found


def compare_exploration(golden: Golden, trainer: GoldenTrainer) -> None:
    """Compare which slots halt in training when some must take a minimum of steps first."""
    trainer.fill_slots(golden)
    Replay.of(golden, "train/draws/", trainer.model)
    carry = refill(trainer.model, trainer.carry, golden.batch("train/batch/"))
    thought = trainer.model.train()(carry.latents, *carry.batch[::2])
    golden.check("units/explore/q_halt_logits", thought.halt_logit, OUTPUT)
    most, prob = trainer.recipe.max_steps, "units/explore/prob"
    minimum = golden["units/explore/randint"]
    # A number that `advance` turns into this minimum, which is between 2 and the most steps.
    draws = torch.stack((golden["units/explore/u"], (minimum - 1.5) / (most - 1)))
    after = advance(
        carry,
        thought,
        max_steps=most,
        exploration=float(golden[prob]) if prob in golden.arrays else 0.1,
        draws=draws,
    )
    golden.check("units/explore/steps", after.steps, EXACT)
    golden.check("units/explore/halted", after.halted, EXACT)
    golden.check("units/explore/randint_args", torch.tensor((2, most + 1)), EXACT)
