"""Pictures: pure functions from what was measured to a matplotlib figure.

One look for the whole course: the colours of Okabe and Ito, which colour-blind readers can
tell apart, the same colour for the same thing in every figure.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import PercentFormatter

from trm_lite.evaluation import Evaluation
from trm_lite.puzzles import sudoku

INK, FAINT, PAPER = "#222222", "#9a9a9a", "#ffffff"
RIGHT, WRONG, CHANGED = "#0072b2", "#d55e00", "#f5d76e"
CLUE_PAPER = "#ececec"
MODEL_COLOURS = {"TRM": "#0072b2", "HRM": "#e69f00", "direct": "#7f7f7f"}


def use_style() -> None:
    """Set the look of the course for all figures that follow."""
    sns.set_theme(style="ticks", context="notebook", palette="colorblind")
    plt.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 150,
            "savefig.bbox": "tight",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )


def draw_board(
    ax: Axes,
    board: np.ndarray,
    puzzle: np.ndarray,
    *,
    solution: np.ndarray | None = None,
    previous: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw `board` (n*n,) with the clues of `puzzle` on grey.

    Cells that differ from `previous` lie on yellow. With a `solution`, right cells are blue and
    wrong ones vermilion and underlined; without one, cells that break a rule are.
    """
    shape = sudoku.geometry(sudoku.size_of(board))
    n = shape.size
    wrong = sudoku.violations(board[None])[0] if solution is None else board != solution
    size = 0.62 * ax.figure.dpi_scale_trans.inverted().transform(ax.bbox.size)[1] * 72 / n
    for cell in range(n * n):
        row, column = divmod(cell, n)
        paper = CLUE_PAPER if puzzle[cell] else PAPER
        if previous is not None and board[cell] != previous[cell]:
            paper = CHANGED
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=paper, edgecolor="none"))
        if not board[cell]:
            continue
        colour = INK if puzzle[cell] else WRONG if wrong[cell] else RIGHT
        weight = "bold" if wrong[cell] else "normal"
        centre = (column + 0.5, row + 0.52)
        ax.text(*centre, str(board[cell]), ha="center", va="center_baseline",
                color=colour, fontsize=size, weight=weight)  # fmt: skip
        if wrong[cell]:
            ax.plot([column + 0.25, column + 0.75], [row + 0.9] * 2, color=WRONG, lw=size / 12)
    for line in range(n + 1):
        for step, draw in ((shape.box_rows, ax.axhline), (shape.box_columns, ax.axvline)):
            thick = line % step == 0
            draw(line, color=INK if thick else FAINT, lw=1.4 if thick else 0.5,
                 zorder=3 if thick else 2)  # fmt: skip
    ax.set(xlim=(-0.03, n + 0.03), ylim=(n + 0.03, -0.03), aspect="equal")
    ax.axis("off")
    ax.set_title(title, fontsize=10, loc="center")


BOARD_LEGEND = [
    Patch(facecolor=CLUE_PAPER, label="clue"),
    Patch(facecolor=RIGHT, label="right"),
    Patch(facecolor=WRONG, label="wrong (underlined)"),
    Patch(facecolor=CHANGED, label="changed in this step"),
]


def contact_sheet(
    frames: Sequence[np.ndarray],
    puzzle: np.ndarray,
    solution: np.ndarray | None = None,
    *,
    columns: int = 6,
    board_inches: float = 1.75,
) -> Figure:
    """The puzzle and the board after every supervision step, `frames` S x (n*n,), as one sheet."""
    boards = [puzzle, *frames]
    columns = min(columns, len(boards))
    rows = -(-len(boards) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(columns * board_inches, rows * (board_inches + 0.28) + 0.35),
        squeeze=False,
        layout="constrained",
    )
    fill_contact_sheet(list(axes.flat), boards, puzzle, solution)
    figure.legend(handles=BOARD_LEGEND, loc="outside lower center", ncols=4, fontsize=9)
    return figure


def fill_contact_sheet(
    axes: list[Axes],
    boards: list[np.ndarray],
    puzzle: np.ndarray,
    solution: np.ndarray | None = None,
) -> None:
    """Draw `boards`, the puzzle and then one board per supervision step, one to each axes."""
    for ax in axes[len(boards) :]:
        ax.set_visible(False)
    for step, (ax, board) in enumerate(zip(axes, boards, strict=False)):
        if solution is not None:
            faults, none_left = int((board != solution).sum()), "solved"
            title = f"{faults} wrong"
        else:
            faults, none_left = int(sudoku.violations(board[None]).sum()), "no rule broken"
            title = f"{faults} against the rules"
        draw_board(
            ax,
            board,
            puzzle,
            solution=solution if step else None,
            previous=boards[step - 1] if step > 1 else None,
            title=f"step {step}: {title if faults else none_left}" if step else "puzzle",
        )


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
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(evaluations) > 1:
        ax.legend()
    return ax.figure


def learning_curve(histories: dict[str, list[dict]], ax: Axes | None = None) -> Figure:
    """Exact match on validation puzzles over optimiser steps, after one step and after all."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, history in histories.items():
        steps = [look["step"] for look in history]
        line = ax.plot(steps, [look["exact"] for look in history], "o-", ms=4,
                       label=f"{name}after all supervision steps")[0]  # fmt: skip
        ax.plot(steps, [look["exact_after_one"] for look in history], "o:", ms=3,
                color=line.get_color(), alpha=0.7, label=f"{name}after one")  # fmt: skip
    ax.set(xlabel="optimiser step", ylabel="unseen puzzles solved", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.legend()
    return ax.figure


def story(
    frames: Sequence[np.ndarray],
    puzzle: np.ndarray,
    solution: np.ndarray,
    evaluation: Evaluation,
    history: list[dict],
) -> Figure:
    """One picture of a training run: learning, thinking, and one board being thought about."""
    boards = [puzzle, *frames][:12]
    columns = min(6, len(boards))
    rows = -(-len(boards) // columns)
    figure = plt.figure(figsize=(11, 3.4 + 2.0 * rows), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[3.2, 2.0 * rows])
    left, right = top.subplots(1, 2)
    learning_curve({"": history}, left)
    left.set_title("Learning: validation puzzles solved")
    exact_by_step({"": evaluation}, right)
    right.set_title("Thinking: test puzzles solved, by supervision step")
    axes = bottom.subplots(rows, columns, squeeze=False).flat
    fill_contact_sheet(list(axes), boards, puzzle, solution)
    bottom.legend(handles=BOARD_LEGEND, loc="outside lower center", ncols=4, fontsize=9)
    return figure
