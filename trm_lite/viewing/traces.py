"""Traces: recordings of how a network thinks about a puzzle, and how to save and load them.

`trm_lite.viewing.recorder` makes them.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.common.files import DAMAGED, write_atomically
from trm_lite.puzzles import Puzzle, get_puzzle
from trm_lite.puzzles.known import from_description, name_of_earlier
from trm_lite.puzzles.puzzle import PAD

Grain = Literal["step", "recursion", "application"]


@dataclass(frozen=True)
class Trace:
    """A network's thought about one question, recorded at F moments, the frames.

    L cells, V tokens; boards are tokens. Where the solution holds padding, nothing is graded, and
    nothing can be wrong. Raises UserError without any frame, and if boards and question differ in
    size.
    """

    question: np.ndarray  # (L,) what was to be solved
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
    puzzle: Puzzle = field(kw_only=True)  # what the tokens mean
    grain: Grain = "step"  # what a frame is
    thinks: int = 0  # latent updates per recursion; application `thinks + 1` updates the answer

    def __post_init__(self):
        if len(self.boards) == 0:
            raise UserError("This trace is empty; record at least one supervision step.")
        if self.boards.shape[-1] != self.question.size:
            raise UserError(
                f"This trace has boards of {self.boards.shape[-1]} cells, but its question has "
                f"{self.question.size}; record it again from that question."
            )

    def __len__(self) -> int:
        return len(self.boards)

    @cached_property
    def graded(self) -> np.ndarray:
        """The cells (L,) that count. Without a known solution, all do."""
        if self.solution is None:
            return np.ones(self.question.shape, bool)
        return self.solution != PAD

    @cached_property
    def shown(self) -> np.ndarray:
        """The boards (F, L) as they are drawn: what is not graded shows the question, or nothing.

        Text shows nothing there, because what follows its end has no meaning.
        """
        is_text = self.puzzle.shape[0] == 1
        return np.where(self.graded, self.boards, PAD if is_text else self.question)

    def faults(self) -> np.ndarray:
        """The cells (F, L) that are wrong. If no solution is known, those that break a rule."""
        if self.solution is None:
            return self.rule_breaks()
        return (self.boards != self.solution) & self.graded

    def rule_breaks(self) -> np.ndarray:
        """The cells (F, L) that break a rule of the puzzle; none where its rules are not known."""
        return self._broken

    @cached_property
    def _broken(self) -> np.ndarray:
        answers = np.where(self.graded, self.boards, PAD).astype(self.boards.dtype)
        questions = np.tile(self.question, (len(answers), 1))
        return self.puzzle.broken(questions, answers)

    def is_valid(self, frame: int) -> bool:
        """Whether the board in frame number `frame`, from 1, is known to keep all rules."""
        return self.puzzle.breaks is not None and not self._broken[frame - 1].any()

    def changed(self) -> np.ndarray:
        """The graded cells (F, L) that differ from the frame before; none in the first frame."""
        changes = np.zeros(self.boards.shape, bool)
        changes[1:] = (self.boards[1:] != self.boards[:-1]) & self.graded
        return changes

    @property
    def solved(self) -> bool:
        """Whether the last board is the solution, or another answer that keeps all rules."""
        return not self.faults()[-1].any() or self.is_valid(len(self))

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


ALIKE = ("places", "puzzle", "grain", "thinks")  # the same in all traces of a recording
EACH = tuple(field.name for field in fields(Trace) if field.name not in ALIKE)


def save_traces(traces: Sequence[Trace], path: Path) -> None:
    """Save traces of one recording in a .npz file.

    Raises UserError without any trace, if they differ in length or grain, and if writing fails.
    """
    if not traces:
        raise UserError("There is no trace to save; record one first.")
    if len({(len(t), t.question.size, t.puzzle.name, t.grain) for t in traces}) > 1:
        raise UserError(
            "A file can only hold traces of the same length, grain and sort of puzzle; "
            "save the others in another file."
        )
    first = traces[0]
    about = {"puzzle": first.puzzle.described(), "grain": first.grain, "thinks": first.thinks}
    parts: dict[str, np.ndarray] = {"about": np.array(json.dumps(about))}
    if first.places is not None:
        parts["places"] = first.places
    for name in EACH:
        values = [getattr(t, name) for t in traces]
        if name == "solution":
            parts["known"] = np.array([value is not None for value in values])
            values = [np.zeros_like(first.question) if v is None else v for v in values]
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
        if not isinstance(about.get("puzzle"), dict):
            about, parts = _of_earlier(about, parts)
        else:
            about["puzzle"] = from_description(about["puzzle"])
        known = parts.pop("known")
        traces = []
        for row in range(len(known)):
            own = {name: part[row] for name, part in parts.items()}
            own["solution"] = own["solution"] if known[row] else None
            traces.append(Trace(**own, places=places, **about))
        return traces
    except (*DAMAGED, TypeError) as error:
        raise UserError(f"{path} holds no traces ({error}); record them again.") from error


def _of_earlier(about: dict, parts: dict) -> tuple[dict, dict]:
    """What a file of an earlier version says, whose Sudokus and mazes were no tokens."""
    family = about.pop("puzzle_name", None) or about.pop("kind")
    parts["question"] = parts.pop("puzzle")
    if family != "arc":
        parts |= {name: parts[name] + 1 for name in ("question", "boards", "solution")}
    puzzle = get_puzzle(name_of_earlier(family, parts["question"].shape[-1]))
    return about | {"puzzle": puzzle}, parts
