"""Check that this package computes the same as the authors' code: `trm-lite parity FILE.npz`.

A golden file holds numbers that the authors' code of TRM or HRM produced: weights, outputs over
several supervision steps, losses, gradients, and ten optimiser steps. `check_parity` gives the
same weights and batches to the network, the losses, the slots and the *trainer* of this package,
and measures how far apart the results are. `tests/golden/README.md` describes the format.

Quantities are named as in the file: `z_H` is y here, and `z_L` is z.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.tables import columns
from trm_lite.data.dataset import IGNORE, Batch, PuzzleSet, Splits
from trm_lite.nets.configs import ReasonerConfig
from trm_lite.nets.direct import Direct
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.official import checkpoints as official
from trm_lite.official.config import config_from_settings, recipe_from_settings
from trm_lite.official.golden import Check, Golden
from trm_lite.official.state_dicts import find_network
from trm_lite.official.units import UNITS
from trm_lite.thinking import Carry, empty_carry, refill, think, worth_of_going_on
from trm_lite.training.losses import StepLoss, step_loss
from trm_lite.training.recipe import Preset
from trm_lite.training.trainer import Trainer

# Tolerances that rounding explains, measured by running the authors' code on weights with slight
# noise.
LATENT = 1e-3  # absolute: latents, and logits after several steps, over which errors grow
OUTPUT = 1e-4  # absolute: losses, and logits after one step
GRADIENT = 1e-3  # relative to the largest entry
WEIGHTS = 2e-5  # absolute, after ten optimiser steps
EXACT = 0.0
RATE = 1e-9  # relative to the largest learning rate
LARGEST_BATCH = 100_000  # cells, which are thought about at once
MOST_STEPS = 1_000  # supervision steps, or optimiser steps


def check_parity(path: Path, config_file: Path | None = None) -> Golden:
    """Compare this package with a golden file; the comparisons are in `.checks` of the result.

    The configuration of a network is the entry of `config_file` with the same name as the golden
    file. If None, that is model_configs.json beside it. Raises UserError if there is nothing to
    compare.
    """
    golden = Golden(path)
    try:
        if golden.names("state/"):
            entry = read_entry(config_file or path.with_name("model_configs.json"), path.stem)
            _compare_model(golden, entry)
        else:
            for prefix, compare_unit in UNITS.items():
                if golden.names(prefix):
                    compare_unit(golden)
    except KeyError as error:
        raise UserError(
            f"The configuration of {path.stem} lacks {error}; add it.", "config"
        ) from error
    except (ArithmeticError, IndexError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(
            f"{path} and its configuration do not fit together, so they cannot be compared "
            f"({detail}); use a complete golden file."
        ) from error
    if not golden.checks:
        raise UserError(f"{path} holds nothing that can be compared; use a golden file.")
    return golden


def report(golden: Golden, as_json: bool = False) -> str:
    """The comparisons as text, or as JSON: name, deviation and tolerance of every quantity."""
    left = sorted(golden.unread)
    if as_json:
        checks = [
            {
                "name": check.name,
                "deviation": check.deviation if math.isfinite(check.deviation) else None,
                "tolerance": check.tolerance,
                "ok": check.ok,
            }
            for check in golden.checks
        ]
        return json.dumps({"ok": golden.ok, "checks": checks, "not_compared": left})
    rows = [
        (c.name, f"{c.deviation:.2e}", f"{c.tolerance:.2e}", "ok" if c.ok else "FAILED")
        for c in golden.checks
    ]
    lines = [columns(rows, ("quantity", "deviation", "tolerance", ""), align="<>>")]
    failed = sum(not check.ok for check in golden.checks)
    lines.append(f"{len(golden.checks)} quantities, {failed or 'none'} beyond the tolerance.")
    if left:
        lines.append(f"Not compared: {', '.join(left)}.")
    return "\n".join(lines)


def read_entry(path: Path, name: str) -> dict:
    """The configuration called `name` in a JSON file of configurations.

    Raises UserError if there is none.
    """
    try:
        entries = json.loads(path.read_text())
        entry = entries[name]
    except OSError as error:
        raise UserError(
            f"The configurations {path} cannot be read; name another file.", "config"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); name another file.", "config"
        ) from error
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} has no configuration called '{name}'; name another file.", "config"
        ) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("arch"), dict):
        raise UserError(f"The configuration '{name}' in {path} lacks 'arch'; add it.", "config")
    return entry


@dataclass(frozen=True)
class _Shape:
    """In place of the data of a preset, of which only these sizes matter here."""

    vocab_size: int
    seq_len: int


class _Trainer(Trainer):
    """The package's trainer, started from golden weights, which records its network's thoughts."""

    def __init__(self, golden: Golden, entry: dict, config: ReasonerConfig, state: dict):
        if golden.names("traj/batches/"):
            batch = _batch(golden, "traj/batches/", 0)
        else:
            batch = _batch(golden, "train/batch/" if golden.names("train/") else "eval/batch/")
        puzzles = PuzzleSet(batch.inputs, batch.labels.clamp(min=0), batch.puzzle_ids)
        recipe = recipe_from_settings(entry)
        if not 1 <= recipe.max_steps <= MOST_STEPS:
            raise ValueError(f"halt_max_steps is {recipe.max_steps}")
        if recipe.exploration:
            raise UserError(
                "A run with random exploration cannot be compared; use one without exploration."
            )
        data = _Shape(config.vocab_size, config.seq_len)
        preset = Preset(config.network, "", data, config, recipe)
        splits = Splits(puzzles, puzzles, puzzles)
        super().__init__(preset, splits=splits, device="cpu", progress=False)
        for model in (self.model, self.ema.module):
            model.load_state_dict(state)
        self.carry = empty_carry(self.model, batch)
        self.heard: list[Thought] = []
        self.model.register_forward_hook(lambda model, inputs, thought: self.heard.append(thought))

    def supervise(self, fresh: Batch) -> StepLoss:
        self.heard = []
        return super().supervise(fresh)

    def continue_target(self, part: Carry, thought: Thought) -> Tensor | None:
        # The authors' baseline halts by comparing with a continue logit that it never trains.
        return None if isinstance(self.model, Direct) else super().continue_target(part, thought)


def _batch(golden: Golden, prefix: str, row: int | None = None) -> Batch:
    names = ("inputs", "labels", "puzzle_identifiers")
    arrays = [golden[prefix + name] for name in names]
    batch = Batch(*((array if row is None else array[row]).long() for array in arrays))
    if batch.inputs.dim() != 2 or batch.labels.shape != batch.inputs.shape:
        raise ValueError(f"{prefix}inputs are {tuple(batch.inputs.shape)}")
    if batch.inputs.numel() > LARGEST_BATCH or batch.puzzle_ids.shape != batch.inputs.shape[:1]:
        raise ValueError(f"{prefix}puzzle_identifiers are {tuple(batch.puzzle_ids.shape)}")
    return batch


def _latents_by_name(latents: Latents, config: ReasonerConfig) -> dict[str, Tensor]:
    """The latents by the names that they have in the authors' code."""
    match config.num_latents:
        case 0:
            return {"z_H" if config.network == "Direct" else "z_L": latents.y}
        case 1:
            return {"z_H": latents.y, "z_L": latents.z}
        case count:
            return {"z_H": latents.y} | {f"z_L{i + 1}": latents.z[:, i] for i in range(count)}


