"""Compare RSM with golden numbers: thoughts of many lengths, gradients, growth, trajectory."""

import dataclasses

import torch

from trm_lite.data.dataset import IGNORE, Batch
from trm_lite.nets.configs import RSMConfig
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.rsm import RSM
from trm_lite.official import checkpoints as official
from trm_lite.official.config import recipe_from_settings
from trm_lite.official.golden import (
    EXACT,
    GRADIENT,
    LATENT,
    OUTPUT,
    RATE,
    WEIGHTS,
    Golden,
)
from trm_lite.official.gradients import check_gradients
from trm_lite.official.rerun import FromGoldenWeights, as_run
from trm_lite.thinking import think
from trm_lite.training.losses import StepLoss
from trm_lite.training.optim import schedule
from trm_lite.training.recipe import Recipe
from trm_lite.training.rsm_depth import MAZE_GROWTH, SUDOKU_GROWTH, depth, ramp
from trm_lite.training.rsm_trainer import RSMTrainer, answer_loss

FAR = 5e-2  # absolute: logits after more than eight outer steps, over which errors grow
PUBLISHED = {  # the runs of which the file holds the schedule
    "sudoku": (12, Recipe(max_steps=8, growth_ramp=0), SUDOKU_GROWTH),
    "maze": (5, Recipe(max_steps=9, growth_ramp=200), MAZE_GROWTH),
}


class GoldenRSMTrainer(FromGoldenWeights, RSMTrainer):
    """The package's trainer, started from golden weights, with the authors' random draws."""

    def __init__(self, golden: Golden, recipe: Recipe, config: RSMConfig, state: dict):
        preset, splits = as_run(golden.batch("eval/batch/"), config, recipe)
        self.golden_state = state
        super().__init__(preset, splits=splits, device="cpu", progress=False)
        self.draws: list[float] = []

    def step_draws(self) -> bool:
        """Decide by the authors' draw."""
        self.kept = self.draws.pop(0) >= 1 - self.recipe.keep_history
        return self.kept


def compare(golden: Golden, entry: dict, config: RSMConfig, state: dict, prefix: str) -> None:
    """Compare all that the file has.

    Args:
        golden: the file.
        entry: the authors' settings.
        config: the network, with as many inner steps as in evaluation.
        state: its weights.
        prefix: before the authors' names of them.
    """
    recipe = recipe_from_settings(entry)
    trainer = GoldenRSMTrainer(golden, recipe, config, state)
    _compare_evaluation(golden, trainer)
    config = dataclasses.replace(config, n=entry["train_L"])
    for place in ("train_detach/", "train_keep/", "train_H1/"):
        if golden.names(place):
            trainer = GoldenRSMTrainer(golden, recipe, config, state)
            outer = 1 if place == "train_H1/" else entry["train_H"]
            _compare_gradients(golden, place, trainer.model, (max(2, outer), recipe), prefix)
    if golden.names("traj/"):
        final = entry["arch"]["L_cycles"] + len(recipe.inner_growth)
        config = dataclasses.replace(config, n=final)
        _compare_trajectory(golden, GoldenRSMTrainer(golden, recipe, config, state), prefix)
    for name in dict.fromkeys(n.split("/")[0] for n in golden.names("units/schedule/")):
        _compare_schedule(golden, name, config)


def _check_loss(golden: Golden, place: str, loss: StepLoss, batch: Batch) -> None:
    golden.check(f"{place}loss", loss.total, OUTPUT)
    valid = (batch.labels != IGNORE).any(-1)
    golden.check(f"{place}metrics/count", valid.sum(), EXACT)
    golden.check(f"{place}metrics/accuracy", loss.correct_cells[valid].sum(), OUTPUT)
    golden.check(f"{place}metrics/exact_accuracy", loss.correct[valid].sum(), EXACT)
    golden.check(f"{place}metrics/lm_loss", loss.total, OUTPUT)


def _compare_evaluation(golden: Golden, trainer: GoldenRSMTrainer) -> None:
    """Compare answers after several numbers of outer steps."""
    batch, model = golden.batch("eval/batch/"), trainer.model.eval()
    shown = {int(name.split("/")[0]) for name in golden.names("eval/H")}
    thoughts = think(model, batch.inputs, batch.puzzle_ids, steps=max(shown))
    for step, thought in enumerate(thoughts, start=1):
        if step in shown:
            place = f"eval/H{step}"
            tolerance = OUTPUT if step <= 2 else LATENT if step <= 8 else FAR
            golden.check(f"{place}/logits", thought.logits, tolerance)
            golden.check_best(place, thought.logits.argmax(-1), tolerance)
            loss = answer_loss(thought.logits, batch, trainer.recipe)
            if step <= 8:
                _check_loss(golden, f"{place}/", loss, batch)
            else:
                golden.check(f"{place}/loss", loss.total, tolerance)


