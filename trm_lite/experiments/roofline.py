"""What bounds a training step on each GPU, and how long the run takes at best.

A kernel takes at least as long as its arithmetic at the card's peak rate, as its traffic at the
memory's full bandwidth, and as the start of a kernel. Meanwhile the CPU launches the next ones. No
program is faster than that, and real ones are slower: good ones take up to twice as long. The work
is counted in `counting`; the times of a launch are rough, but typical of today's machines.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from trm_lite.common.tables import columns
from trm_lite.experiments.counting import Kernel, Work, count_step
from trm_lite.experiments.planning import GPU
from trm_lite.training.recipe import Preset

START = 1.5e-6  # seconds that even an empty kernel takes on the GPU
# Seconds of the CPU for each kernel: PyTorch's own calls, those of compiled code, a CUDA graph's.
HOST = {"eager": 5e-6, "compiled": 2.5e-6, "graphs": 0.1e-6}


class Bound(NamedTuple):
    """How long a training step takes at best, and why."""

    seconds: float
    by: str  # "arithmetic", "memory", "launches" or "the CPU"


def bound(kernels: list[Kernel], gpu: GPU, host: float) -> Bound:
    """The shortest time of a step of these kernels.

    Args:
        kernels: its kernels.
        gpu: the card.
        host: seconds of the CPU for each.
    """
    spent: Counter[str] = Counter()
    for kernel in kernels:
        times = {
            "launches": START,
            "memory": kernel.bytes / (gpu.bandwidth * 1e9),
            "arithmetic": kernel.flops / (gpu.teraflops * 1e12),
        }
        slowest = max(times, key=times.get)
        spent[slowest] += times[slowest]
    on_gpu, on_cpu = sum(spent.values()), host * len(kernels)
    if on_cpu > on_gpu:
        return Bound(on_cpu, "the CPU")
    return Bound(on_gpu, spent.most_common(1)[0][0])


def bounds(work: Work, gpu: GPU) -> dict[str, Bound]:
    """The shortest time of a step in eager mode, compiled, and compiled with CUDA graphs."""
    merged = work.compiled().kernels
    ways = {"eager": work.kernels, "compiled": merged, "graphs": merged}
    found = {way: bound(kernels, gpu, HOST[way]) for way, kernels in ways.items()}
    return {way: Bound(work.scale * it.seconds, it.by) for way, it in found.items()}


def roofline(preset: Preset, gpus: Mapping[str, GPU]) -> dict:
    """Bounds of a preset's training on some GPUs; returns the figures that `roofline_text` prints.

    Raises UserError where the work cannot be counted.
    """
    formats = {gpu.bfloat16 for gpu in gpus.values()}
    counted = {bfloat16: count_step(preset, bfloat16) for bfloat16 in formats}
    work = counted.get(True) or counted[False]
    merged = work.compiled()
    figures: dict = {
        "preset": preset.name,
        "operations": work.flops,
        "bytes": {"eager": work.bytes, "compiled": merged.bytes},
        "launches": {"eager": work.launches, "compiled": merged.launches},
        "waits": len(work.waits),
        "gpus": {},
    }
    for name, gpu in gpus.items():
        figures["gpus"][name] = {
            way: it._asdict() | {"hours": it.seconds * preset.recipe.steps / 3600}
            for way, it in bounds(counted[gpu.bfloat16], gpu).items()
        }
    return figures


def roofline_text(figures: dict) -> str:
    """The figures of `roofline` as text."""
    kernels, traffic = figures["launches"], figures["bytes"]
    head = (
        f"{figures['preset']}, a step: {figures['operations']:.2e} operations, "
        f"{traffic['eager'] / 1e9:,.1f} GB in {kernels['eager']:,.0f} kernels, compiled at best "
        f"{traffic['compiled'] / 1e9:,.1f} GB in {kernels['compiled']:,.0f}; it makes the CPU wait "
        f"{figures['waits'] or 'never'}{' times' if figures['waits'] else ''}"
    )
    rows = [
        (name, *(cell for way in HOST for cell in _cells(ways[way])))
        for name, ways in figures["gpus"].items()
    ]
    headings = (
        "at best",
        *(word for way in HOST for word in (f"{way}: step", "hours", "bound by")),
    )
    table = columns(rows, headings, align="<" + ">><" * len(HOST), indent="  ")
    return f"{head}\n{table}\n  No run is faster than this; good ones take up to twice as long."


def _cells(way: dict) -> tuple[str, str, str]:
    return f"{1e3 * way['seconds']:,.1f} ms", f"{way['hours']:,.2f}", way["by"]
