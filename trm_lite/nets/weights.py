"""Save and load the weights of a network as safetensors, and find those that come with the course.

A file says which network it holds and how it was trained.
"""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.files import ASSETS, write_atomically
from trm_lite.nets.build import Network, build_network, puzzle_of
from trm_lite.nets.configs import config_from_dict
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles.known import from_description


def save_weights(model: Network, path: Path, about: dict, half: bool = False) -> None:
    """Save the weights and the configuration of a network as a safetensors file.

    Args:
        model: the network.
        path: the file to write. UserError if that fails.
        about: how the weights came about; `load_weights` returns it.
        half: save in half precision. That is enough for solving puzzles, but too coarse for
            continuing the training exactly.
    """
    metadata = {
        "config": json.dumps(dataclasses.asdict(model.config)),
        "about": json.dumps(about),
    }
    with suppress(UserError):  # a network need not know its puzzle
        metadata["puzzle"] = json.dumps(puzzle_of(model).described())
    tensors = {
        name: (tensor.half() if half else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    write_atomically(path, to_safetensors(tensors, metadata))


def load_weights(path: Path | str, device: torch.device | str = "cpu") -> tuple[Network, dict]:
    """The network in a file that `save_weights` wrote, in evaluation mode, and its `about`.

    Raises UserError if the file is missing or damaged, or if `save_weights` did not write it.
    """
    if not Path(path).is_file():
        raise UserError(
            f"There is no weights file {path}; check the path, or train a network first "
            "with trm-lite train."
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a complete safetensors file ({error}); copy it again, or train again."
        ) from error
    try:
        config = config_from_dict(json.loads(metadata["config"]))
        about = json.loads(metadata["about"])
        said = metadata.get("puzzle")  # only text: loading weights never executes code
        puzzle = from_description(json.loads(said)) if said else None
    except (KeyError, TypeError, ValueError, PuzzleError) as error:
        raise UserError(
            f"{path} does not say which network it holds; use a file saved by trm_lite."
        ) from error
    model = build_network(config)
    model.puzzle = puzzle
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"The weights in {path} do not fit the configuration in the same file ({detail}); "
            "copy it again, or train again."
        ) from error
    return model.to(device).eval(), about


WEIGHTS_FOLDER = ASSETS / "weights"


def shipped(name: str) -> tuple[Network, dict]:
    """The trained network `name` that comes with the course, such as "sudoku-6x6".

    Returns the network and its `about`. Raises UserError if there is none of that name.
    """
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    if not path.exists():
        here = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise UserError(
            f"The course comes with no weights called '{name}', only with: "
            f"{', '.join(here) or 'none'}; choose one of these, or train your own."
        )
    return load_weights(path)


def shipped_weights(size: int, network: str = "") -> tuple[Reasoner, dict]:
    """The trained network that the lessons use for Sudokus of `size` 6 or 9, and its `about`.

    By default it is a TRM; `network` names another one, such as "hrm" or "direct". Raises
    UserError if there is none.
    """
    return shipped(f"sudoku-{size}x{size}" + (f"-{network}" if network else ""))
