"""What a training run will cost, before anybody spends money.

Floating-point operations are counted by formula, activation memory by letting one example through
the real network; the test suite holds both against what torch measures. Hours are those operations
divided by a rate that somebody reached, and say so.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from trm_lite.errors import UserError
from trm_lite.files import in_words
from trm_lite.losses import step_loss
from trm_lite.nets import (
    Autoregressive,
    AutoregressiveConfig,
    HRMConfig,
    NetConfig,
    build_network,
    count_parameters,
)
from trm_lite.nets.layers import Stack, inner_width
from trm_lite.paper import BENCHMARKS, Benchmark
from trm_lite.presets import Preset, get_preset
from trm_lite.puzzles.dataset import Batch, PuzzleSet, Splits
from trm_lite.puzzles.folder import BuiltData
from trm_lite.thinking import refill
from trm_lite.writing import next_token_loss, trainer_for

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


# --- floating-point operations ------------------------------------------------------------


def block_flops(config: NetConfig) -> int:
    """Operations of one block on one example, forward."""
    D, L = config.hidden_size, config.length
    if isinstance(config, AutoregressiveConfig):
        L -= 1  # what follows the last token is not asked
    features = 2 * L * 3 * D * inner_width(D, config.expansion, config.multiple_of)
    if getattr(config, "mixing", "attention") == "mlp":
        return features + 2 * D * 3 * L * inner_width(L, config.expansion, config.multiple_of)
    width = config.num_heads * (D // config.num_heads)
    return features + 2 * L * 4 * D * width + 2 * 2 * L * L * width


def head_flops(config: NetConfig) -> int:
    """Operations that read the answer off one example, forward."""
    D, V = config.hidden_size, config.vocab_size
    if isinstance(config, AutoregressiveConfig):
        return 2 * (config.length - 1) * D * (config.end_token + 1)
    return 2 * config.length * D * V + 2 * D * 2


def step_flops(preset: Preset, recompute: bool = False) -> int:
    """Operations of one optimiser step: forward once, and twice more where gradient flows."""
    config, recipe = preset.model, preset.recipe
    block, head = block_flops(config), head_flops(config)
    forward = config.effective_depth * block + head
    per_example = recipe.forward_passes * forward + 2 * (config.gradient_depth * block + head)
    if recompute:
        per_example += config.gradient_depth * block
    return recipe.batch_size * per_example


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


# --- memory -------------------------------------------------------------------------------


def activation_bytes(preset: Preset, recompute: bool = False) -> int:
    """What one example makes autograd keep for the backward pass; found by trying."""
    config, recipe = preset.model, preset.recipe
    if hasattr(config, "num_puzzles"):
        config = dataclasses.replace(config, num_puzzles=1)
    model = build_network(config).train()
    for module in model.modules():
        if isinstance(module, Stack):
            module.recompute = recompute
    kept: dict[int, Tensor] = {}  # by address; held, so that no address comes twice

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    def kept_by(batch: int) -> int:
        kept.clear()
        puzzles = torch.ones(batch, config.seq_len, dtype=torch.long)
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with hooks, torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            if isinstance(model, Autoregressive):
                next_token_loss(model, Batch(puzzles, puzzles, puzzles[:, 0]))
            else:
                thought = model(model.initial_latents(batch), puzzles)
                step_loss(thought.logits, thought.halt_logit, puzzles, recipe.loss)
        return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

    return kept_by(2) - kept_by(1)  # without the weights, which are there once


class Memory(NamedTuple):
    """Bytes that a training run needs."""

    weights: int  # with gradients, two moments, the moving average, and in bfloat16 for use
    puzzles: int  # the table of puzzle embeddings
    slots: int  # y and z of all slots, before and after a step
    example: int  # activations of one example that are kept for the backward pass
    example_recomputed: int  # the same with `recompute`

    @property
    def fixed(self) -> int:
        """What does not depend on the micro-batch."""
        return self.weights + self.puzzles + self.slots


def memory(preset: Preset) -> Memory:
    """What a run needs: `fixed`, and m times an example's activations for micro-batches of m."""
    config, recipe = preset.model, preset.recipe
    latents = 0
    if not isinstance(config, AutoregressiveConfig):
        latents = 1 + getattr(config, "num_latents", 0 if config.kind == "Direct" else 1)
    embedding = getattr(config, "puzzle_embedding_size", None) or config.hidden_size
    kept, inputs_alone = (activation_bytes(preset, recompute) for recompute in (False, True))
    # What is kept is at its most when the backward pass begins, which then sets free as it goes;
    # where things are computed again, one application of a network at a time is there in full.
    layers = config.L_layers if isinstance(config, HRMConfig) else config.num_layers
    one_application = kept * layers // config.gradient_depth
    return Memory(
        weights=(5 * 4 + 2 * recipe.bfloat16) * count_parameters(config),
        puzzles=4 * getattr(config, "num_puzzles", 0) * embedding,
        slots=2 * 4 * recipe.batch_size * latents * config.length * config.hidden_size,
        example=kept,
        example_recomputed=inputs_alone + one_application,
    )


