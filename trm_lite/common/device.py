"""Choose the device to compute on and the number format, and describe the machine."""

import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from trm_lite.common.errors import UserError

# Compiled programs of one method: with and without gradient, by sizes, for networks of one kind.
PROGRAMS = 64


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
    """A context that runs matrix products in bfloat16, if asked to and if `device` is fast in it.

    Otherwise the context does nothing and computation stays in float32; see `prefers_bfloat16`.
    """
    if bfloat16 and prefers_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def prefers_bfloat16(device: torch.device) -> bool:
    """Whether a device should multiply matrices in bfloat16.

    A CPU is timed. An NVIDIA GPU needs units for it, because torch would emulate them otherwise.
    Nobody has tested the networks in bfloat16 on a Mac's GPU, so there it must be asked for, by
    the environment variable TRM_LITE_MPS_BFLOAT16=1.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return os.environ.get("TRM_LITE_MPS_BFLOAT16") == "1"
    return cpu_prefers_bfloat16()


def sendable(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor in memory from which a GPU can fetch it by itself, so that nobody waits."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


class Fetched:
    """A number on its way from a GPU to the CPU; `value` is None as long as one would have to wait.

    Args:
        tensor: a single number, on any device.
    """

    def __init__(self, tensor: Tensor):
        self.arrived = None
        if tensor.device.type == "cuda":
            self.tensor = torch.empty((), dtype=tensor.dtype, pin_memory=True)
            self.tensor.copy_(tensor.detach(), non_blocking=True)
            self.arrived = torch.cuda.Event()
            self.arrived.record()
        else:
            self.tensor = tensor.detach()

    @property
    def value(self) -> float | None:
        if self.arrived is not None and not self.arrived.query():
            return None
        return self.tensor.item()


def finish(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given, so that the clock can be read."""
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()


def compiles_by_default(device: torch.device) -> bool:
    """Whether torch.compile is used unless the user says otherwise: on NVIDIA GPUs with Triton."""
    return device.type == "cuda" and find_spec("triton") is not None


def compiled(function: Callable, graphs: bool = False) -> Callable:
    """`function` under torch.compile, which happens when it is called; see `compiling`.

    Every size of a batch is a program of its own, because the sizes are few and fixed programs are
    faster. With `graphs` each is replayed as a CUDA graph. A replay writes over the results of the
    one before it, so they are copied.
    """
    mode = "reduce-overhead" if graphs else None
    run = torch.compile(function, fullgraph=True, dynamic=False, mode=mode)
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, PROGRAMS)

    def call(*arguments, **named):
        with compiling():
            if not graphs:
                return run(*arguments, **named)
            torch.compiler.cudagraph_mark_step_begin()
            return tree_map(torch.clone, run(*arguments, **named))

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
