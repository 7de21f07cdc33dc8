"""Find the weights of a network in a checkpoint file from anywhere.

A checkpoint may be a state dict, or hold one or several of them beside other things: the weights
as trained, their moving average (EMA), an optimiser, settings. `read_content` reads such a file
without running anything in it, and `find_network` looks for the network.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from trm_lite.common.errors import UserError
from trm_lite.common.file_kinds import (
    LARGEST_DESCRIPTION,
    is_safetensors,
    mistaken,
    zip_parts,
)
from trm_lite.nets.weights import ANCHOR

ANCHORS = (ANCHOR, "Z_init")  # the other one is a tensor of every SE-RRM
# Buffers, which the authors' average leaves out.
UNTRAINED = ("_init", "init_hidden", "puzzle_emb.weights")
RECOMPUTED = ("rotary_emb.", "puzzle_emb.local_")  # buffers that some forks save needlessly
WRAPPERS = {"_orig_mod", "module"}  # parts of a name that torch.compile and DDP insert
AVERAGE = re.compile(r"(^|[._])(ema|shadow|averaged?)([._]|$)", re.IGNORECASE)
DEEPEST = 4  # dictionaries inside each other that are searched
BYTES = b"bytearray"
MOST_CLASSES = 20  # that are not PyTorch's


class Found(NamedTuple):
    """A network in a checkpoint."""

    state: dict[str, Tensor]  # by the authors' names, without prefix
    prefix: str  # the text before these names in the file
    place: str  # the keys of the dictionaries that hold it, such as "ema.shadow"; "" for the file
    others: tuple[str, ...]  # the places of further networks in the file


# --- reading a file -----------------------------------------------------------------------


def read_content(path: Path | str) -> object:
    """What a checkpoint file holds: tensors, usually in dictionaries. No code in it is run.

    Objects of classes that are not PyTorch's, such as NumPy numbers or settings, are replaced by
    placeholders. Reading takes little more memory than the file is long. Raises UserError if the
    file is missing or is no checkpoint.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"There is no checkpoint file {path}; check the path.")
    if problem := mistaken(path):
        raise UserError(f"{path} {problem}.")
    try:
        if is_safetensors(path):
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about old pickle protocols
            return _read_torch(path)
    except UserError:
        raise
    except Exception as error:  # an unknown file can make the parser raise anything
        raise UserError(
            f"{path} cannot be read safely as a state dict, because it is damaged or holds more "
            "than tensors; use another file. Nothing in it was run."
        ) from error


def _read_torch(path: Path) -> object:
    options = {"map_location": "cpu", "weights_only": True}
    if not zipfile.is_zipfile(path):  # the format of torch before 1.6
        with path.open("rb") as file:
            return torch.load(_Counted(file), **options)
    _check_zip(path)
    classes = get_unsafe_globals_in_checkpoint(path)
    if len(classes) > MOST_CLASSES:  # looking up each takes time in proportion to all of them
        raise UserError(f"{path} holds objects of {len(classes)} classes; save only a state dict.")
    with safe_globals([(type(name, (Placeholder,), {}), name) for name in classes]):
        return torch.load(path, mmap=True, **options)


class Placeholder:
    """Stands for an object of a class that is not PyTorch's, whose code is not run."""

    def __new__(cls, *_, **__):
        """Make one, whatever the class was called with."""
        return super().__new__(cls)

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, state):
        """Forget the contents."""


def _check_zip(path: Path) -> None:
    """Raise UserError if the parts of a zip file are packed, or describe more than tensors need."""
    parts = zip_parts(path) or []
    descriptions = [part for part in parts if not re.search(r"/data/\d+$", part.filename)]
    unpacked = sum(part.file_size for part in parts)
    too_long = sum(part.file_size for part in descriptions) > LARGEST_DESCRIPTION
    if too_long or unpacked > path.stat().st_size or _makes_bytes(path, descriptions):
        raise UserError(
            f"{path} unpacks to more than a file of weights does, so it was not read; use another "
            "file."
        )


def _makes_bytes(path: Path, parts: list[zipfile.ZipInfo]) -> bool:
    """Whether a pickle uses the one class of PyTorch's that can fill the memory with zeros."""
    with zipfile.ZipFile(path) as file:
        return any(BYTES in file.read(part) for part in parts)


