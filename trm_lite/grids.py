"""Mazes and ARC grids, drawn; Sudokus are in `trm_lite.plots`."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from trm_lite.puzzles import maze
from trm_lite.style import CHANGED, CLUE_PAPER, FAINT, INK, PAPER, RIGHT, WRONG

# The ten colours that ARC is shown in; before them padding and the end of a row or column.
ARC_COLOURS = (
    PAPER, "#d8d8d8", "#000000", "#1e78d2", "#ff4136", "#2ecc40", "#ffdc00",
    "#9a9a9a", "#e53aa3", "#ff851b", "#87d8f1", "#921231",
)  # fmt: skip


def draw_maze(
    ax: Axes,
    board: np.ndarray,
    puzzle: np.ndarray,
    *,
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw the maze `puzzle` (n*n,) with the path that `board` marks in it.

    Path is the fainter the lower its `confidence` (0..1), cells in `faults` are crossed out, and
    `changed` ones have a yellow frame.
    """
    n = maze.size_of(puzzle)
    blue, white, wall = (np.array(to_rgb(colour)) for colour in (RIGHT, PAPER, INK))
    paint = np.where((puzzle == maze.WALL)[:, None], wall, white)
    path = board == maze.PATH
    paint[path] = _paler(np.tile(blue, (n * n, 1)), confidence)[path]
    _draw_cells(ax, paint.reshape(n, n, 3), faults, changed, "x", title)
    for value, letter in ((maze.START, "S"), (maze.GOAL, "G")):
        for cell in np.flatnonzero(puzzle == value):
            row, column = divmod(int(cell), n)
            ax.text(column, row, letter, ha="center", va="center", weight="bold", color=INK)


def draw_arc(
    ax: Axes,
    board: np.ndarray,
    puzzle: np.ndarray,
    *,
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw ARC tokens `board` (n*n,), cut to the part of the canvas that is or was in use.

    A cell is the paler the lower its `confidence`; `faults` are dotted, `changed` framed.
    """
    side = math.isqrt(board.size)
    used = ((board > 0) | (puzzle > 0)).reshape(side, side)
    rows, columns = used.any(1).nonzero()[0], used.any(0).nonzero()[0]
    high, wide = (int(part.max()) + 1 if len(part) else side for part in (rows, columns))
    paint = np.array([to_rgb(colour) for colour in ARC_COLOURS])[board]
    paint = _paler(paint, confidence)

    def cut(part: np.ndarray | None) -> np.ndarray | None:
        return None if part is None else part.reshape(side, side)[:high, :wide]

    _draw_cells(
        ax, paint.reshape(side, side, 3)[:high, :wide], cut(faults), cut(changed), ".", title
    )


def _paler(paint: np.ndarray, confidence: np.ndarray | None) -> np.ndarray:
    """Colours (N, 3), the nearer to white the lower the confidence (N,)."""
    if confidence is None:
        return paint
    strength = (0.25 + 0.75 * confidence)[:, None]
    return strength * paint + (1 - strength)


def _draw_cells(ax: Axes, paint, faults, changed, mark: str, title: str) -> None:
    """Cells in the colours `paint` (rows, columns, 3), with marks on some of them."""
    high, wide, _ = paint.shape
    ax.imshow(paint, interpolation="nearest")
    inches = ax.get_window_extent().height / ax.figure.dpi
    cell = 72 * inches / max(high, wide)  # its side in points
    for chosen, style in (
        (changed, {"marker": "s", "mec": CHANGED, "ms": 0.75 * cell, "label": "changed"}),
        (faults, {"marker": mark, "mec": WRONG, "ms": 0.45 * cell, "label": "wrong"}),
    ):
        if chosen is not None and chosen.any():
            rows, columns = np.nonzero(chosen.reshape(high, wide))
            ax.plot(columns, rows, lw=0, mfc="none", mew=1.4, **style)
    ax.set(xticks=np.arange(wide) - 0.5, yticks=np.arange(high) - 0.5)
    ax.grid(color=FAINT if wide <= 12 else CLUE_PAPER, lw=0.4)
    ax.tick_params(length=0, labelbottom=False, labelleft=False)
    ax.set_title(title, fontsize=10, loc="center")
