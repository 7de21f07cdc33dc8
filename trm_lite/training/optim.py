"""Optimisers, learning rate and moving average.

Adam-atan2 trains the network, and sign-SGD the puzzle embeddings.
"""

import math

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from trm_lite.common.ranks import ALONE
from trm_lite.nets.layers import PuzzleEmbedding


class AdamAtan2(Optimizer):
    """Adam with atan2(m, sqrt(v)) instead of m / (sqrt(v) + eps), so it needs no epsilon.

    p <- (1 - lr wd) p - lr / (1 - b1^t) atan2(m, sqrt(v / (1 - b2^t)))

    Everett et al. 2024, arXiv 2407.05872. The bias correction of the first moment is outside the
    atan2, as in the package `adam-atan2` that the TRM authors use.

    Args:
        params: parameters, or groups of them, as for any torch optimiser.
        lr: learning rate.
        betas: b1 and b2, decay rates of the two moments.
        weight_decay: wd, decoupled from the gradient.
    """

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        """Update the parameters from their gradients; `closure` is ignored."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if not self.state[p]:
                    self.state[p] = dict(m=torch.zeros_like(p), v=torch.zeros_like(p))
            m = [self.state[p]["m"] for p in params]
            v = [self.state[p]["v"] for p in params]
            grads = [p.grad for p in params]
            lr, (b1, b2) = group["lr"], group["betas"]
            t = group["t"] = group.get("t", 0) + 1

            torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
            torch._foreach_lerp_(m, grads, 1 - b1)
            torch._foreach_mul_(v, b2)
            torch._foreach_addcmul_(v, grads, grads, 1 - b2)
            scale = torch._foreach_sqrt(v)
            torch._foreach_div_(scale, math.sqrt(1 - b2**t))
            steps = [torch.atan2(*pair) for pair in zip(m, scale, strict=True)]
            torch._foreach_add_(params, steps, alpha=-lr / (1 - b1**t))


class SignSGD(Optimizer):
    """Sign-SGD with decoupled weight decay, for the puzzle embeddings that were in the batch.

    w <- (1 - lr wd) w - lr sign(sum of the gradients of all examples of the puzzle)

    Args:
        embedding: the embeddings, which also collect the gradients.
        lr: learning rate.
        weight_decay: wd.
        ranks: the processes. Each has the whole table and makes the same step.
    """

    def __init__(self, embedding: PuzzleEmbedding, lr=1e-4, weight_decay=0.0, ranks=ALONE):
        self.embedding, self.ranks = embedding, ranks
        super().__init__([embedding.table], dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        """Update the rows of the puzzles that were in the batch; `closure` is ignored."""
        used = [(ids, rows.grad) for ids, rows in self.embedding.used if rows.grad is not None]
        self.embedding.used.clear()
        if not used:
            return
        ids, gradients = (self.ranks.gather(torch.cat(parts)) for parts in zip(*used, strict=True))
        group = self.param_groups[0]
        first = (ids[:, None] == ids).int().argmax(1)  # the first row with the same identifier
        gradient = torch.zeros_like(gradients, dtype=torch.float).index_add_(
            0, first, gradients.float()
        )  # keeps its size: counting the different identifiers would make a GPU wait
        table = self.embedding.table
        decayed = table[ids] * (1 - group["lr"] * group["weight_decay"])
        table[ids] = decayed - group["lr"] * gradient[first].sign()


def schedule(
    step: int,
    *,
    warmup_steps: int,
    total_steps: int,
    min_ratio: float = 1.0,
    cooldown_steps: int = 0,
) -> float:
    """The share, in 0..1, of the full learning rate that an optimiser step uses.

    It rises linearly in the warm-up and then falls on a half cosine. The paper keeps it constant
    after the warm-up.

    Args:
        step: number of the optimiser step, from 1.
        warmup_steps: steps of the warm-up.
        total_steps: the step at which the cosine ends.
        min_ratio: the share at that step; 1 keeps the rate constant.
        cooldown_steps: in so many last steps the share falls linearly to nearly 0 instead.
    """
    if step < warmup_steps:
        return step / warmup_steps
    if cooldown_steps and step > total_steps - cooldown_steps:
        return max(0, total_steps + 1 - step) / (cooldown_steps + 1)
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * done))


class MovingAverage(AveragedModel):
    """A moving average of a network's parameters, `ema <- rate * ema + (1 - rate) * p`.

    It starts from the initial weights, as in the authors' code, and shares its buffers with the
    network. torch's own update would copy the counter to the GPU, which waits for that, and every
    buffer onto itself: the table of puzzle embeddings can be gigabytes.

    Args:
        model: the network.
        rate: how much of the average is kept at each update.
    """

    def __init__(self, model: torch.nn.Module, rate: float):
        super().__init__(model)
        self.rate = rate
        self.n_averaged.fill_(1)
        for module, source in zip(self.module.modules(), model.modules(), strict=True):
            module._buffers.update(source._buffers)

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        """Move the average towards the network's present parameters."""
        torch._foreach_lerp_(
            list(self.module.parameters()), list(model.parameters()), 1 - self.rate
        )
        self.n_averaged += 1


def set_learning_rate(optimizer: Optimizer, rate: float | Tensor) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate
