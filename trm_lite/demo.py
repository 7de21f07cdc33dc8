"""The main job without a browser: learn Sudoku from nothing, then think aloud."""

import time
from pathlib import Path

import matplotlib
import numpy as np
import torch

from trm_lite import plots, terminal
from trm_lite.evaluation import Evaluation, evaluate
from trm_lite.presets import get_preset, replace
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.dataset import PuzzleSet
from trm_lite.thinking import think
from trm_lite.training import Trainer

SHOWN_STEPS = (1, 2, 4, 8, 16)


def demo(folder: Path, *, device: str = "auto", seed: int = 0, steps: int | None = None) -> float:
    """Train `sudoku-6x6`, test it on unseen puzzles, print and draw one hard board being solved.

    Keeps the run in `folder`, so that an interrupted demo goes on. Returns the exact match.
    """
    preset = replace(get_preset("sudoku-6x6"), seed=seed)
    if steps is not None:
        preset = replace(preset, steps=steps)
    parameters_and_puzzles = (
        "Making {train:,} minimal 6x6 Sudokus to learn from and {test} to be tested on,\n"
        "no two of them symmetric twins ..."
    )
    print(parameters_and_puzzles.format(train=preset.data.train, test=preset.data.test))
    trainer = Trainer(preset, folder=folder, device=device)
    size = sum(p.numel() for p in trainer.model.parameters())
    print(
        f"A TRM of {size:,} parameters learns to solve them, from nothing, on "
        f"{trainer.device.type} ({torch.get_num_threads()} threads).\n"
        "Nothing seems to happen for the first third. Then watch 'unseen solved'.\n"
    )
    if not trainer.train():
        print(f"\nInterrupted and saved. The same command goes on from {folder}.")
        return float("nan")
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

    row = slowest_solved(result)
    puzzle, solution, frames = think_aloud(model, test, row)
    print("One of the hardest, step by step: ", terminal.legend(), "\n")
    print(terminal.thinking(frames, puzzle, solution))
    picture = folder / "demo.png"
    draw(frames, puzzle, solution, result, trainer.history, picture)
    print(f"The picture:  {picture}")
    print(f"The weights:  {folder / 'last.safetensors'}")
    print("Next:         make lab   (the course, in your browser)")
    return result.exact().value


def slowest_solved(result: Evaluation) -> int:
    """The puzzle that took the most steps until its answer was right and stayed right."""
    wrong = ~result.correct
    last_wrong = torch.where(
        result.correct[-1], (wrong * torch.arange(1, len(wrong) + 1)[:, None]).amax(0), -1
    )
    return int(last_wrong.argmax())


def think_aloud(
    model, puzzles: PuzzleSet, row: int, most: int = 16
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Puzzle, solution and the boards after each step until two steps after it is right."""
    batch = puzzles.batch(slice(row, row + 1)).to(model.y_init.device)
    solution = sudoku.from_tokens(batch.labels[0].cpu().numpy())
    frames = []
    for thought in think(model, batch.inputs, batch.puzzle_ids, steps=most):
        frames.append(sudoku.from_tokens(thought.logits[0].argmax(-1).cpu().numpy()))
        if len(frames) > 1 and all((frame == solution).all() for frame in frames[-2:]):
            break
    return sudoku.from_tokens(batch.inputs[0].cpu().numpy()), solution, np.stack(frames)


def draw(frames, puzzle, solution, result: Evaluation, history: list[dict], path: Path) -> None:
    """One picture: the board step by step above the two curves."""
    matplotlib.use("agg")
    plots.use_style()
    figure = plots.story(frames, puzzle, solution, result, history)
    figure.savefig(path)
