"""Muon: steps along the gradient whose singular values are all alike, for matrices.

Jordan et al. 2024, "Muon: an optimizer for hidden layers". The coefficients, a different triple
in each iteration, and the scale are those of URM's code (arXiv 2512.14693). `torch.optim.Muon`
has one triple for all iterations, so its steps are different ones.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trm_lite.training.optim import AdamAtan2
from trm_lite.training.recipe import Recipe

# (a, b, c) of X <- a X + (b A + c A A) X, A = X X^T, for each iteration; the last one repeats.
COEFFICIENTS = (
    (7.2086, -15.5131, 9.0178), (3.9623, -2.5813, 0.4542), (3.9466, -2.5765, 0.4544),
    (3.8991, -2.5671, 0.4566), (3.7186, -2.5308, 0.4653), (3.1390, -2.3073, 0.4733),
    (2.1715, -1.5246, 0.3885), (1.8648, -1.2224, 0.3577),
)  # fmt: skip


def network_optimizer(parameters: Iterable[nn.Parameter], recipe: Recipe) -> Optimizer:
    """The optimiser that `recipe` asks for."""
    rates = {"lr": recipe.lr, "weight_decay": recipe.weight_decay, "betas": recipe.betas}
    kinds = {"adam_atan2": AdamAtan2, "adamw": torch.optim.AdamW, "muon": Muon}
    return kinds[recipe.optimizer](parameters, **rates)


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """A matrix with its singular values driven towards 1 by a Newton-Schulz iteration.

    After 5 iterations they are between about 0.5 and 1.8, after 8 they are 1.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for iteration in range(iterations):
        a, b, c = COEFFICIENTS[min(iteration, len(COEFFICIENTS) - 1)]
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """Muon for matrices and AdamW for everything else, with one learning rate.

    As in URM's code, embeddings and heads count as matrices.

    Args:
        params: the parameters.
        lr: learning rate of both.
        weight_decay: decay of both, decoupled from the gradient.
        momentum: decay rate of Muon's mean gradient.
        nesterov: whether Muon looks one gradient ahead.
        iterations: see `orthogonalised`.
        rms: the root mean square that a full step has, times the square root of the longer side.
        betas: decay rates of AdamW's two moments.
    """

    def __init__(
        self, params, lr=1e-4, weight_decay=0.1, *, momentum=0.95, nesterov=True, iterations=5,
        rms=0.2, betas=(0.9, 0.95),
    ):  # fmt: skip
        params = list(params)
        shared = {"lr": lr, "weight_decay": weight_decay}
        groups = [
            {"params": [p for p in params if p.dim() == 2], "matrices": True},
            {"params": [p for p in params if p.dim() != 2], "matrices": False},
        ]
        self.momentum, self.nesterov, self.iterations = momentum, nesterov, iterations
        self.rms, self.betas = rms, betas
        super().__init__([group for group in groups if group["params"]], shared)

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """Update the parameters from their gradients; `closure` is ignored."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    change = self._matrix_step if group["matrices"] else self._adam_step
                    p.sub_(group["lr"] * change(p))

    def _matrix_step(self, p: Tensor) -> Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        momentum = state["momentum"].mul_(self.momentum).add_(p.grad)
        ahead = p.grad + self.momentum * momentum if self.nesterov else momentum
        ahead = ahead.bfloat16().float()  # theirs rounds here, and computes on in float32
        return self.rms * max(p.shape) ** 0.5 * orthogonalised(ahead, self.iterations)

    def _adam_step(self, p: Tensor) -> Tensor:
        state, (b1, b2) = self.state[p], self.betas
        if not state:
            state["step"] = 0
            state["m"], state["v"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        m = state["m"].lerp_(p.grad, 1 - b1)
        v = state["v"].lerp_(p.grad.square(), 1 - b2)
        rate = (1 - b2 ** state["step"]) ** 0.5 / (1 - b1 ** state["step"])
        return rate * m / (v.sqrt() + 1e-8)
