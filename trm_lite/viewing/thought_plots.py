"""Figures of how thoughts develop: pure functions from traces to a matplotlib figure."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from trm_lite.common.errors import UserError
from trm_lite.evaluation.scoring import Evaluation
from trm_lite.puzzles.puzzle import PAD
from trm_lite.viewing import boards
from trm_lite.viewing.probes import Landscape, Plane, plane
from trm_lite.viewing.style import FAINT, HALT, INK, RIGHT, WRONG
from trm_lite.viewing.traces import Trace

OUTCOMES = ((True, RIGHT, "solved"), (False, WRONG, "not solved"))


def frame_name(trace: Trace) -> str:
    """What a frame of this trace is."""
    names = {"step": "supervision step", "recursion": "full recursion"}
    return names.get(trace.grain, "application of the network")


def frame_axis(ax: Axes, trace: Trace) -> None:
    """Label the x axis with what a frame of the trace is, such as a supervision step."""
    ax.set_xlabel(frame_name(trace))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _need(part: np.ndarray | None, what: str) -> np.ndarray:
    if part is None:
        raise UserError(f"This trace holds no {what}; record it again with viewing.record.")
    return part


# --- one thought ---------------------------------------------------------------------------------


def confidence_map(trace: Trace, ax: Axes | None = None) -> Figure:
    """How sure the network is of each open cell over the frames, with a dot where it is wrong.

    Cells are sorted by the frame in which they last changed, the earliest at the bottom.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    cells = np.flatnonzero(_open_cells(trace))
    if len(cells) == 0:
        raise UserError("This puzzle has no open cell; use one with blanks.")
    moved = trace.changed()[:, cells] * np.arange(1, len(trace) + 1)[:, None]
    order = cells[np.lexsort((cells, moved.max(0)))]
    image = ax.imshow(
        trace.confidence[:, order].T, vmin=0, vmax=1, cmap="mako", aspect="auto", origin="lower",
        extent=(0.5, len(trace) + 0.5, -0.5, len(order) - 0.5), interpolation="nearest",
    )  # fmt: skip
    frames, rows = np.nonzero(trace.faults()[:, order])
    ax.plot(frames + 1, rows, ".", ms=6, mew=0, color=WRONG, label="wrong")
    bar = ax.figure.colorbar(image, ax=ax, label="probability of what is shown")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_ylabel("open cells, first settled first")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), handletextpad=0)
    frame_axis(ax, trace)
    return ax.figure


def _open_cells(trace: Trace) -> np.ndarray:
    """The cells (L,) that the network must find; without blanks, all that are graded and used."""
    if trace.puzzle.blanks:
        return trace.puzzle.to_find(trace.question) & trace.graded
    return (trace.boards != PAD).any(0) & trace.graded


