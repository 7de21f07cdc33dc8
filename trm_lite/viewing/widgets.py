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
from trm_lite.nets.build import puzzle_of
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.puzzle import PAD
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

    Args:
        puzzle: what the tokens mean.
        board: (L,) tokens to begin with.
        on_edit: called with the board after every change that leaves each cell empty or with a
            character of the puzzle.
    """

    def __init__(
        self,
        puzzle: Puzzle,
        board: np.ndarray,
        on_edit: Callable[[np.ndarray], None] | None = None,
    ):
        self.puzzle = puzzle
        self.on_edit = on_edit or (lambda board: None)
        self.message = Message()
        self.grid = EditableBoard(puzzle, self.type)
        super().__init__([self.grid, self.message])
        self.add_class("trm-typing")
        self.set(board)

    @property
    def board(self) -> np.ndarray:
        """The tokens as typed (L,); a cell with anything else counts as empty."""
        tokens = [self._token(text) for text in self.grid.texts]
        return np.array([self.nothing if t is None else t for t in tokens], self.puzzle.dtype)

    @property
    def nothing(self) -> int:
        """The token of an empty cell: one to be found or, where there is no such, padding."""
        blanks = self.puzzle.blanks
        return self.puzzle.tokens.index(blanks[0]) if blanks else PAD

    def set(self, board: np.ndarray) -> None:
        """Show another board of the same size."""
        empty = (PAD, self.nothing)
        self._show(["" if token in empty else self.puzzle.tokens[token] for token in board])

    def type(self, cell: int, text: str) -> None:
        """Put `text` into a cell (from 0), as a person does; a dot empties it, and so does 0.

        Unless these are characters of the puzzle. Text of more than one character is a whole board
        that was pasted.
        """
        text = text.strip()
        if len(text) > 1:
            self.message.guard(self.paste)(text)
            return
        texts = list(self.grid.texts)
        empties = text in (".", "0") and text not in self.puzzle.tokens
        texts[cell] = "" if empties or text in self.puzzle.blanks else text
        self.message.guard(self._show)(texts)

    def paste(self, text: str) -> None:
        """Show the board in `text`. PuzzleError, and no change, if it is no board of the puzzle."""
        self.set(self.puzzle.board_in(text))

    def _token(self, text: str) -> int | None:
        """The token in a cell, None if it holds anything else."""
        if not text:
            return self.nothing
        return self.puzzle.tokens.index(text) if text in tuple(self.puzzle.tokens[1:]) else None

    def _show(self, texts: list[str]) -> None:
        puzzle = self.puzzle
        with self.grid.hold_sync():
            self.grid.texts = texts
            if puzzle.conflicts is not None:
                self.grid.broken = puzzle.call("conflicts", self.board[None])[0].tolist()
        strange = [i for i, text in enumerate(texts) if self._token(text) is None]
        if strange:
            typed = [c for c in puzzle.tokens[1:] if c not in puzzle.blanks and not c.isspace()]
            self.message.say(
                f"{puzzle.place(strange[0]).capitalize()} holds “{texts[strange[0]]}”; "
                f"type one of {' '.join(typed)}, or nothing.",
                "bad",
            )
            return
        self._judge()
        self.on_edit(self.board)

    def _judge(self) -> None:
        """Say whether the board can be solved, as far as that is known."""
        puzzle, board = self.puzzle, self.board
        count = int(puzzle.to_find(board).sum())
        if puzzle.solve is None:
            self.message.say(f"{count} cells to be found." if count else "")
            return
        try:
            puzzle.call("solve", board)
        except PuzzleError as error:
            self.message.say(str(error), "bad")
        else:
            self.message.say(f"A proper puzzle: {count} blanks, exactly one solution.", "good")


def think(model: Reasoner, board: np.ndarray, **options) -> Trace:
    """`trace` for somebody who waits for the answer."""
    with one_core() if board.size <= SMALL else nullcontext():
        return trace(model, board, **options)


class Playground(Panel):
    """Edit a puzzle and watch a network think about it.

    `examples` are named boards (L,) of tokens to start from. Every edit is thought about at once.
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
        first = next(iter(examples.values()))
        self.editor = BoardEditor(puzzle_of(model), first, self._think)  # thinks at once
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
