"""Predict what a training run will cost, before any money is spent.

Floating-point operations are counted by formula, and activation memory by running one example
through the real network. The test suite compares both with what torch measures. Hours are these
operations divided by an assumed or published rate, and the plan says which.
"""

from typing import NamedTuple

from trm_lite.common.errors import UserError
from trm_lite.common.files import in_words
from trm_lite.common.tables import columns
from trm_lite.data.settings import BuiltData
from trm_lite.experiments.memory import Memory, measured_memory, memory
from trm_lite.experiments.paper import BENCHMARKS, Benchmark
from trm_lite.experiments.presets import get_preset
from trm_lite.nets.configs import AutoregressiveConfig
from trm_lite.training.flops import block_flops, head_flops, step_flops
from trm_lite.training.recipe import Preset

MICRO_BATCHES = (16, 64, 256, 768)


class GPU(NamedTuple):
    """A graphics card.

    The speed is that of dense matrix products in bfloat16 with float32 sums, from NVIDIA's data
    sheets. The T4 has no bfloat16 units, so its figure is for float32.
    """

    memory: float  # GB
    teraflops: float  # 10^12 operations per second
    bandwidth: float  # GB per second, between the memory and the chip
    bfloat16: bool = True  # whether it has units for it


GPUS = {
    "T4": GPU(16, 8.1, 320, bfloat16=False),
    "L4": GPU(24, 121.0, 300),
    "RTX 4090": GPU(24, 165.2, 1_008),
    "RTX 5090": GPU(32, 209.5, 1_792),
    "L40S": GPU(48, 362.0, 864),
    "A100": GPU(80, 312.0, 2_039),
    "H100": GPU(80, 989.0, 3_350),
    "H200": GPU(141, 989.0, 4_800),
    "B200": GPU(180, 2_250.0, 7_700),
}

# How long the authors trained at most (arXiv 2510.04871, section 5), by the beginning of a
# preset's name: the preset that they trained, the GPU, how many of them, and the hours.
AUTHORS_RUNS = {
    "sudoku-extreme": ("sudoku-extreme-mlp", "L40S", 1, 36.0),
    "maze-hard": ("maze-hard", "L40S", 4, 24.0),
    "arc-agi": ("arc-agi-1", "H100", 4, 72.0),
}
MEASURED = {"cpu": "this CPU"}
USABLE = 0.8  # share of a card's memory; the rest is lost to fragmentation and other programs
GOOD_SHARE = 0.35  # share of the peak rate that a run reaches: an assumption, not measured
# Bytes per example on disk, beside its tokens: identifier, two starts and rating.
INDEX_BYTES = 3 * 4 + 8


def exam_flops(preset: Preset) -> int | None:
    """Operations of the test after training, on the whole test split; None if not known."""
    config, tested = preset.model, tested_examples(preset)
    if tested is None or isinstance(config, AutoregressiveConfig):
        return None
    forward = config.effective_depth * block_flops(config) + head_flops(config)
    return tested * preset.recipe.max_steps * forward


def tested_examples(preset: Preset) -> int | None:
    """The size of the test split, or None if it is not known without building the data."""
    benchmark = benchmark_of(preset)
    return benchmark.tested if benchmark else getattr(preset.data, "test", None)


def benchmark_of(preset: Preset) -> Benchmark | None:
    """The paper's benchmark that a preset is trained on, or None."""
    if not isinstance(preset.data, BuiltData):
        return None
    return next((b for b in BENCHMARKS if b.name == preset.data.name), None)


def data_bytes(examples: int, seq_len: int) -> int:
    """Bytes on disk of examples with `seq_len` cells, as `trm-lite data` stores them."""
    return examples * (2 * seq_len + INDEX_BYTES)


# --- the plan -----------------------------------------------------------------------------


class Fit(NamedTuple):
    """How a run fits on a GPU, and how long it takes there."""

    micro_batch: int  # the largest that fits, or 0 if none does
    recompute: bool  # whether that needs recomputing
    hours: float  # at GOOD_SHARE of the peak rate
    hours_authors: float | None  # at `authors_share` of it, if the authors had a similar run