def _compare_gradients(
    golden: Golden, place: str, model: RSM, run: tuple[int, Recipe], prefix: str
) -> None:
    """Compare a training step: outputs, loss, gradients before and after clipping.

    Args:
        golden: the file.
        place: where in it.
        model: with the golden weights.
        run: the outer steps, and the recipe.
        prefix: before the authors' names.
    """
    (outer, recipe), batch, keep = run, golden.batch("eval/batch/"), False
    if f"{place}keep" in golden.arrays:
        keep = bool(golden[f"{place}keep"])
        golden.unread.discard(f"{golden.prefix}{place}draws/u")  # which this was decided by
    thought = model.train().think_through(
        batch.inputs, batch.puzzle_ids, outer, model.config.n, keep
    )
    golden.check(f"{place}out/logits", thought.logits, OUTPUT)
    golden.check_best(f"{place}out", thought.logits.argmax(-1), OUTPUT)
    loss = answer_loss(thought.logits, batch, recipe)
    _check_loss(golden, place, loss, batch)
    (loss.total / len(batch.inputs)).backward()
    check_gradients(golden, place, model, prefix)
    total = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    golden.check(f"{place}clip_total_norm", total, OUTPUT)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    for theirs, ours in official.places(model.config).items():
        if ours.name in gradients:
            norm = gradients[ours.name].double().norm()
            golden.check(f"{place}grad_clipped_l2/{prefix}{theirs}", norm, GRADIENT, relative=True)


def _compare_trajectory(golden: Golden, trainer: GoldenRSMTrainer, prefix: str) -> None:
    """Compare several optimiser steps in which thoughts grow."""
    model, recipe, seen = trainer.model, trainer.recipe, {}
    trainer.draws = golden["traj/draws/u"].tolist()
    golden.check("traj/total_steps", trainer.recipe.steps, EXACT)
    for step in range(len(golden["traj/batches/inputs"])):
        outer, inner = trainer.depth
        factor = ramp(recipe, model.config, step + 1)
        loss = trainer.supervise(golden.batch("traj/batches/", step))
        trainer.update_weights()
        measured = {
            "loss": loss.total,
            "keep": trainer.kept,
            "H": outer,
            "L": inner,
            "lr_mult": factor,
            "lr": trainer.optimizer.param_groups[0]["lr"],
            "puzzle_emb_lr": trainer.puzzle_optimizer.param_groups[0]["lr"],
            "grad_norm": trainer.grad_norm,
            "embed_requires_grad": step + 1 < recipe.freeze_embedding * recipe.steps,
        }
        for name, value in (measured | _sums(model)).items():
            value = torch.as_tensor(value, dtype=torch.float64).detach()
            seen.setdefault(name, []).append(value)
    exact = {"keep": EXACT, "H": EXACT, "L": EXACT, "embed_requires_grad": EXACT}
    for name, values in seen.items():
        tolerance = RATE if "lr" in name else exact.get(name, OUTPUT)
        golden.check(f"traj/{name}", torch.stack(values), tolerance)
    for which, network in (("final", model), ("ema", trainer.ema.module)):
        for name, tensor in official.to_official(network, prefix).items():
            golden.check(f"traj/{which}/{name}", tensor, WEIGHTS)
            golden.check(f"traj/{which}_l2/{name}", tensor.double().norm(), WEIGHTS)


def _sums(model: Reasoner) -> dict[str, torch.Tensor]:
    """Norm and sum of all parameters, and of the puzzle embeddings."""
    parameters = torch.cat([p.detach().flatten() for p in model.parameters()]).double()
    table = model.puzzle_embedding.table.double()
    return {
        "param_l2": parameters.norm(),
        "param_sum": parameters.sum(),
        "puzzle_emb_l2": table.norm(),
        "puzzle_emb_sum": table.sum(),
    }


def _compare_schedule(golden: Golden, name: str, config: RSMConfig) -> None:
    """Compare depth and learning rate of a published run at many steps."""
    place = f"units/schedule/{name}/"
    final, recipe, (outer, inner) = PUBLISHED[name]
    total = int(golden[f"{place}total_steps"])
    recipe = dataclasses.replace(
        recipe, steps=total, outer_growth=outer, inner_growth=inner, min_lr_ratio=0.02
    )
    config = dataclasses.replace(config, n=final)
    steps = golden[f"{place}step"].tolist()
    depths = torch.tensor([depth(recipe, config, step) for step in steps])
    golden.check(f"{place}H", depths[:, 0], EXACT)
    golden.check(f"{place}L", depths[:, 1], EXACT)
    ramps = torch.tensor([ramp(recipe, config, step) for step in steps], dtype=torch.float64)
    golden.check(f"{place}lr_mult", ramps, RATE)
    rates = (
        torch.tensor(
            [
                schedule(step, warmup_steps=2000, total_steps=total, min_ratio=0.02)
                for step in steps
            ],
            dtype=torch.float64,
        )
        * ramps
    )
    golden.check(f"{place}lr", 1e-3 * rates, RATE)
    golden.check(f"{place}puzzle_emb_lr", 1e-4 * rates, RATE)
    changes = [
        step
        for step in range(2, total + 1)
        if depth(recipe, config, step) != depth(recipe, config, step - 1)
    ]
    golden.check(f"{place}change_steps", torch.tensor(changes), EXACT)
