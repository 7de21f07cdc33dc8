"""Figures of boards and of measured results.

All are pure functions that return a matplotlib figure. `thought_plots` has those of how a thought
develops.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.evaluation.scoring import Evaluation
from trm_lite.viewing.boards import board_legend, draw_step
from trm_lite.viewing.style import CHANGED, CLUE_PAPER, FAINT, HALT, RIGHT, WRONG
from trm_lite.viewing.traces import Trace


def save(figure: Figure, path: Path) -> None:
    """Save a figure; the ending of the file is the format: png, svg or pdf.

    Raises UserError if that fails.
    """
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise UserError(f"The picture {path} could not be written: {error}.") from error


def contact_sheet(
    trace: Trace, *, columns: int = 6, board_inches: float = 1.75, rules: bool = False
) -> Figure:
    """The puzzle, and the board in every frame of a thought, side by side.

    Args:
        trace: the thought.
        columns: boards in a row.
        board_inches: size of a board.
        rules: draw a frame around cells that break a rule.
    """
    columns = min(columns, len(trace) + 1)
    rows = -(-(len(trace) + 1) // columns)
    size = (max(columns, 3) * board_inches, rows * (board_inches + 0.28) + 0.35)
    figure = plt.figure(figsize=size, layout="constrained")
    _fill_contact_sheet(figure, trace, rows, columns, rules)
    return figure


def _fill_contact_sheet(figure, trace: Trace, rows: int, columns: int, rules: bool = False) -> None:
    axes = figure.subplots(rows, columns, squeeze=False)
    for step, ax in enumerate(axes.flat):
        if step <= len(trace):
            draw_step(ax, trace, step, rules=rules)
        else:
            ax.set_visible(False)
    board_legend(figure, trace.puzzle, trace.solution is not None)


def frame(trace: Trace, step: int, *, reveal: bool = False, title: str = "") -> Figure:
    """One frame of a thought: the board, with curves of the wrong cells and of the halting belief.

    Args:
        trace: the thought.
        step: number of the frame, from 1; 0 is the puzzle.
        reveal: draw the curves only up to this frame, for an animation.
        title: text above the figure.
    """
    figure = plt.figure(figsize=(8.4, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=11)
    left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1])
    draw_step(left.subplots(), trace, step, confidence=True)
    board_legend(figure, trace.puzzle, trace.solution is not None)
    wrong, halt = right.subplots(2, 1, sharex=True)
    shown = step if reveal else len(trace)
    steps, counts = np.arange(1, len(trace) + 1), trace.faults().sum(1)
    wrong.plot(steps[:shown], counts[:shown], "o-", ms=4, color=WRONG)
    wrong.set_ylabel("cells wrong" if trace.solution is not None else "cells against\na rule")
    wrong.set_ylim(-0.5, max(4.5, 1.05 * counts.max()))
    wrong.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    halt.plot(steps[:shown], trace.halt[:shown], "o-", ms=4, color=HALT)
    if np.isnan(trace.halt).all():
        halt.text(0.5, 0.5, "no halting head", transform=halt.transAxes, ha="center", color=FAINT)
    unit = {"step": "supervision step", "recursion": "full recursion"}.get(trace.grain, trace.grain)
    halt.set(ylabel='"I am done"', ylim=(-0.05, 1.05), xlabel=unit)
    halt.set_xlim(0.5, len(trace) + 0.5)
    halt.yaxis.set_major_formatter(PercentFormatter(1.0))
    halt.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if step:
        for ax in (wrong, halt):
            ax.axvline(step, color=CHANGED, lw=6, alpha=0.6, zorder=0)
    return figure


# --- measurements ---------------------------------------------------------------------------


def exact_by_step(evaluations: dict[str, Evaluation], ax: Axes | None = None) -> Figure:
    """Exact match after each supervision step, with 95 % intervals: one curve per evaluation."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, evaluation in evaluations.items():
        steps = np.arange(1, len(evaluation.correct) + 1)
        shares = [evaluation.exact(int(step)) for step in steps]
        line = ax.plot(steps, [s.value for s in shares], "o-", ms=4, label=name)[0]
        low, high = [s.low for s in shares], [s.high for s in shares]
        ax.fill_between(steps, low, high, alpha=0.2, color=line.get_color(), lw=0)
    ax.set(xlabel="supervision step", ylabel="unseen puzzles solved", ylim=(0, 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(evaluations) > 1:
        ax.legend()
    return ax.figure


def survival(first_mistakes: dict[str, Tensor], length: int, ax: Axes | None = None) -> Figure:
    """The share of boards without a mistake, over the number of cells written.

    Vertical lines mark the rows of the board.

    Args:
        first_mistakes: for each curve, by name, the result (B,) of `evaluation.first_mistake`.
        length: cells of a board.
        ax: where to draw; a new figure if None.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for row in range(0, length + 1, round(length**0.5)):
        ax.axvline(row, color=CLUE_PAPER, lw=1, zorder=0)
    written = torch.arange(length + 1)
    for name, first in first_mistakes.items():
        alive = (first[:, None] >= written).float().mean(0)
        ax.step(written, alive, where="post", label=name)
    ax.set(xlabel="cells written", ylabel="boards without a mistake", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(first_mistakes) > 1:
        ax.legend()
    return ax.figure


def learning_curve(history: Sequence[dict], ax: Axes | None = None) -> Figure:
    """Exact match on validation puzzles over the optimiser steps of a training run.

    One curve is after all supervision steps, and one after the first. `history` is that of the
    trainer.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    steps = [look["step"] for look in history]
    curves = (
        ("exact", "o-", "after all supervision steps"),
        ("exact_after_one", "o:", "after one"),
    )
    for key, style, label in curves:
        ax.plot(steps, [look[key] for look in history], style, ms=4, color=RIGHT, label=label)
    ax.set(xlabel="optimiser step", ylabel="unseen puzzles solved", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.legend()
    return ax.figure


def story(trace: Trace, evaluation: Evaluation, history: Sequence[dict]) -> Figure:
    """A training run in one figure: how it learned, how it thinks, and a thought about one board.

    Args:
        trace: a thought about a test puzzle.
        evaluation: results on all test puzzles.
        history: the trainer's validation metrics.
    """
    columns = min(6, len(trace) + 1)
    rows = -(-(len(trace) + 1) // columns)
    figure = plt.figure(figsize=(11, 3.4 + 2.1 * rows), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[3.2, 2.1 * rows])
    left, right = top.subplots(1, 2)
    learning_curve(history, left)
    left.set_title("Learning: validation puzzles solved")
    exact_by_step({"": evaluation}, right)
    right.set_title("Thinking: test puzzles solved, step by step")
    _fill_contact_sheet(bottom, trace, rows, columns)
    return figure
