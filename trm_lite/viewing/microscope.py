"""The recursion microscope: any network of the course, any puzzle, in slow motion.

A thin shell. What a thought is comes from `trm_lite.tracing`, the pictures from
`trm_lite.dynamics`, and how a cell looks in a frame from `trm_lite.board_view`. A thought is
recorded once, and its curves are drawn once: moving the slider changes cells and a marker only.
"""

import base64
import html
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.nets.build import Network
from trm_lite.nets.weights import load_weights
from trm_lite.puzzles import maze
from trm_lite.puzzles.by_sizes import puzzle_name_of
from trm_lite.thinking import MAX_STEPS
from trm_lite.viewing import boards
from trm_lite.viewing import thought_plots as dynamics
from trm_lite.viewing.board_buttons import STYLE, BoardView, looks
from trm_lite.viewing.recorder import Push, trace
from trm_lite.viewing.style import CHANGED, FAINT
from trm_lite.viewing.traces import Trace
from trm_lite.viewing.widgets import BoardEditor, Message, Panel, to_png

MOST_CELLS = 225  # that can be shown as buttons
GRAINS = {"supervision steps": "step", "full recursions": "recursion",
          "every application": "application"}  # fmt: skip
SPEEDS = {"slow": 1000, "normal": 450, "fast": 150}  # milliseconds per frame
NOTHING, WHAT_IF = "nothing", "what if"


