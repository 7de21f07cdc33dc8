"""Traces: what was seen of a network's thought, and how it is kept on disk.

`recorder` makes them.
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
    """One puzzle in a network's mind, at each of F moments. L cells, V tokens."""

    puzzle: np.ndarray  # (L,)
    boards: np.ndarray  # (F, L) the answer as it stood
    confidence: np.ndarray  # (F, L) probability given to what is shown, 0..1
    halt: np.ndarray  # (F,) belief that the whole answer is right, 0..1; NaN without such a head
    solution: np.ndarray | None = None  # (L,) the right answer, if it is unique
    entropy: np.ndarray | None = None  # (F, L) of each cell's probabilities, in bits
    y_residual: np.ndarray | None = None  # (F,) root mean square of the change since last frame
    z_residual: np.ndarray | None = None  # (F,) NaN where there is no z
    y_cosine: np.ndarray | None = None  # (F,) between y and what it is in the last frame
    z_cosine: np.ndarray | None = None  # (F,)
    places: np.ndarray | None = None  # (F, 3) supervision step, recursion, application, from 1
    probabilities: np.ndarray | None = None  # (F, L, V) of the tokens of each cell, float16
    y: np.ndarray | None = None  # (F, K) latents, whole or projected
    z: np.ndarray | None = None  # (F, K)
    puzzle_name: str = "sudoku"  # sudoku, maze or arc: what the cells mean
    grain: Grain = "step"
    thinks: int = 0  # latent updates per full recursion; application number `thinks + 1` answers

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
        """(F, L) which cells are wrong; without a known solution, which break a rule."""
        return self.rule_breaks() if self.solution is None else self.boards != self.solution

    def rule_breaks(self) -> np.ndarray:
        """(F, L) which cells break a rule of the puzzle or change what was given."""
        if self.puzzle_name == "sudoku":
            changed_clues = (self.puzzle != 0) & (self.boards != self.puzzle)
            return sudoku.violations(self.boards) | changed_clues
        if self.puzzle_name == "maze":  # only open cells may become path
            path = (self.boards == maze.PATH) & (self.puzzle == maze.OPEN)
            return (self.boards != self.puzzle) & ~path
        return np.zeros(self.boards.shape, bool)

    def changed(self) -> np.ndarray:
        """(F, L) which cells are not as in the frame before; none in the first."""
        changes = np.zeros(self.boards.shape, bool)
        changes[1:] = self.boards[1:] != self.boards[:-1]
        return changes

    @property
    def solved(self) -> bool:
        """Whether the last board is right, or, without a known solution, breaks no rule."""
        return not self.faults()[-1].any()

    @property
    def settled(self) -> int:
        """The frame (from 1) in which the board changed for the last time."""
        moving = np.flatnonzero(self.changed().any(1))
        return int(moving.max()) + 1 if len(moving) else 1

    def label(self, frame: int) -> str:
        """What frame number `frame` (from 1; 0 is the puzzle) is called."""
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
        """The first `frames` frames."""
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
    """Write traces of one recording, all of the same length, into `path` (.npz)."""
    if not traces:
        raise UserError("There is no trace to save; record one first.")
    if len({(len(t), t.puzzle.size, t.puzzle_name, t.grain) for t in traces}) > 1:
        raise UserError(
            "Only traces of the same length, grain and puzzle go into one file; "
            "save the others on their own."
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
    """What `save_traces` wrote. UserError if it is not there, damaged or something else."""
    if not Path(path).is_file():
        raise UserError(f"There is no file of traces {path}; check the path.")
    try:
        with np.load(path) as file:
            parts = {name: file[name] for name in file.files}
        about, places = json.loads(str(parts.pop("about"))), parts.pop("places", None)
        if "kind" in about:  # older files
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