def fit(preset: Preset, gpu: GPU, needs: Memory) -> Fit:
    """The largest micro-batch that fits on a GPU, and the hours that training takes there.

    Recomputing is used only if nothing fits without it.

    Args:
        preset: the experiment.
        gpu: the card.
        needs: the memory that the run needs.
    """
    room, (micro_batch, recompute) = USABLE * gpu.memory * 1e9 - needs.fixed, (0, False)
    for recomputing, example in ((False, needs.example), (True, needs.example_recomputed)):
        fitting = [size for size in _sizes(preset) if size * example < room]
        if fitting:
            micro_batch, recompute = max(fitting), recomputing
            break
    flops = step_flops(preset, recompute) * preset.recipe.steps
    at_peak = flops / (gpu.teraflops * 1e12) / 3600
    share = authors_share(preset)
    return Fit(micro_batch, recompute, at_peak / GOOD_SHARE, at_peak / share if share else None)


def authors_share(preset: Preset) -> float | None:
    """Lower bound on the authors' hardware utilisation, from their published hours.

    It is a share, in 0..1, of the peak rate of their GPUs, for their run on the benchmark of
    `preset`. None if they published no hours for it.
    """
    for start, (name, gpu, count, hours) in AUTHORS_RUNS.items():
        if preset.name.startswith(start):
            theirs = get_preset(name)
            work = step_flops(theirs) * theirs.recipe.steps
            return work / (hours * 3600 * count * GPUS[gpu].teraflops * 1e12)
    return None


def _sizes(preset: Preset) -> list[int]:
    batch = preset.recipe.batch_size
    return [size for size in MICRO_BATCHES if size < batch] + [batch]


def get_gpus(name: str | None) -> dict[str, GPU]:
    """The GPU called `name`, or all of them if None. Raises UserError for an unknown one."""
    if name is None:
        return GPUS
    known = {key.lower().replace(" ", ""): key for key in GPUS}
    wanted = name.lower().replace(" ", "").replace("-", "")
    for key in (wanted, f"rtx{wanted}"):
        if key in known:
            return {known[key]: GPUS[known[key]]}
    raise UserError(f"There are no figures for the GPU '{name}'; choose {', '.join(GPUS)}.")


def plan(
    preset: Preset,
    gpu: str | None = None,
    measure: int = 0,
    recompute: bool = False,
    device: str = "cpu",
) -> dict:
    """Predict the cost of a run; returns all the figures that `plan_text` prints.

    Args:
        preset: the experiment.
        gpu: name of one GPU; None for all.
        measure: measure the real memory of a micro-batch of so many slots, beside the prediction;
            0 does not.
        recompute: measure with recomputing.
        device: where to measure.
    """
    gpus, needs, recipe = get_gpus(gpu), memory(preset), preset.recipe
    benchmark = benchmark_of(preset)
    figures = {
        "preset": preset.name,
        "parameters": preset.model.parameters,
        "puzzle_embeddings": needs.puzzles // 4,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "forward_passes": recipe.forward_passes,
        "flops_per_step": step_flops(preset),
        "bytes_by_micro_batch": {
            size: {
                "plain": needs.fixed + size * needs.example,
                "recompute": needs.fixed + size * needs.example_recomputed,
            }
            for size in _sizes(preset)
        },
        # The full state, with raw and averaged weights and two moments, and two weights files.
        "bytes_on_disk": 6 * 4 * preset.model.parameters + 4 * needs.puzzles + needs.slots,
        "bytes_of_data": data_bytes(benchmark.learnt + benchmark.tested, benchmark.seq_len)
        if benchmark
        else None,
        "bytes_of_download": benchmark.download if benchmark else None,
        "exam_examples": tested_examples(preset),
        "exam_flops": exam_flops(preset),
        "good_share": GOOD_SHARE,
        "authors_share": authors_share(preset),
        "gpus": {name: fit(preset, card, needs)._asdict() for name, card in gpus.items()},
    }
    if measure:
        example = needs.example_recomputed if recompute else needs.example
        figures["measured"] = {
            "micro_batch": measure,
            "recompute": recompute,
            "planned_bytes": needs.fixed + measure * example,
            "device": device,
            "bytes": measured_memory(preset, measure, recompute, device),
        }
    return figures


