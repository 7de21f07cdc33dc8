"""What a training run will cost, before anybody spends money.

Floating-point operations are counted by formula, activation memory by letting one example through
the real network; the test suite holds both against what torch measures. Hours are those operations
divided by a rate that somebody reached, and say so.
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
    """A graphics card: memory in GB, and dense matrix products in 10^12 operations per second.

    From NVIDIA's data sheets, bfloat16 with float32 sums, without sparsity. The T4 has no bfloat16
    units; its figure is float32.
    """

    memory: float
    teraflops: float


GPUS = {
    "T4": GPU(16, 8.1),
    "L4": GPU(24, 121.0),
    "RTX 4090": GPU(24, 165.2),
    "L40S": GPU(48, 362.0),
    "A100": GPU(80, 312.0),
    "H100": GPU(80, 989.0),
}

# How long the authors trained (arXiv 2510.04871, section 5; upper bounds), by the first words of a
# preset's name: what they trained, on which GPU, on how many, for how many hours.
AUTHORS_RUNS = {
    "sudoku-extreme": ("sudoku-extreme-mlp", "L40S", 1, 36.0),
    "maze-hard": ("maze-hard", "L40S", 4, 24.0),
    "arc-agi": ("arc-agi-1", "H100", 4, 72.0),
}
USABLE = 0.8  # share of a card's memory; the rest goes to gaps and to what others keep there
GOOD_SHARE = 0.35  # of the peak; an assumption, not measured
INDEX_BYTES = 3 * 4 + 8  # of an example on disk beside its tokens: identifier, two starts, rating


def exam_flops(preset: Preset) -> int | None:
    """Operations of the test on all test puzzles when training is done; None if not foreseen."""
    config, tested = preset.model, tested_examples(preset)
    if tested is None or isinstance(config, AutoregressiveConfig):
        return None
    forward = config.effective_depth * block_flops(config) + head_flops(config)
    return tested * preset.recipe.max_steps * forward


def tested_examples(preset: Preset) -> int | None:
    """How many examples the test split has, if that is known without building it."""
    benchmark = benchmark_of(preset)
    return benchmark.tested if benchmark else getattr(preset.data, "test", None)


def benchmark_of(preset: Preset) -> Benchmark | None:
    """The benchmark of the paper that a preset is trained on, if it is one."""
    if not isinstance(preset.data, BuiltData):
        return None
    return next((b for b in BENCHMARKS if b.name == preset.data.name), None)


def data_bytes(examples: int, seq_len: int) -> int:
    """Disk for examples as `trm-lite data` stores them: question, answer, and index."""
    return examples * (2 * seq_len + INDEX_BYTES)


# --- the plan -----------------------------------------------------------------------------


class Fit(NamedTuple):
    """How a run goes on a GPU."""

    micro_batch: int  # the largest that fits, 0 if none does
    recompute: bool
    hours: float  # at GOOD_SHARE of the peak
    hours_authors: float | None  # at the authors' share of the peak, where they did the like


def fit(preset: Preset, gpu: GPU, needs: Memory) -> Fit:
    """The largest micro-batch for `preset` on `gpu`, without recomputing if possible; and hours."""
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
    """The least share of the peak rate at which the authors' run of the like must have gone."""
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
    """The GPU called `name`, or all of them."""
    if name is None:
        return GPUS
    known = {key.lower().replace(" ", ""): key for key in GPUS}
    wanted = name.lower().replace(" ", "").replace("-", "")
    for key in (wanted, f"rtx{wanted}"):
        if key in known:
            return {known[key]: GPUS[known[key]]}
    raise UserError(f"There is no figure for a '{name}' here; choose {', '.join(GPUS)}.")


def plan(preset: Preset, gpu: str | None = None, measure: int = 0, recompute: bool = False) -> dict:
    """All figures about a run of `preset`, on every GPU or on one.

    With `measure` also the memory of a micro-batch of that size, as planned and as it really is.
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
        # The full state, with raw and averaged weights and moments, and two files of weights.
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
            "bytes": measured_memory(preset, measure, recompute),
        }
    return figures


def plan_text(figures: dict) -> str:
    """The plan to read."""
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
            f"  measured on this CPU at {seen['micro_batch']}"
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
    """What holds on any GPU, each with its name."""
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
    """The row of a GPU: its hours, and how much of a batch fits at a time."""
    row = [name, f"{card['hours']:,.1f}" if card["hours"] >= 0.05 else "below 0.1"]
    if card["hours_authors"] is not None:
        row.append(f"{card['hours_authors']:,.0f}")
    if card["micro_batch"] == 0:
        return [*row, "does not fit"]
    size = card["micro_batch"]
    whole = "whole batch" if size == figures["batch_size"] else f"{size} slots"
    return [*row, whole + (", recomputing" if card["recompute"] else "")]
