"""Things to play with in a notebook: thin shells around the pure functions of `plots`.

Only ipywidgets, so they work in JupyterLab, Notebook 7, VS Code and Colab. A thought is
recorded once; every frame is drawn once and kept, so moving a slider only swaps a picture.
"""

import asyncio
import contextlib
import html
import threading
import traceback
from collections.abc import Callable, Sequence
from io import BytesIO

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS
from trm_lite.viewing import plots, style
from trm_lite.viewing.recorder import trace
from trm_lite.viewing.traces import Trace

# JupyterLab may run callbacks in several threads at once; ours, and matplotlib's, take turns.
TURNS = threading.RLock()


def to_png(figure: Figure, dpi: int = 90) -> bytes:
    """Render a figure and close it."""
    buffer = BytesIO()
    with plt.rc_context({"savefig.bbox": None}):  # all frames of one size, whatever they hold
        figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return buffer.getvalue()


class Panel(widgets.VBox):
    """A box that, where no widget can be shown (GitHub, say), says so in words."""

    def __repr__(self) -> str:
        return "(An interactive panel: run this notebook to use it, for example with `make lab`.)"


class Message(widgets.HTML):
    """A line in which a panel says how it is; what goes wrong in a callback is never swallowed."""

    def __init__(self):
        super().__init__()
        self.add_class("trm-message")

    def say(self, text: str, colour: str = style.INK) -> None:
        self.value = f'<span style="color:{colour}">{html.escape(text)}</span>'

    def guard(self, work: Callable[..., object]) -> Callable[..., None]:
        """`work` as a callback whose errors are told here, in place; the panel stays usable.

        Callbacks of all panels run one at a time, whichever threads they come from.
        """

        def run(*arguments) -> None:
            try:
                with TURNS:
                    work(*arguments)
            except UserError as error:
                self.say(str(error), style.WRONG)
            except Exception as error:
                self.say(f"This should not happen, {type(error).__name__}: {error}", style.WRONG)
                details = html.escape(traceback.format_exc())
                self.value += f"<details><summary>where</summary><pre>{details}</pre></details>"

        return run


class Player(Panel):
    """A flip-book: play, pause, and a slider over the frames `draw(0)` to `draw(count - 1)`.

    In a notebook the frames that nobody has asked for yet are drawn while the kernel is idle.
    """

    def __init__(self, draw: Callable[[int], Figure], count: int, *, milliseconds: int = 500):
        self.image = widgets.Image(format="png", layout={"max_width": "100%"})
        self.slider = widgets.IntSlider(
            max=count - 1, description="step", layout={"width": "420px"}
        )
        self.play = widgets.Play(max=count - 1, interval=milliseconds, show_repeat=False)
        widgets.jslink((self.play, "value"), (self.slider, "value"))
        self.message = Message()
        self.slider.observe(self.message.guard(lambda change: self._show()), names="value")
        self.load(draw, count)
        super().__init__([widgets.HBox([self.play, self.slider]), self.image, self.message])

    def load(self, draw: Callable[[int], Figure], count: int, start: int = 0) -> None:
        """Put another flip-book in, opened at frame `start`."""
        self._draw, self._frames = draw, {}
        self.play.max = self.slider.max = count - 1
        self.slider.value = min(start, count - 1)
        self._show()
        self._draw_ahead(self._frames)

    def _show(self) -> None:
        step = self.slider.value
        if step not in self._frames:
            self._frames[step] = to_png(self._draw(step))
        self.image.value = self._frames[step]
        self.message.value = ""

    def _draw_ahead(self, frames: dict[int, bytes]) -> None:
        """Draw the next missing frame as soon as the kernel has nothing else to do."""
        missing = [step for step in range(self.slider.max + 1) if step not in frames]
        if not missing:
            return

        def draw() -> None:
            if frames is self._frames:  # no other flip-book has been put in
                frames[missing[0]] = to_png(self._draw(missing[0]))
                self._draw_ahead(frames)

        with contextlib.suppress(RuntimeError):  # outside of a notebook no time is ever idle
            asyncio.get_running_loop().call_later(0.1, self.message.guard(draw))


def watch(thought: Trace) -> Player:
    """Watch one thought, step by step."""
    return Player(lambda step: plots.frame(thought, step), len(thought) + 1)


