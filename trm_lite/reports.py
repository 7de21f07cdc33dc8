"""Tables to read: what presets there are, and how well a run does."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from trm_lite.checkpoints import load_weights
from trm_lite.device import pick_device
from trm_lite.errors import UserError
from trm_lite.evaluation import Evaluation, Share, evaluate, share
from trm_lite.nets import Autoregressive, count_parameters
from trm_lite.presets import Preset, from_dict
from trm_lite.puzzles import maze, sudoku
from trm_lite.puzzles.dataset import Data, PuzzleSet, as_set
from trm_lite.puzzles.generated import SudokuData


def preset_table(presets: Iterable[Preset]) -> str:
    """Presets as text: size, layers passed per supervision step, forward passes per optimiser
    step, optimiser steps, and what it is."""
    rows = [("preset", "parameters", "depth", "passes", "steps", "")]
    for preset in presets:
        rows.append(
            (
                preset.name,
                f"{count_parameters(preset.model):,}",
                str(preset.model.effective_depth),
                str(preset.recipe.forward_passes),
                f"{preset.recipe.steps:,}",
                preset.about,
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(
        f"{name:<{widths[0]}}  "
        + "  ".join(f"{c:>{w}}" for c, w in zip(numbers, widths[1:], strict=True))
        + f"  {about}"
        for name, *numbers, about in rows
    )


def find_weights(run: Path, which: str = "last") -> Path:
    """The weights file in a run folder, or `run` itself if it is a file."""
    if run.is_dir():
        path = run / f"{which}.safetensors"
        if not path.exists():
            raise UserError(f"{run} holds no {path.name} yet; train it for longer first.")
        return path
    return run


def evaluate_run(
    run: Path,
    *,
    weights: str,
    split: str,
    steps: int,
    device: str,
    as_json: bool,
    preset: Preset | None = None,
    kinds: tuple[str, ...] = (),
    count: int = 1000,
    bands: bool = False,
) -> Evaluation:
    """Evaluate and print: exact match by supervision step, and when the model halts itself.

    On the puzzles it was trained for, on those of another `preset`, or on `count` fresh Sudokus
    of other `kinds`; `bands` adds the exact match by difficulty.
    """
    if steps < 1:
        raise UserError(f"--steps is the number of supervision steps, at least 1, not {steps}.")
    model, about = load_weights(find_weights(run, weights), pick_device(device))
    if preset is None and "preset" not in about:
        raise UserError(
            f"{run} does not say which puzzles it is for; name a preset that has them, "
            "such as --preset sudoku-9x9."
        )
    preset = preset or from_dict(about["preset"])
    if isinstance(model, Autoregressive):
        steps = 1  # what it has written stands
    there, here = model.config, preset.data
    if (there.vocab_size, there.seq_len) != (here.vocab_size, here.seq_len):
        raise UserError(
            f"The network in {run} reads {there.seq_len} cells of {there.vocab_size} tokens, but "
            f"the puzzles of '{preset.name}' have {here.seq_len} cells of {here.vocab_size} tokens."
        )
    if bands and here.puzzle != "sudoku":
        raise UserError("--bands tells Sudokus apart by difficulty; leave it out.")
    if kinds:
        puzzles, split = fresh_puzzles(preset.data, kinds, count), f"fresh {' and '.join(kinds)}"
    else:
        puzzles = getattr(preset.data.build(), split)
    of_mazes = here.puzzle == "maze"
    result = evaluate(model, puzzles, steps=steps, keep_answers=of_mazes)
    shown = [step for step in (1, 2, 4, 8, 16, 32, 64, 128) if step < steps] + [steps]
    halting, mean_steps = result.when_halting()
    by_band = exact_by_band(puzzles, result) if bands else {}
    shortest = shortest_paths(puzzles, result) if of_mazes else None
    if as_json:
        report = {
            "preset": preset.name,
            "split": split,
            "puzzles": len(puzzles),
            "exact": {step: result.exact(step)._asdict() for step in shown},
            "when_halting": {**halting._asdict(), "mean_steps": mean_steps},
            "bands": {name: measured._asdict() for name, measured in by_band.items()},
        }
        if shortest is not None:
            report["shortest_path"] = shortest._asdict()
        print(json.dumps(report))
        return result
    print(f"{preset.name}: {len(puzzles)} {split} puzzles, solved exactly [95 % interval]")
    for step in shown:
        print(f"  after {step:3} supervision step{'s' if step > 1 else ' '}  {result.exact(step)}")
    print(f"  when it halts itself     {halting}  after {mean_steps:.2f} steps on average")
    if shortest is not None:
        print(f"  if any shortest path counts  {shortest}  after {steps} steps")
    if by_band:
        print(f"By difficulty, after {steps} steps:")
    for name, measured in by_band.items():
        print(f"  {name:24} {measured!s:22} of {measured.count}")
    return result


def shortest_paths(puzzles: PuzzleSet, result: Evaluation) -> Share:
    """How many of the final answers to mazes are a shortest path, though perhaps another one."""
    mazes, answers = (maze.from_tokens(t.numpy()) for t in (puzzles.inputs, result.answers))
    return share(int(maze.is_shortest_path(mazes, answers).sum()), len(mazes))


def fresh_puzzles(data: Data, kinds: tuple[str, ...], count: int) -> PuzzleSet:
    """`count` Sudokus of `kinds` made from another seed, without twins of the training puzzles."""
    if not isinstance(data, SudokuData):
        raise UserError("--kinds needs a preset of Sudokus that are made here; leave it out.")
    sizes = {"train": 0, "validation": 0, "test": count}
    other = replace(data, kinds=kinds, puzzle_seed=data.puzzle_seed + 1, **sizes)
    train = _boards(data.build().train)
    known = {sudoku.canonical_form(*pair) for pair in zip(*train, strict=True)}
    puzzles, solutions = _boards(other.build().test)
    rows = sudoku.without_twins(puzzles, solutions, of=known)
    return as_set(puzzles[rows], solutions[rows])


def _boards(puzzles: PuzzleSet) -> tuple[np.ndarray, np.ndarray]:
    """Puzzles and solutions as boards, both (N, n*n)."""
    return tuple(sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))


def exact_by_band(puzzles: PuzzleSet, result: Evaluation) -> dict[str, Share]:
    """Exact match after the last step by what a solver needs (see `sudoku.rate`), easiest first."""
    rating = sudoku.rate(_boards(puzzles)[0])
    bands = {
        f"singles, {low} to {high} rounds" if high < 99 else f"singles, {low} rounds or more": (
            (rating.needs == "singles") & (rating.rounds >= low) & (rating.rounds <= high)
        )
        for low, high in ((1, 5), (6, 9), (10, 99))
    }
    bands["locked candidates"] = rating.needs == "locked candidates"
    for low, high in ((0, 2), (2, 10), (10, 30), (30, math.inf)):
        name = f"{low} to {high} guesses" if high < math.inf else f"{low} guesses or more"
        search = rating.needs == "search"
        bands[name] = search & (rating.guesses >= low) & (rating.guesses < high)
    right = result.correct[-1].numpy()
    return {
        name: share(int(right[rows].sum()), int(rows.sum()))
        for name, rows in bands.items()
        if rows.any()
    }
