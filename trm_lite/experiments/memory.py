"""How much memory a training run needs: predicted from one example, or measured in a real step."""

import dataclasses
import gc
import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from trm_lite.common.device import pick_device
from trm_lite.common.errors import UserError
from trm_lite.data.dataset import Batch, PuzzleSet, Splits
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.base_config import NetConfig
from trm_lite.nets.build import Uninitialised, build_network
from trm_lite.nets.configs import HRMConfig, ReasonerConfig
from trm_lite.nets.later_configs import LoopedConfig
from trm_lite.nets.layers import Stack
from trm_lite.thinking import refill
from trm_lite.training.losses import LossName, step_loss
from trm_lite.training.recipe import Preset
from trm_lite.training.token_trainer import next_token_loss, trainer_for


def gradient_alone(config: ReasonerConfig) -> ReasonerConfig:
    """The config without the applications that have no gradient.

    Autograd keeps nothing of them, so the prediction is the same, and faster.
    """
    changes: dict[str, int] = {"TRM": {"T": 1}, "HRM": {"T": 1, "n": 1}}.get(config.network, {})
    if isinstance(config, LoopedConfig):
        changes = {"loops": config.loops_with_gradient}
    return dataclasses.replace(config, num_puzzles=1, **changes)


def activation_bytes(preset: Preset, recompute: bool = False) -> int:
    """The bytes that autograd keeps of each example for the backward pass.

    Found in a forward pass, mostly on tensors that have shapes but no contents. `recompute` is
    that of `Stack`.
    """
    config, recipe = preset.model, preset.recipe
    if isinstance(config, ReasonerConfig):
        config = gradient_alone(config)
    return _kept_of_each(config, recipe.bfloat16, recipe.loss, recompute)


@cache  # takes a second or two
def _kept_of_each(config: NetConfig, bfloat16: bool, loss: LossName, recompute: bool) -> int:
    with Uninitialised():
        model = build_network(config).train()
    for module in model.modules():
        if isinstance(module, Stack):
            module.recompute = recompute
    kept: dict[int, Tensor] = {}  # by storage; keeping the tensors keeps the storages

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    def kept_by(batch: int) -> int:
        kept.clear()
        puzzles = torch.ones(batch, config.seq_len, dtype=torch.long)
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with hooks, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            if isinstance(model, Autoregressive):
                next_token_loss(model, Batch(puzzles, puzzles, puzzles[:, 0]))
            else:
                thought = model(model.initial_latents(batch), puzzles)
                step_loss(thought.logits, thought.halt_logit, puzzles, loss)
        return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

    # Shapes suffice, except for an order of writing that is read off the puzzle.
    by_contents = isinstance(model, Autoregressive)
    with nullcontext() if by_contents else FakeTensorMode(allow_non_fake_inputs=True):
        return kept_by(2) - kept_by(1)  # the difference leaves out the weights


class Memory(NamedTuple):
    """The parts of the memory that a training run needs, in bytes."""

    weights: int  # with gradients, two moments, the moving average, and a copy in bfloat16
    puzzles: int  # the table of puzzle embeddings
    slots: int  # y and z of all slots, before and after a step
    example: int  # activations that are kept of one example for the backward pass
    example_recomputed: int  # the same with `recompute`

    @property
    def fixed(self) -> int:
        """The bytes that do not depend on the size of the micro-batch."""
        return self.weights + self.puzzles + self.slots


def memory(preset: Preset) -> Memory:
    """Predict the memory that training `preset` needs.

    A micro-batch of m slots needs `fixed`, plus m times the activations of an example.
    """
    config, recipe = preset.model, preset.recipe
    ways = tqdm((False, True), desc="trying out one example", unit="way", delay=1, leave=False)
    kept, inputs_alone = (activation_bytes(preset, recompute) for recompute in ways)
    # Memory peaks when the backward pass begins, which then frees it step by step. With
    # recomputing, the activations of only one application of a network exist at a time.
    layers = config.L_layers if isinstance(config, HRMConfig) else config.num_layers
    one_application = kept * layers // config.gradient_depth
    return Memory(
        weights=(5 * 4 + 2 * recipe.bfloat16) * config.parameters,
        puzzles=4 * config.puzzle_table_size,
        slots=2 * (2 if recipe.bfloat16_carry else 4) * recipe.batch_size * config.latent_size,
        example=kept,
        example_recomputed=inputs_alone + one_application,
    )


def check_measurable(device: torch.device) -> None:
    """Raise UserError for a Mac's GPU, which does not tell how much memory is in use."""
    if device.type == "mps":
        raise UserError("Memory cannot be measured on a Mac's GPU; choose another.", "device")


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The peak of the memory, in bytes, that `run` allocates on a CPU or an NVIDIA GPU.

    Raises UserError for a Mac's GPU.
    """
    check_measurable(device)
    gc.collect()  # what earlier work left behind, freed during `run`, would lower the peak
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_bytes())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    changes.sort(key=lambda event: event["ts"])
    return max(accumulate((event["args"]["Bytes"] for event in changes), initial=0))


def measured_memory(
    preset: Preset, micro_batch: int, recompute: bool = False, device: str = "cpu"
) -> int:
    """Measure the peak memory, in bytes, of a real training step on the CPU or an NVIDIA GPU.

    The boards are random tokens. All slots take up their memory, before and after the step, but
    only the first micro-batch is computed: the others would take time and use the same memory
    again. Raises UserError for networks that have no slots: RSM, and those that write token
    by token.

    Args:
        preset: the experiment.
        micro_batch: slots in the network at once.
        recompute: see `Stack`.
        device: see `pick_device`.
    """
    place = pick_device(device)
    if not preset.model.in_slots:
        raise UserError(
            f"'{preset.name}' has no slots to measure; plan it without measuring.", "measure"
        )
    config, count = preset.model, preset.recipe.batch_size
    generator = torch.Generator().manual_seed(0)
    boards = torch.randint(1, config.vocab_size, (count, config.seq_len), generator=generator)
    puzzles = PuzzleSet(boards, boards, torch.arange(count) % config.num_puzzles)

    def first_part_of_a_step() -> None:
        trainer = trainer_for(
            preset,
            splits=Splits(puzzles, puzzles, puzzles),
            device=device,
            compile=False,
            progress=False,
            micro_batch=micro_batch,
            recompute=recompute,
        )
        fresh = puzzles.batch(slice(None)).to(place)
        carry = refill(trainer.model, trainer.carry, fresh)
        rest = slice(micro_batch, None)
        thought = [torch.empty_like(latent[rest]) for latent in carry.latents]  # noqa: F841
        trainer.model.train()
        if place.type == "cpu":  # as on a GPU, though this CPU may prefer another format
            bfloat16 = preset.recipe.bfloat16
            trainer.precision = lambda: torch.autocast("cpu", torch.bfloat16, bfloat16)
        trainer.supervise_part(carry.rows(trainer.micro_batches()[0]))
        trainer.update_weights()

    return peak_bytes(first_part_of_a_step, place)
