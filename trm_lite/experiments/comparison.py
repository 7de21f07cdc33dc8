"""The mini table: the paper's networks on a laptop, at equal optimiser steps and at equal compute.

Every row of the table is trained on the same puzzles with the same recipe, over several seeds.
It is tested twice on the same unseen puzzles: after as many optimiser steps as TRM gets, and
after as many floating-point operations. Every finished run is kept, so that an interrupted
comparison can continue.
"""

import dataclasses
import hashlib
import json
import math
import statistics
import sys
from pathlib import Path

import torch

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.common.tables import columns
from trm_lite.data.settings import BuiltData
from trm_lite.experiments import year_after
from trm_lite.experiments.comparison_tests import NOTHING, Further, paired, test_trainer
from trm_lite.experiments.presets import get_preset, is_own, variant
from trm_lite.nets.weights import load_weights, save_weights
from trm_lite.training.flops import step_flops
from trm_lite.training.recipe import Preset, from_dict, replace
from trm_lite.training.token_trainer import trainer_for

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
    equal_compute: bool = True,
    further: Further = NOTHING,
    **changes,
) -> dict | None:
    """Train and test every row with every seed; returns the table, or None if interrupted.

    The table is saved after every run, and calling again continues.

    Args:
        base: the preset whose variants `rows` are compared.
        results: file for the table; results.json in `folder` if None.
        device: see `Learner`, like `compile`.
        ship: folder for the weights of seed 0, in half precision.
        equal_compute: also train each row to equal compute.
        further: how else to test each row at equal steps; that takes longer than training.
        changes: fields to change in every preset, such as `steps` or `hidden_size`.
    """
    if not isinstance(get_preset(base).data, BuiltData):  # what is built has the test that it has
        changes["test"] = test
    reference = replace(get_preset(base), **changes)
    presets = {row: replace(variant(base, row), **changes) for row in rows}
    budget = step_flops(reference) * reference.recipe.steps
    reference.data.build()  # once, before the first row
    table, how = _table(reference, budget, presets), {"device": device, "compile": compile}
    for seed in range(seeds):  # all rows once before any row twice
        for row, preset in presets.items():
            file = folder / f"{row}-seed{seed}.json"
            run = replace(preset, seed=seed)
            ends = {"equal_steps": reference.recipe.steps}
            if equal_compute:
                ends["equal_compute"] = max(1, round(budget / step_flops(run)))
            mark = _mark(run, ends, further)
            if not done(file, mark):
                print(f"{run.name}, seed {seed}:", file=sys.stderr)
                measured = run_row(run, ends, folder / file.stem, further, **how)
                if measured is None:
                    return None
                write_atomically(file, json.dumps(measured | {"of": mark}).encode())
            if ship is not None and seed == 0:
                _ship(preset, folder / file.stem, ship / f"{reference.name}-{row}.safetensors")
            table["rows"][row]["seeds"].append(json.loads(file.read_text()))
            text = json.dumps(table, indent=1) + "\n"
            write_atomically(results or folder / "results.json", text.encode())
    return table


def done(file: Path, mark: str) -> bool:
    """Whether a result is there; UserError if it is one of another experiment than `mark`."""
    if not file.exists():
        return False
    if json.loads(file.read_text()).get("of", mark) != mark:
        raise UserError(
            f"{file} holds the result of another experiment; choose another folder, or delete it.",
            "out",
        )
    return True


