"""Check that this package computes the same as the authors' code: `trm-lite parity FILE.npz`.

A golden file holds numbers that the authors' code of TRM or HRM produced: weights, outputs over
several supervision steps, losses, gradients, and ten optimiser steps. `check_parity` gives the
same weights and batches to the network, the losses, the slots and the *trainer* of this package,
and measures how far apart the results are. `tests/golden/README.md` describes the format.

Quantities are named as in the file: `z_H` is y here, and `z_L` is z.
"""

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from trm_lite.common.device import pick_device
from trm_lite.common.errors import UserError
from trm_lite.common.tables import columns
from trm_lite.nets.configs import RSMConfig
from trm_lite.nets.reasoner import Latents
from trm_lite.official import checkpoints as official
from trm_lite.official import eqr, rsm, se_rrm, urm
from trm_lite.official.config import config_from_settings
from trm_lite.official.golden import EXACT, LATENT, OUTPUT, RATE, WEIGHTS, Golden, exactly
from trm_lite.official.gradients import check_gradients
from trm_lite.official.metrics import check_metrics, latent_metrics, metrics
from trm_lite.official.replay import Replay
from trm_lite.official.rerun import MOST_STEPS, GoldenTrainer, latents_by_name
from trm_lite.official.state_dicts import find_network
from trm_lite.official.units import UNITS
from trm_lite.thinking import Carry, refill, think, worth_of_going_on
from trm_lite.training.losses import step_loss


