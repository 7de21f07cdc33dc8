"""Where to compute, and in which number format."""

import math
import platform
import subprocess
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch

from trm_lite.common.errors import UserError


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
        raise UserError(f"'{name}' is no device known here; use auto, cpu, cuda or mps.", "device")
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        has = ", ".join(kind for kind, there in available.items() if there)
        raise UserError(
            f"This machine has no device '{name}' that torch can use; it has {has}. "
            "Use 'auto' to pick one automatically.",
            "device",
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
    bfloat16 as in float32, the same one without AMX half as quick, and an AMD EPYC without
    AVX-512 ninety times slower (README has the command).
    """
    from torch.utils.benchmark import Timer  # takes an eighth of a second, and few need it

    timers = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(256, 256, dtype=dtype)
        timers[dtype] = Timer("matrix @ matrix", globals={"matrix": matrix}, num_threads=1)
    seconds = dict.fromkeys(timers, math.inf)
    started = time.monotonic()
    # Each a fraction of a millisecond, so that a busy machine cannot disturb all of them.
    for _ in range(50):
        for dtype, timer in timers.items():
            seconds[dtype] = min(seconds[dtype], timer.timeit(1).mean)
        if time.monotonic() - started > 0.25:
            break  # one of the two is so slow that nothing can hide it
    return seconds[torch.bfloat16] < seconds[torch.float32]


def circumstances(device: torch.device, about: dict) -> dict:
    """What a figure needs to be believed: hardware, versions, and how far it was trained."""
    try:
        here = Path(__file__).parent
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        commit = ""
    gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if gpu else f"{device.type} {cpu_name()}",
        "torch": torch.__version__,
        "commit": commit or None,
        "look": about.get("look"),
    }


def cpu_name() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()
