"""The Tiny Recursive Model (TRM): one small network, applied again and again.

"Less is More: Recursive Reasoning with Tiny Networks", Jolicoeur-Martineau 2025,
arXiv 2510.04871. There is a question x, a current answer y and a latent z. The network has two
jobs, and tells them apart by whether its input contains x:

    z <- net(z + (y + x))      think: improve the latent, n times
    y <- net(y + z)            answer: improve the answer, once

Together they are one *full recursion*. A *supervision step* is T full recursions, of which only
the last has a gradient.

Three options turn it into an *Equilibrium Reasoner* (EqR, arXiv 2605.21488): y and z are drawn
anew for every puzzle, and every application is damped and noisy. Both teach it to reach the
answer from anywhere, so that thinking longer, or several times, can only help.
"""

import torch
from torch import Tensor

from trm_lite.nets.configs import TRMConfig
from trm_lite.nets.layers import Stack, truncated_normal, truncated_normal_
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class TRM(Reasoner):
    """The Tiny Recursive Model. `forward` is one supervision step.

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
        if config.random_start:  # the fixed initial latents are never used, so they are not saved
            for name in ("y_init", "z_init"):
                self.register_buffer(name, getattr(self, name), persistent=False)

    @property
    def draws(self) -> bool:
        return self.config.random_start or self.config.noise > 0

    def draw(self, batch_size: int) -> tuple[Tensor, ...]:
        """The noise of one supervision step, if there is any: (A, B, P + L, D), standard normal.

        A = T (n + 1) is the number of applications of the network.
        """
        config = self.config
        if config.noise == 0:
            return ()
        shape = (config.applications, batch_size, config.length, config.hidden_size)
        noise = torch.randn(shape, device=self.device, generator=self.generator)
        return (noise.to(self.y_init.dtype),)

    def initial_latents(self, batch_size: int, needed: Tensor | None = None) -> Latents:
        """The latents y and z before the first step: the same everywhere, or drawn anew."""
        if not self.config.random_start:
            return super().initial_latents(batch_size)
        return Latents(*self.draw_start(batch_size, needed).to(self.y_init.dtype))

    def draw_start(self, batch_size: int, needed: Tensor | None = None) -> Tensor:
        """Random y and z (2, B, P + L, D): truncated normal numbers of standard deviation 1."""
        shape = (2, batch_size, self.config.length, self.config.hidden_size)
        if self.device.type != "cpu":
            return truncated_normal(shape, self.device, self.generator)
        start = torch.zeros(shape)
        if needed is None:
            return truncated_normal_(start, std=1.0, generator=self.generator)
        start[:, needed] = truncated_normal_(start[:, needed], 1.0, self.generator)
        return start

    def recurse(self, x: Tensor, latents: Latents, noise: Tensor | None = None) -> Latents:
        """T full recursions on x (B, P + L, D), of which only the last has a gradient.

        This is `deep_recursion` in the paper's figure 3. `noise` (A, B, P + L, D) is for the
        A = T (n + 1) applications of the network.
        """
        T, n = self.config.T, self.config.n
        noises = [None] * T if noise is None else noise.split(n + 1)
        with torch.no_grad():
            for part in noises[:-1]:
                latents = self.full_recursion(x, *latents, part)
        return self.full_recursion(x, *latents, noises[-1])

    def full_recursion(
        self, x: Tensor, y: Tensor, z: Tensor, noise: Tensor | None = None
    ) -> Latents:
        """n latent updates, then one answer update: `latent_recursion` in the paper's figure 3.

        x and y are (B, P + L, D); z has the shape that `Latents` describes; `noise` is
        (n + 1, B, P + L, D).
        """
        n, full_gradient = self.config.n, self.config.gradient == "full"
        draws = [None] * (n + 1) if noise is None else noise.unbind()
        for step in range(n):
            with_gradient = torch.is_grad_enabled() and (full_gradient or step == n - 1)
            with torch.set_grad_enabled(with_gradient):
                y, z = self.think(x, y, z, step, draws[step])
        return Latents(self.answer(y, z, draws[n]), z)

    def update(self, net: Stack, state: Tensor, seen: Tensor, draw: Tensor | None = None) -> Tensor:
        """state <- net(state + seen), the one thing that a TRM does again and again.

        With damping and noise the new state is (1 - lambda) state + lambda net(state + seen)
        + beta draw. The noise acts in evaluation too.

        Args:
            net: the network.
            state: (B, P + L, D) what is improved, z or y.
            seen: (B, P + L, D) what it sees besides.
            draw: (B, P + L, D) standard normal noise.
        """
        kept, beta = self.config.damping, self.config.noise
        new = net(state + seen)
        if kept:
            new = kept * state + (1 - kept) * new
        return new if draw is None else new + beta * draw

    def think(
        self, x: Tensor, y: Tensor, z: Tensor, step: int, draw: Tensor | None = None
    ) -> Latents:
        """One latent update, z <- net(z + (y + x)); returns y and z.

        Args:
            x: (B, P + L, D) the question.
            y: (B, P + L, D) the current answer.
            z: the latent or latents, see `Latents`.
            step: the number of the update, 0..n-1; with n latents, it says which one is updated.
            draw: (B, P + L, D) standard normal noise, see `update`.
        """
        match self.config.num_latents:
            case 1:
                return Latents(y, self.update(self.net, z, y + x, draw))
            case 0:  # y is answer and latent at once
                return Latents(self.update(self.net, y, x), z)
            case count:  # multi-scale: every update reads all latents and replaces one of them
                refined = self.update(self.net, z.sum(1), y + x)
                rows = torch.arange(count, device=z.device) == step % count
                return Latents(y, torch.where(rows[:, None, None], refined[:, None], z))

    def answer(self, y: Tensor, z: Tensor, draw: Tensor | None = None) -> Tensor:
        """One answer update, y <- net(y + z), which does not see the question x."""
        net = self.net if self.config.shared_net else self.answer_net
        return self.update(net, y, z if self.config.num_latents == 1 else z.sum(1), draw)
