"""The recursion microscope: any network of the course, any puzzle, in slow motion.

A thin shell. What a thought is comes from `recorder`, how its cells look from `looks`, and its
curves from `curve_sketch`. A thought is recorded once and sent whole, so the browser alone moves
through it.
"""

from pathlib import Path

import ipywidgets as widgets
import numpy as np

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.nets.build import Network, puzzle_of
from trm_lite.nets.weights import load_weights
from trm_lite.thinking import MAX_STEPS
from trm_lite.viewing.browser_parts import ThoughtView
from trm_lite.viewing.recorder import Push
from trm_lite.viewing.traces import Trace
from trm_lite.viewing.widgets import EDITOR, BoardEditor, Message, Panel, row, think

MOST_CELLS = 225  # that are large enough to be clicked
GRAINS = {"supervision steps": "step", "full recursions": "recursion",
          "every application": "application"}  # fmt: skip
NOTHING, WHAT_IF = "nothing", "what if"
OPENS, CLOSES = "Your own puzzle: type it here", "Your own puzzle: close"


class Microscope(Panel):
    """Choose a network and a puzzle, and look at every moment of the thought.

    Args:
        models: Networks by name.
        puzzles: Questions (L,) by name, as tokens, for at least one of the networks; or each with
            its answer, (2, L).
        steps: Supervision steps to think at first.
    """

    def __init__(
        self, models: dict[str, Network], puzzles: dict[str, np.ndarray], *, steps: int = MAX_STEPS
    ):
        if not isinstance(models, dict) or not isinstance(puzzles, dict):
            raise UserError('The microscope takes models and puzzles by name: {"mine": model}.')
        if not models or not puzzles:
            raise UserError("The microscope needs at least one model and one puzzle.")
        self.models, self.puzzles = dict(models), dict(puzzles)
        self.cell: int | None = None
        self.push: Push | None = None
        self.editor: BoardEditor | None = None
        self.thoughts: dict[str, Trace] = {}  # the run, and the second one if there is any
        self._quiet = False
        self._build(steps)
        self._wire()
        self.message.guard(self._new_model)()

    # --- parts -----------------------------------------------------------------------------------

    def _build(self, steps: int) -> None:
        self.model = _labelled(widgets.Dropdown, "model", options=list(self.models))
        self.puzzle = _labelled(widgets.Dropdown, "puzzle", options=[])
        self.grain = _labelled(widgets.Dropdown, "show", options=GRAINS)
        self.steps = _labelled(widgets.BoundedIntText, "steps", value=steps, min=1, max=256)
        self.noise = _labelled(widgets.BoundedFloatText, "noise in z", max=3, step=0.1)
        self.seed = _labelled(widgets.BoundedIntText, "its seed", max=9999)
        self.file = _labelled(widgets.Text, "weights", width="340px", continuous_update=False,
                              placeholder="your own .safetensors file, then Enter")  # fmt: skip
        self.second = _labelled(widgets.Dropdown, "beside it", options=[NOTHING])
        self.digit = _labelled(widgets.Dropdown, "what if", options=[])
        self.force = widgets.Button(description="put it there", layout={"width": "auto"},
                                    tooltip="force the chosen cell")  # fmt: skip
        self.message = Message()
        self.view = ThoughtView(self.message.guard(self.choose))
        self.view.frame = 1
        self.yours = widgets.VBox(layout={"display": "none", **EDITOR})
        self.opener = widgets.ToggleButton(
            description=OPENS,
            icon="chevron-right",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        note = Message()
        note.say(
            "Click a cell, or press Enter on it, to follow it. If a change is not answered, the "
            "kernel has stopped: choose Run, then Restart Kernel and Run All Cells."
        )
        super().__init__(
            [
                row(self.model, self.puzzle, self.grain, self.steps),
                row(self.noise, self.seed, self.file),
                row(self.second, self.digit, self.force),
                self.opener,
                self.message,
                row(self.yours, self.view),
                note,
            ]
        )
        for part, name in (
            (self, "microscope"), (self.second, "second"), (self.grain, "grain"),
            (self.file, "file"), (self.opener, "opener"), (self.yours, "yours"),
        ):  # fmt: skip
            part.add_class(f"trm-{name}")  # for whoever wants to style or to test it

    def _wire(self) -> None:
        for part, work in (
            (self.model, self._new_model),
            (self.puzzle, self._new_puzzle),
            (self.file, self._new_file),
            (self.opener, self._unfold),
            *((part, self.think) for part in (self.grain, self.steps, self.noise, self.seed,
                                              self.second)),
        ):  # fmt: skip
            part.observe(self._unless_quiet(work), names="value")
        self.force.on_click(self.message.guard(lambda _: self._force()))

    def _unfold(self) -> None:
        """Show or hide the board to type into."""
        is_open = self.opener.value
        self.yours.layout.display = "" if is_open else "none"
        self.opener.description = CLOSES if is_open else OPENS
        self.opener.icon = "chevron-down" if is_open else "chevron-right"

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
        fitting = [name for name, board in self.puzzles.items() if self._fits(board)]
        if not fitting:
            raise UserError(
                f"“{self.model.value}” reads boards of {cells} cells, and there is no such puzzle "
                "here; choose another model."
            )
        kept = self.puzzle.value if self.puzzle.value in fitting else fitting[0]
        self._set(self.puzzle, options=fitting, value=kept)
        puzzle = puzzle_of(self.network)
        others = [name for name, other in self.models.items()
                  if name != self.model.value and puzzle_of(other).name == puzzle.name
                  and other.config.seq_len == cells]  # fmt: skip
        self._set(self.second, options=[NOTHING, WHAT_IF, *others], value=NOTHING)
        self._new_puzzle()

    def _fits(self, board: np.ndarray) -> bool:
        """Whether a question, or one with its answer, is a board of the network's puzzle."""
        if np.shape(board)[-1] != self.network.config.seq_len:
            return False
        try:
            puzzle_of(self.network).check_tokens(np.asarray(board))
        except PuzzleError:
            return False
        return True

    def _new_puzzle(self) -> None:
        chosen = np.atleast_2d(self.puzzles[self.puzzle.value])
        self.board, self.solution = chosen[0], chosen[1] if len(chosen) > 1 else None
        puzzle, config = puzzle_of(self.network), self.network.config
        if config.seq_len > MOST_CELLS:
            raise UserError(
                f"{config.seq_len} cells are too many to click on; watch this model with "
                "widgets.watch(trace(model, puzzle))."
            )
        values = sorted(range(1, puzzle.vocab_size), key=puzzle.to_find)  # blanks come last
        self._set(self.digit, options=[(puzzle.word(v), v) for v in values], value=values[0])
        if self.editor is None or self.editor.puzzle != puzzle:
            self.editor = BoardEditor(puzzle, self.board)
        self.yours.children = [self.editor]
        self.editor.on_edit = lambda board: None
        self.editor.set(self.board)
        self.editor.on_edit = self._edited
        self.cell, self.push = None, None
        self.think()

    def _edited(self, board: np.ndarray) -> None:
        self.board, self.solution, self.push = board, None, None
        self.message.guard(self.think)()

    def _new_file(self) -> None:
        """Add a checkpoint from a file to the models, and choose it."""
        path = self.file.value.strip()
        if not path:
            return
        model, _ = load_weights(Path(path).expanduser())
        puzzle_of(model)
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
        if self.solution is not None:
            options["solutions"] = self.solution
        name, second = self.model.value, self.second.value
        thoughts = {name: think(self.network, self.board, **options)}
        if second == WHAT_IF:
            if self.push is None:
                raise UserError(
                    "What if? Choose a cell by a click, a value and a frame, then press "
                    "“put it there”."
                )
            thoughts[WHAT_IF] = think(self.network, self.board, push=self.push, **options)
        elif second != NOTHING:
            thoughts[second] = think(self.models[second], self.board, **options)
        self.thoughts = thoughts
        self.view.show(thoughts, self.cell)
        self.message.say("")

    def choose(self, cell: int) -> None:
        """Follow one cell (from 0) through time; the same one again: follow none."""
        self.cell = None if cell == self.cell else cell
        self.view.show(self.thoughts, self.cell)

    def _force(self) -> None:
        """Force the chosen cell after the supervision step shown, and compare."""
        if self.cell is None:
            raise UserError("Choose the cell to force by a click on it.")
        first = next(iter(self.thoughts.values()))
        frame = self.view.frame
        step = int(first.places[min(frame, len(first)) - 1][0]) if frame else 0
        self.push = Push(step, self.cell, self.digit.value)
        self._set(self.second, value=WHAT_IF)
        self.think()


def _labelled(widget: type[widgets.Widget], label: str, width: str = "auto", **options):
    """A control with its label, no wider than the page."""
    return widget(
        description=label,
        style={"description_width": "auto"},
        layout={"width": width, "max_width": "100%", "margin": "2px 14px 2px 0"},
        **options,
    )
