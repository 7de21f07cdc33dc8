"""The parts of a panel that live in the browser: a thought, a board to type into, a message.

Each is a thin shell: the Python side holds what is to be seen, and `browser/*.js` draws it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import anywidget
from traitlets import Bool, Int, List, Unicode

from trm_lite.puzzles import Puzzle
from trm_lite.viewing import looks, style
from trm_lite.viewing.curve_sketch import sketch
from trm_lite.viewing.traces import Trace

FOLDER = Path(__file__).parent / "browser"
VIEW = {"flex": "1 1 350px", "min_width": "0", "max_width": "100%"}  # beside an editor, or below
COLOURS = {
    "ink": style.INK, "faint": style.FAINT, "paper": style.PAPER, "clue": style.CLUE_PAPER,
    "right": style.RIGHT, "wrong": style.WRONG, "changed": style.CHANGED, "halt": style.HALT,
    "differs": style.DIFFERS, "focus": style.FOCUS,
}  # fmt: skip


def _source(*names: str) -> str:
    """Some of the modules as a single one, which need not import from each other any more."""
    text = "\n".join((FOLDER / name).read_text("utf-8") for name in names)
    return re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)


def css() -> str:
    """The style sheet of everything that is drawn in a browser, with the colours of the course."""
    colours = "".join(f"--trm-{name}: {colour};" for name, colour in COLOURS.items())
    return f":root {{ {colours} }}\n{_source('look.css')}"


class Part(anywidget.AnyWidget):
    """Something drawn by a small script in the browser."""

    _css = css()


class Message(Part):
    """A line in which a panel says how it is: neutral, good or bad news."""

    _esm = _source("message.js")
    text = Unicode().tag(sync=True)
    tone = Unicode("neutral").tag(sync=True)
    details = Unicode().tag(sync=True)  # shown when unfolded

    def say(self, text: str, tone: str = "neutral", details: str = "") -> None:
        with self.hold_sync():
            self.text, self.tone, self.details = text, tone, details


class EditableBoard(Part):
    """A board with a field in every cell; `on_type(cell, text)` hears what is typed or pasted.

    The browser is told once per edit what the board looks like, not cell by cell.
    """

    _esm = _source("grid.js", "editor.js")
    columns = Int().tag(sync=True)
    boxes = List().tag(sync=True)  # rows and columns of a box, if there are any
    texts = List().tag(sync=True)  # what each cell holds
    broken = List().tag(sync=True)  # which cells break a rule
    heard = Int().tag(sync=True)  # the number of the last edit that was taken in

    def __init__(self, puzzle: Puzzle, on_type: Callable[[int, str], object]):
        super().__init__(
            columns=puzzle.columns,
            boxes=list(puzzle.boxes or ()),
            texts=[""] * puzzle.length,
            broken=[False] * puzzle.length,
        )
        self._on_type = on_type
        self.on_msg(lambda _, said, __: self._hear(**said))

    def _hear(self, cell: int, text: str, edit: int) -> None:
        self.heard = edit
        self._on_type(int(cell), str(text))


class ThoughtView(Part):
    """A thought as a film, or two side by side: boards, captions, a legend and curves.

    All frames are sent at once, so playing and sliding need no kernel. `on_pick(cell)` hears
    which cell is chosen; without it none can be.
    """

    _esm = _source("grid.js", "thought.js")
    palette = List().tag(sync=True)  # the colours of tokens, where cells are painted
    columns = Int(1).tag(sync=True)
    boxes = List().tag(sync=True)
    marks = List([[name, words] for name, words in looks.MARKS.items()]).tag(sync=True)
    legend = List().tag(sync=True)
    runs = List().tag(sync=True)  # of each thought: title, texts, marks and captions by frame
    curves = Unicode().tag(sync=True)  # SVG
    frames = Int().tag(sync=True)  # of the longest thought
    frame = Int().tag(sync=True)  # the one that is shown; 0 is the puzzle
    chosen = Int(-1).tag(sync=True)  # the cell that is followed
    pickable = Bool().tag(sync=True)

    def __init__(self, on_pick: Callable[[int], object] | None = None, *, latents: bool = True):
        super().__init__(pickable=on_pick is not None, layout=VIEW)
        self._latents = latents
        if on_pick is not None:
            self.on_msg(lambda _, said, __: on_pick(int(said["pick"])))

    def show(
        self, thoughts: dict[str, Trace], cell: int | None = None, *, frame: int | None = None
    ) -> None:
        """Show one or two thoughts about the same puzzle.

        Args:
            thoughts: By name, which is written above the boards; no name, nothing written.
            cell: The cell (from 0) that is followed.
            frame: Where to open the film; where it stands now, if not given.
        """
        first, *others = thoughts.values()
        most = max(map(len, thoughts.values()))
        with self.hold_sync():
            self.palette, self.boxes = list(first.puzzle.colours), looks.boxes(first)
            self.columns = first.puzzle.columns
            self.legend = looks.legend(first, two=bool(others), pickable=self.pickable)
            self.runs = [
                _run(title, thought, cell, next((t for t in thoughts.values() if t is not thought),
                                                None))
                for title, thought in thoughts.items()
            ]  # fmt: skip
            self.curves = sketch(thoughts, cell, latents=self._latents)
            self.chosen = -1 if cell is None else cell
            self.frames = most
            self.frame = min(self.frame if frame is None else frame, most)


def _run(title: str, thought: Trace, cell: int | None, other: Trace | None) -> dict:
    """A thought as the browser needs it, frame by frame."""
    captions = [looks.caption(thought, frame, cell) for frame in range(len(thought) + 1)]
    return {
        "title": title,
        "texts": looks.texts(thought).tolist(),
        "marks": looks.marks(thought, other).tolist(),
        "paints": looks.paints(thought),
        "captions": [f"{title}: {text}" if title else text for text in captions],
    }
