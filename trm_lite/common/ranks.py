"""Several processes that train one model, each with its share of the slots.

    torchrun --nproc-per-node 8 -m -- trm_lite train PRESET

The two dashes keep options such as --n for trm_lite: torchrun would take them for its own.
Every process ("rank") holds all weights and a consecutive part of the slots; gradients are summed
over the ranks, so that N processes take the step that one would take. Randomness is drawn for all
slots on every rank and then cut, so it does not depend on N either. A process on its own is rank
0 of 1, and nothing here costs it anything.
"""

import os
import time
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from trm_lite.common.errors import UserError

ASK_EVERY_SECONDS = 2.0  # how often several processes ask each other what they wish


@dataclass(frozen=True)
class Ranks:
    """Where this process stands among all."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one talks, looks and saves for all."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """This rank's part of `count` slots."""
        share, rest = divmod(count, self.size)
        if rest:
            raise UserError(
                f"A batch of {count} slots does not divide among {self.size} processes; "
                "choose another batch size.",
                "batch_size",
            )
        return slice(self.rank * share, (self.rank + 1) * share)

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace every tensor by its sum over the ranks, in one message."""
        if self.size > 1 and tensors:
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            dist.all_reduce(flat)
            parts = flat.split([tensor.numel() for tensor in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows of all ranks, one after the other; as many on each."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def gather_objects(self, thing: object) -> list:
        """What every rank has to say, in their order."""
        if self.size == 1:
            return [thing]
        said: list = [None] * self.size
        dist.all_gather_object(said, thing)
        return said


ALONE = Ranks()


class Wishes:
    """What some process wishes, such as to stop, made known to all of them at the same step.

    They ask each other every ASK_EVERY_SECONDS or so. In between they count steps, for their clocks
    differ; a process on its own need not ask.
    """

    def __init__(self, ranks: Ranks):
        self.ranks, self.asked_at = ranks, time.monotonic()
        self.steps = self.wait = 0  # since they last asked, and until they ask again

    def agreed(self, *wishes: bool) -> list[bool]:
        """Once per step: which of the `wishes` some process has; none while nobody asks."""
        if self.ranks.size == 1:
            return list(wishes)
        if self.steps < self.wait:
            self.steps += 1
            return [False] * len(wishes)
        now = time.monotonic()
        pace = (now - self.asked_at) / (self.steps + 1) + 1e-9  # seconds per step, never 0
        said = self.ranks.gather_objects((pace, *wishes))
        slowest, *wished = zip(*said, strict=True)
        # At most twice the steps of last time: one that seemed quick decides nothing.
        self.wait = min(int(ASK_EVERY_SECONDS / max(slowest)), 2 * self.wait + 1)
        self.asked_at, self.steps = now, 0
        return [any(by_rank) for by_rank in wished]


def join(device: torch.device) -> tuple[Ranks, torch.device]:
    """Take the place that `torchrun` gave this process, and the GPU that belongs to it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE, device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Ranks(dist.get_rank(), size), device


def talks() -> bool:
    """Whether this process prints for all; known before `join`."""
    return os.environ.get("RANK", "0") == "0"


def leave() -> None:
    """Say goodbye to the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()
