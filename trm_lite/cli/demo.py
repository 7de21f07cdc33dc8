"""The command `trm-lite demo`: learn Sudoku from nothing, and show how one is solved."""

import time
from pathlib import Path

import matplotlib
import torch

from trm_lite.cli.options import Device
from trm_lite.evaluation.scoring import evaluate
from trm_lite.experiments.presets import get_preset
from trm_lite.training.recipe import replace
from trm_lite.training.trainer import Trainer
from trm_lite.viewing import plots, style, terminal
from trm_lite.viewing.recorder import trace

SHOWN_STEPS = (1, 2, 4, 8, 16)


def demo(
    out: Path | None = None, device: Device = "auto", seed: int = 0, steps: int | None = None
) -> int:
    """Train a tiny TRM from nothing on 6x6 Sudoku and watch it solve puzzles it has never seen.

    Args:
        out: Folder of the run, by default runs/demo-seedN. An interrupted demo continues there.
        device: Where to compute.
        seed: Seed of the initial weights and of the order of the puzzles.
        steps: Optimiser steps, by default those of the preset.
    """
    out = out or Path(f"runs/demo-seed{seed}")
    return 0 if run_demo(out, device=device, seed=seed, steps=steps) else 130


def run_demo(
    folder: Path, *, device: str = "auto", seed: int = 0, steps: int | None = None
) -> bool:
    """Train `sudoku-6x6`, test it on unseen puzzles, and show how a hard one is solved.

    Returns False if interrupted; calling again continues.

    Args:
        folder: where to keep the run.
        device: see `pick_device`.
        seed: seed of the run.
        steps: optimiser steps; those of the preset if None.
    """
    # So small a network gains little from a second core, and loses time if that core is busy.
    torch.set_num_threads(1)
    preset = replace(get_preset("sudoku-6x6"), seed=seed)
    if steps is not None:
        preset = replace(preset, steps=steps)
    print(
        f"Making {preset.data.train:,} minimal 6x6 Sudokus to learn from and {preset.data.test} "
        "to be tested on,\nno two of them symmetric twins ..."
    )
    trainer = Trainer(preset, folder=folder, device=device)
    print(
        f"A TRM of {preset.model.parameters:,} parameters learns to solve them, "
        f"from nothing, on {trainer.device.type}.\n"
        "Nothing seems to happen for the first half. Then watch 'unseen solved'.\n"
    )
    if not trainer.train():
        print(f"\nInterrupted and saved. The same command goes on from {folder}.")
        return False
    test = trainer.splits.test
    model = trainer.ema.module
    started = time.perf_counter()
    result = evaluate(model, test, bfloat16=preset.recipe.bfloat16)
    print(
        f"\nTrained {trainer.steps_done:,} optimiser steps in {trainer.seconds:.0f} s. "
        f"{len(test)} unseen puzzles, solved exactly:\n"
    )
    for step in SHOWN_STEPS:
        row = result.exact(step)
        bar = "#" * round(40 * row.value)
        print(f"  after {step:2} supervision step{'s' if step > 1 else ' '}  {row!s:22} {bar}")
    share, mean_steps = result.when_halting()
    print(f"  when it says so itself   {share!s:22} after {mean_steps:.1f} steps on average")
    print(f"  ({time.perf_counter() - started:.1f} s of thinking)\n")

    thought = trace(model, test.inputs[result.slowest()].numpy()).until_settled()
    print("One of the hardest, step by step. ", terminal.legend(), "\n", sep="")
    print(terminal.thinking(thought))
    matplotlib.use("agg")
    style.use_style()
    picture = folder / "demo.png"
    plots.save(plots.story(thought, result, trainer.history), picture)
    print(f"The picture:  {picture}")
    print(f"The weights:  {folder / 'last.safetensors'}")
    print("Next:         make lab   (the course, in your browser)")
    return True
