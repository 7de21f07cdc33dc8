"""Count the work of a real training step: operations, bytes, kernels, and waits for the GPU.

The step of the real trainer runs on tensors that have shapes but no contents, so a full-size step
is counted on a laptop in a second or two. Matrix products and attention count their operations;
every kernel counts the bytes that it reads and writes, as if nothing stayed in a cache.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.nets.build import Uninitialised
from trm_lite.nets.configs import RSMConfig
from trm_lite.nets.layers import truncated_normal
from trm_lite.training.flops import step_flops
from trm_lite.training.recipe import Preset, replace
from trm_lite.training.token_trainer import trainer_for
from trm_lite.training.trainer import Trainer

# These make no kernel: they allocate, or look at the same memory in another way.
NO_KERNEL = {"detach", "alias", "empty", "empty_like", "empty_strided", "new_empty", "lift_fresh",
             "new_empty_strided", "_unsafe_view", "_reshape_alias", "set_"}  # fmt: skip
# For these a GPU has to wait until the CPU has seen a value, or their shape depends on one.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "equal"}
ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"


class Shapes(FakeTensorMode):
    """Tensors have shapes but no contents within; copies of a network belong to the same mode."""

    def __deepcopy__(self, memo: dict) -> "Shapes":
        """Itself."""
        return self


class AsOnGPU(TorchFunctionMode):
    """The norm is one kernel, as on a GPU; on a CPU it is put together of several."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call `func`, or the kernel of the norm; see `TorchFunctionMode`."""
        if func is torch.nn.functional.rms_norm:
            return torch.ops.aten._fused_rms_norm(args[0], args[1], None, kwargs["eps"])[0]
        return func(*args, **(kwargs or {}))


class Kernel(NamedTuple):
    """One operation on the GPU."""

    name: str
    flops: int  # of matrix products; everything else is bound by memory
    reads: dict[int, int]  # bytes of each block of memory that it reads
    writes: dict[int, int]  # bytes of each block that it writes
    fuses: bool  # whether torch.compile can merge it with its neighbours

    @property
    def bytes(self) -> int:
        """Bytes that go to and fro."""
        return sum(self.reads.values()) + sum(self.writes.values())


class Counter(TorchDispatchMode):
    """Notes the kernels of a region, and its waits. With `fusing` set they can be merged."""

    def __init__(self):
        super().__init__()
        self.kernels: list[Kernel] = []
        self.waits: list[str] = []
        self.fusing = False
        self.kept: list = []  # storages, so that no two of them share an identity

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Call `function`, and note it; see `TorchDispatchMode`."""
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = function.overloadpacket.__name__
        if waits_for(function, args):
            self.waits.append(name)
        if function.namespace == "aten" and not function.is_view and name not in NO_KERNEL:
            self.kernels.append(
                Kernel(
                    name,
                    operations(function, args, kwargs, result),
                    self._blocks((args, kwargs), touched(name, args, result)),
                    self._blocks(result, touched(name, args, result)),
                    self.fusing,
                )
            )
        return result

    def _blocks(self, things, most: int | None) -> dict[int, int]:
        """The memory blocks of all tensors in `things`, with the bytes that are touched in each."""
        blocks: dict[int, int] = {}
        for tensor in tree_leaves(things):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.kept.append(storage)
                size = min(tensor.nbytes, storage.nbytes())
                size = size if most is None else min(size, most)
                blocks[storage._cdata] = max(size, blocks.get(storage._cdata, 0))
        return blocks


def touched(name: str, args: tuple, result) -> int | None:
    """The most bytes of a tensor that an operation on some of its rows touches; None for all."""
    if name in ("index", "embedding", "gather"):
        return result.nbytes
    return args[2].nbytes if name in ("index_put_", "_index_put_impl_") else None


def waits_for(function, args: tuple) -> bool:
    """Whether a GPU's CPU has to wait within this operation."""
    name = function.overloadpacket.__name__
    by_mask = name == "index" and any(
        index is not None and index.dtype == torch.bool for index in args[1]
    )
    return name in WAITING or by_mask


def operations(function, args: tuple, kwargs: dict, result) -> int:
    """Floating-point operations of matrix products and attention; 0 for all else."""
    name = function.overloadpacket.__name__
    if name.startswith(ATTENTION):
        backward = name.endswith("_backward")
        q, k = args[1:3] if backward else args[:2]
        batch, heads, length, size = q.shape
        # Two products forward; backward four, and the first one again because it was not kept.
        return 2 * batch * heads * length * k.shape[2] * size * (5 if backward else 2)
    count: Callable | None = flop_registry.get(function.overloadpacket)
    return count(*args, **kwargs, out_val=result) if count else 0


