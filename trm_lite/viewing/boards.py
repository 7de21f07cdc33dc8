"""Draw boards of any puzzle with matplotlib: as characters, as painted cells, or its own way."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Patch

from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.puzzle import PAD
from trm_lite.viewing.style import CHANGED, CLUE_PAPER, FAINT, INK, PAPER, RIGHT, WRONG
from trm_lite.viewing.traces import Trace

FEW = 4  # as many colours have a place in a legend


@dataclass(frozen=True)
class Marks:
    """What is to be seen on a board of L cells beside its tokens."""

    question: np.ndarray  # (L,) tokens of the question, which tell what was given
    wrong: np.ndarray  # (L,) bool, wrong cells; without a known answer those against a rule
    changed: np.ndarray  # (L,) bool, cells that have just changed
    against: np.ndarray  # (L,) bool, cells against a rule
    confidence: np.ndarray  # (L,) in 0..1, how sure the network is of each cell


def draw_board(
    ax: Axes,
    puzzle: Puzzle,
    board: np.ndarray,
    question: np.ndarray | None = None,
    *,
    wrong: np.ndarray | None = None,
    changed: np.ndarray | None = None,
    against: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw a board of a puzzle, in the puzzle's own way if it has one.

    Args:
        ax: where to draw.
        puzzle: what the tokens mean.
        board: (L,) tokens.
        question: (L,) tokens of the question, by default the board itself; what is given there
            stands on grey.
        wrong: (L,) bool, cells in vermilion, underlined or crossed.
        changed: (L,) bool, cells on yellow, or with a yellow frame.
        against: (L,) bool, cells with a frame because they break a rule.
        confidence: (L,) in 0..1; a lower confidence makes a cell paler.
        title: text above the board.
    """
    nothing = np.zeros(board.shape, bool)
    marks = Marks(
        board if question is None else question,
        nothing if wrong is None else wrong,
        nothing if changed is None else changed,
        nothing if against is None else against,
        np.ones(board.shape) if confidence is None else confidence,
    )
    if puzzle.draw is not None:
        puzzle.call("draw", ax, board.copy(), marks)
    elif puzzle.colours:
        draw_painted(ax, puzzle, board, marks)
    else:
        draw_characters(ax, puzzle, board, marks)
    ax.set_title(title, fontsize=10, loc="center")


def draw_characters(ax: Axes, puzzle: Puzzle, board: np.ndarray, marks: Marks) -> None:
    """Draw a board (L,) as characters in a grid, with what was given on grey."""
    rows, columns = puzzle.shape
    given = puzzle.given(marks.question)
    point_size = 0.6 * _cell_points(ax, rows, columns)
    papers = np.select([marks.changed, given], [CHANGED, CLUE_PAPER], PAPER)
    paint = np.array([to_rgb(paper) for paper in papers]).reshape(rows, columns, 3)
    ax.imshow(paint, extent=(0, columns, rows, 0), interpolation="nearest")
    for cell, token in enumerate(board):
        row, column = divmod(cell, columns)
        if text := character(puzzle, token):
            wrong = marks.wrong[cell]
            ax.text(
                column + 0.5,
                row + 0.54,
                text,
                ha="center",
                va="center",
                fontsize=point_size,
                color=WRONG if wrong else INK if given[cell] else RIGHT,
                weight="bold" if wrong else "normal",
                alpha=0.25 + 0.75 * float(marks.confidence[cell]),
                parse_math=False,
            )
        if marks.wrong[cell]:
            ax.plot([column + 0.25, column + 0.75], [row + 0.9] * 2, color=WRONG, lw=1.2)
    if marks.against.any():
        high, wide = np.divmod(np.flatnonzero(marks.against), columns)
        ax.plot(wide + 0.5, high + 0.5, "s", ms=1.25 * point_size, mfc="none", mec=WRONG, lw=0,
                label="against a rule")  # fmt: skip
    _draw_lines(ax, puzzle)
    ax.set(xlim=(-0.03, columns + 0.03), ylim=(rows + 0.03, -0.03), xticks=[], yticks=[])
    ax.axis("off")
    _leave_out_of_layout(ax)


def character(puzzle: Puzzle, token: int) -> str:
    """What is written for a token; nothing for padding and for what is to be found."""
    text = puzzle.tokens[token]
    return "" if token == PAD or text in puzzle.blanks or text.isspace() else text


def _cell_points(ax: Axes, rows: int, columns: int) -> float:
    """The side of a cell in points."""
    window = ax.get_window_extent()
    return 72 / ax.figure.dpi * min(window.height / rows, window.width / columns)


def _draw_lines(ax: Axes, puzzle: Puzzle) -> None:
    """The lines between cells, and bold ones around boxes and around the board."""
    rows, columns = puzzle.shape
    for count, length, every, draw in (
        (rows, columns, (puzzle.boxes or puzzle.shape)[0], ax.hlines),
        (columns, rows, (puzzle.boxes or puzzle.shape)[1], ax.vlines),
    ):
        lines = np.arange(count + 1)
        bold = lines % every == 0
        draw(lines[bold], 0, length, color=INK, lw=1.4, zorder=3)
        draw(lines[~bold], 0, length, color=FAINT, lw=0.5, zorder=2)


