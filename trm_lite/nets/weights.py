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

from trm_lite.common.errors import UserError
from trm_lite.common.file_kinds import mistaken, written_by_torch
from trm_lite.common.files import ASSETS, write_atomically
from trm_lite.nets.build import Network, network_with, puzzle_of, shapes
from trm_lite.nets.configs import NetConfig, config_from_dict
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.known import from_description

ANCHOR = "embed_tokens.embedding_weight"  # a tensor of every network of the authors' code
DTYPES = {"F64", "F32", "F16", "BF16"}  # of weights, as safetensors spell them


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

    The file need not be trusted: nothing in it is run, and no network is built before the shapes
    in it fit its configuration. Raises UserError if the file is missing or damaged, or if
    `save_weights` did not write it.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(
            f"There is no weights file {path}; check the path, or train a network first "
            "with trm-lite train."
        )
    if problem := mistaken(path):
        raise UserError(f"{path} {problem}.")
    if written_by_torch(path):
        raise UserError(
            f"{path} is a checkpoint of PyTorch, as the authors' code writes them; convert it "
            f"first: trm-lite convert {path}"
        )
    try:
        with safe_open(path, "pt") as file:
            config, about, puzzle = _description(path, file)
            _check_shapes(path, file, config)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a complete safetensors file ({error}); copy it again, or train again."
        ) from error
    try:
        model = network_with(config, state)
    except RuntimeError as error:  # of superfluous tensors: the others have been checked
        raise _misfit(path, str(error).splitlines()[-1].strip()) from error
    model.puzzle = puzzle
    return model.to(device).eval(), about


def _description(path: Path, file) -> tuple[NetConfig, dict, Puzzle | None]:
    """The configuration in a file, how its weights came about, and what they read."""
    metadata = file.metadata() or {}
    if "config" not in metadata and any(name.endswith(ANCHOR) for name in file.keys()):  # noqa: SIM118
        raise UserError(
            f"{path} is a checkpoint in the authors' layout; convert it first: "
            f"trm-lite convert {path}"
        )
    try:
        config = config_from_dict(json.loads(metadata["config"]))
        about = json.loads(metadata["about"])
        if not isinstance(about, dict):
            raise ValueError("its description is not a dictionary")
        said = metadata.get("puzzle")  # only text: loading weights never executes code
        puzzle = from_description(json.loads(said)) if said else None
    except UserError as error:
        raise UserError(f"{path} cannot be used: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path} does not say which network it holds; use a file saved by trm_lite."
        ) from error
    return config, about, puzzle


def _check_shapes(path: Path, file, config: NetConfig) -> None:
    """Raise UserError unless a file has all the tensors of a network of this `config`."""
    there = set(file.keys())
    for name, shape in shapes(config).items():
        if name not in there:
            problem = f"'{name}' is missing"
        elif (found := tuple(file.get_slice(name).get_shape())) != shape:
            problem = f"'{name}' has the shape {found} and not {tuple(shape)}"
        elif (dtype := file.get_slice(name).get_dtype()) not in DTYPES:
            problem = f"'{name}' holds {dtype} and not floating-point numbers"
        else:
            continue
        raise _misfit(path, problem)


def _misfit(path: Path, problem: str) -> UserError:
    return UserError(
        f"The weights in {path} do not fit the configuration in the same file ({problem}); "
        "copy it again, or train again."
    )


WEIGHTS_FOLDER = ASSETS / "weights"


def steps_in_training(about: dict) -> int | None:
    """The most supervision steps of a network in training, by its `about`; None if that is silent.

    With 1 it was trained to answer at once.
    """
    return about.get("preset", {}).get("recipe", {}).get("max_steps")


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
