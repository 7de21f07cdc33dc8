"""Where to compute, and in which number format."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from trm_lite.errors import UserError


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", "mps", or the fastest one for "auto"."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in available:
        raise UserError(f"'{name}' is no device known here; use auto, cpu, cuda or mps.")
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        has = ", ".join(kind for kind, there in available.items() if there)
        raise UserError(
            f"This machine has no device '{name}' that torch can use; it has {has}. "
            "Leave out --device to pick one automatically."
        )
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32
    return device


def precision(device: torch.device, bfloat16: bool) -> AbstractContextManager:
    """A context in which matrix products run in bfloat16, where that is quicker than float32."""
    if bfloat16 and (device.type != "cpu" or cpu_prefers_bfloat16()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


@cache
def cpu_prefers_bfloat16() -> bool:
    """Whether this processor multiplies matrices more quickly in bfloat16, tried out once.

    What it says of itself does not tell: an Intel Xeon with AMX is several times as quick in
    bfloat16 as in float32, and the same one without AMX half as quick.
    """

    from torch.utils.benchmark import Timer  # takes an eighth of a second, and few need it

    def seconds(dtype: torch.dtype) -> float:
        matrix = torch.ones(256, 256, dtype=dtype)
        timer = Timer("matrix @ matrix", globals={"matrix": matrix}, num_threads=1)
        # Each a fraction of a millisecond, so that a busy machine cannot disturb all of them.
        return min(timer.timeit(1).mean for _ in range(50))

    return seconds(torch.bfloat16) < seconds(torch.float32)
