"""Further measures of an evaluation: a summary by step, valid answers, bands of difficulty."""

import numpy as np
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import PuzzleSet
from trm_lite.evaluation.scoring import Evaluation, Share, share

SHOWN_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


def summary(result: Evaluation) -> dict:
    """An evaluation in numbers, ready for JSON.

    Holds exact match by supervision step, the share of right cells after the last step, and exact
    match with the mean number of steps when the model itself decides to halt. Where rules were
    asked, it also holds the share of valid answers, of which the label is just one.
    """
    steps, count = result.correct.shape
    shown = [step for step in SHOWN_STEPS if step < steps] + [steps]
    halting, mean_steps = result.when_halting()
    figures = {
        "puzzles": count,
        "exact": result.exact()._asdict(),
        "exact_by_step": {step: result.exact(step)._asdict() for step in shown},
        "cells": result.cells[-1].mean().item(),
        "when_halting": {**halting._asdict(), "mean_steps": mean_steps},
    }
    if result.valid is not None:
        figures["any_valid"] = share_of(result.valid)._asdict()
    if result.valid_when_halting is not None:
        figures["any_valid_when_halting"] = share_of(result.valid_when_halting)._asdict()
    return figures


def share_of(right: Tensor) -> Share:
    """The share of a tensor of truth values (N,) that is true."""
    return share(int(right.sum()), len(right))


def bands_of(puzzles: PuzzleSet) -> dict[str, np.ndarray]:
    """Which of N examples (N,) are in which band of difficulty, the easiest first; none is empty.

    The puzzle itself says so, or the ratings that the data came with: four bands of equal size.
    Raises UserError if neither tells how hard the examples are.
    """
    puzzle = puzzles.puzzle
    if puzzle is not None and puzzle.bands is not None:
        found = puzzle.call("bands", puzzles.inputs.numpy())
    elif puzzles.ratings is not None:
        ratings = puzzles.ratings.numpy()
        ends = np.unique(np.quantile(ratings, (0.25, 0.5, 0.75, 1)))
        starts = (-np.inf, *ends[:-1])
        found = {
            f"rated above {low:g} to {high:g}" if low > -np.inf else f"rated up to {high:g}": (
                (ratings > low) & (ratings <= high)
            )
            for low, high in zip(starts, ends, strict=True)
        }
    else:
        raise UserError(
            "Nothing tells how hard these puzzles are, so they cannot be divided into bands of "
            "difficulty; leave this option out.",
            "bands",
        )
    return {name: rows for name, rows in found.items() if rows.any()}


def by_band(puzzles: PuzzleSet, right: Tensor) -> dict[str, Share]:
    """The share of N examples that are `right` (N,) in each band of difficulty; see `bands_of`."""
    return {name: share_of(right[rows]) for name, rows in bands_of(puzzles).items()}
