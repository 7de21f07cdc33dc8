"""Traces on disk: all of a recording in one .npz file."""

import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from trm_lite.errors import UserError
from trm_lite.files import write_atomically
from trm_lite.puzzles.generated import DAMAGED
from trm_lite.tracing import Trace

ALIKE = ("places", "kind", "grain", "thinks")  # the same in all traces of a recording
EACH = tuple(field.name for field in fields(Trace) if field.name not in ALIKE)


def save_traces(traces: Sequence[Trace], path: Path) -> None:
    """Write traces of one recording, all of the same length, into `path` (.npz)."""
    if not traces:
        raise UserError("There is no trace to save; record one first.")
    if len({(len(t), t.puzzle.size, t.kind, t.grain) for t in traces}) > 1:
        raise UserError(
            "Only traces of the same length, grain and kind of puzzle go into one file; "
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
        known = parts.pop("known")
        traces = []
        for row in range(len(known)):
            own = {name: part[row] for name, part in parts.items()}
            own["solution"] = own["solution"] if known[row] else None
            traces.append(Trace(**own, places=places, **about))
        return traces
    except (*DAMAGED, TypeError) as error:
        raise UserError(f"{path} holds no traces ({error}); record them again.") from error