def peak_bytes(run: Callable[[], object]) -> int:
    """Memory on the CPU that `run` takes on top of what is there before, at its peak."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


def measured_memory(preset: Preset, micro_batch: int, recompute: bool = False) -> int:
    """Bytes on the CPU at the peak of a training step of `preset`, by doing it.

    All slots are there, on boards of random tokens, and room for what they will think, but only the
    first micro-batch does: the others would use the same memory again, and take time. UserError
    for networks that write token by token, which have no slots.
    """
    if isinstance(preset.model, AutoregressiveConfig):
        raise UserError(f"'{preset.name}' has no slots to measure; plan it without --measure.")
    config, count = preset.model, preset.recipe.batch_size
    generator = torch.Generator().manual_seed(0)
    boards = torch.randint(1, config.vocab_size, (count, config.seq_len), generator=generator)
    puzzles = PuzzleSet(boards, boards, torch.arange(count) % getattr(config, "num_puzzles", 1))

    def first_part_of_a_step() -> None:
        trainer = trainer_for(
            preset,
            splits=Splits(puzzles, puzzles, puzzles),
            device="cpu",
            progress=False,
            micro_batch=micro_batch,
            recompute=recompute,
        )
        fresh = puzzles.batch(slice(None))
        carry = refill(trainer.model, trainer.carry, fresh)
        rest = slice(micro_batch, None)
        thought = [torch.empty_like(latent[rest]) for latent in carry.latents]  # noqa: F841
        trainer.model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=preset.recipe.bfloat16):
            trainer.supervise_part(carry.rows(trainer.micro_batches()[0]))
        trainer.update_weights()

    return peak_bytes(first_part_of_a_step)


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
        "parameters": count_parameters(preset.model),
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
        "bytes_on_disk": 6 * 4 * count_parameters(preset.model) + 4 * needs.puzzles + needs.slots,
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
    each, steps = figures["flops_per_step"], figures["steps"]
    table, passes = figures["puzzle_embeddings"], figures["forward_passes"]
    data, download, exam = (
        figures[name] for name in ("bytes_of_data", "bytes_of_download", "exam_flops")
    )
    lines = [
        figures["preset"],
        f"  parameters       {figures['parameters']:,}"
        + (f", and {table:,} in the table of puzzle embeddings" if table > 1e6 else ""),
        f"  optimiser steps  {steps:,} of {figures['batch_size']} slots, "
        f"{passes} forward pass{'es' if passes > 1 else ''} each",
        f"  operations       {each:.2e} per step, {each * steps:.2e} in all",
        f"  disk             {in_words(figures['bytes_on_disk'])} for the run"
        + (f", {in_words(data)} for the data" if data else "")
        + (f", {in_words(download)} for what is downloaded" if download else ""),
    ]
    if exam:
        lines.append(
            f"  final exam       {exam:.2e} operations on {figures['exam_examples']:,} examples, "
            f"{exam / (each * steps):.1%} on top of the hours below"
        )
    lines += [
        "",
        "  memory by --micro-batch      plain  --recompute",
    ]
    for size, needs in figures["bytes_by_micro_batch"].items():
        plain, recompute = (in_words(needs[how]) for how in ("plain", "recompute"))
        lines.append(f"  {size:23} {plain:>10} {recompute:>12}")
    if "measured" in figures:
        seen = figures["measured"]
        lines.append(
            f"  measured on this CPU at {seen['micro_batch']}"
            f"{' with --recompute' if seen['recompute'] else ''}: {in_words(seen['bytes'])}, "
            f"planned {in_words(seen['planned_bytes'])}"
        )
    share = figures["authors_share"]
    lines += ["", f"  hours on one GPU        at {figures['good_share']:.0%} of peak"]
    lines[-1] += f"   at {share:.1%}" if share else ""
    for name, card in figures["gpus"].items():
        line = f"  {name:23} {card['hours']:14,.1f}"
        if share:
            line += f" {card['hours_authors']:9,.0f}"
        if card["micro_batch"] == 0:
            line += "   does not fit"
        elif card["micro_batch"] < figures["batch_size"]:
            line += f"   --micro-batch {card['micro_batch']}"
        lines.append(line + ("  --recompute" if card["recompute"] else ""))
    lines += [
        "",
        f"  {figures['good_share']:.0%} of the peak rate is an assumption, not a measurement.",
    ]
    if share:
        lines.append(
            f"  {share:.1%} is what the authors' run of the like reached at least (arXiv "
            "2510.04871, section 5)."
        )
    return "\n".join(lines)