def _mark(run: Preset, ends: dict[str, int], further: Further) -> str:
    """What tells an experiment from others: a hash of its settings, data, ends and tests."""
    settings = dataclasses.asdict(dataclasses.replace(_unplaced(run), about=""))
    text = json.dumps([settings, ends, repr(further)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _table(reference: Preset, budget: int, presets: dict[str, Preset]) -> dict:
    """The table before any run."""
    return {
        "base": dataclasses.asdict(_unplaced(reference)),
        "budget_flops": budget,
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


def _ship(preset: Preset, run: Path, to: Path) -> None:
    """Save the final weights of a run in half precision."""
    if preset.recipe.grows:  # which has a run for each end
        run /= "equal_compute"
    weights, about = load_weights(run / "last.safetensors")
    about["preset"] = dataclasses.asdict(_unplaced(from_dict(about["preset"])))
    save_weights(weights, to, about, half=True)


def _unplaced(preset: Preset) -> Preset:
    """The preset as others may read it: without where its data lies on this machine."""
    return dataclasses.replace(preset, data=preset.data.unplaced())


def run_row(
    preset: Preset, ends: dict[str, int], folder: Path, further: Further = NOTHING, **how
) -> dict | None:
    """Train one row to its ends, and test it at each; None if interrupted.

    Args:
        preset: the row.
        ends: optimiser steps at each end, by its name.
        folder: where to keep the run.
        further: how else to test it at equal steps.
        how: device and compile, see `Learner`.
    """
    cost = step_flops(preset)
    torch.compiler.reset()  # torch limits the variants of a compiled function, and each row is one
    measured: dict = {"seed": preset.seed, "flops_per_step": cost, "torch": torch.__version__}
    if preset.recipe.grows:  # a part of such a run is no run: each end needs its own
        runs = {name: {name: steps} for name, steps in ends.items()}
    else:
        runs = {"": ends}
    measured["seconds"] = 0.0
    for name, part in runs.items():
        run = replace(preset, steps=max(part.values()))
        tested = _train_to_ends(run, part, folder / name, further, **how)
        if tested is None:
            return None
        measured["seconds"] += tested.pop("seconds")
        measured |= tested
    return measured


def _train_to_ends(
    preset: Preset, ends: dict[str, int], folder: Path, further: Further, **how
) -> dict | None:
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
                tested = test_trainer(trainer, further if name == "equal_steps" else NOTHING)
            write_atomically(kept, json.dumps(tested).encode())
        measured[name] = {"steps": steps} | json.loads(kept.read_text())
    measured["seconds"] = trainer.seconds
    return measured


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
    """The results as text: exact match after the last supervision step, and after the first.

    Where the puzzle knows its rules, the share of valid answers stands beside them.
    """
    parts = []
    for end, title in (
        ("equal_steps", "At equal optimiser steps"),
        ("equal_compute", "At equal compute (floating-point operations of training)"),
    ):
        rows = {
            name: [run[end] for run in row["seeds"] if end in run]
            for name, row in table["rows"].items()
        }
        lines = [
            {"row": name, "parameters": f"{table['rows'][name]['parameters']:,}"}
            | _figures(runs)
            | _against(runs, rows.get(TRM, []))
            for name, runs in rows.items()
            if runs
        ]
        if lines:
            parts += [title, _columns(lines)]
        deep = [{"row": name} | _further_figures(runs) for name, runs in rows.items() if runs]
        if end == "equal_steps" and deep and len(deep[0]) > 1:
            parts += [f"{title}: deeper and broader thoughts", _columns(deep)]
    return "\n\n".join(parts)


def _columns(lines: list[dict[str, str]]) -> str:
    heads = list(dict.fromkeys(head for line in lines for head in line))
    return columns([[line.get(head, "") for head in heads] for line in lines], heads, align="<>>")


def _against(runs: list[dict], trm: list[dict]) -> dict[str, str]:
    """How a row differs from TRM on the same puzzles, over all seeds that both have."""
    pairs = [
        (run["ema"]["solved"], other["ema"]["solved"])
        for run, other in zip(runs, trm, strict=False)
        if run is not other and "solved" in run["ema"] and "solved" in other["ema"]
    ]
    if not pairs:
        return {}
    more, fewer, chance = paired(pairs)
    return {"only it / only TRM": f"{more:,} / {fewer:,}, p = {chance:.2g}"}


def _further_figures(runs: list[dict]) -> dict[str, str]:
    """The figures of a row at other depths and with several attempts, in per cent."""
    deep = [run["further"] for run in runs if "further" in run]
    figures = {}
    for depth in deep[0]["exact"] if deep else ():
        figures[f"D = {depth}"] = mean_over_seeds([seen["exact"][depth] for seen in deep])
    for choice in deep[0]["exact_by_choice"] if deep else ():
        values = [seen["exact_by_choice"][choice] for seen in deep]
        figures[f"{deep[0]['tries']} attempts, {choice}"] = mean_over_seeds(values)
    return figures


def _figures(runs: list[dict]) -> dict[str, str]:
    """The figures of a row at one of its ends, from the runs of all seeds, in per cent."""

    def solved(weights: str, step: int) -> str:
        return mean_over_seeds(
            [run[weights]["correct_by_step"][step] / run[weights]["puzzles"] for run in runs]
        )

    figures = {
        "steps": f"{runs[0]['steps']:,}",
        "EMA weights": solved("ema", -1),
        "raw weights": solved("raw", -1),
        "EMA, after 1": solved("ema", 0),
    }
    if "any_valid" in runs[0]["ema"]:
        figures["EMA, any valid"] = mean_over_seeds([run["ema"]["any_valid"] for run in runs])
    return figures
