"""Files: weights to share (safetensors) and the full state of a training run to go on from."""

import dataclasses
import json
from io import BytesIO
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from trm_lite.errors import UserError
from trm_lite.files import write_atomically
from trm_lite.nets import Network, build_network, config_from_dict


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