# --- the comparisons ----------------------------------------------------------------------


def _compare_model(golden: Golden, entry: dict) -> None:
    state = {name: golden[f"state/{name}"] for name in golden.names("state/")}
    state, prefix = find_network(state, "The golden file")[:2]
    config = config_from_settings(entry, state)
    ours = official.from_official(state, config)

    def trainer() -> _Trainer:
        return _Trainer(golden, entry, config, ours)

    if golden.names("eval/"):
        _compare_evaluation(golden, trainer())
    if golden.names("train/"):
        _compare_gradients(golden, trainer(), prefix)
    if golden.names("traj/"):
        _compare_trajectory(golden, trainer(), prefix)


def _compare_evaluation(golden: Golden, trainer: _Trainer) -> None:
    """Compare several supervision steps in a row, as in the paper's evaluation."""
    model, config, recipe = trainer.model.eval(), trainer.model.config, trainer.recipe
    batch = _batch(golden, "eval/batch/")
    start = model.initial_latents(len(batch.inputs))
    stale = Latents(*(torch.full_like(latent, 123.0) for latent in start))
    waiting = Carry(stale, batch, *(torch.ones(len(batch.inputs)).to(t) for t in (int, bool)))
    for fresh, latent in zip(refill(model, waiting, batch).latents, start, strict=True):
        if not torch.equal(fresh, latent):
            golden.checks.append(Check("eval/refill", math.inf, EXACT))
    for step, thought in enumerate(
        think(model, batch.inputs, batch.puzzle_ids, steps=recipe.max_steps), start=1
    ):
        name, tolerance = f"eval/step{step}", OUTPUT if step == 1 else LATENT
        steps = torch.full((len(batch.inputs),), step)
        halted = steps >= recipe.max_steps
        loss = step_loss(thought.logits, thought.halt_logit, batch.labels, recipe.loss)
        _check_outputs(golden, name, thought, tolerance)
        for latent_name, latent in _latents_by_name(thought.latents, config).items():
            golden.check(f"{name}/{latent_name}", latent, LATENT)
        golden.check(f"{name}/steps", steps, EXACT)
        golden.check(f"{name}/halted", halted, EXACT)
        golden.check(f"{name}/all_finished", halted.all(), EXACT)
        golden.check(f"{name}/loss", loss.total, OUTPUT)
        _check_metrics(golden, f"{name}/metrics/", loss, thought, batch, steps, halted)


