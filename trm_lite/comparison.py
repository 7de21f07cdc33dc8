"""The mini table: the paper's rows on a laptop, at equal optimiser steps and at equal compute.

Every row is trained on the same puzzles with the same recipe, over several seeds, and tested on
the same unseen puzzles twice: after as many optimiser steps as TRM gets, and after as many
floating-point operations. Every finished run is kept, so that an interrupted table goes on.
"""

import dataclasses
import json
import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from trm_lite.evaluation import evaluate
from trm_lite.files import write_atomically
from trm_lite.nets import count_parameters
from trm_lite.presets import Preset, get_preset, replace
from trm_lite.puzzles.dataset import build
from trm_lite.training import Trainer
from trm_lite.writing import trainer_for

BASE = "sudoku-6x6"  # sets the steps and the compute that all rows get
ROWS = (
    "direct", "direct-deep", "tokens", "tokens-scratch", "tied", "tied-supervised",
    "hrm", "hrm-ema", "one-step", "", "hrm-act", "two-nets", "4-layers", "attention",
    "shallow", "multi-scale", "single", "no-act",
)  # fmt: skip


def flops_per_step(preset: Preset) -> int:
    """Floating-point operations of one optimiser step, counted by torch in a step of its own."""
    small = replace(preset, bfloat16=False)
    trainer = trainer_for(small, device="cpu", progress=False)
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops()


def compare(
    folder: Path,
    *,
    base: str = BASE,
    rows: tuple[str, ...] = ROWS,
    seeds: int = 3,
    test: int = 1000,
    results: Path | None = None,
    **changes,
) -> dict:
    """Train and test every row with every seed, and collect what came out.

    `changes` alter every preset alike (for example `steps` or `hidden_size`). The table is
    written to `results`, or into `folder`.
    """
    presets = {
        row: replace(get_preset(f"{base}-{row}".rstrip("-")), test=test, **changes) for row in rows
    }
    reference = replace(get_preset(base), test=test, **changes)
    budget = flops_per_step(reference) * reference.recipe.steps
    build(reference.data)  # once, before the first row
    table = {"base": dataclasses.asdict(reference), "budget_flops": budget, "rows": {}}
    for seed in range(seeds):  # all rows once before any row twice
        for row, preset in presets.items():
            file = folder / f"{row or 'trm'}-seed{seed}.json"
            if not file.exists():
                run = replace(preset, seed=seed)
                print(f"{run.name}, seed {seed}:", file=sys.stderr)
                measured = run_row(run, reference.recipe.steps, budget, folder / file.stem)
                if measured is None:
                    return table  # interrupted; the run is saved
                write_atomically(file, json.dumps(measured).encode())
            entry = table["rows"].setdefault(
                row or "trm",
                {
                    "about": preset.about,
                    "parameters": count_parameters(preset.model),
                    "effective_depth": preset.model.effective_depth,
                    "seeds": [],
                },
            )
            entry["seeds"].append(json.loads(file.read_text()))
            text = json.dumps(table, indent=1)
            write_atomically(results or folder / "results.json", text.encode())
    return table


def run_row(preset: Preset, equal_steps: int, budget: int, folder: Path) -> dict | None:
    """Train one row to both ends and test it there; None if it was interrupted."""
    cost = flops_per_step(preset)
    ends = {"equal_steps": equal_steps, "equal_compute": max(1, round(budget / cost))}
    preset = replace(preset, steps=max(ends.values()))
    trainer = trainer_for(preset, folder=folder, device="cpu")
    measured: dict = {"seed": preset.seed, "flops_per_step": cost, "torch": torch.__version__}
    for name, steps in sorted(ends.items(), key=lambda end: end[1]):
        kept = folder / f"{name}.json"  # tested already, before an interruption
        if not kept.exists():
            if not trainer.train(steps):
                return None
            write_atomically(kept, json.dumps(test_trainer(trainer)).encode())
        measured[name] = {"steps": steps} | json.loads(kept.read_text())
    measured["seconds"] = trainer.seconds
    return measured


def test_trainer(trainer: Trainer) -> dict:
    """Right and wrong on the test puzzles now, with averaged and with raw weights."""
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