def check_parity(path: Path, config_file: Path | None = None, device: str = "cpu") -> Golden:
    """Compare this package with a golden file; the comparisons are in `.checks` of the result.

    The configuration of a network is the entry of `config_file` with the same name as the golden
    file. If None, that is model_configs.json beside it. `device` is where this package computes,
    see `pick_device`. Raises UserError if there is nothing to compare.
    """
    golden, precision = Golden(path), torch.get_float32_matmul_precision()
    golden.device = pick_device(device)
    try:
        _compare(golden, path, config_file or path.with_name("model_configs.json"))
    except (ArithmeticError, IndexError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(
            f"{path} and its configuration do not fit together, so they cannot be compared "
            f"({detail}); use a complete golden file."
        ) from error
    finally:
        torch.set_float32_matmul_precision(precision)
    if not golden.checks:
        raise UserError(f"{path} holds nothing that can be compared; use a golden file.")
    return golden


def _compare(golden: Golden, path: Path, config_file: Path) -> None:
    """Compare all networks in the file, or if there are none, its single parts."""
    for prefix, names in (
        ("", (path.stem, f"{path.stem}_mlp")),
        ("att/", (f"{path.stem}_att",)),
    ):
        part = golden.under(prefix)
        if not part.names("state/"):
            continue
        name, entry = read_entry(config_file, *names)
        try:
            _compare_model(part, entry)
        except KeyError as error:
            raise UserError(
                f"The configuration of {name} lacks {error}; add it.", "config"
            ) from error
    if not golden.names("state/"):
        for prefix, compare_unit in UNITS.items():
            if golden.names(prefix):
                compare_unit(golden)


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


def read_entry(path: Path, *names: str) -> tuple[str, dict]:
    """The first configuration called one of `names` in a JSON file of them, and its name.

    Raises UserError if there is none.
    """
    name = names[0]
    try:
        entries = json.loads(path.read_text())
        name = next((known for known in names if known in entries), name)
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
    return name, entry


# --- the comparisons ----------------------------------------------------------------------


def _compare_model(golden: Golden, entry: dict) -> None:
    state = {name: golden[f"state/{name}"] for name in golden.names("state/")}
    state, prefix = find_network(state, "The golden file")[:2]
    config = config_from_settings(entry, state)
    ours = official.from_official(state, config)

    if isinstance(config, RSMConfig):
        if golden.device.type != "cpu":
            raise UserError("An RSM is compared on the CPU only; choose the CPU.", "device")
        return rsm.compare(golden, entry, config, ours, prefix)

    def trainer() -> GoldenTrainer:
        return GoldenTrainer(golden, entry, config, ours)

    if golden.names("eval/"):
        _compare_evaluation(golden, trainer())
    if golden.names("train/"):
        _compare_gradients(golden, trainer(), prefix)
    if golden.names("traj/"):
        _compare_trajectory(golden, trainer(), prefix)
    if golden.device.type != "cpu":  # what is left are parts of networks, which the CPU checks
        return
    if golden.names("units/rope2d/"):
        se_rrm.compare_the_rest(golden, entry, trainer())
        return
    for name, tolerance in urm.IN_BFLOAT16.items():
        if golden.names(f"{name}/eval/"):
            urm.compare_roughly(golden, name, trainer(), tolerance)
    if golden.names("units/muon/"):
        urm.compare_units(golden)
    if golden.names("rollouts/"):
        eqr.compare_rollouts(golden, trainer())
    if golden.names("units/explore/"):
        eqr.compare_exploration(golden, trainer())
    if golden.names("units/residual/"):
        eqr.compare_choice(golden)


def _compare_evaluation(golden: Golden, trainer: GoldenTrainer) -> None:
    """Compare several supervision steps in a row, as in the paper's evaluation."""
    model, config, recipe = trainer.model.eval(), trainer.model.config, trainer.recipe
    batch = golden.batch("eval/batch/")
    Replay.of(golden, "eval/draws/", model)
    start = model.initial_latents(len(batch.inputs))
    stale = Latents(*(torch.full_like(latent, 123.0) for latent in start))
    ones = torch.ones(len(batch.inputs), device=golden.device)
    waiting = Carry(stale, batch, ones.long(), ones.bool())
    for fresh, latent in zip(refill(model, waiting, batch).latents, start, strict=True):
        if not torch.equal(fresh, latent):
            golden.add("eval/refill", math.inf, EXACT)
    steps = max(int(name.split("/")[0]) for name in golden.names("eval/step"))
    thoughts = think(model, batch.inputs, batch.puzzle_ids, steps=steps)
    for step, thought in enumerate(thoughts, start=1):
        name, tolerance = f"eval/step{step}", OUTPUT if step == 1 else LATENT
        steps = torch.full_like(batch.inputs[:, 0], step)
        halted = steps >= recipe.max_steps
        loss = step_loss(thought.logits, thought.halt_logit, batch.labels, recipe.loss)
        _check_outputs(golden, name, thought, tolerance)
        for latent_name, latent in latents_by_name(thought.latents, config).items():
            golden.check(f"{name}/{latent_name}", latent, LATENT)
        golden.check(f"{name}/steps", steps, EXACT)
        golden.check(f"{name}/halted", halted, EXACT)
        golden.check(f"{name}/all_finished", halted.all(), EXACT)
        golden.check(f"{name}/loss", loss.total, OUTPUT)
        carry = Carry(thought.latents, batch, steps, halted)
        check_metrics(golden, f"{name}/metrics/", loss, thought, carry)


def _compare_gradients(golden: Golden, trainer: GoldenTrainer, prefix: str) -> None:
    """Compare one training step from a given carry: outputs, loss, next carry, all gradients."""
    model, config = trainer.model, trainer.model.config
    trainer.fill_slots(golden)
    if "train/u" in golden.arrays:
        trainer.halting_draws = [golden["train/u"]]
    Replay.of(golden, "train/draws/", model)
    loss = trainer.supervise(golden.batch("train/batch/"))
    thought, carry = trainer.heard[0], trainer.carry

    _check_outputs(golden, "train/out", thought, OUTPUT)
    if "train/out/target_q_continue" in golden.arrays:
        target = worth_of_going_on(model, carry, trainer.recipe.max_steps)
        golden.check("train/out/target_q_continue", target, OUTPUT)
    golden.check("train/loss", loss.total, OUTPUT)
    golden.check_text("train/loss_dtype", str(loss.total.dtype))
    check_metrics(golden, "train/metrics/", loss, thought, carry)
    for name, latent in latents_by_name(carry.latents, config).items():
        golden.check(f"train/carry_out/{name}", latent, LATENT)
    golden.check("train/carry_out/steps", carry.steps, EXACT)
    golden.check("train/carry_out/halted", carry.halted, EXACT)
    for name, tensor in zip(("inputs", "labels", "puzzle_identifiers"), carry.batch, strict=True):
        golden.check(f"train/carry_out/current_data/{name}", tensor, EXACT)

    check_gradients(golden, "train/", model, prefix)


def _compare_trajectory(golden: Golden, trainer: GoldenTrainer, prefix: str) -> None:
    """Compare several optimiser steps: the numbers of each one, and the weights after the last."""
    model, config = trainer.model, trainer.model.config
    count = len(golden["traj/batches/inputs"])
    if count > MOST_STEPS:
        raise ValueError(f"there are {count} steps")
    Replay.of(golden, "traj/draws/", model)
    if "traj/u" in golden.arrays:
        trainer.halting_draws = list(golden["traj/u"])
    seen: dict[str, list] = {}
    for step in range(count):
        loss = trainer.supervise(golden.batch("traj/batches/", step))
        trainer.update_weights()
        carry, thought = trainer.carry, trainer.heard[0]
        parameters = torch.cat([exactly(p).flatten() for p in model.parameters()])
        table = exactly(model.puzzle_embedding.table)
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
            "cur_inputs": carry.batch.inputs,
            "q_halt_logits": thought.halt_logit,
            "q_continue_logits": thought.continue_logit,
            "param_l2": parameters.norm(),
            "param_sum": parameters.sum(),
            "puzzle_emb_l2": table.norm(),
            "puzzle_emb_sum": table.sum(),
        }
        for name, latent in latents_by_name(carry.latents, config).items():
            measured[f"{name}_l2"] = exactly(latent).norm()
        logged = metrics(loss, thought, carry)
        for name, value in logged.items():  # they log means over the slots that halted
            log_name = "log_steps_metric" if name == "steps" else f"log_{name}"
            measured[log_name] = value / logged["count"].clamp(min=1)
        if config.network == "URM":  # but its code logs the count itself
            measured["log_count"] = logged["count"]
        for name, value in latent_metrics(carry.latents).items():  # and means over all slots
            measured[f"log_{name}"] = value / len(carry.steps)
        for name, value in measured.items():
            seen.setdefault(name, []).append(exactly(math.nan if value is None else value))
    for name, values in seen.items():
        _check_series(golden, f"traj/{name}", torch.stack(values))

    for which, network in (("final", model), ("ema", trainer.ema.module)):
        for name, tensor in official.to_official(network, prefix).items():
            golden.check(f"traj/{which}/{name}", tensor, WEIGHTS)
            golden.check(f"traj/{which}_l2/{name}", exactly(tensor).norm(), WEIGHTS)
    live = torch.equal(trainer.ema.module.puzzle_embedding.table, model.puzzle_embedding.table)
    golden.check("traj/ema_puzzle_emb_equals_live", live, EXACT)


def _check_series(golden: Golden, name: str, values: Tensor) -> None:
    """Compare one quantity over all optimiser steps, with the tolerance that suits it."""
    if name not in golden.arrays:
        return
    quantity = name.removeprefix("traj/")
    if quantity in ("steps", "halted", "cur_ids", "cur_inputs", "log_count"):
        return golden.check(name, values, EXACT)
    if quantity in ("lr", "puzzle_emb_lr"):
        return golden.check(name, values, RATE, relative=True)
    if bool(golden[name].double().isnan().all()):  # such as a loss that this network lacks
        wrong = not bool(values.double().isnan().all())
        golden.add(name, float(wrong), EXACT)
        return None
    tolerance = LATENT if quantity.startswith("z_") else OUTPUT
    return golden.check(name, values, tolerance)


def _check_outputs(golden: Golden, name: str, thought, tolerance: float) -> None:
    golden.check(f"{name}/logits", thought.logits, tolerance)
    golden.check(f"{name}/q_halt_logits", thought.halt_logit, tolerance)
    golden.check(f"{name}/q_continue_logits", thought.continue_logit, tolerance)
    golden.check_best(name, thought.logits.argmax(-1), tolerance)
