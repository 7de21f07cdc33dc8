"""The folder of a training run: its settings, metrics, weights and full state.

    preset.json           the experiment and all of its settings
    metrics.jsonl         one JSON object per validation ("look")
    last.pt               the full state: weights, EMA, optimisers, slots, random state, step
    previous.pt           the full state that was saved before that one
    last.safetensors      EMA weights at the last validation    } to evaluate, share, solve with
    best.safetensors      EMA weights at the best validation    }
    puzzle.py             a copy of the puzzle file, for a puzzle of your own

If TensorBoard is installed, the metrics go there too (`tensorboard --logdir runs`).
"""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.data.settings import BuiltData
from trm_lite.nets.build import Network
from trm_lite.nets.weights import save_weights
from trm_lite.training.recipe import Preset, from_dict, replace
from trm_lite.training.saved_state import PREVIOUS, keep, load_state, lost, packed


class RunFolder:
    """Reads and writes the folder of one run. Raises UserError if it holds another experiment."""

    def __init__(self, path: Path, preset: Preset):
        self.path, self.preset = path, preset
        self.marker = path / "preset.json"
        if (path / "about.json").exists():
            raise UserError(f"{path} holds puzzles; choose another folder for the run.", "out")
        if self.marker.exists() and (other := _differing(self.marker, preset)):
            raise UserError(
                f"{path} holds another run, {other}; choose another folder, or delete this one.",
                "out",
            )
        self._board = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Lock the folder while this process trains there; needed before any writing.

        Raises UserError, and changes nothing, if another process is training there.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"Another process is training in {self.path}; wait for it, stop it, or choose "
                "another folder.",
                "out",
            ) from error
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}.") from error
        try:
            for leftover in self.path.glob(".*.tmp"):  # of a process killed while it was writing
                leftover.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def saved_state(self, mapped: bool = False) -> dict | None:
        """The full state to continue from, or None in a new run; `mapped` as in `load_state`."""
        file = self.path / "last.pt"
        if file.exists():
            return load_state(file, mapped)
        if (self.path / PREVIOUS).exists():
            raise lost(file)
        return None

    def save_state(self, state: dict) -> None:
        """Write the full state; the earlier one becomes the previous state."""
        keep(packed(state), self.path / "last.pt")

    def begin(self, history: list[dict]) -> None:
        """Write the settings, and set the metrics back to `history`.

        A run that was killed may have recorded more metrics after its last save.
        """
        described = json.dumps(dataclasses.asdict(self.preset), indent=1)
        write_atomically(self.marker, described.encode())
        self.preset.data.keep_in(self.path)
        self._write_metrics(history)

    def _write_metrics(self, history: list[dict]) -> None:
        lines = "".join(json.dumps(look) + "\n" for look in history)
        write_atomically(self.path / "metrics.jsonl", lines.encode())

    def note(self, history: list[dict], model: Network, best: bool) -> None:
        """Write the metrics, and the weights at the last validation.

        Raises UserError if the disk is full; then earlier metrics remain.

        Args:
            history: the metrics of all validations, the last one included.
            model: the EMA weights.
            best: whether this is the best validation so far.
        """
        self._write_metrics(history)
        look = history[-1]
        about = {"preset": dataclasses.asdict(self.preset), "look": look}
        for name in ("last", "best") if best else ("last",):
            save_weights(model, self.path / f"{name}.safetensors", about)
        self._board = self._board or _tensorboard(self.path)
        if self._board is not None:
            for name, value in look.items():
                self._board.add_scalar(name, value, look["step"])
            self._board.flush()


def preset_of(run: Path) -> Preset:
    """The preset of the run folder `run`. Raises UserError if it cannot be read."""
    marker = run / "preset.json"
    try:
        preset = from_dict(json.loads(marker.read_text()))
        return dataclasses.replace(preset, data=preset.data.seen_from(run))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{marker} is missing or damaged; delete {run} to start afresh.") from error


def _differing(marker: Path, preset: Preset) -> str:
    """The first setting in which a run differs from `preset`, in words; "" if it continues it.

    How often it is validated may change. So may its length, if the learning rate is constant
    apart from a cool-down at the end.
    """
    old, recipe = preset_of(marker.parent), preset.recipe
    old = replace(old, eval_every=recipe.eval_every)
    if old.recipe.min_lr_ratio == 1:
        old = replace(old, steps=recipe.steps, cooldown_steps=recipe.cooldown_steps)
    there, here = _settings(old), _settings(preset)
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            return f"with {name} {there.get(name)} and not {here.get(name)}"
    return ""


def _settings(preset: Preset) -> dict:
    """All fields of a preset and of its parts, by name; only its description is left out."""
    parts = (preset.data, preset.model, preset.recipe)
    fields = {"preset": preset.name, "seed": preset.seed}
    for part in parts:
        fields |= dataclasses.asdict(part)
    if isinstance(preset.data, BuiltData):  # where it is counts, not how that was said
        fields["folder"] = str(preset.data.path.resolve())
    fields.pop("file", None)  # what is in it counts
    return fields


def _tensorboard(path: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(path)