class _Counted:
    """A file that ends a pickle which has more parts than any state dict needs."""

    def __init__(self, file):
        self.file, self.left = file, LARGEST_DESCRIPTION // 2
        self.seek, self.tell, self.readinto = file.seek, file.tell, file.readinto

    def read(self, *count) -> bytes:
        """Read as a file does. Raises ValueError if that was done too often."""
        return self._counted(self.file.read(*count))

    def readline(self) -> bytes:
        """Read a line; for errors see `read`."""
        line = self.file.readline()
        if BYTES in line:
            raise ValueError("the pickle makes bytes")
        return self._counted(line)

    def _counted(self, content: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ValueError("the pickle has too many parts")
        return content


# --- finding the network ------------------------------------------------------------------


def find_network(content: object, source: Path | str) -> Found:
    """The network of the authors' code in what a checkpoint holds.

    Of several networks the moving average is taken, else the first one. What an average leaves
    out, because it is not trained, comes from the other network. Raises UserError if there is none.

    Args:
        content: what `read_content` returned.
        source: where it comes from, for error messages.
    """
    found = [
        (place, prefix, tensors)
        for place, tensors in _dictionaries(content)
        for prefix in dict.fromkeys(
            _prefix(name) for name in tensors if _plain(name).endswith(ANCHORS)
        )
    ]
    if not found:
        raise UserError(f"{source} holds no TRM or HRM of the authors' code{_instead(content)}.")
    averages = [each for each in found if AVERAGE.search(f"{each[0]}.{each[1]}")]
    place, prefix, tensors = chosen = (averages or found)[0]
    state = _state(tensors, prefix, source)
    others = [each for each in found if each is not chosen]
    if averages and others:
        rest = _state(others[0][2], others[0][1], source)
        state = {name: rest[name] for name in rest if name.endswith(UNTRAINED)} | state
    _check_tensors(state, source)
    return Found(state, prefix, place, tuple(_called(*each[:2]) for each in others))


def _dictionaries(
    content: object, place: tuple[str, ...] = (), seen: set[int] | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The tensors of every dictionary that holds some, with the keys that lead there."""
    seen = set() if seen is None else seen
    if id(content) in seen or len(place) > DEEPEST:
        return
    seen.add(id(content))
    if isinstance(content, dict):
        items = {name: value for name, value in content.items() if isinstance(name, str)}
        tensors = {name: value for name, value in items.items() if isinstance(value, Tensor)}
        if tensors:
            yield ".".join(place), tensors
    elif isinstance(content, list | tuple):
        items = {str(number): value for number, value in enumerate(content)}
    else:
        return
    for name, value in items.items():
        yield from _dictionaries(value, (*place, name), seen)


def _plain(name: str) -> str:
    """A name without the parts that torch.compile and DDP insert."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _prefix(name: str) -> str:
    """What precedes the authors' names, if this is the anchor's name in a file."""
    plain = name if name.endswith(ANCHORS) else _plain(name)
    return next(plain.removesuffix(anchor) for anchor in ANCHORS if plain.endswith(anchor))


def _called(place: str, prefix: str) -> str:
    return place or prefix.rstrip(".") or "the file itself"


def _state(tensors: dict[str, Tensor], prefix: str, source: Path | str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    start = _plain(prefix)
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not name.startswith(prefix) and AVERAGE.search(name) and not AVERAGE.search(prefix):
            continue  # of an average beside it
        plain = _plain(name)
        rest = plain.removeprefix(start)
        if not plain.startswith(start) or rest.startswith(RECOMPUTED):
            continue
        if rest in state:
            raise UserError(f"{source} holds '{rest}' under two names; use another file.")
        state[rest] = tensor
    return state


def _check_tensors(state: dict[str, Tensor], source: Path | str) -> None:
    """Raise UserError unless all tensors are plain floating-point numbers that the file holds."""
    for name, tensor in state.items():
        kind = str(tensor.dtype).removeprefix("torch.")
        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            problem = "is a sparse tensor, or one without numbers; save dense tensors"
        elif not tensor.is_floating_point() or tensor.is_quantized:
            problem = f"holds {kind} numbers; save floating-point weights"
        else:
            continue
        raise UserError(f"'{name}' in {source} {problem}.")
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in state.values()}
    there = sum(storage.nbytes() for storage in storages.values())
    if sum(t.numel() * t.element_size() for t in state.values()) > 2 * there:
        raise UserError(f"The tensors in {source} repeat each other's numbers; save copies.")


def _instead(content: object) -> str:
    """What there is in place of a network, as the end of a sentence."""
    holding = list(_dictionaries(content))
    if holding:
        place, tensors = holding[0]
        some = ", ".join(f"'{name[:60]}'" for name in list(tensors)[:3])
        where = f" under '{place}'" if place else ""
        return f", because it has no {ANCHOR} but {some}{where}; use another file"
    return (
        f", but a Python object of the class '{type(content).__name__}' without named tensors; "
        "save its state_dict()"
    )
