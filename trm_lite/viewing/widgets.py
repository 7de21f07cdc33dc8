"""Things to play with in a notebook: watch a thought, type a puzzle, see it thought about.

Thin shells around pure functions. They work in JupyterLab, Notebook 7, VS Code and Colab.
"""

import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import ipywidgets as widgets
import numpy as np

from trm_lite.common.device import one_core
from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS
from trm_lite.viewing import browser_parts
from trm_lite.viewing.browser_parts import EditableBoard, ThoughtView
from trm_lite.viewing.recorder import trace
from trm_lite.viewing.traces import Trace

# JupyterLab may run callbacks in several threads at once; ours take turns.
TURNS = threading.RLock()
SMALL = 36  # cells; a board of so few is thought about faster on one core than on two
EDITOR = {"margin": "0 20px 0 0", "max_width": "100%", "overflow": "visible"}


def row(*parts: widgets.Widget) -> widgets.HBox:
    """Parts side by side, and below each other where the page is too narrow."""
    return widgets.HBox(
        parts,
        layout={"flex_flow": "row wrap", "overflow": "visible", "align_items": "flex-start"},
    )


class Panel(widgets.VBox):
    """A box that, where no widget can be shown (GitHub, say), says so in words."""

    def __init__(self, parts: Sequence[widgets.Widget]):
        super().__init__(parts, layout={"overflow": "visible", "max_width": "100%"})
        self.add_class("trm-panel")

    def __repr__(self) -> str:
        return "(An interactive panel: run this notebook to use it, for example with `make lab`.)"


class Message(browser_parts.Message):
    """A line in which a panel says how it is; what goes wrong in a callback is never swallowed."""

    def guard(self, work: Callable[..., object]) -> Callable[..., None]:
        """`work` as a callback whose errors are told here, in place; the panel stays usable.

        Callbacks of all panels run one at a time, whichever threads they come from.
        """

        def run(*arguments) -> None:
            try:
                with TURNS:
                    work(*arguments)
            except UserError as error:
                self.say(str(error), "bad")
            except Exception as error:
                text = f"This should not happen, {type(error).__name__}: {error}"
                self.say(text, "bad", traceback.format_exc())

        return run


def watch(thought: Trace) -> Panel:
    """Watch one thought, step by step: play it, or move the slider."""
    view = ThoughtView(latents=False)
    view.show({"": thought})
    return Panel([view])


class BoardEditor(Panel):
    """A board to type into, which says at once what is wrong with it.

    `board` is the puzzle as it stands; `on_edit(board)` is called after every change that
    leaves each cell empty or with a digit.
    """

    def __init__(self, board: np.ndarray, on_edit: Callable[[np.ndarray], None] | None = None):
        self.shape = sudoku.geometry(sudoku.size_of(board))
        self.on_edit = on_edit or (lambda board: None)
        self.message = Message()
        self.grid = EditableBoard(self.shape.size, self.type)
        super().__init__([self.grid, self.message])
        self.add_class("trm-typing")
        self.set(board)

    @property
    def board(self) -> np.ndarray:
        """The clues as typed (n*n,); a cell with anything but a digit counts as blank."""
        return np.array([self._digit(text) or 0 for text in self.grid.texts], np.uint8)

    def set(self, board: np.ndarray) -> None:
        """Show another board of the same size."""
        self._show([str(digit or "") for digit in board])

    def type(self, cell: int, text: str) -> None:
        """Put `text` into a cell (from 0), as a person does; 0 and a dot empty it.

        Text of more than one character is a whole board that was pasted.
        """
        text = text.strip()
        if len(text) > 1:
            self.message.guard(self.paste)(text)
            return
        texts = list(self.grid.texts)
        texts[cell] = "" if text in (".", "0") else text
        self.message.guard(self._show)(texts)

    def paste(self, text: str) -> None:
        """Show the board in `text`, in almost any format; see `sudoku.parse`.

        Raises PuzzleError, and changes nothing, unless it is exactly one of the same size.
        """
        board = sudoku.parse(text)
        if board.size != self.shape.cells:
            size, other = self.shape.size, sudoku.size_of(board)
            raise PuzzleError(
                f"Here is room for a Sudoku of {size}x{size}, but what was pasted is "
                f"{other}x{other}."
            )
        self.set(board)

    def _digit(self, text: str) -> int | None:
        """The digit in a cell, 0 if it is empty, None if it holds anything else."""
        if not text:
            return 0
        fits = text.isascii() and text.isdigit() and 1 <= int(text) <= self.shape.size
        return int(text) if fits else None

    def _show(self, texts: list[str]) -> None:
        with self.grid.hold_sync():
            self.grid.texts = texts
            self.grid.broken = sudoku.violations(self.board[None])[0].tolist()
        strange = [i for i, text in enumerate(texts) if self._digit(text) is None]
        if strange:
            row, column = divmod(strange[0], self.shape.size)
            self.message.say(
                f"Row {row + 1} column {column + 1} holds “{texts[strange[0]]}”; "
                f"type a digit from 1 to {self.shape.size}, or nothing.",
                "bad",
            )
            return
        try:
            sudoku.solve_one(self.board)
        except PuzzleError as error:
            self.message.say(str(error), "bad")
        else:
            blanks = int((self.board == 0).sum())
            self.message.say(f"A proper puzzle: {blanks} blanks, exactly one solution.", "good")
        self.on_edit(self.board)


def think(model: Reasoner, board: np.ndarray, **options) -> Trace:
    """`trace` for somebody who waits for the answer."""
    with one_core() if board.size <= SMALL else nullcontext():
        return trace(model, board, **options)


class Playground(Panel):
    """Edit a puzzle and watch a network think about it.

    `examples` are named boards to start from. Every edit is thought about at once.
    """

    def __init__(self, model: Reasoner, examples: dict[str, np.ndarray], *, steps: int = MAX_STEPS):
        self.model, self.examples, self.steps = model, examples, steps
        self.choice = widgets.Dropdown(
            options=list(examples),
            description="puzzle",
            style={"description_width": "auto"},
            layout={"width": "auto", "max_width": "340px"},
        )
        self.view = ThoughtView(latents=False)
        self.view.frame = steps
        self.editor = BoardEditor(next(iter(examples.values())), self._think)  # thinks at once
        choose = self.editor.message.guard(lambda change: self._choose())
        self.choice.observe(choose, names="value")
        editor = widgets.VBox([self.editor], layout=EDITOR)
        super().__init__([self.choice, row(editor, self.view)])
        self.add_class("trm-playground")

    def _choose(self) -> None:
        self.editor.set(self.examples[self.choice.value])

    def _think(self, board: np.ndarray) -> None:
        self.thought = think(self.model, board, steps=self.steps)
        self.view.show({"": self.thought})


def by_difficulty(
    puzzles: np.ndarray, rounds: np.ndarray, needs: Sequence[str]
) -> dict[str, np.ndarray]:
    """One puzzle for each grade of difficulty in `sudoku.rate`'s terms, easiest first."""
    examples = {}
    for row in np.argsort(rounds, kind="stable"):
        name = f"{rounds[row]} rounds of singles" if needs[row] == "singles" else f"{needs[row]}"
        examples.setdefault(name, puzzles[row])
    return examples