class BoardEditor(Panel):
    """A board to type into, which says at once what is wrong with it.

    `board` is the puzzle as it stands; `on_edit(board)` is called after every change that
    leaves each cell empty or with a digit.
    """

    def __init__(self, board: np.ndarray, on_edit: Callable[[np.ndarray], None] | None = None):
        self.shape = sudoku.geometry(sudoku.size_of(board))
        self.on_edit = on_edit or (lambda board: None)
        self.message = Message()
        self.cells = [self._cell(i) for i in range(self.shape.cells)]
        n = self.shape.size
        grid = widgets.GridBox(
            self.cells,
            layout={"grid_template_columns": f"repeat({n}, 36px)", "width": f"{36 * n + 8}px"},
        )
        super().__init__([widgets.HTML(self._style()), grid, self.message])
        self._quiet = False
        self.set(board)

    @property
    def board(self) -> np.ndarray:
        """The clues as typed (n*n,); a cell with anything but a digit counts as blank."""
        return np.array([self._digit(cell.value) or 0 for cell in self.cells], np.uint8)

    def set(self, board: np.ndarray) -> None:
        """Show another board of the same size."""
        self._quiet = True  # one check at the end instead of one per cell
        for cell, digit in zip(self.cells, board, strict=True):
            cell.value = str(digit) if digit else ""
        self._quiet = False
        self._check()

    def _cell(self, index: int) -> widgets.Text:
        cell = widgets.Text(layout={"width": "34px", "margin": "1px"}, continuous_update=True)
        row, column = divmod(index, self.shape.size)
        cell.add_class("trm-cell")
        if row % self.shape.box_rows == 0 and row:
            cell.add_class("trm-box-top")
        if column % self.shape.box_columns == 0 and column:
            cell.add_class("trm-box-left")
        cell.observe(self.message.guard(lambda change: self._check()), names="value")
        return cell

    def _digit(self, text: str) -> int | None:
        """The digit in a cell, 0 if it is empty, None if it holds anything else."""
        text = text.strip().replace(".", "0") or "0"
        fits = text.isascii() and text.isdigit() and int(text) <= self.shape.size
        return int(text) if fits else None

    def _check(self) -> None:
        if self._quiet:
            return
        for i, cell in enumerate(self.cells):
            if self._digit(cell.value) is None:
                row, column = divmod(i, self.shape.size)
                self.message.say(
                    f"Row {row + 1} column {column + 1} holds “{cell.value}”; "
                    f"type a digit from 1 to {self.shape.size}, or nothing.",
                    style.WRONG,
                )
                return
        board = self.board
        broken = sudoku.violations(board[None])[0]
        for cell, fault in zip(self.cells, broken, strict=True):
            (cell.add_class if fault else cell.remove_class)("trm-broken")
        try:
            sudoku.solve_one(board)
        except PuzzleError as error:
            self.message.say(str(error), style.WRONG)
        else:
            blanks = int((board == 0).sum())
            self.message.say(f"A proper puzzle: {blanks} blanks, exactly one solution.", style.HALT)
        self.on_edit(board)

    @staticmethod
    def _style() -> str:
        return f"""<style>
        .trm-cell input {{ text-align: center; font-size: 16px; padding: 0; }}
        .trm-broken input {{ color: {style.WRONG} !important; font-weight: bold; }}
        .trm-box-top {{ border-top: 2px solid #222; padding-top: 1px; }}
        .trm-box-left {{ border-left: 2px solid #222; padding-left: 1px; }}
        </style>"""


class Playground(Panel):
    """Edit a puzzle and watch a network think about it.

    `examples` are named boards to start from. Every edit is thought about at once.
    """

    def __init__(self, model: Reasoner, examples: dict[str, np.ndarray], *, steps: int = MAX_STEPS):
        self.model, self.examples, self.steps = model, examples, steps
        self.choice = widgets.Dropdown(
            options=list(examples), description="puzzle", layout={"width": "320px"}
        )
        self.player = Player(lambda step: plt.figure(), 1)
        self.editor = BoardEditor(next(iter(examples.values())), self._think)  # thinks at once
        choose = self.editor.message.guard(lambda change: self._choose())
        self.choice.observe(choose, names="value")
        super().__init__([self.choice, widgets.HBox([self.editor, self.player])])

    def _choose(self) -> None:
        self.editor.set(self.examples[self.choice.value])

    def _think(self, board: np.ndarray) -> None:
        self.thought = trace(self.model, board, self.steps)
        self.player.load(
            lambda step: plots.frame(self.thought, step), len(self.thought) + 1, start=self.steps
        )


def by_difficulty(
    puzzles: np.ndarray, rounds: np.ndarray, needs: Sequence[str]
) -> dict[str, np.ndarray]:
    """One puzzle for each grade of difficulty in `sudoku.rate`'s terms, easiest first."""
    examples = {}
    for row in np.argsort(rounds, puzzle_name="stable"):
        name = f"{rounds[row]} rounds of singles" if needs[row] == "singles" else f"{needs[row]}"
        examples.setdefault(name, puzzles[row])
    return examples
