"""Train one model with several processes, each with its share of the slots.

    torchrun --nproc-per-node 8 -m -- trm_lite train PRESET

The two dashes pass options such as --n on to trm_lite; torchrun would take them for its own.

Every process ("rank") holds all the weights and a consecutive share of the slots. Gradients are
summed over the ranks, so N processes take the same step that one process would take. Random
numbers are drawn for all slots on every rank and then sliced, so they do not depend on N either.
A single process is rank 0 of 1, and pays nothing for this machinery.
"""

import os
import time
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from trm_lite.common.errors import UserError

ASK_EVERY_SECONDS = 2.0  # how often the processes exchange requests, such as to stop
PATIENCE = timedelta(minutes=15)  # with a process that does not answer; then all of them end


@dataclass(frozen=True)
class Ranks:
    """This process's place among all the processes of a run, and how it talks to the others."""

    rank: int = 0  # this process's number, from 0
    size: int = 1  # how many processes there are

    @property
    def first(self) -> bool:
        """Whether this process is the one that prints, evaluates and saves for all of them."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """This rank's share of `count` slots, as a slice.

        Raises UserError if the ranks cannot all get equally many.
        """
        share, rest = divmod(count, self.size)
        if rest:
            raise UserError(
                f"A batch of {count} slots cannot be divided equally among {self.size} processes; "
                "choose another batch size.",
                "batch_size",
            )
        return slice(self.rank * share, (self.rank + 1) * share)

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace every tensor, in place, by its sum over the ranks, in a single message."""
        if self.size > 1 and tensors:
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            dist.all_reduce(flat)
            parts = flat.split([tensor.numel() for tensor in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows of all ranks, concatenated in rank order: (B, ...) -> (size * B, ...).

        Every rank must have equally many rows.
        """
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def gather_to_first(self, tensor: Tensor) -> Tensor:
        """The rows of all ranks in the memory of the first rank's CPU, (B, ...) -> (size * B, ...).

        The other ranks get a tensor of that shape without contents. GPUs need no room for it.
        """
        if self.size == 1:
            return tensor
        shape = (self.size * len(tensor), *tensor.shape[1:])
        if not self.first or not tensor.numel():
            whole = torch.empty(shape, dtype=tensor.dtype, device="cpu" if self.first else "meta")
        if tensor.numel():
            mine = tensor.detach().contiguous().cpu().view(torch.uint8)  # any type can be sent
            parts = [torch.empty_like(mine) for _ in range(self.size)] if self.first else None
            dist.gather(mine, parts)
            if parts is not None:
                whole = torch.cat(parts).view(tensor.dtype).view(shape)
        return whole

    def gather_objects(self, thing: object) -> list:
        """The `thing` of every rank, as a list in rank order."""
        if self.size == 1:
            return [thing]
        said: list = [None] * self.size
        dist.all_gather_object(said, thing)
        return said


ALONE = Ranks()


class Wishes:
    """Requests of single processes, such as to stop, that all processes must act on together.

    The processes exchange their requests about every ASK_EVERY_SECONDS, and all of them at the
    same step. They agree on that step by counting steps, because their clocks differ.
    """

    def __init__(self, ranks: Ranks):
        self.ranks, self.asked_at = ranks, time.monotonic()
        self.steps = self.wait = 0  # steps since the last exchange, and until the next one

    def agreed(self, *wishes: bool) -> list[bool]:
        """Call once per step: for each of the `wishes`, whether any process has it.

        All are False at the steps between two exchanges. A single process gets its own wishes
        back at every step.
        """
        if self.ranks.size == 1:
            return list(wishes)
        if self.steps < self.wait:
            self.steps += 1
            return [False] * len(wishes)
        now = time.monotonic()
        pace = (now - self.asked_at) / (self.steps + 1) + 1e-9  # seconds per step, never 0
        said = self.ranks.gather_objects((pace, *wishes))
        slowest, *wished = zip(*said, strict=True)
        # At most twice the last wait, so that one step that seemed fast cannot cause a long wait.
        self.wait = min(int(ASK_EVERY_SECONDS / max(slowest)), 2 * self.wait + 1)
        self.asked_at, self.steps = now, 0
        return [any(by_rank) for by_rank in wished]


def join(device: torch.device) -> tuple[Ranks, torch.device]:
    """Join the other processes that `torchrun` started: this process's `Ranks`, and its device.

    On CUDA each process gets the GPU of its own local rank. Without torchrun this returns
    `ALONE` and `device` unchanged. Raises UserError if there are fewer GPUs than processes.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE, device
    on_gpu = device.type == "cuda"
    if on_gpu:
        local, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= count:
            raise UserError(
                f"This machine has {count} GPU{'s' * (count > 1)} for {size} processes, and two "
                "processes cannot share one; start one process for each GPU.",
                "device",
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        # What is on the CPU, such as requests and saved slots, does not wait for the GPU's work.
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE, device_id=device if on_gpu else None)
    return Ranks(dist.get_rank(), size), device


def talks() -> bool:
    """Whether this process is the one that prints. Unlike `Ranks.first`, it works before `join`."""
    return os.environ.get("RANK", "0") == "0"


def leave() -> None:
    """Leave the group of processes, if this process joined one."""
    if dist.is_initialized():
        dist.destroy_process_group()
