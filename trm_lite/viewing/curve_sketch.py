"""The curves beside a thought as SVG: drawn in milliseconds, so that no edit waits for them."""

import html
from typing import Literal, NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from trm_lite.viewing.style import CHANGED, CLUE_PAPER, HALT, INK, PAPER, RIGHT, WRONG
from trm_lite.viewing.thought_plots import frame_name, likeliest
from trm_lite.viewing.traces import Trace

# In units of the drawing: its width, the span of the frames, a plot's height and the space below.
WIDTH, LEFT, RIGHT_END, HEIGHT, GAP = 460, 62, 360, 84, 20


class Line(NamedTuple):
    """One curve: `values` (F,), of which those that are not finite are left out."""

    values: np.ndarray
    colour: str
    label: str = ""
    dashed: bool = False
    width: float = 1.5
    peak: str = ""  # what to write where it is highest


class Plot(NamedTuple):
    """Curves that share an axis: counts, values on a log scale, or shares of 1."""

    name: str
    lines: list[Line]
    scale: Literal["count", "log", "share"]
    note: str = ""


def sketch(thoughts: dict[str, Trace], cell: int | None = None, *, latents: bool = True) -> str:
    """Draw wrong cells, change of y and z, belief and, of the first thought, the story of a cell.

    Args:
        thoughts: One or two thoughts about the same puzzle, by name; the second one is dashed.
        cell: The cell (from 0) whose story is told, if any; needs a trace with probabilities.
        latents: Whether the change of y and z is shown.

    Returns: SVG with a marker (class trm-marker) that a page moves to a frame: frame 1 stands at
        `data-first`, and frames are `data-apart` units apart.
    """
    first = next(iter(thoughts.values()))
    plots = [_wrong(thoughts), *([_moving(thoughts)] if latents else []), _belief(thoughts)]
    if cell is not None:
        plots.append(_story(first, cell))
    most = max(map(len, thoughts.values()))
    apart = (RIGHT_END - LEFT) / most
    tall = (HEIGHT + GAP) * len(plots) + 28
    drawn = [_draw(plot, 8 + i * (HEIGHT + GAP), apart) for i, plot in enumerate(plots)]
    labelled = any(line.label for plot in plots for line in plot.lines)
    wide = WIDTH if labelled else RIGHT_END + 8
    name = "Curves over the frames: " + ", ".join(plot.name for plot in plots)
    return (
        f'<svg viewBox="0 0 {wide} {tall}" role="img" aria-label="{html.escape(name)}" '
        f'data-first="{LEFT + apart / 2:.2f}" data-apart="{apart:.4f}" fill="{INK}" '
        f'font-family="system-ui, sans-serif" font-size="11" style="background:{PAPER}">'
        f'<rect class="trm-marker" width="7" y="4" height="{tall - 40}" fill="{CHANGED}"/>'
        f"{''.join(drawn)}{_frame_axis(first, most, apart, tall - 24)}</svg>"
    )


# --- what is shown -------------------------------------------------------------------------------


def _wrong(thoughts: dict[str, Trace]) -> Plot:
    known = all(thought.solution is not None for thought in thoughts.values())
    lines = []
    for i, (name, thought) in enumerate(thoughts.items()):
        label = name if len(thoughts) > 1 else ""
        lines.append(Line(thought.faults().sum(1), WRONG, label, dashed=i > 0))
    return Plot("cells wrong" if known else "against a rule", lines, "count")


def _moving(thoughts: dict[str, Trace]) -> Plot:
    lines = []
    for i, thought in enumerate(thoughts.values()):
        for latent, colour, width in (("y", RIGHT, 1.2), ("z", INK, 2.4)):
            values = getattr(thought, f"{latent}_residual")
            if values is not None and not np.isnan(values).all():
                label = f"change of {latent}" if i == 0 else ""
                lines.append(Line(values, colour, label, i > 0, width))
    return Plot("change", lines, "log")


def _belief(thoughts: dict[str, Trace]) -> Plot:
    lines = [Line(thought.halt, HALT, dashed=i > 0) for i, thought in enumerate(thoughts.values())]
    headless = np.isnan(next(iter(thoughts.values())).halt).all()
    return Plot("“I am done”", lines, "share", "no halting head" if headless else "")


