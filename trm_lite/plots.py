"""Pictures: pure functions from what was measured to a matplotlib figure.

`trm_lite.dynamics` has those of how a thought moves.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from trm_lite.errors import UserError
from trm_lite.evaluation import Evaluation
from trm_lite.grids import draw_arc, draw_maze
from trm_lite.puzzles import sudoku
from trm_lite.reports import by_table, label_of
from trm_lite.style import (
    CHANGED,
    CLUE_PAPER,
    FAINT,
    HALT,
    INK,
    PAPER,
    RIGHT,
    WRONG,
)
from trm_lite.style import use_style as use_style  # plots.use_style(), at the top of a lesson
from trm_lite.traces import Trace


def save(figure: Figure, path: Path) -> None:
    """Write a figure into a file whose ending says the format: png, svg or pdf."""
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise UserError(f"The picture {path} could not be written: {error}.") from error


# --- boards ---------------------------------------------------------------------------------


def draw_board(
    ax: Axes,
    board: np.ndarray,
    puzzle: np.ndarray,
    *,
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
    broken: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw `board` (n*n,) with the clues of `puzzle` on grey.

    Cells in `faults` are vermilion and underlined, `changed` ones lie on yellow, `broken` ones
    (against a rule) are framed, and a digit is the fainter the lower its `confidence` (0..1).
    """
    shape = sudoku.geometry(sudoku.size_of(board))
    n = shape.size
    nothing = np.zeros(n * n, bool)
    faults = nothing if faults is None else faults
    changed = nothing if changed is None else changed
    inches = ax.get_window_extent().height / ax.figure.dpi
    point_size = 0.6 * 72 * inches / n
    for cell in range(n * n):
        row, column = divmod(cell, n)
        paper = CHANGED if changed[cell] else CLUE_PAPER if puzzle[cell] else PAPER
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=paper, edgecolor="none"))
        if not board[cell]:
            continue
        ax.text(
            column + 0.5,
            row + 0.54,
            str(board[cell]),
            ha="center",
            va="center",
            fontsize=point_size,
            color=WRONG if faults[cell] else INK if puzzle[cell] else RIGHT,
            weight="bold" if faults[cell] else "normal",
            alpha=1 if confidence is None else 0.25 + 0.75 * float(confidence[cell]),
        )
        if faults[cell]:
            ax.plot([column + 0.25, column + 0.75], [row + 0.9] * 2, color=WRONG, lw=1.2)
    if broken is not None and broken.any():
        rows, columns = np.divmod(np.flatnonzero(broken), n)
        ax.plot(columns + 0.5, rows + 0.5, "s", ms=1.25 * point_size, mfc="none", mec=WRONG, lw=0,
                label="against a rule")  # fmt: skip
    for line in range(n + 1):
        for every, draw in ((shape.box_rows, ax.hlines), (shape.box_columns, ax.vlines)):
            bold = line % every == 0
            style = {"color": INK, "lw": 1.4} if bold else {"color": FAINT, "lw": 0.5}
            draw(line, 0, n, zorder=3 if bold else 2, **style)
    ax.set(xlim=(-0.03, n + 0.03), ylim=(n + 0.03, -0.03), aspect="equal")
    ax.axis("off")
    ax.set_title(title, fontsize=10, loc="center")


def board_legend(figure, known: bool = True, kind: str = "sudoku") -> None:
    """Say below the boards what their colours mean; `known`: whether the solution is."""
    fault = "wrong" if known else "breaks a rule"
    handles = {
        "sudoku": [
            Patch(facecolor=CLUE_PAPER, label="clue"),
            Patch(facecolor=RIGHT, label="right" if known else "breaks no rule"),
            Patch(facecolor=WRONG, label=f"{fault} (underlined)"),
        ],
        "maze": [
            Patch(facecolor=RIGHT, label="path as the network sees it"),
            Patch(facecolor=WRONG, label=f"{fault} (crossed)"),
        ],
        "arc": [Patch(facecolor=WRONG, label=f"{fault} (dotted)")] if known else [],
    }[kind]
    figure.legend(
        handles=[*handles, Patch(facecolor=CHANGED, label="changed in this step")],
        loc="outside lower center",
        ncols=4,
        fontsize=9,
    )


