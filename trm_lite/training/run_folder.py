"""A training run on disk, so that nothing is lost and everything can be read.

    preset.json           what is being run
    metrics.jsonl         one JSON object per look at the validation puzzles
    last.pt               the full state: weights, EMA, optimisers, slots, random state, step
    last.safetensors      EMA weights at the last look      } to evaluate, share, solve with
    best.safetensors      EMA weights at the best look      }

Where TensorBoard is installed, the metrics go there too (`tensorboard --logdir runs`).
"""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.nets.build import Network
from trm_lite.nets.weights import save_weights
from trm_lite.training.recipe import Preset, from_dict, replace


class RunFolder:
    """The folder of one run. Raises UserError if it holds another experiment."""

    def __init__(self, path: Path, preset: Preset):
        self.path, self.preset = path, preset
        self.marker = path / "preset.json"
        if self.marker.exists() and (other := _differing(self.marker, preset)):
            raise UserError(
                f"{path} holds another run, {other}; choose another folder or delete it.", "out"
            )
        self._board = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other processes out for as long as this one trains here; only then does it write.

        Raises UserError if another one trains here already, and then leaves everything as it is.
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
            yield
        finally:
            lock.release()

    def saved_state(self) -> dict | None:
        """The full state to go on from, if there is one."""
        file = self.path / "last.pt"
        return load_state(file) if file.exists() else None

    def save_state(self, state: dict) -> None:
        """Replace the full state."""
        save_state(state, self.path / "last.pt")

    def begin(self, history: list[dict]) -> None:
        """Say what is run here, and let the metrics be `history`.

        A run that was killed may have looked at more after its last save.
        """
        described = json.dumps(dataclasses.asdict(self.preset), indent=1)
        write_atomically(self.marker, described.encode())
        self._write_metrics(history)

    def _write_metrics(self, history: list[dict]) -> None:
        lines = "".join(json.dumps(look) + "\n" for look in history)
        write_atomically(self.path / "metrics.jsonl", lines.encode())

    def note(self, history: list[dict], model: Network, best: bool) -> None:
        """Write the metrics down, and keep the weights that the last look was taken of.

        Raises UserError if the disk is full; the metrics so far stay as they are.
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
    """What is being run in the folder `run`."""
    marker = run / "preset.json"
    try:
        return from_dict(json.loads(marker.read_text()))
    except (OSError, ValueError) as error:
        raise UserError(f"{marker} is missing or damaged; delete {run} to start afresh.") from error


def _differing(marker: Path, preset: Preset) -> str:
    """The first setting in which the run in a folder is not that of `preset`; "" if there is none.

    How often it looks may change. And how long it goes, if the rate is constant but for a
    cool-down at the end.
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
    """Every field of a preset by its name, wherever it stands."""
    fields = dataclasses.asdict(preset)
    for part in ("data", "model", "recipe"):
        fields |= fields.pop(part)
    return fields


def _tensorboard(path: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(path)


def save_state(state: dict, path: Path) -> None:
    """Save everything that a training run needs to continue exactly."""
    buffer = BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path) -> dict:
    """What `save_state` wrote. Nothing in the file is executed (`weights_only`)."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no checkpoint {path}; check the path.") from error
    except Exception as error:  # rubbish makes the parser raise whatever it likes
        raise UserError(
            f"The checkpoint {path} is damaged or not a checkpoint; delete it to start afresh."
        ) from error