def _story(thought: Trace, cell: int) -> Plot:
    """The likeliest values of a cell; the right one, where it is known, is thick and black."""
    palette = sns.color_palette("colorblind", 10).as_hex()
    lines = []
    for token, chances, is_right in likeliest(thought, cell):
        name = thought.puzzle.word(token)
        colour, width = (INK, 3) if is_right else (palette[token % 10], 1.5)
        label = f"{name} (right)" if is_right else name
        lines.append(Line(chances, colour, label, width=width, peak=name))
    return Plot(thought.puzzle.place(cell), lines, "share")


# --- how it is drawn -----------------------------------------------------------------------------


def _draw(plot: Plot, top: float, apart: float) -> str:
    """One plot with its axes, curves and labels; `top` is the upper end of its axis."""
    ticks, low, high = _scale(plot)
    values = [_of_scale(line.values, plot.scale) for line in plot.lines]

    def y(value: float) -> float:
        return top + HEIGHT * (high - value) / (high - low)

    parts = []
    for place, text in ticks:
        parts.append(f'<path d="M{LEFT} {y(place):.1f}H{RIGHT_END}" stroke="{CLUE_PAPER}"/>')
        parts.append(_text(LEFT - 5, y(place) + 4, text, "end"))
    parts.append(f'<path d="M{LEFT} {top}V{top + HEIGHT}H{RIGHT_END}" stroke="{INK}" fill="none"/>')
    middle = top + HEIGHT / 2
    parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
                 f"{html.escape(plot.name)}</text>")  # fmt: skip
    if plot.note:
        parts.append(_text((LEFT + RIGHT_END) / 2, middle, plot.note, "middle"))
    labelled = 0
    for line, heights in zip(plot.lines, values, strict=True):
        points = [(LEFT + (i + 0.5) * apart, y(v)) for i, v in enumerate(heights) if np.isfinite(v)]
        dash = ' stroke-dasharray="5 3"' if line.dashed else ""
        stroke = f'stroke="{line.colour}" stroke-width="{line.width}"{dash}'
        path = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
        parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        if line.label:
            beside = top + 10 + 16 * labelled
            labelled += 1
            parts.append(f'<path d="M{RIGHT_END + 8} {beside}h18" {stroke}/>')
            parts.append(_text(RIGHT_END + 30, beside + 4, line.label))
        if line.peak and np.nanmax(heights) > 0.1:
            across, up = min(points, key=lambda point: point[1])
            parts.append(_text(across, up - 3, line.peak, "middle"))
    return "".join(parts)


def _of_scale(values: np.ndarray, scale: str) -> np.ndarray:
    if scale != "log":
        return np.asarray(values, float)
    with np.errstate(divide="ignore"):  # in a fine grain y and z take turns: no change is no point
        return np.where(values > 0, np.log10(values), np.nan)


def _scale(plot: Plot) -> tuple[list[tuple[float, str]], float, float]:
    """Ticks (place, text) and the ends of an axis."""
    if plot.scale == "share":
        return [(0, "0%"), (0.5, "50%"), (1, "100%")], -0.05, 1.05
    values = np.concatenate([_of_scale(line.values, plot.scale) for line in plot.lines] or [[]])
    values = values[np.isfinite(values)]
    if plot.scale == "count":
        high = max(4.0, values.max(initial=0))
        return [(v, f"{v:g}") for v in _ticks(0, high, 4)], -0.05 * high, 1.08 * high
    low, high = (values.min() - 0.15, values.max() + 0.15) if len(values) else (-1.0, 0.0)
    powers = _ticks(low, high, 3)
    return [(v, f"{10.0**v:.3g}") for v in powers], low, high


def _ticks(low: float, high: float, most: int) -> list[float]:
    places = MaxNLocator(most, integer=True).tick_values(low, high)
    return [place for place in places if low <= place <= high]


def _frame_axis(thought: Trace, most: int, apart: float, top: float) -> str:
    numbers = [_text(LEFT + (n - 0.5) * apart, top, f"{n:g}", "middle")
               for n in _ticks(1, most, 8)]  # fmt: skip
    name = _text((LEFT + RIGHT_END) / 2, top + 17, frame_name(thought), "middle")
    return "".join(numbers) + name


def _text(across: float, up: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{across:.1f}" y="{up:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
