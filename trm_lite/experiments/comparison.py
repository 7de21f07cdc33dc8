"""The mini table: the paper's networks on a laptop, at equal optimiser steps and at equal compute.

Every row of the table is trained on the same puzzles with the same recipe, over several seeds.
It is tested twice on the same unseen puzzles: after as many optimiser steps as TRM gets, and
after as many floating-point operations. Every finished run is kept, so that an interrupted
comparison can continue.
"""

import dataclasses
import json
import math
import statistics
import sys
from pathlib import Path

import torch

from trm_lite.common.files import write_atomically
from trm_lite.common.tables import columns
from trm_lite.data.settings import BuiltData
from trm_lite.evaluation.scoring import evaluate
from trm_lite.experiments import year_after
from trm_lite.experiments.presets import get_preset, is_own, variant
from trm_lite.nets.weights import load_weights, save_weights
from trm_lite.training.flops import step_flops
from trm_lite.training.recipe import Preset, replace
from trm_lite.training.token_trainer import trainer_for
from trm_lite.training.trainer import Trainer

BASE = "sudoku-6x6"  # the preset that sets the steps and the compute of all rows
SOLVERS_STEPS = "tokens-scratch"  # the row that needs a solver, which is part of few puzzles
TRM = "trm"  # the row of the base preset itself
ROWS = (
    "direct", "direct-deep", "tokens", "tokens-scratch", "tied", "tied-supervised",
    "hrm-ema", "one-step", TRM, "hrm-act", "two-nets", "4-layers", "att",
    "k1-T1", "shallow", "k2-T2", "k3-T3", "multi-scale", "single", "no-act",
)  # fmt: skip
# The systems of the year after TRM, beside the core of its own table.
YEAR_AFTER = ("direct", "hrm-ema", "one-step", TRM, *year_after.COMPARED[3:])
# Two-sided 95 % points of Student's t by degrees of freedom, for intervals over few seeds.
STUDENT = (math.nan, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def rows_for(base: str) -> tuple[str, ...]:
    """The rows that a preset, or a puzzle of your own, can be compared in."""
    return tuple(row for row in ROWS if row != SOLVERS_STEPS or not is_own(base))


def compare(
    folder: Path,
    *,
    base: str = BASE,
    rows: tuple[str, ...] = ROWS,
    seeds: int = 3,
    test: int = 1000,
    results: Path | None = None,
    device: str = "cpu",
    compile: bool | None = None,
    ship: Path | None = None,
    **changes,
) -> dict | None:
    """Train and test every row with every seed; returns the table, or None if interrupted.

    The table is saved after every run, and calling again continues.

    Args:
        base: the preset whose variants `rows` are compared.
        results: file for the table; results.json in `folder` if None.
        device: see `Learner`, like `compile`.
        ship: folder for the weights of seed 0, in half precision.
        changes: fields to change in every preset, such as `steps` or `hidden_size`.
    """
    if not isinstance(get_preset(base).data, BuiltData):  # what is built has the test that it has
        changes["test"] = test
    reference = replace(get_preset(base), **changes)
    presets = {row: replace(variant(base, row), **changes) for row in rows}
    reference.data.build()  # once, before the first row
    table = {
        "base": dataclasses.asdict(reference),
        "budget_flops": (budget := step_flops(reference) * reference.recipe.steps),
        "rows": {
            row: {
                "about": preset.about,
                "parameters": preset.model.parameters,
                "effective_depth": preset.model.effective_depth,
                "forward_passes": preset.recipe.forward_passes,
                "seeds": [],
            }
            for row, preset in presets.items()
        },
    }
    for seed in range(seeds):  # all rows once before any row twice
        for row, preset in presets.items():
            file = folder / f"{row}-seed{seed}.json"
            if not file.exists():
                run = replace(preset, seed=seed)
                print(f"{run.name}, seed {seed}:", file=sys.stderr)
                ends = run, reference.recipe.steps, budget, folder / file.stem
                measured = run_row(*ends, device=device, compile=compile)
                if measured is None:
                    return None
                write_atomically(file, json.dumps(measured).encode())
            if ship is not None and seed == 0:
                _ship(preset, folder / file.stem, ship / f"{base}-{row}.safetensors")
            table["rows"][row]["seeds"].append(json.loads(file.read_text()))
            text = (json.dumps(table, indent=1) + "\n").encode()
            write_atomically(results or folder / "results.json", text)
    return table


def _ship(preset: Preset, run: Path, to: Path) -> None:
    """Save the final weights of a run in half precision."""
    if preset.recipe.grows:  # which has a run for each end
        run /= "equal_compute"
    weights, about = load_weights(run / "last.safetensors")
    save_weights(weights, to, about, half=True)


def run_row(preset: Preset, equal_steps: int, budget: int, folder: Path, **how) -> dict | None:
    """Train one row to its two ends, and test it at each; None if interrupted.

    Args:
        preset: the row.
        equal_steps: optimiser steps at the first end.
        budget: floating-point operations at the other end.
        folder: where to keep the run.
        how: device and compile, see `Learner`.
    """
    cost = step_flops(preset)
    ends = {"equal_steps": equal_steps, "equal_compute": max(1, round(budget / cost))}
    torch.compiler.reset()  # torch limits the variants of a compiled function, and each row is one
    measured: dict = {"seed": preset.seed, "flops_per_step": cost, "torch": torch.__version__}
    if preset.recipe.grows:  # a part of such a run is no run: each end needs its own
        runs = {name: {name: steps} for name, steps in ends.items()}
    else:
        runs = {"": ends}
    measured["seconds"] = 0.0
    for name, part in runs.items():
        run = replace(preset, steps=max(part.values()))
        tested = _train_to_ends(run, part, folder / name, **how)
        if tested is None:
            return None
        measured["seconds"] += tested.pop("seconds")
        measured |= tested
    return measured


def _train_to_ends(preset: Preset, ends: dict[str, int], folder: Path, **how) -> dict | None:
    """Train one run and test it at each of its ends, which are optimiser steps by name."""
    trainer = trainer_for(preset, folder=folder, **how)
    measured: dict = {}
    tested: dict = {}  # results at the latest end; for TRM, the two ends are the same
    for name, steps in sorted(ends.items(), key=lambda end: end[1]):
        kept = folder / f"{name}.json"  # exists if it was tested before an interruption
        if not kept.exists():
            if steps != trainer.steps_done or not tested:
                if not trainer.train(steps):
                    return None
                tested = test_trainer(trainer)
            write_atomically(kept, json.dumps(tested).encode())
        measured[name] = {"steps": steps} | json.loads(kept.read_text())
    measured["seconds"] = trainer.seconds
    return measured


def test_trainer(trainer: Trainer) -> dict:
    """Test a trainer's present weights on its test puzzles, both averaged (EMA) and raw."""
    steps = trainer.recipe.max_steps
    result = {}
    for name, model in (("ema", trainer.ema.module), ("raw", trainer.model)):
        seen = evaluate(model, trainer.splits.test, steps=steps)
        halting, mean_steps = seen.when_halting()
        result[name] = {
            "puzzles": seen.correct.shape[1],
            "correct_by_step": seen.correct.sum(1).tolist(),
            "cells": seen.cells[-1].mean().item(),
            "exact_when_halting": halting.value,
            "steps_when_halting": mean_steps,
        }
    return result


def mean_over_seeds(values: list[float]) -> str:
    """The mean of shares (0..1) in per cent, with a 95 % interval over the seeds (Student's t)."""
    mean = 100 * statistics.fmean(values)
    freedom = len(values) - 1
    if freedom == 0:
        return f"{mean:.1f}"
    t = STUDENT[min(freedom, len(STUDENT) - 1)]
    half = 100 * t * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.1f} [{max(0.0, mean - half):.1f}, {min(100.0, mean + half):.1f}]"


def as_text(table: dict) -> str:
    """The results as text: exact match after the last supervision step, and after the first."""
    headings = ("row", "parameters", "steps", "EMA weights", "raw weights", "EMA, after 1")
    parts = []
    for end, title in (
        ("equal_steps", "At equal optimiser steps"),
        ("equal_compute", "At equal compute (floating-point operations of training)"),
    ):
        rows = [_row(name, row, end) for name, row in table["rows"].items() if row["seeds"]]
        parts += [title, columns(rows, headings, align="<>>")]
    return "\n\n".join(parts)


def _row(name: str, row: dict, end: str) -> tuple:
    """The cells of one row at "equal_steps" or "equal_compute", in per cent."""
    runs = [seed[end] for seed in row["seeds"]]

    def solved(weights: str, step: int) -> str:
        return mean_over_seeds(
            [run[weights]["correct_by_step"][step] / run[weights]["puzzles"] for run in runs]
        )

    numbers = f"{row['parameters']:,}", f"{runs[0]['steps']:,}"
    return name, *numbers, solved("ema", -1), solved("raw", -1), solved("ema", 0)