def cell_story(trace: Trace, cell: int, ax: Axes | None = None) -> Figure:
    """The probabilities of the five likeliest values of one cell, from 0, over the frames.

    The right value, if known, is thick and black. Raises UserError if there is no such cell.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(5.4, 3), layout="constrained")
    frames = np.arange(1, len(trace) + 1)
    palette = sns.color_palette("colorblind", 10)
    for token, chances, is_right in likeliest(trace, cell):
        ax.plot(frames, chances, lw=3 if is_right else 1.5,
                color=INK if is_right else palette[token % 10],
                label=trace.puzzle.word(token) + " (right)" * is_right)  # fmt: skip
    ax.set(ylim=(-0.03, 1.03), ylabel="probability")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_title(trace.puzzle.place(cell), loc="left")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    frame_axis(ax, trace)
    return ax.figure


def likeliest(trace: Trace, cell: int) -> list[tuple[int, np.ndarray, bool]]:
    """The five likeliest tokens of a cell, with their probabilities (F,); whether each is right."""
    chances = _need(trace.probabilities, "probabilities (probabilities=True)")
    if not 0 <= cell < trace.question.size:
        raise UserError(f"There is no cell {cell}; cells are 0 to {trace.question.size - 1}.")
    curves = chances[:, cell].astype(float)  # (F, V)
    known = trace.solution is not None and trace.graded[cell]
    right = int(trace.solution[cell]) if known else None
    best = sorted(np.argsort(curves.max(0))[::-1][:5])
    return [(int(token), curves[:, token], bool(token == right)) for token in best]


def side_by_side(thoughts: dict[str, Trace], frames: Sequence[int] | None = None) -> Figure:
    """Boards of several networks on the same puzzle: a row per network, a column per frame.

    `frames` are numbers from 1; by default the powers of two, and the last one.
    """
    if not thoughts:
        raise UserError("There is no trace to show; record one first.")
    _same_puzzle(list(thoughts.values()))
    least = min(map(len, thoughts.values()))
    if frames is None:
        frames = [f for f in (1, 2, 4, 8, 16, 32, 64) if f < least] + [least]
    if max(frames) > least or min(frames) < 0:
        raise UserError(f"These traces have only {least} frames in common; ask for those.")
    size = (1.9 * len(frames) + 0.4, 2.2 * len(thoughts) + 0.4)
    figure, axes = plt.subplots(
        len(thoughts), len(frames), figsize=size, layout="constrained", squeeze=False
    )
    for row, (name, thought) in zip(axes, thoughts.items(), strict=True):
        for ax, number in zip(row, frames, strict=True):
            boards.draw_step(ax, thought, number)
        row[0].annotate(name, (-0.06, 0.5), xycoords="axes fraction", rotation=90,
                        ha="right", va="center", fontsize=11)  # fmt: skip
    boards.board_legend(figure, thought.puzzle, thought.solution is not None)
    return figure


def _same_puzzle(traces: Sequence[Trace]) -> None:
    first = traces[0]
    for other in traces[1:]:
        if not np.array_equal(first.question, other.question):
            raise UserError("These traces are of different puzzles; use traces of the same one.")


# --- several thoughts, by name ------------------------------------------------------------------


def entropy_and_errors(thoughts: dict[str, Trace]) -> Figure:
    """Mean entropy of the open cells, and the number of wrong cells, over the frames."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(6, 4.4), layout="constrained", sharex=True)
    for name, thought in thoughts.items():
        frames = np.arange(1, len(thought) + 1)
        entropy = _need(thought.entropy, "entropy")[:, _open_cells(thought)].mean(1)
        top.plot(frames, entropy, "o-", ms=3.5, label=name)
        bottom.plot(frames, thought.faults().sum(1), "o-", ms=3.5, label=name)
    top.set(ylabel="entropy per open\ncell, bits", ylim=(0, None))
    known = all(thought.solution is not None for thought in thoughts.values())
    bottom.set(ylabel="cells wrong" if known else "cells against\na rule", ylim=(-0.3, None))
    bottom.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    frame_axis(bottom, next(iter(thoughts.values())))
    if len(thoughts) > 1:
        top.legend()
    return figure


# --- many thoughts -------------------------------------------------------------------------------


def residuals(traces: Sequence[Trace], title: str = "") -> Figure:
    """How much y and z change per frame, on a log scale: median and middle half, by outcome."""
    if not traces:
        raise UserError("There is no trace to show; record one first.")
    latents = [name for name in ("y", "z") if _moves(traces, name)]
    figure, axes = plt.subplots(
        1, len(latents), figsize=(1.4 + 3.8 * len(latents), 3.2), layout="constrained",
        sharey=True, squeeze=False,
    )  # fmt: skip
    frames = np.arange(1, len(traces[0]) + 1)
    for ax, name in zip(axes[0], latents, strict=True):
        for solved, colour, label in OUTCOMES:
            chosen = [getattr(t, f"{name}_residual") for t in traces if t.solved == solved]
            if not chosen:
                continue
            low, middle, high = np.quantile(np.stack(chosen), (0.25, 0.5, 0.75), axis=0)
            ax.plot(frames, middle, "o-", ms=3.5, color=colour, label=f"{label} ({len(chosen)})")
            ax.fill_between(frames, low, high, color=colour, alpha=0.2, lw=0)
        ax.set(yscale="log")
        ax.set_title(f"{title}{': ' if title else ''}change of {name}", loc="left")
        frame_axis(ax, traces[0])
    axes[0, 0].set_ylabel("root mean square")
    axes[0, -1].legend()
    return figure


