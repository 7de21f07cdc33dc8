"""The Tiny Recursive Model (TRM): one small network, applied again and again.

"Less is More: Recursive Reasoning with Tiny Networks", Jolicoeur-Martineau 2025,
arXiv 2510.04871. There is a question x, a current answer y and a latent z. The network has two
jobs, and tells them apart by whether its input contains x:

    z <- net(z + (y + x))      think: improve the latent, n times
    y <- net(y + z)            answer: improve the answer, once

Together they are one *full recursion*. A *supervision step* is T full recursions, of which only
the last has a gradient.
"""

import torch
from torch import Tensor

from trm_lite.nets.configs import TRMConfig
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

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """T full recursions on x (B, P + L, D), of which only the last has a gradient.

        This is `deep_recursion` in the paper's figure 3.
        """
        with torch.no_grad():
            for _ in range(self.config.T - 1):
                latents = self.full_recursion(x, *latents)
        return self.full_recursion(x, *latents)

    def full_recursion(self, x: Tensor, y: Tensor, z: Tensor) -> Latents:
        """n latent updates, then one answer update: `latent_recursion` in the paper's figure 3.

        x and y are (B, P + L, D); z has the shape that `Latents` describes.
        """
        n, full_gradient = self.config.n, self.config.gradient == "full"
        for step in range(n):
            with_gradient = torch.is_grad_enabled() and (full_gradient or step == n - 1)
            with torch.set_grad_enabled(with_gradient):
                y, z = self.think(x, y, z, step)
        return Latents(self.answer(y, z), z)

    def think(self, x: Tensor, y: Tensor, z: Tensor, step: int) -> Latents:
        """One latent update, z <- net(z + (y + x)); returns y and z.

        Args:
            x: (B, P + L, D) the question.
            y: (B, P + L, D) the current answer.
            z: the latent or latents, see `Latents`.
            step: the number of the update, 0..n-1; with n latents, it says which one is updated.
        """
        match self.config.num_latents:
            case 1:
                return Latents(y, self.net(z + (y + x)))
            case 0:  # y is answer and latent at once
                return Latents(self.net(y + x), z)
            case count:  # multi-scale: every update reads all latents and replaces one of them
                refined = self.net(z.sum(1) + (y + x))
                rows = torch.arange(count, device=z.device) == step % count
                return Latents(y, torch.where(rows[:, None, None], refined[:, None], z))

    def answer(self, y: Tensor, z: Tensor) -> Tensor:
        """One answer update, y <- net(y + z), which does not see the question x."""
        net = self.net if self.config.shared_net else self.answer_net
        return net(y + (z if self.config.num_latents == 1 else z.sum(1)))