def _leave_out_of_layout(ax: Axes) -> None:
    """Spare the layout measuring what is drawn within the axes, which are as large as all of it."""
    for inside in (*ax.images, *ax.texts, *ax.lines, *ax.collections):
        inside.set_in_layout(False)


def draw_painted(ax: Axes, puzzle: Puzzle, board: np.ndarray, marks: Marks) -> None:
    """Draw a board (L,) as cells in the colours of its tokens, without padding around it."""
    used = ((board != PAD) | (marks.question != PAD)).reshape(puzzle.shape)
    high, wide = (
        int(part.max(initial=-1)) + 1 or size
        for part, size in zip(used.nonzero(), puzzle.shape, strict=True)
    )
    paint = np.array([to_rgb(colour) for colour in puzzle.colours])[board]
    given = puzzle.given(marks.question) & bool(puzzle.blanks)
    strength = np.where(given, 1, 0.25 + 0.75 * marks.confidence)[:, None]
    paint = strength * paint + (1 - strength)

    def cut(part: np.ndarray) -> np.ndarray:
        return part.reshape(*puzzle.shape, *part.shape[1:])[:high, :wide]

    ax.imshow(cut(paint), interpolation="nearest")
    cell = _cell_points(ax, max(high, wide), max(high, wide))
    for chosen, style in (
        (marks.changed, {"marker": "s", "mec": CHANGED, "ms": 0.75 * cell, "label": "changed"}),
        (marks.wrong, {"marker": "x", "mec": WRONG, "ms": 0.45 * cell, "label": "wrong"}),
    ):
        rows, columns = np.nonzero(cut(chosen))
        if len(rows):
            ax.plot(columns, rows, lw=0, mfc="none", mew=1.4, **style)
    for (row, column), token in np.ndenumerate(cut(board)):
        if text := letter(puzzle, token):
            ax.text(column, row, text, ha="center", va="center", weight="bold", color=INK)
    grid = {"color": FAINT if wide <= 12 else CLUE_PAPER, "lw": 0.4, "zorder": 1}
    ax.hlines(np.arange(1, high) - 0.5, -0.5, wide - 0.5, **grid)
    ax.vlines(np.arange(1, wide) - 0.5, -0.5, high - 0.5, **grid)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))
    _leave_out_of_layout(ax)


def letter(puzzle: Puzzle, token: int) -> str:
    """What is written into a painted cell: the character of a token that is as white as paper."""
    return "" if to_hex(puzzle.colours[token]) != PAPER else character(puzzle, token)


def board_legend(figure, puzzle: Puzzle, known: bool = True) -> None:
    """Add a legend of the colours below the boards, or of what a puzzle's own `draw` has labelled.

    Args:
        figure: the figure.
        puzzle: whose boards they are.
        known: whether the solution is known; otherwise faults are cells that break a rule.
    """
    if puzzle.draw is not None:  # only the drawing itself knows what its colours mean
        labelled = [ax.get_legend_handles_labels() for ax in figure.axes]
        named = {name: handle for pair in labelled for handle, name in zip(*pair, strict=True)}
        if named:
            figure.legend(named.values(), named, loc="outside lower center", ncols=4, fontsize=9)
        return
    fault = "wrong" if known else "breaks a rule"
    handles = []
    if puzzle.colours:
        coloured = [token for token, c in enumerate(puzzle.colours) if to_hex(c) != PAPER]
        if len(coloured) <= FEW:
            handles += [Patch(facecolor=puzzle.colours[t], label=puzzle.word(t)) for t in coloured]
        fault += " (crossed)"
    else:
        handles += [
            Patch(facecolor=CLUE_PAPER, label="clue" if puzzle.blanks else "given"),
            Patch(facecolor=RIGHT, label="right" if known else "breaks no rule"),
        ]
        fault += " (underlined)"
    if known or puzzle.breaks is not None:
        handles.append(Patch(facecolor=WRONG, label=fault))
    handles.append(Patch(facecolor=CHANGED, label="changed in this step"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)


def verdict(trace: Trace, step: int) -> str:
    """What is wrong with the board in frame number `step`, from 1, in a few words."""
    count = int(trace.faults()[step - 1].sum())
    if trace.solution is not None:
        if count and trace.is_valid(step):
            return "another valid answer"
        return f"{count} wrong" if count else "solved"
    if trace.puzzle.breaks is None:
        return f"{trace.changed()[step - 1].sum()} changed"
    return f"{count} break{'s' * (count == 1)} a rule" if count else "no rule broken"


def draw_step(
    ax: Axes, trace: Trace, step: int, *, confidence: bool = False, rules: bool = False
) -> None:
    """Draw the board in one frame of a thought.

    Args:
        ax: where to draw.
        trace: the thought.
        step: number of the frame, from 1; 0 is the question.
        confidence: make answers paler where the network is less sure.
        rules: draw a frame around cells that break a rule.
    """
    if step == 0:
        draw_board(ax, trace.puzzle, trace.question, title="puzzle")
        return
    draw_board(
        ax,
        trace.puzzle,
        trace.shown[step - 1],
        trace.question,
        wrong=trace.faults()[step - 1],
        changed=trace.changed()[step - 1],
        against=trace.rule_breaks()[step - 1] if rules else None,
        confidence=trace.confidence[step - 1] if confidence else None,
        title=f"{trace.label(step)}: {verdict(trace, step)}",
    )
