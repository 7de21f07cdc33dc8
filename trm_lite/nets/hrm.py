"""The Hierarchical Reasoning Model (HRM): a fast network and a slow network that take turns.

"Hierarchical Reasoning Model", Wang et al. 2025, arXiv 2506.21734. TRM grew out of it:

    z <- f_L(z + (y + x))      the fast network, n times (z is "z_L" in the paper)
    y <- f_H(y + z)            the slow network, once    (y is "z_H")

T such cycles make a supervision step. Only the very last f_L and f_H have a gradient. At a fixed
point of the recursion, this single step would approximate the whole gradient (the paper's
"1-step approximation"). HRM learns when to halt by Q-learning; see `act` of
`trm_lite.training.Recipe`.
"""

import torch
from torch import Tensor

from trm_lite.nets.configs import HRMConfig
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class HRM(Reasoner):
    """The Hierarchical Reasoning Model. `forward` is one supervision step, as in `TRM`."""

    def __init__(self, config: HRMConfig):
        super().__init__(
            config,
            f_H=build_stack(config, config.H_layers),
            f_L=build_stack(config, config.L_layers),
        )

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """T cycles of n fast updates and a slow one, with a gradient through the last of each.

        x is (B, P + L, D), like y and z.
        """
        y, z = latents
        with torch.no_grad():
            for step in range(1, self.config.T * self.config.n):
                z = self.f_L(z + (y + x))
                if step % self.config.n == 0:
                    y = self.f_H(y + z)
        z = self.f_L(z + (y + x))
        return Latents(self.f_H(y + z), z)
