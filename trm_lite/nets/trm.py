"""The Tiny Recursive Model (TRM): one small network, applied again and again.

"Less is More: Recursive Reasoning with Tiny Networks", Jolicoeur-Martineau 2025,
arXiv 2510.04871. The network holds a question x, a current answer y and a latent z, and has
two jobs that it tells apart by whether x is in its input:

    z <- net(z + (y + x))      think: improve the latent, n times
    y <- net(y + z)            answer: improve the answer, once

That is one *full recursion*. A *supervision step* is T of them, only the last with gradient.
"""

import torch
from torch import Tensor

from trm_lite.nets.configs import TRMConfig
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class TRM(Reasoner):
    """Tiny Recursive Model. `forward` is one supervision step.

    Example:
        >>> model = TRM(TRMConfig(vocab_size=8, seq_len=36, hidden_size=48))
        >>> inputs = torch.ones(2, 36, dtype=torch.long)
        >>> thought = model(model.initial_latents(2), inputs)
        >>> thought.logits.shape
        torch.Size([2, 36, 8])
    """

    def __init__(self, config: TRMConfig):
        nets = {"net": build_stack(config, config.num_layers)}
        if not config.shared_net:
            nets["answer_net"] = build_stack(config, config.num_layers)
        super().__init__(config, num_latents=config.num_latents, **nets)

    def recurse(self, x: Tensor, latents: Latents, noise: Tensor | None = None) -> Latents:
        """T full recursions, only the last with gradient (paper, `deep_recursion`)."""
        T, n = self.config.T, self.config.n
        noises = [None] * T if noise is None else noise.split(n + 1)
        with torch.no_grad():
            for part in noises[:-1]:
                latents = self.full_recursion(x, *latents, part)
        return self.full_recursion(x, *latents, noises[-1])

    def full_recursion(
        self, x: Tensor, y: Tensor, z: Tensor, noise: Tensor | None = None
    ) -> Latents:
        """n latent updates, then one answer update (paper, figure 3, `latent_recursion`)."""
        n, full_gradient = self.config.n, self.config.gradient == "full"
        draws = [None] * (n + 1) if noise is None else noise.unbind()
        for step in range(n):
            with_gradient = torch.is_grad_enabled() and (full_gradient or step == n - 1)
            with torch.set_grad_enabled(with_gradient):
                y, z = self.think(x, y, z, step, draws[step])
        return Latents(self.answer(y, z, draws[n]), z)

    def update(self, net: Stack, state: Tensor, seen: Tensor, draw: Tensor | None) -> Tensor:
        """state <- net(state + seen): the one thing that a TRM does, again and again.

        With damping and noise (EqR, arXiv 2605.21488) the new state keeps a share of the old one,
        and is shaken by `draw`: (1 - lambda) state + lambda net(state + seen) + beta draw.
        """
        kept, beta = self.config.damping, self.config.noise
        new = net(state + seen)
        if kept:
            new = kept * state + (1 - kept) * new
        return new if draw is None else new + beta * draw

    def think(
        self, x: Tensor, y: Tensor, z: Tensor, step: int, draw: Tensor | None = None
    ) -> Latents:
        """Latent update number `step`: z <- net(z + (y + x))."""
        match self.config.num_latents:
            case 1:
                return Latents(y, self.update(self.net, z, y + x, draw))
            case 0:  # one feature is answer and latent at once
                return Latents(self.net(y + x), z)
            case count:  # multi-scale: every update refines a latent of its own, and sees them all
                refined = self.net(z.sum(1) + (y + x))
                rows = torch.arange(count, device=z.device) == step % count
                return Latents(y, torch.where(rows[:, None, None], refined[:, None], z))

    def answer(self, y: Tensor, z: Tensor, draw: Tensor | None = None) -> Tensor:
        """Answer update: y <- net(y + z), in which the question does not stand."""
        net = self.net if self.config.shared_net else self.answer_net
        return self.update(net, y, z if self.config.num_latents == 1 else z.sum(1), draw)
