"""Further measures of an evaluation: a summary by step, shortest paths, difficulty bands."""

import math

import numpy as np

from trm_lite.data.dataset import PuzzleSet
from trm_lite.evaluation.scoring import Evaluation, Share, share
from trm_lite.puzzles import maze, sudoku

SHOWN_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


def summary(result: Evaluation) -> dict:
    """An evaluation in numbers, ready for JSON.

    Holds exact match by supervision step, the share of right cells after the last step, and exact
    match with the mean number of steps when the model itself decides to halt.
    """
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
    """How many of the final answers to mazes mark a shortest path; any one counts.

    The label holds just one of the shortest paths, so this can exceed exact match. `result` must
    have kept its answers.
    """
    mazes, answers = (maze.from_tokens(t.numpy()) for t in (puzzles.inputs, result.answers))
    return share(int(maze.is_shortest_path(mazes, answers).sum()), len(mazes))


def _boards(puzzles: PuzzleSet) -> tuple[np.ndarray, np.ndarray]:
    """The puzzles and the solutions of a set of Sudokus as boards, both (N, n*n)."""
    return tuple(sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))


def exact_by_band(puzzles: PuzzleSet, result: Evaluation) -> dict[str, Share]:
    """Exact match after the last step by difficulty of the Sudoku, the easiest band first.

    The difficulty is the work that a classical solver has (`sudoku.rate`): rounds of singles,
    then locked candidates, then the mean number of guesses. Empty bands are left out.
    """
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
