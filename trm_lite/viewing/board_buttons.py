"""A board that can be clicked, and what its cells look like in a frame of a thought."""

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np

from trm_lite.puzzles import maze, sudoku
from trm_lite.viewing.style import CHANGED, CLUE_PAPER, FAINT, INK, RIGHT, WRONG
from trm_lite.viewing.traces import Trace

DIFFERS = "#cc79a7"
STYLE = f"""<style>
.trm-look {{ width: 34px; height: 34px; margin: 0; padding: 0; font-size: 16px; line-height: 32px;
  background: white; color: {RIGHT}; border: 1px solid {FAINT}; overflow: hidden; }}
.trm-clue {{ background: {CLUE_PAPER}; color: {INK}; }}
.trm-wrong {{ color: {WRONG}; font-weight: bold; text-decoration: underline; }}
.trm-changed {{ background: {CHANGED}; }}
.trm-against {{ box-shadow: inset 0 0 0 2px {WRONG}; }}
.trm-differs {{ box-shadow: inset 0 0 0 3px {DIFFERS}; }}
.trm-wall {{ background: {INK}; }} .trm-path {{ background: {RIGHT}; color: white; }}
.trm-path.trm-wrong {{ background: {WRONG}; color: white; }}
.trm-sure0 {{ opacity: 0.45; }} .trm-sure1 {{ opacity: 0.6; }} .trm-sure2 {{ opacity: 0.8; }}
.trm-chosen {{ outline: 3px solid {INK}; outline-offset: -3px; z-index: 1; }}
.trm-top {{ border-top: 2px solid {INK}; }} .trm-left {{ border-left: 2px solid {INK}; }}
</style>"""


class Look(NamedTuple):
    """How one cell looks in one frame."""

    text: str
    classes: frozenset[str]  # of its button, without the prefix trm-


def looks(
    thought: Trace, frame: int, cell: int | None = None, other: Trace | None = None
) -> list[Look]:
    """How the L cells of a board look in `frame` (0 is the puzzle); `cell` is the chosen one.

    Where another run shows something else in the same frame, a cell is marked as different.
    """
    size = thought.puzzle.size
    nothing = np.zeros(size, bool)
    board = thought.boards[frame - 1] if frame else thought.puzzle
    faults = thought.faults()[frame - 1] if frame else nothing
    against = thought.rule_breaks()[frame - 1] if frame else nothing
    changed = thought.changed()[frame - 1] if frame else nothing
    sure = np.floor(4 * thought.confidence[frame - 1]).astype(int) if frame else nothing + 4
    differs = nothing
    if other is not None and frame:
        differs = board != other.boards[min(frame, len(other)) - 1]
    is_maze = thought.puzzle_name == "maze"
    given = thought.puzzle != (maze.OPEN if is_maze else 0)
    found = []
    for i in range(size):
        classes = {
            "clue": given[i] and not is_maze,
            "wall": is_maze and thought.puzzle[i] == maze.WALL,
            "path": is_maze and board[i] == maze.PATH,
            "wrong": faults[i],
            "against": against[i],
            "changed": changed[i],
            "differs": differs[i],
            "chosen": i == cell,
            f"sure{sure[i]}": sure[i] < 3 and not given[i],
        }
        letters = {maze.START: "S", maze.GOAL: "G", maze.PATH: "•"}
        text = letters.get(int(board[i]), "") if is_maze else str(board[i] or "")
        if is_maze and faults[i] and not text:
            text = "×"  # path is missing here
        found.append(Look(text, frozenset(name for name, is_so in classes.items() if is_so)))
    return found


class BoardView(widgets.GridBox):
    """A board whose cells can be clicked; only cells that look different are redrawn."""

    def __init__(self, size: int, puzzle_name: str, on_click: Callable[[int], object]):
        side = round(size**0.5)
        edges = [_edges(i, side, puzzle_name) for i in range(size)]
        self._always = [("trm-look", *edge) for edge in edges]
        self._shown: list[Look | None] = [None] * size
        buttons = []
        for i in range(size):
            name = f"row {i // side + 1}, column {i % side + 1}"
            button = widgets.Button(tooltip=name, layout={"width": "34px", "height": "34px"})
            button.on_click(lambda _, cell=i: on_click(cell))
            buttons.append(button)
        super().__init__(
            buttons,
            layout={"grid_template_columns": f"repeat({side}, 34px)", "width": f"{34 * side + 4}px",
                    "overflow": "visible"},
        )  # fmt: skip
        self.add_class("trm-board")

    def show(self, found: list[Look]) -> None:
        for i, look in enumerate(found):
            if look != self._shown[i]:
                with self.children[i].hold_sync():
                    self.children[i].description = look.text
                    names = sorted(f"trm-{name}" for name in look.classes)
                    self.children[i]._dom_classes = (*self._always[i], *names)
        self._shown = found


def _edges(cell: int, side: int, puzzle_name: str) -> list[str]:
    """Thick lines above and left of a Sudoku's boxes."""
    if puzzle_name != "sudoku":
        return []
    shape, (row, column) = sudoku.geometry(side), divmod(cell, side)
    above = row % shape.box_rows == 0 and row > 0
    left = column % shape.box_columns == 0 and column > 0
    return ["trm-top"] * above + ["trm-left"] * left
