"""Traces: recordings of how a network thinks about a puzzle, and how to save and load them.

`trm_lite.viewing.recorder` makes them.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.common.files import DAMAGED, write_atomically
from trm_lite.puzzles import maze, sudoku

Grain = Literal["step", "recursion", "application"]


@dataclass(frozen=True)
class Trace:
    """A network's thought about one puzzle, recorded at F moments, the frames.

    L cells, V tokens. Raises UserError without any frame, and if boards and puzzle differ in size.
    """

    puzzle: np.ndarray  # (L,)
    boards: np.ndarray  # (F, L) the answer in each frame
    confidence: np.ndarray  # (F, L) probability of the answer shown in each cell, in 0..1
    halt: np.ndarray  # (F,) belief that the whole answer is right, in 0..1; NaN without such a head
    solution: np.ndarray | None = None  # (L,) the right answer, if it is known
    entropy: np.ndarray | None = None  # (F, L) entropy of each cell's probabilities, in bits
    y_residual: np.ndarray | None = None  # (F,) root mean square of y's change since the last frame
    z_residual: np.ndarray | None = None  # (F,) the same of z; NaN without z
    y_cosine: np.ndarray | None = None  # (F,) cosine similarity of y with y in the final frame
    z_cosine: np.ndarray | None = None  # (F,) the same of z; NaN without z
    places: np.ndarray | None = None  # (F, 3) supervision step, recursion, application, from 1
    probabilities: np.ndarray | None = None  # (F, L, V) of each token in each cell, float16
    y: np.ndarray | None = None  # (F, K) y, whole or projected
    z: np.ndarray | None = None  # (F, K) z, whole or projected
    puzzle_name: str = "sudoku"  # what the cells mean: "sudoku", "maze" or "arc"
    grain: Grain = "step"  # what a frame is
    thinks: int = 0  # latent updates per recursion; application `thinks + 1` updates the answer

    def __post_init__(self):
        if len(self.boards) == 0:
            raise UserError("This trace is empty; record at least one supervision step.")
        if self.boards.shape[-1] != self.puzzle.size:
            raise UserError(
                f"This trace has boards of {self.boards.shape[-1]} cells, but its puzzle has "
                f"{self.puzzle.size}; record it again from that puzzle."
            )

    def __len__(self) -> int:
        return len(self.boards)

    def faults(self) -> np.ndarray:
        """The cells (F, L) that are wrong. If no solution is known, those that break a rule."""
        return self.rule_breaks() if self.solution is None else self.boards != self.solution

    def rule_breaks(self) -> np.ndarray:
        """The cells (F, L) that break a rule of the puzzle, or differ from what was given.

        In ARC, whose rule is unknown, there are none.
        """
        if self.puzzle_name == "sudoku":
            changed_clues = (self.puzzle != 0) & (self.boards != self.puzzle)
            return sudoku.violations(self.boards) | changed_clues
        if self.puzzle_name == "maze":  # only open cells may become part of the path
            path = (self.boards == maze.PATH) & (self.puzzle == maze.OPEN)
            return (self.boards != self.puzzle) & ~path
        return np.zeros(self.boards.shape, bool)

    def changed(self) -> np.ndarray:
        """The cells (F, L) that differ from the frame before; none in the first frame."""
        changes = np.zeros(self.boards.shape, bool)
        changes[1:] = self.boards[1:] != self.boards[:-1]
        return changes

    @property
    def solved(self) -> bool:
        """Whether the last board is right. If no solution is known, whether it breaks no rule."""
        return not self.faults()[-1].any()

    @property
    def settled(self) -> int:
        """The number of the frame, from 1, in which the board changed for the last time."""
        moving = np.flatnonzero(self.changed().any(1))
        return int(moving.max()) + 1 if len(moving) else 1

    def label(self, frame: int) -> str:
        """The name of frame number `frame`, from 1; 0 is the puzzle."""
        if frame == 0:
            return "puzzle"
        if self.places is None or self.grain == "step":
            return f"step {frame}"
        step, recursion, application = self.places[frame - 1]
        if self.grain == "recursion":
            return f"step {step}, recursion {recursion}"
        job = "answer" if application > self.thinks else f"think {application}"
        return f"step {step}, recursion {recursion}, {job}"

    def first(self, frames: int) -> "Trace":
        """The first `frames` frames of the trace."""
        parts = {name: getattr(self, name) for name in PER_FRAME}
        return replace(self, **{k: v[:frames] for k, v in parts.items() if v is not None})

    def until_settled(self, margin: int = 1) -> "Trace":
        """The trace up to `margin` frames after the board changed for the last time."""
        return self.first(self.settled + margin)


PER_FRAME = (
    "boards", "confidence", "halt", "entropy", "y_residual", "z_residual", "y_cosine", "z_cosine",
    "places", "probabilities", "y", "z",
)  # fmt: skip


ALIKE = ("places", "puzzle_name", "grain", "thinks")  # the same in all traces of a recording
EACH = tuple(field.name for field in fields(Trace) if field.name not in ALIKE)


def save_traces(traces: Sequence[Trace], path: Path) -> None:
    """Save traces of one recording in a .npz file.

    Raises UserError without any trace, if they differ in length or grain, and if writing fails.
    """
    if not traces:
        raise UserError("There is no trace to save; record one first.")
    if len({(len(t), t.puzzle.size, t.puzzle_name, t.grain) for t in traces}) > 1:
        raise UserError(
            "A file can only hold traces of the same length, grain and sort of puzzle; "
            "save the others in another file."
        )
    parts: dict[str, np.ndarray] = {
        "about": np.array(json.dumps({name: getattr(traces[0], name) for name in ALIKE[1:]}))
    }
    if traces[0].places is not None:
        parts["places"] = traces[0].places
    for name in EACH:
        values = [getattr(t, name) for t in traces]
        if name == "solution":
            parts["known"] = np.array([value is not None for value in values])
            values = [np.zeros_like(traces[0].puzzle) if v is None else v for v in values]
        if all(value is not None for value in values):
            parts[name] = np.stack(values)
    kept = io.BytesIO()
    np.savez_compressed(kept, **parts)
    write_atomically(path, kept.getvalue())


def load_traces(path: Path) -> list[Trace]:
    """Load the traces that `save_traces` wrote.

    Raises UserError if the file is missing, damaged, or holds something else.
    """
    if not Path(path).is_file():
        raise UserError(f"There is no traces file {path}; check the path.")
    try:
        with np.load(path) as file:
            parts = {name: file[name] for name in file.files}
        about, places = json.loads(str(parts.pop("about"))), parts.pop("places", None)
        if "kind" in about:  # the name of this entry in older files
            about["puzzle_name"] = about.pop("kind")
        known = parts.pop("known")
        traces = []
        for row in range(len(known)):
            own = {name: part[row] for name, part in parts.items()}
            own["solution"] = own["solution"] if known[row] else None
            traces.append(Trace(**own, places=places, **about))
        return traces
    except (*DAMAGED, TypeError) as error:
        raise UserError(f"{path} holds no traces ({error}); record them again.") from error