def _compare_gradients(golden: Golden, trainer: _Trainer, prefix: str) -> None:
    """Compare one training step from a given carry: outputs, loss, next carry, all gradients."""
    model, config = trainer.model, trainer.model.config
    names = _latents_by_name(trainer.carry.latents, config)
    given = {name: golden[f"train/carry_in/{name}"] for name in names}
    trainer.carry = Carry(
        _latents_from_names(given, trainer.carry.latents),
        _batch(golden, "train/carry_in/current_data/"),
        golden["train/carry_in/steps"].long(),
        golden["train/carry_in/halted"].bool(),
    )
    loss = trainer.supervise(_batch(golden, "train/batch/"))
    thought, carry = trainer.heard[0], trainer.carry

    _check_outputs(golden, "train/out", thought, OUTPUT)
    if "train/out/target_q_continue" in golden.arrays:
        target = worth_of_going_on(model, carry, trainer.recipe.max_steps)
        golden.check("train/out/target_q_continue", target, OUTPUT)
    golden.check("train/loss", loss.total, OUTPUT)
    golden.check_text("train/loss_dtype", str(loss.total.dtype))
    _check_metrics(golden, "train/metrics/", loss, thought, carry.batch, carry.steps, carry.halted)
    for name, latent in _latents_by_name(carry.latents, config).items():
        golden.check(f"train/carry_out/{name}", latent, LATENT)
    golden.check("train/carry_out/steps", carry.steps, EXACT)
    golden.check("train/carry_out/halted", carry.halted, EXACT)
    for name, tensor in zip(("inputs", "labels", "puzzle_identifiers"), carry.batch, strict=True):
        golden.check(f"train/carry_out/current_data/{name}", tensor, EXACT)

    ids, rows = model.puzzle_embedding.used[0]
    golden.check("train/local_ids", ids, EXACT)
    golden.check("train/grad/puzzle_emb_local_weights", rows.grad, GRADIENT, relative=True)
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in model.named_parameters()
    }
    for theirs, place in official.places(config).items():
        if place.name in gradients:
            gradient = gradients[place.name]
            golden.check(f"train/grad/{prefix}{theirs}", gradient, GRADIENT, relative=True)
            norm = gradient.double().norm()
            golden.check(f"train/grad_l2/{prefix}{theirs}", norm, GRADIENT, relative=True)


def _latents_from_names(given: dict[str, Tensor], like: Latents) -> Latents:
    first, *rest = given.values()
    if len(rest) == 1:
        return Latents(first, rest[0])
    return Latents(first, torch.stack(rest, dim=1) if rest else like.z)