def fused(kernels: list[Kernel]) -> list[Kernel]:
    """The kernels that remain if everything between two matrix products is merged into one.

    This is the best that a compiler can do. What is made and used within a merged kernel never
    reaches memory.
    """
    groups: list[list[Kernel]] = []
    for kernel in kernels:
        alone = kernel.flops > 0 or not kernel.fuses
        if alone or not groups or not groups[-1][-1].fuses or groups[-1][-1].flops:
            groups.append([])
        groups[-1].append(kernel)
    last_read: dict[int, int] = {}
    for number, group in enumerate(groups):
        last_read |= dict.fromkeys((block for one in group for block in one.reads), number)
    merged = []
    for number, group in enumerate(groups):
        made: dict[int, int] = {}
        reads: dict[int, int] = {}
        for kernel in group:
            reads |= {block: size for block, size in kernel.reads.items() if block not in made}
            made |= kernel.writes
        kept = made
        if len(group) > 1:
            kept = {block: size for block, size in made.items() if last_read.get(block, 0) > number}
        merged.append(Kernel(group[-1].name, group[0].flops, reads, kept, group[0].fuses))
    return merged


class Work(NamedTuple):
    """The work of one training step."""

    kernels: list[Kernel]  # in the order of the step
    waits: list[str]  # operations for which the CPU waits, up to the gradients
    scale: float = 1.0  # how much of this work a step has on average over the run

    @property
    def flops(self) -> float:
        """Operations of matrix products and attention."""
        return self.scale * sum(kernel.flops for kernel in self.kernels)

    @property
    def bytes(self) -> float:
        """Bytes of memory that are read and written."""
        return self.scale * sum(kernel.bytes for kernel in self.kernels)

    @property
    def launches(self) -> float:
        """Kernels that the CPU launches."""
        return self.scale * len(self.kernels)

    def compiled(self) -> "Work":
        """The least that is left of it under torch.compile."""
        return self._replace(kernels=fused(self.kernels))


def count_step(preset: Preset, bfloat16: bool = True) -> Work:
    """Count a training step of a preset at its full batch.

    Raises UserError for a network that learns a solver's steps, which are found by computing.

    Args:
        preset: the experiment.
        bfloat16: whether the GPU has bfloat16; without, everything is in float32.
    """
    if getattr(preset.model, "scratch_len", 0):
        raise UserError(
            f"The steps of '{preset.name}' depend on the contents of its puzzles, so they cannot "
            "be counted; choose another preset."
        )
    if not bfloat16:
        preset = replace(preset, bfloat16=False)
    with Shapes(), AsOnGPU():
        trainer = _shapes_alone(preset)
        growing = isinstance(preset.model, RSMConfig)
        if growing:
            trainer.steps_done = preset.recipe.steps - 1  # the longest thoughts
        batch = trainer.next_batch(0, symmetric=False)
        draws = False if growing else trainer.step_draws()
        with Counter() as counter, fusing_parts(trainer, counter):
            trainer.supervise(batch, draws)
            waits = list(counter.waits)
            trainer.update_weights()  # AdamW asks for counters, which the CPU keeps to itself
    flops = sum(kernel.flops for kernel in counter.kernels)
    return Work(counter.kernels, waits, step_flops(preset) / flops if growing else 1.0)


def _shapes_alone(preset: Preset) -> Trainer:
    """The preset's trainer on puzzles without contents, in bfloat16 if its recipe asks for it."""
    config, count = preset.model, preset.recipe.batch_size
    boards = torch.ones(count, config.seq_len, dtype=torch.uint8)
    puzzles = PuzzleSet(boards, boards, torch.zeros(count, dtype=torch.long))
    with Uninitialised(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copying a network looks for contents
        usual = replace(preset, bfloat16_carry=False)  # else it would ask how fast this CPU is
        trainer = trainer_for(
            usual, splits=Splits(puzzles, puzzles, puzzles), device="cpu", progress=False
        )
    if getattr(config, "random_start", False):  # as on a GPU
        shape = (2, count, config.length, config.hidden_size)
        trainer.model.draw_start = lambda *_: truncated_normal(shape, boards.device, None)
    recipe = preset.recipe
    trainer.precision = lambda: torch.autocast("cpu", torch.bfloat16, recipe.bfloat16)
    if recipe.bfloat16 and recipe.bfloat16_carry:
        trainer.model.carry_in(torch.bfloat16)
        trainer.prepare_slots()
    return trainer


@contextmanager
def fusing_parts(trainer: Trainer, counter: Counter) -> Iterator[None]:
    """Mark what runs between the slots' refilling and the optimiser as what a compiler merges."""
    backward, precision = trainer.backward, trainer.precision

    def done(loss) -> None:
        backward(loss)
        counter.fusing = False

    def begun() -> AbstractContextManager:
        counter.fusing = True
        return precision()

    trainer.backward, trainer.precision = done, begun
    yield
