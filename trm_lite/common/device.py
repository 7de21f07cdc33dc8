"""Choose the device to compute on and the number format, and describe the machine."""

import math
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch

from trm_lite.common.errors import UserError


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest one.

    On a GPU this also allows TF32 matrix products. Raises UserError for an unknown name, and for
    a device that this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(place for place, there in available.items() if there)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in available:
        raise UserError(f"There is no device '{name}'; use auto, cpu, cuda or mps.", "device")
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        has = ", ".join(place for place, there in available.items() if there)
        raise UserError(
            f"torch finds no device '{name}' on this machine; choose one of: {has}, auto.",
            "device",
        )
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32
    return device


def precision(device: torch.device, bfloat16: bool) -> AbstractContextManager:
    """A context that runs matrix products in bfloat16, if asked to and if it is faster on `device`.

    On a CPU, `cpu_prefers_bfloat16` decides whether it is faster. Otherwise the context does
    nothing and computation stays in float32.
    """
    if bfloat16 and (device.type != "cpu" or cpu_prefers_bfloat16()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def compiled(function: Callable) -> Callable:
    """`function` under torch.compile, which happens when it is called; see `compiling`."""
    run = torch.compile(function, fullgraph=True)

    def call(*arguments, **named):
        with compiling():
            return run(*arguments, **named)

    return call


@contextmanager
def compiling() -> Iterator[None]:
    """Raise UserError where torch cannot compile, for want of a C++ compiler, say."""
    from torch._dynamo.exc import BackendCompilerFailed  # not before: it takes a second

    try:
        yield
    except BackendCompilerFailed as error:
        reason = next(iter(str(error.inner_exception).strip().splitlines()), "unknown")
        raise UserError(
            f"torch.compile does not work on this machine ({reason}); install a C++ compiler such "
            "as g++, or do without.",
            "compile",
        ) from error


@contextmanager
def one_core() -> Iterator[None]:
    """Compute on one CPU core; sharing small matrix products among cores takes longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def cpu_prefers_bfloat16() -> bool:
    """Whether this processor multiplies matrices faster in bfloat16 than in float32.

    Measured once per process, in about a quarter of a second, because the processor's feature
    flags do not tell. In bfloat16 an Intel Xeon with AMX is several times as fast as in float32,
    the same processor without AMX half as fast, and an AMD EPYC without AVX-512 ninety times
    slower (assets/results has the command).
    """
    from torch.utils.benchmark import Timer  # this import takes 0.12 s, and few callers need it

    timers = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(256, 256, dtype=dtype)
        timers[dtype] = Timer("matrix @ matrix", globals={"matrix": matrix}, num_threads=1)
    seconds = dict.fromkeys(timers, math.inf)
    started = time.monotonic()
    # One product takes a fraction of a millisecond, so even a busy machine leaves some undisturbed.
    for _ in range(50):
        for dtype, timer in timers.items():
            seconds[dtype] = min(seconds[dtype], timer.timeit(1).mean)
        if time.monotonic() - started > 0.25:
            break  # one of the two is so slow that no noise can hide the difference
    return seconds[torch.bfloat16] < seconds[torch.float32]


def circumstances(device: torch.device, about: dict) -> dict:
    """The hardware and software behind a measurement, to be stored beside it.

    Returns the device's name, the torch version, the git commit (None outside a clone), and
    "look", the validation metrics with which the weights were saved. `about` is what the weights
    file says about its own training.
    """
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
    """The processor's model name, or its architecture where no name can be found."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()
