"""Files: weights to share (safetensors) and the full state of a training run to go on from."""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from trm_lite.common.errors import UserError
from trm_lite.common.files import ASSETS, write_atomically
from trm_lite.nets.build import Network, build_network
from trm_lite.nets.configs import config_from_dict
from trm_lite.nets.reasoner import Reasoner


def save_weights(model: Network, path: Path, about: dict, half: bool = False) -> None:
    """Save weights and configuration as safetensors; `about` says where they come from.

    With `half` in half precision, which is enough to solve with, not to go on training exactly.
    """
    metadata = {
        "config": json.dumps(dataclasses.asdict(model.config)),
        "about": json.dumps(about),
    }
    tensors = {
        name: (tensor.half() if half else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    write_atomically(path, to_safetensors(tensors, metadata))


def load_weights(path: Path | str, device: torch.device | str = "cpu") -> tuple[Network, dict]:
    """The model in `path` (safetensors written by `save_weights`), and what is said about it."""
    if not Path(path).is_file():
        raise UserError(
            f"There is no weights file {path}; check the path, "
            "or make it first with trm-lite train."
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({error}); copy or train it again."
        ) from error
    try:
        config = config_from_dict(json.loads(metadata["config"]))
        about = json.loads(metadata["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} does not say which model it holds; it was not saved by trm_lite."
        ) from error
    model = build_network(config)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"The weights in {path} do not fit its own configuration: {detail}"
        ) from error
    return model.to(device).eval(), about


WEIGHTS_FOLDER = ASSETS / "weights"


def shipped(name: str) -> tuple[Network, dict]:
    """The trained network `name` that comes with the course, such as "sudoku-6x6"."""
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    if not path.exists():
        here = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise UserError(
            f"No weights called '{name}' come with the course "
            f"(there are: {', '.join(here) or 'none'}); train some and name their file."
        )
    return load_weights(path)


def shipped_weights(size: int, network: str = "") -> tuple[Reasoner, dict]:
    """The network that the lessons look at for Sudokus of `size` (6 or 9).

    A TRM, or another `network`: hrm, direct and others.
    """
    return shipped(f"sudoku-{size}x{size}" + (f"-{network}" if network else ""))