def verdict(trace: Trace, step: int) -> str:
    """What is wrong with the board in frame `step` (from 1), in two words."""
    count = int(trace.faults()[step - 1].sum())
    if trace.solution is not None:
        return f"{count} wrong" if count else "solved"
    if trace.kind == "arc":
        return f"{trace.changed()[step - 1].sum()} changed"
    return f"{count} break a rule" if count else "no rule broken"


def draw_step(
    ax: Axes, trace: Trace, step: int, *, confidence: bool = False, rules: bool = False
) -> None:
    """Draw the board of `trace` in frame `step`; 0 is the puzzle. `rules` frames what breaks one.

    A frame is a supervision step, unless the trace is of a finer grain.
    """
    draw = {"sudoku": draw_board, "maze": draw_maze, "arc": draw_arc}[trace.kind]
    if step == 0:
        draw(ax, trace.puzzle, trace.puzzle, title="puzzle")
        return
    marks = {"broken": trace.rule_breaks()[step - 1]} if rules and trace.kind == "sudoku" else {}
    draw(
        ax,
        trace.boards[step - 1],
        trace.puzzle,
        faults=trace.faults()[step - 1],
        changed=trace.changed()[step - 1],
        confidence=trace.confidence[step - 1] if confidence else None,
        title=f"{trace.label(step)}: {verdict(trace, step)}",
        **marks,
    )


def contact_sheet(
    trace: Trace, *, columns: int = 6, board_inches: float = 1.75, rules: bool = False
) -> Figure:
    """The puzzle and the board in every frame, side by side; `rules` frames what breaks one."""
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
    board_legend(figure, trace.solution is not None, trace.kind)


def frame(trace: Trace, step: int, *, reveal: bool = False, title: str = "") -> Figure:
    """One moment of a thought: the board, and beside it how far the thought has come.

    `reveal` draws the curves only as far as `step`, for an animation.
    """
    figure = plt.figure(figsize=(8.4, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=11)
    left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1])
    draw_step(left.subplots(), trace, step, confidence=True)
    board_legend(figure, trace.solution is not None, trace.kind)
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
    """Exact match after each supervision step with 95 % intervals, one curve per name."""
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


def beside_the_paper(lines: Sequence[dict]) -> Figure:
    """What runs reached (points with their spread) beside the paper (bars), in per cent.

    `lines` are those of `trm_lite.reports.collect`; every table has a panel.
    """
    tables = by_table(lines)
    rows = [1 + len(table) for table in tables.values()]
    figure, panels = plt.subplots(
        len(tables),
        squeeze=False,
        sharex=True,
        figsize=(7, 1.2 + 0.35 * sum(rows)),
        height_ratios=rows,
        layout="constrained",
    )
    for ax, (title, table) in zip(panels[:, 0], tables.items(), strict=True):
        places = np.arange(len(table))[::-1]

        def column(name: str, table: list[dict] = table) -> np.ndarray:
            return np.array([line.get(name) for line in table], float)  # NaN where there is none

        ax.barh(places, column("paper"), height=0.6, color=CLUE_PAPER, label="paper")
        measured, low, high = map(column, ("measured", "low", "high"))
        spread = np.clip((measured - low, high - measured), 0, None)
        ax.errorbar(measured, places, xerr=spread, fmt="o", color=RIGHT, capsize=3, label="last")
        ax.plot(column("best"), places, "o", mfc="none", color=RIGHT, ms=9, label="best")
        ax.set_yticks(places, [label_of(line) for line in table])
        ax.set(title=title, xlim=(0, 102), ylim=(-0.6, len(table) - 0.4))
    ax.set_xlabel("solved exactly, %")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def survival(first_mistakes: dict[str, Tensor], length: int, ax: Axes | None = None) -> Figure:
    """Boards still without a mistake over cells written, one curve per name.

    The first mistakes (B,) are those of `trm_lite.writing.first_mistake`, on boards of `length`
    cells. Vertical lines mark the rows of the board.
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
    """Exact match on validation puzzles over optimiser steps, after one thought and after all."""
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
    """One picture of a training run: learning, thinking, and one board being thought about."""
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