def _compare_trajectory(golden: Golden, trainer: _Trainer, prefix: str) -> None:
    """Compare several optimiser steps: the numbers of each one, and the weights after the last."""
    model, config = trainer.model, trainer.model.config
    count = len(golden["traj/batches/inputs"])
    if count > MOST_STEPS:
        raise ValueError(f"there are {count} steps")
    seen: dict[str, list] = {}
    for step in range(count):
        loss = trainer.supervise(_batch(golden, "traj/batches/", step))
        trainer.update_weights()
        carry, thought = trainer.carry, trainer.heard[0]
        parameters = torch.cat([p.detach().flatten() for p in model.parameters()]).double()
        table = model.puzzle_embedding.table.double()
        measured = {
            "loss": loss.total,
            "lm_loss": loss.answer,
            "q_halt_loss": loss.halt,
            "q_continue_loss": loss.going_on,
            "lr": trainer.optimizer.param_groups[0]["lr"],
            "puzzle_emb_lr": trainer.puzzle_optimizer.param_groups[0]["lr"],
            "steps": carry.steps,
            "halted": carry.halted,
            "cur_ids": carry.batch.puzzle_ids,
            "q_halt_logits": thought.halt_logit,
            "q_continue_logits": thought.continue_logit,
            "param_l2": parameters.norm(),
            "param_sum": parameters.sum(),
            "puzzle_emb_l2": table.norm(),
            "puzzle_emb_sum": table.sum(),
        }
        for name, latent in _latents_by_name(carry.latents, config).items():
            measured[f"{name}_l2"] = latent.double().norm()
        metrics = _metrics(loss, thought, carry.batch, carry.steps, carry.halted)
        for name, value in metrics.items():  # they log means over the slots that halted
            log_name = "log_steps_metric" if name == "steps" else f"log_{name}"
            measured[log_name] = value / max(metrics["count"], 1)
        for name, value in measured.items():
            value = torch.as_tensor(math.nan if value is None else value, dtype=torch.float64)
            seen.setdefault(name, []).append(value.detach())
    for name, values in seen.items():
        _check_series(golden, f"traj/{name}", torch.stack(values))

    for which, network in (("final", model), ("ema", trainer.ema.module)):
        for name, tensor in official.to_official(network, prefix).items():
            golden.check(f"traj/{which}/{name}", tensor, WEIGHTS)
            golden.check(f"traj/{which}_l2/{name}", tensor.double().norm(), WEIGHTS)
    live = torch.equal(trainer.ema.module.puzzle_embedding.table, model.puzzle_embedding.table)
    golden.check("traj/ema_puzzle_emb_equals_live", live, EXACT)


def _check_series(golden: Golden, name: str, values: Tensor) -> None:
    """Compare one quantity over all optimiser steps, with the tolerance that suits it."""
    if name not in golden.arrays:
        return
    quantity = name.removeprefix("traj/")
    if quantity in ("steps", "halted", "cur_ids", "log_count"):
        return golden.check(name, values, EXACT)
    if quantity in ("lr", "puzzle_emb_lr"):
        return golden.check(name, values, RATE, relative=True)
    if bool(golden[name].double().isnan().all()):  # such as a loss that this network lacks
        wrong = not bool(values.double().isnan().all())
        golden.checks.append(Check(name, float(wrong), EXACT))
        return None
    tolerance = LATENT if quantity.startswith("z_") else OUTPUT
    return golden.check(name, values, tolerance)


def _check_outputs(golden: Golden, name: str, thought, tolerance: float) -> None:
    golden.check(f"{name}/logits", thought.logits, tolerance)
    golden.check(f"{name}/q_halt_logits", thought.halt_logit, tolerance)
    golden.check(f"{name}/q_continue_logits", thought.continue_logit, tolerance)
    if f"{name}/preds" in golden.arrays:
        # Where the scores of two tokens differ by less than the tolerance, either may win.
        best = golden[f"{name}/logits"].topk(2, dim=-1).values
        clear = best[..., 0] - best[..., 1] > 2 * tolerance
        wrong = (thought.logits.argmax(-1) != golden[f"{name}/preds"]) & clear
        golden.checks.append(Check(f"{name}/preds", float(wrong.sum()), EXACT))


def _metrics(loss: StepLoss, thought, batch: Batch, steps: Tensor, halted: Tensor) -> dict:
    """The metrics that the authors log, summed over the halted slots with any graded cell."""
    valid = halted & (batch.labels != IGNORE).any(-1)
    knows = (thought.halt_logit >= 0) == loss.correct
    return {
        "count": int(valid.sum()),
        "accuracy": float(loss.correct_cells[valid].sum()),
        "exact_accuracy": float(loss.correct[valid].sum()),
        "q_halt_accuracy": float(knows[valid].sum()),
        "steps": float(steps[valid].sum()),
    }


def _check_metrics(
    golden: Golden, prefix: str, loss: StepLoss, thought, batch: Batch, steps, halted
) -> None:
    for name, value in _metrics(loss, thought, batch, steps, halted).items():
        golden.check(prefix + name, value, OUTPUT if name == "accuracy" else EXACT)
    golden.check(prefix + "lm_loss", loss.answer, OUTPUT)
    golden.check(prefix + "q_halt_loss", loss.halt, OUTPUT)
    if loss.going_on is not None:
        golden.check(prefix + "q_continue_loss", loss.going_on, OUTPUT)
