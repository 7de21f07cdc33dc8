"""What is measured beside exact match: difficulty bands, shortest paths, a summary by step."""

import math

import numpy as np

from trm_lite.data.dataset import PuzzleSet
from trm_lite.evaluation.scoring import Evaluation, Share, share
from trm_lite.puzzles import maze, sudoku

SHOWN_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


def summary(result: Evaluation) -> dict:
    """Exact match by supervision step, and when the model halts itself."""
    steps, count = result.correct.shape
    shown = [step for step in SHOWN_STEPS if step < steps] + [steps]
    halting, mean_steps = result.when_halting()
    return {
        "puzzles": count,
        "exact": result.exact()._asdict(),
        "exact_by_step": {step: result.exact(step)._asdict() for step in shown},
        "cells": result.cells[-1].mean().item(),
        "when_halting": {**halting._asdict(), "mean_steps": mean_steps},
    }


def shortest_paths(puzzles: PuzzleSet, result: Evaluation) -> Share:
    """How many of the final answers to mazes are a shortest path, though perhaps another one."""
    mazes, answers = (maze.from_tokens(t.numpy()) for t in (puzzles.inputs, result.answers))
    return share(int(maze.is_shortest_path(mazes, answers).sum()), len(mazes))


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
