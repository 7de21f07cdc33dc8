"""The full state of a training run as a file, which is checked whenever it is read.

It is a file of torch.save, followed by 73 bytes with the SHA-256 of all bytes before them. PyTorch
ignores these bytes. Files of earlier versions do not have them; then the weaker checksums inside
the zip format are checked.
"""

import hashlib
import re
import zipfile
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically

PREVIOUS = "previous.pt"  # the state that was saved before the last one, beside it
MOMENTS = (("m", "v"), ("momentum",), ("exp_avg", "exp_avg_sq"))  # of our optimisers, and AdamW
CHECKSUM = re.compile(rb"\nsha256 ([0-9a-f]{64})\n")
CHECKSUM_SIZE = 73
ZIP_END = re.compile(
    rb"PK\x05\x06.{16}\x00\x00", re.DOTALL
)  # the last 22 bytes of a file without checksum


def packed(state: dict) -> bytes:
    """The content of a file with this state, including its checksum."""
    buffer = BytesIO()
    torch.save(state, buffer)
    digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
    buffer.seek(0, 2)
    buffer.write(f"\nsha256 {digest}\n".encode())
    return buffer.getvalue()


def keep(content: bytes, path: Path) -> None:
    """Write what `packed` returned to `path`; what was there becomes the previous state."""
    write_atomically(path, content, old=path.with_name(PREVIOUS))


def load_state(path: Path, mapped: bool = False) -> dict:
    """The state that `keep` wrote. Raises UserError if it is missing or damaged.

    The error says whether one can go on from the previous state. Nothing in the file is executed
    (`weights_only`). With `mapped`, processes that read the same file share its memory.
    """
    try:
        if problem := _damage(path):
            raise UserError(f"The checkpoint {path} is damaged ({problem}); {_way_out(path)}.")
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"There is no checkpoint {path}; check the path.") from error
    except Exception as error:  # an unknown file can make the parser raise anything
        raise UserError(
            f"The checkpoint {path} is damaged or not a checkpoint; {_way_out(path)}."
        ) from error
    if not isinstance(state, dict):
        raise UserError(
            f"{path} holds a {type(state).__name__} and not the state of a run; {_way_out(path)}."
        )
    return state


def _damage(path: Path) -> str:
    """What is wrong with the bytes of a file, in words; "" if nothing."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - CHECKSUM_SIZE))
        end = file.read()
        if match := CHECKSUM.fullmatch(end):
            file.seek(0)
            right = _sha256(file, size - CHECKSUM_SIZE) == match[1].decode()
            return "" if right else "its checksum is wrong"
    if not ZIP_END.fullmatch(end[-22:]):
        return "its end is missing"
    with zipfile.ZipFile(path) as parts:
        return "the checksum of a part is wrong" if parts.testzip() else ""


def _sha256(file, count: int) -> str:
    """The SHA-256 of the next `count` bytes of a file."""
    digest = hashlib.sha256()
    while count > 0 and (part := file.read(min(count, 1 << 20))):
        digest.update(part)
        count -= len(part)
    return digest.hexdigest()


def _way_out(path: Path) -> str:
    """What to do about a state that cannot be used, as the end of a sentence."""
    previous = path.with_name(PREVIOUS)
    if path.name == PREVIOUS or not previous.exists():
        return "delete it to start afresh"
    try:
        step = int(load_state(previous)["steps_done"])
    except (UserError, KeyError, TypeError, ValueError):
        return f"{PREVIOUS} cannot be used either, so delete both to start afresh"
    return (
        f"to go on from the state before it, of step {step:,}, rename {PREVIOUS} in the same "
        f"folder to {path.name}, or delete both to start afresh"
    )


def lost(path: Path) -> UserError:
    """The error about a missing state that has a previous one."""
    return UserError(f"The checkpoint {path} is missing; {_way_out(path)}.")


# --- does it fit the run? -----------------------------------------------------------------


def misfit(saved: object, own: object, name: str = "state") -> str:
    """In what a saved state differs from a run's own in keys, shapes or types; "" if in nothing.

    More keys than the run has are fine, and so is another number of entries in a list.

    Args:
        saved: the saved state, or a part of it.
        own: the state of a run that has just begun, or the same part of it.
        name: what to call the part.
    """
    if isinstance(own, Tensor):
        return _other_tensor(saved, own, name)
    pairs: list[tuple] = []
    if isinstance(own, dict):
        if not isinstance(saved, dict):
            return f"{name} is not a dictionary"
        if lacking := own.keys() - saved.keys():
            return f"{name} lacks {min(map(repr, lacking))}"
        pairs = [(saved[key], own[key], f"{name}[{key!r}]") for key in own]
    elif isinstance(own, list | tuple):
        as_many = isinstance(own, list) or (isinstance(saved, tuple) and len(saved) == len(own))
        if not isinstance(saved, list | tuple) or not as_many:
            return f"{name} is not a {type(own).__name__} of {len(own)}"
        own = own[:1] * len(saved) if isinstance(own, list) else own
        pairs = [(*pair, name) for pair in zip(saved, own, strict=False)]
    elif isinstance(own, int | float) and type(saved) not in (int, type(own)):
        return f"{name} is not a number"
    return next((problem for pair in pairs if (problem := misfit(*pair))), "")


def _other_tensor(saved: object, own: Tensor, name: str) -> str:
    if not isinstance(saved, Tensor):
        return f"{name} is not a tensor"
    there, here = ((tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in (saved, own))
    if {there[1], here[1]} == {"float32", "bfloat16"}:  # what the hardware prefers
        there = (there[0], here[1])
    return "" if there == here else f"{name} is {there[1]} {there[0]} and not {here[1]} {here[0]}"


def check_state(state: dict, own: dict, parameters: list[Tensor]) -> None:
    """Raise UserError unless a saved `state` can be that of a run. Its text ends a sentence.

    Args:
        state: what `load_state` returned.
        own: the run's own state, at its beginning.
        parameters: the run's parameters, in the order of the optimiser.
    """
    problem = misfit(state, own) or _odd_moments(state["optimizer"]["state"], parameters)
    if not problem and (state["steps_done"] < 0 or not all(map(_is_look, state["history"]))):
        problem = "its history makes no sense"
    if problem:
        raise UserError(f"the state is not one of this run ({problem}).")


def _odd_moments(saved: dict, parameters: list[Tensor]) -> str:
    """What is wrong with an optimiser's moments, which exist from its first step on."""
    for number, moments in saved.items():
        if number not in range(len(parameters)):
            return f"the optimiser has moments of {number!r}"
        there = moments if isinstance(moments, dict) else ()
        names = next((names for names in MOMENTS if names[0] in there), MOMENTS[0])
        kept = dict.fromkeys(names, parameters[number].detach())
        if problem := misfit(moments, kept, f"the optimiser's part {number}"):
            return problem
    return ""


def _is_look(look: object) -> bool:
    """Whether an entry of the history can be the result of a validation."""
    return isinstance(look, dict) and all(
        isinstance(look.get(name), int | float) for name in ("step", "exact")
    )