class Microscope(Panel):
    """Choose a network and a puzzle, and look at every moment of the thought.

    Args:
        models: Networks by name.
        puzzles: Boards (L,) by name, for at least one of the networks.
        steps: Supervision steps to think at first.
    """

    def __init__(
        self, models: dict[str, Network], puzzles: dict[str, np.ndarray], *, steps: int = MAX_STEPS
    ):
        if not models or not puzzles:
            raise UserError("The microscope needs at least one model and one puzzle.")
        self.models, self.puzzles = dict(models), dict(puzzles)
        self.cell: int | None = None
        self.push: Push | None = None
        self.editor: BoardEditor | None = None
        self.thoughts: dict[str, Trace] = {}  # the run, and the second one if there is any
        self._build(steps)
        self._wire()
        self.message.guard(self._new_model)()

    # --- parts -----------------------------------------------------------------------------------

    def _build(self, steps: int) -> None:
        narrow, wide = {"width": "210px"}, {"width": "300px"}
        self.model = widgets.Dropdown(options=list(self.models), description="model", layout=narrow)
        self.puzzle = widgets.Dropdown(options=[], description="puzzle", layout=wide)
        self.grain = widgets.Dropdown(options=GRAINS, description="show", layout={"width": "250px"})
        self.steps = widgets.BoundedIntText(steps, min=1, max=256, description="steps",
                                            layout={"width": "150px"})  # fmt: skip
        self.noise = widgets.FloatSlider(max=3, step=0.1, description="noise in z",
                                         continuous_update=False, layout=wide)  # fmt: skip
        self.seed = widgets.BoundedIntText(max=9999, description="its seed",
                                           layout={"width": "150px"})  # fmt: skip
        self.file = widgets.Text(placeholder="a .safetensors file of your own, then Enter",
                                 description="weights", continuous_update=False,
                                 layout={"width": "360px"})  # fmt: skip
        self.play = widgets.Play(interval=SPEEDS["normal"], show_repeat=False)
        self.speed = widgets.Dropdown(options=SPEEDS, value=SPEEDS["normal"],
                                      layout={"width": "90px"})  # fmt: skip
        self.slider = widgets.IntSlider(description="frame", readout=False,  # it counts from 0
                                        layout={"width": "440px"})  # fmt: skip
        self.second = widgets.Dropdown(options=[NOTHING], description="beside it", layout=narrow)
        self.digit = widgets.Dropdown(options=[], description="what if", layout={"width": "150px"})
        self.force = widgets.Button(description="put it there", layout={"width": "110px"},
                                    tooltip="force the chosen cell")  # fmt: skip
        self.caption, self.message = widgets.HTML(), Message()
        self.views, self.curves, self.marker = widgets.HBox(), widgets.HTML(), widgets.HTML()
        self.yours = widgets.VBox()
        note = widgets.HTML(
            f'<span style="color:{FAINT}">Click a cell to follow it. If nothing moves, the kernel '
            "has stopped: choose Run, then Restart Kernel and Run All Cells.</span>"
        )
        folded = widgets.Accordion([self.yours], titles=["Your own puzzle: type it here"])
        super().__init__(
            [
                widgets.HTML(STYLE),
                widgets.HBox([self.model, self.puzzle, self.grain, self.steps]),
                widgets.HBox([self.noise, self.seed, self.file]),
                widgets.HBox([self.second, self.digit, self.force]),
                widgets.HBox([self.play, self.slider, self.speed]),
                self.caption,
                widgets.HBox([self.views, self.curves, self.marker]),
                self.message,
                folded,
                note,
            ]
        )

        for part, name in (
            (self, "microscope"), (self.slider, "frame"), (self.caption, "caption"),
            (self.message, "message"), (self.curves, "curves"), (self.second, "second"),
            (self.grain, "grain"), (self.file, "file"), (self.yours, "editor"),
        ):  # fmt: skip
            part.add_class(f"trm-{name}")  # for whoever wants to style or to test it

    def _wire(self) -> None:
        self.link = widgets.jslink((self.play, "value"), (self.slider, "value"))
        widgets.dlink((self.speed, "value"), (self.play, "interval"))
        self._quiet = False
        for part, work in (
            (self.model, self._new_model),
            (self.puzzle, self._new_puzzle),
            (self.file, self._new_file),
            (self.slider, self.show),
            *((part, self.think) for part in (self.grain, self.steps, self.noise, self.seed,
                                              self.second)),
        ):  # fmt: skip
            part.observe(self._unless_quiet(work), names="value")
        self.force.on_click(self.message.guard(lambda _: self._force()))

    def _unless_quiet(self, work):
        guarded = self.message.guard(work)
        return lambda change: None if self._quiet else guarded()

    def _set(self, part: widgets.Widget, **values) -> None:
        """Change a control without being told of it."""
        quiet, self._quiet = self._quiet, True
        try:
            for name, value in values.items():
                setattr(part, name, value)
        finally:
            self._quiet = quiet

    # --- what was chosen -------------------------------------------------------------------------

    @property
    def network(self) -> Network:
        return self.models[self.model.value]

    def _new_model(self) -> None:
        """Offer the puzzles that fit the model, and the models it can be compared with."""
        cells = self.network.config.seq_len
        fitting = [name for name, board in self.puzzles.items() if np.size(board) == cells]
        if not fitting:
            raise UserError(
                f"“{self.model.value}” reads boards of {cells} cells, and there is no such puzzle "
                "here; choose another model."
            )
        kept = self.puzzle.value if self.puzzle.value in fitting else fitting[0]
        self._set(self.puzzle, options=fitting, value=kept)
        others = [name for name, other in self.models.items()
                  if other.config.seq_len == cells and name != self.model.value]  # fmt: skip
        self._set(self.second, options=[NOTHING, WHAT_IF, *others], value=NOTHING)
        self._new_puzzle()

    def _new_puzzle(self) -> None:
        self.board = np.asarray(self.puzzles[self.puzzle.value])
        puzzle_name, config = puzzle_name_of(*_sizes(self.network)), self.network.config
        if config.seq_len > MOST_CELLS:
            raise UserError(
                f"{config.seq_len} cells are too many to click on; watch this model with "
                "widgets.watch(tracing.trace(model, puzzle))."
            )
        if puzzle_name == "sudoku":
            digits = [str(digit) for digit in range(1, config.vocab_size - 1)]
            self._set(self.digit, options=digits, value=digits[0])
            if self.editor is None or self.editor.shape.cells != self.board.size:
                self.editor = BoardEditor(self.board)
            self.yours.children = [self.editor]
            self.editor.on_edit = lambda board: None
            self.editor.set(self.board)
            self.editor.on_edit = self._edited
        else:
            self._set(self.digit, options=["path", "open"], value="path")
            self.yours.children = [widgets.HTML("Only Sudokus can be typed in.")]
        self.cell, self.push = None, None
        self.think()

    def _edited(self, board: np.ndarray) -> None:
        self.board, self.push = board, None
        self.message.guard(self.think)()

    def _new_file(self) -> None:
        """Add a checkpoint from a file to the models, and choose it."""
        path = self.file.value.strip()
        if not path:
            return
        model, _ = load_weights(Path(path).expanduser())
        puzzle_name_of(*_sizes(model))
        name = Path(path).stem
        self.models[name] = model
        self._set(self.model, options=list(self.models), value=name)
        self._new_model()

    # --- thinking and showing --------------------------------------------------------------------

    def think(self) -> None:
        """Record the thought as everything is set now, and the second one beside it."""
        options = {
            "steps": self.steps.value,
            "grain": self.grain.value,
            "noise": self.noise.value,
            "seed": self.seed.value,
            "probabilities": True,
        }
        name, second = self.model.value, self.second.value
        thoughts = {name: trace(self.network, self.board, **options)}
        if second == WHAT_IF:
            if self.push is None:
                raise UserError(
                    "What if? Choose a cell by a click, a value and a frame, then press "
                    "“put it there”."
                )
            thoughts[WHAT_IF] = trace(self.network, self.board, push=self.push, **options)
        elif second != NOTHING:
            thoughts[second] = trace(self.models[second], self.board, **options)
        self.thoughts = thoughts
        most = max(map(len, thoughts.values()))
        self._set(self.play, max=most)
        self._set(self.slider, max=most, value=min(max(self.slider.value, 1), most))
        self._lay_out()
        self._draw_curves()
        self.show()
        self.message.value = ""

    def _lay_out(self) -> None:
        first = next(iter(self.thoughts.values()))
        wanted = (len(self.thoughts), first.puzzle.size, first.puzzle_name)
        if getattr(self, "_layout", None) == wanted:
            return
        self._layout = wanted
        pick = self.message.guard(self.choose)
        views = [BoardView(first.puzzle.size, first.puzzle_name, pick) for _ in self.thoughts]
        titled = [widgets.VBox([widgets.HTML(), view], layout={"margin": "0 14px 0 0"})
                  for view in views]  # fmt: skip
        self.views.children = titled

    def _draw_curves(self) -> None:
        figure = dynamics.curves(self.thoughts, self.cell)
        spans = [ax.get_position() for ax in figure.axes]
        low, high = figure.axes[0].get_xlim()
        self._marker = (spans[0].x0, spans[0].width, 1 - spans[0].y1, spans[0].y1 - spans[-1].y0,
                        low, high)  # fmt: skip
        picture = base64.b64encode(to_png(figure)).decode()
        self.curves.value = (
            '<div style="position:relative;display:inline-block">'
            f'<img alt="curves" src="data:image/png;base64,{picture}">'
            f'<div class="trm-marker trm-marker-{id(self)}" style="position:absolute;width:6px;'
            f'background:{CHANGED};opacity:0.5"></div></div>'
        )

    def choose(self, cell: int) -> None:
        """Follow one cell (from 0) through time."""
        self.cell = None if cell == self.cell else cell
        self._draw_curves()
        self.show()

    def show(self) -> None:
        """Show the frame that the slider is on."""
        if not self.thoughts:
            return
        frame, traces = self.slider.value, list(self.thoughts.items())
        for i, (name, thought) in enumerate(traces):
            here = min(frame, len(thought))
            other = traces[1 - i][1] if len(traces) == 2 else None
            title, view = self.views.children[i].children
            view.show(looks(thought, here, self.cell, other))
            title.value = f"<b>{html.escape(name)}</b>"
        self.caption.value = html.escape(" | ".join(caption(t, frame, self.cell)
                                                    for _, t in traces))  # fmt: skip
        left, width, top, height, low, high = self._marker
        place = left + width * (frame - low) / (high - low)
        self.marker.value = (  # so little is sent that a move of the slider shows at once
            f"<style>.trm-marker-{id(self)} {{ display: {'block' if frame else 'none'}; "
            f"left: calc({100 * place:.2f}% - 3px); top: {100 * top:.1f}%; "
            f"height: {100 * height:.1f}%; }}</style>"
        )

    def _force(self) -> None:
        """Force the chosen cell after the supervision step shown, and compare."""
        if self.cell is None:
            raise UserError("Choose the cell to force by a click on it.")
        first = next(iter(self.thoughts.values()))
        frame = self.slider.value
        step = int(first.places[min(frame, len(first)) - 1][0]) if frame else 0
        value = {"path": maze.PATH, "open": maze.OPEN}.get(self.digit.value)
        self.push = Push(step, self.cell, int(self.digit.value) if value is None else value)
        self._set(self.second, value=WHAT_IF)
        self.think()


def caption(thought: Trace, frame: int, cell: int | None = None) -> str:
    """One line on a frame: what is wrong, what is believed, and what stands in the chosen cell."""
    frame = min(frame, len(thought))
    if frame == 0:
        return f"the puzzle, {(thought.puzzle == 0).sum()} blanks" * (
            thought.puzzle_name == "sudoku"
        )
    parts = [f"{thought.label(frame)}: {boards.verdict(thought, frame)}"]
    belief = thought.halt[frame - 1]
    parts.append("no halting head" if np.isnan(belief) else f"believes it is done: {belief:.0%}")
    if cell is not None:
        side = round(thought.puzzle.size**0.5)
        sure = thought.confidence[frame - 1, cell]
        text = looks(thought, frame)[cell].text or "blank"
        parts.append(f"row {cell // side + 1}, column {cell % side + 1}: {text} with {sure:.0%}")
    return " · ".join(parts)


def _sizes(model: Network) -> tuple[int, int]:
    return model.config.vocab_size, model.config.seq_len
