"""Draw boards with matplotlib: Sudokus, mazes and ARC grids."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from trm_lite.puzzles import maze, sudoku
from trm_lite.viewing.style import CHANGED, CLUE_PAPER, FAINT, INK, PAPER, RIGHT, WRONG
from trm_lite.viewing.traces import Trace

# By token: padding, EOS, and then the ten colours in which ARC is usually shown.
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
    """Draw a maze with the path that a board marks in it.

    Args:
        ax: where to draw.
        board: (n*n,) the maze with a path.
        puzzle: (n*n,) the maze without one.
        faults: (n*n,) bool, cells to cross out.
        changed: (n*n,) bool, cells with a yellow frame.
        confidence: (n*n,) in 0..1; a lower confidence makes the path paler.
        title: text above the maze.
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
    """Draw the tokens of an ARC grid, cropped to the part of the canvas that is in use.

    Args:
        ax: where to draw.
        board: (n*n,) tokens to draw.
        puzzle: (n*n,) tokens of the question, whose part of the canvas is shown too.
        faults: (n*n,) bool, cells with a dot.
        changed: (n*n,) bool, cells with a yellow frame.
        confidence: (n*n,) in 0..1; a lower confidence makes a cell paler.
        title: text above the grid.
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
    """Colours (N, 3) made paler where the confidence (N,) is lower."""
    if confidence is None:
        return paint
    strength = (0.25 + 0.75 * confidence)[:, None]
    return strength * paint + (1 - strength)


def _draw_cells(ax: Axes, paint, faults, changed, mark: str, title: str) -> None:
    """Draw cells in the colours `paint` (rows, columns, 3), and mark faults and changes."""
    high, wide, _ = paint.shape
    ax.imshow(paint, interpolation="nearest")
    inches = ax.get_window_extent().height / ax.figure.dpi
    cell = 72 * inches / max(high, wide)  # side of a cell in points
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
    """Draw a Sudoku board, with the clues on grey.

    Args:
        board: (n*n,) digits.
        puzzle: (n*n,) the puzzle, which tells what is a clue.
        faults: (n*n,) bool, digits in vermilion and underlined.
        changed: (n*n,) bool, cells on yellow.
        broken: (n*n,) bool, cells with a frame because they break a rule.
        confidence: (n*n,) in 0..1; a lower confidence makes a digit paler.
        title: text above the board.
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


def board_legend(figure, known: bool = True, puzzle_name: str = "sudoku") -> None:
    """Add a legend of the colours below the boards.

    Args:
        figure: the figure.
        known: whether the solution is known; otherwise faults are cells that break a rule.
        puzzle_name: "sudoku", "maze" or "arc".
    """
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
    }[puzzle_name]
    figure.legend(
        handles=[*handles, Patch(facecolor=CHANGED, label="changed in this step")],
        loc="outside lower center",
        ncols=4,
        fontsize=9,
    )


def verdict(trace: Trace, step: int) -> str:
    """What is wrong with the board in frame number `step`, from 1, in a few words."""
    count = int(trace.faults()[step - 1].sum())
    if trace.solution is not None:
        return f"{count} wrong" if count else "solved"
    if trace.puzzle_name == "arc":
        return f"{trace.changed()[step - 1].sum()} changed"
    return f"{count} break{'s' * (count == 1)} a rule" if count else "no rule broken"


def draw_step(
    ax: Axes, trace: Trace, step: int, *, confidence: bool = False, rules: bool = False
) -> None:
    """Draw the board in one frame of a thought.

    Args:
        ax: where to draw.
        trace: the thought.
        step: number of the frame, from 1; 0 is the puzzle.
        confidence: make answers paler where the network is less sure.
        rules: draw a frame around cells that break a rule, in Sudoku.
    """
    draw = {"sudoku": draw_board, "maze": draw_maze, "arc": draw_arc}[trace.puzzle_name]
    if step == 0:
        draw(ax, trace.puzzle, trace.puzzle, title="puzzle")
        return
    marks = (
        {"broken": trace.rule_breaks()[step - 1]} if rules and trace.puzzle_name == "sudoku" else {}
    )
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