def _moves(traces: Sequence[Trace], name: str) -> bool:
    return all(not np.isnan(_need(getattr(t, f"{name}_residual"), "residuals")).all()
               for t in traces)  # fmt: skip


def trajectories(
    traces: Sequence[Trace],
    *,
    where: Plane | None = None,
    ground: Landscape | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Paths of latents on a plane, coloured by outcome, from a ring to a dot.

    `where` is the plane, by default that of z. `ground` is drawn behind the paths, darker where
    more cells are wrong.
    """
    where = plane(traces) if where is None else where
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    if ground is not None:
        image = ax.pcolormesh(ground.across, ground.up, ground.wrong, cmap="Greys", vmin=0,
                              vmax=max(1, ground.wrong.max()) * 1.6, shading="nearest",
                              rasterized=True)  # fmt: skip
        ax.figure.colorbar(image, ax=ax, label="cells wrong one step later")
    faint = max(0.15, min(0.9, 12 / len(traces)))
    for solved, colour, _ in OUTCOMES:
        for path in [where.place(t) for t in traces if t.solved == solved]:
            ax.plot(*path.T, color=colour, lw=1, alpha=faint)
            ax.plot(*path[0], "o", ms=4, mfc="none", color=colour, alpha=max(faint, 0.5))
            ax.plot(*path[-1], "o", ms=5, color=colour)
    first, second = (f"{share:.0%} of the variance" for share in where.share)
    ax.set(xlabel=f"first component of {where.of} ({first})", ylabel=f"second ({second})")
    _outcome_legend(ax, traces, marker="o")
    return ax.figure


def _outcome_legend(ax: Axes, traces: Sequence[Trace], **line) -> None:
    """Name the outcomes that occur, with their counts; `line` is how their samples look."""
    counts = {solved: sum(t.solved == solved for t in traces) for solved in (True, False)}
    ax.legend(
        handles=[
            Line2D([], [], color=colour, label=f"{label} ({counts[solved]})", **line)
            for solved, colour, label in OUTCOMES
            if counts[solved]
        ],
        loc="best",
    )


def convergence(traces: Sequence[Trace], name: str = "z", ax: Axes | None = None) -> Figure:
    """How close y or z is to its final value: 1 - cosine, log scale, one line per thought."""
    if ax is None:
        _, ax = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
    for trace in traces:
        away = 1 - _need(getattr(trace, f"{name}_cosine"), "cosines")[:-1]
        colour = RIGHT if trace.solved else WRONG
        ax.plot(np.arange(1, len(trace)), np.maximum(away, 1e-8), color=colour, lw=1, alpha=0.5)
    ax.set(yscale="log", ylabel=f"1 - cosine of {name}\nto its last state")
    _outcome_legend(ax, traces)
    frame_axis(ax, traces[0])
    return ax.figure


# --- does it know? -------------------------------------------------------------------------------


def halting(evaluation: Evaluation, bins: int = 10) -> Figure:
    """The halting head's belief: left over the steps, by outcome; right how well it is calibrated.

    On the right, the answers of all steps are in bins of equal width, and larger dots have more of
    them. On the diagonal, the belief is calibrated. Raises UserError without a halting head.
    """
    belief = evaluation.halt_logits.sigmoid().numpy()  # (S, N)
    right = evaluation.correct.numpy()
    if np.isnan(belief).all():
        raise UserError("This network has no halting head, so it has no belief; use another one.")
    figure, (over, against) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    steps = np.arange(1, len(belief) + 1)
    for outcome, colour, label in ((True, RIGHT, "answer right"), (False, WRONG, "answer wrong")):
        there = (right == outcome).sum(1)
        total = np.where(right == outcome, belief, 0).sum(1)
        mean = np.divide(total, there, out=np.full(len(steps), np.nan), where=there > 0)
        over.plot(steps, mean, "o-", ms=4, color=colour, label=label)
    over.set(xlabel="supervision step", ylabel="mean belief", ylim=(-0.03, 1.03))
    over.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    over.legend()
    places, truths, counts, error = reliability(belief, right, bins)
    against.plot([0, 1], [0, 1], color=FAINT, lw=1)
    against.scatter(places, truths, s=20 + 300 * counts / counts.sum(), color=HALT, alpha=0.8)
    against.set(xlabel="belief", ylabel="share that is right", xlim=(-0.05, 1.05),
                ylim=(-0.05, 1.05))  # fmt: skip
    against.set_title(f"expected calibration error {error:.3f}", loc="left")
    for axis in (over.yaxis, against.xaxis, against.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    return figure


def reliability(belief: np.ndarray, right: np.ndarray, bins: int) -> tuple:
    """Mean belief, share right and count of each used bin, and the expected calibration error."""
    bin_of = np.minimum((belief.ravel() * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    used = counts > 0
    places = np.bincount(bin_of, belief.ravel(), bins)[used] / counts[used]
    truths = np.bincount(bin_of, right.ravel(), bins)[used] / counts[used]
    error = float((np.abs(places - truths) * counts[used]).sum() / counts.sum())
    return places, truths, counts[used], error


# --- who looks at whom ---------------------------------------------------------------------------


def influence_board(
    weights: np.ndarray, cell: int, trace: Trace, frame: int, ax: Axes | None = None
) -> Figure:
    """Where one cell takes its information from, over the board in frame `frame`, from 1.

    `weights` (P + L, P + L) are a matrix of `probes.influence`, or a mean of several. The title
    tells the share that comes from the P positions of the prefix.
    """
    cells = trace.question.size
    prefix = len(weights) - cells
    if weights.ndim != 2 or prefix < 0 or not 0 <= cell < cells:
        raise UserError(
            f"Weights {weights.shape} and cell {cell} do not fit a board of {cells} cells; "
            "use those of the same puzzle."
        )
    if ax is None:
        _, ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    row = weights[prefix + cell]
    seen = row[prefix:].reshape(trace.puzzle.shape)
    wide = trace.puzzle.columns
    ax.imshow(seen, cmap="Purples", vmin=0, vmax=max(seen.max(), 1e-9) * 1.15)
    ax.add_patch(plt.Rectangle((cell % wide - 0.5, cell // wide - 0.5), 1, 1, fill=False,
                               edgecolor=INK, lw=2.2))  # fmt: skip
    if not trace.puzzle.colours:
        dark, given = seen.ravel() > 0.6 * seen.max(), trace.puzzle.given(trace.question)
        for place, token in enumerate(trace.shown[frame - 1]):
            ink = "white" if dark[place] else INK if given[place] else RIGHT
            ax.text(place % wide, place // wide, boards.character(trace.puzzle, token),
                    ha="center", va="center", fontsize=8, color=ink, parse_math=False)  # fmt: skip
    if trace.puzzle.boxes is not None:
        for size, every, draw in zip(
            trace.puzzle.shape, trace.puzzle.boxes, (ax.axhline, ax.axvline), strict=True
        ):
            for line in range(every, size, every):
                draw(line - 0.5, color=FAINT, lw=1)
    ax.spines[:].set_visible(True)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{row[:prefix].sum():.0%} to the prefix", fontsize=9, loc="center")
    return ax.figure


def influence_matrix(weights: np.ndarray, ax: Axes | None = None) -> Figure:
    """A matrix (P + L, P + L) of `probes.influence`: each row takes, each column gives."""
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 4), layout="constrained")
    image = ax.imshow(weights, cmap="Purples", vmin=0, vmax=np.quantile(weights, 0.99))
    ax.figure.colorbar(image, ax=ax, label="share")
    ax.set(xlabel="gives", ylabel="takes")
    return ax.figure