def plan_text(figures: dict) -> str:
    """The figures of `plan` as text."""
    lines = [figures["preset"], columns(_facts(figures), indent="  "), ""]
    memory = [
        (size, in_words(needs["plain"]), in_words(needs["recompute"]))
        for size, needs in figures["bytes_by_micro_batch"].items()
    ]
    headings = ("memory by micro-batch", "plain", "recomputing")
    lines.append(columns(memory, headings, align=">>>", indent="  "))
    if "measured" in figures:
        seen = figures["measured"]
        lines.append(
            f"  measured on {MEASURED.get(seen['device'], seen['device'])} at {seen['micro_batch']}"
            f"{', recomputing' if seen['recompute'] else ''}: {in_words(seen['bytes'])}, "
            f"planned {in_words(seen['planned_bytes'])}"
        )
    good, theirs = f"{figures['good_share']:.0%}", figures["authors_share"]
    headings = ["hours on one GPU", f"at {good} of peak", *([f"at {theirs:.1%}"] if theirs else [])]
    hours = [_hours(name, fit, figures) for name, fit in figures["gpus"].items()]
    align = "<" + ">" * (len(headings) - 1)
    lines += ["", columns(hours, [*headings, "micro-batch"], align=align, indent="  "), ""]
    lines.append(f"  {good} of the peak rate is an assumption, not a measurement.")
    if theirs:
        lines.append(
            f"  {theirs:.1%} is what the authors' run of the like reached at least (arXiv "
            "2510.04871, section 5)."
        )
    return "\n".join(lines)


def _facts(figures: dict) -> list[tuple[str, str]]:
    """The figures that do not depend on the GPU, each with its name."""
    each, steps = figures["flops_per_step"], figures["steps"]
    table, passes = figures["puzzle_embeddings"], figures["forward_passes"]
    data, download, exam = (
        figures[name] for name in ("bytes_of_data", "bytes_of_download", "exam_flops")
    )
    facts = [
        (
            "parameters",
            f"{figures['parameters']:,}"
            + (f", and {table:,} in the table of puzzle embeddings" if table > 1e6 else ""),
        ),
        (
            "optimiser steps",
            f"{steps:,} of {figures['batch_size']} slots, "
            f"{passes} forward pass{'es' if passes > 1 else ''} each",
        ),
        ("operations", f"{each:.2e} per step, {each * steps:.2e} in all"),
        (
            "disk",
            f"{in_words(figures['bytes_on_disk'])} for the run"
            + (f", {in_words(data)} for the data" if data else "")
            + (f", {in_words(download)} for what is downloaded" if download else ""),
        ),
    ]
    if exam:
        facts.append(
            (
                "final exam",
                f"{exam:.2e} operations on {figures['exam_examples']:,} examples, "
                f"{exam / (each * steps):.1%} on top of the hours below",
            )
        )
    return facts


def _hours(name: str, card: dict, figures: dict) -> list[str]:
    """The cells of one GPU: hours, and how much of a batch fits at a time."""
    row = [name, f"{card['hours']:,.1f}" if card["hours"] >= 0.05 else "below 0.1"]
    if card["hours_authors"] is not None:
        row.append(f"{card['hours_authors']:,.0f}")
    if card["micro_batch"] == 0:
        return [*row, "does not fit"]
    size = card["micro_batch"]
    whole = "whole batch" if size == figures["batch_size"] else f"{size} slots"
    return [*row, whole + (", recomputing" if card["recompute"] else "")]
