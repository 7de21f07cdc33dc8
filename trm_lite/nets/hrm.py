"""The Hierarchical Reasoning Model (HRM): two networks that think at two frequencies.

"Hierarchical Reasoning Model", Wang et al. 2025, arXiv 2506.21734. It is where TRM came from:

    z <- f_L(z + (y + x))      the fast module, n times (z is "z_L" in the paper)
    y <- f_H(y + z)            the slow module, once    (y is "z_H")

T such cycles make a supervision step. Only the very last f_L and the last f_H have gradient: at
a fixed point that one step would point the right way (the paper's "1-step approximation").
It learns when to stop by Q-learning; see `act` of `trm_lite.presets.Recipe`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trm_lite.nets.reasoner import Latents, Reasoner, ReasonerConfig, build_stack


@dataclass(frozen=True)
class HRMConfig(ReasonerConfig):
    """Shape of an HRM. The defaults are the authors': 27 million parameters."""

    mixing: Literal["mlp", "attention"] = "attention"
    prefix_len: int = 1
    H_layers: int = 4  # of the slow network f_H
    L_layers: int = 4  # of the fast network f_L
    T: int = 2  # cycles per supervision step, "H_cycles" in the authors' code
    n: int = 2  # fast updates per cycle, "L_cycles"
    kind: Literal["HRM"] = "HRM"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step, T (n L_layers + H_layers)."""
        return self.T * (self.n * self.L_layers + self.H_layers)

    @property
    def gradient_depth(self) -> int:
        """How many of these gradient flows through: the last update of each network."""
        return self.L_layers + self.H_layers


class HRM(Reasoner):
    """Hierarchical Reasoning Model. `forward` is one supervision step, as in `TRM`."""

    def __init__(self, config: HRMConfig):
        super().__init__(
            config,
            f_H=build_stack(config, config.H_layers),
            f_L=build_stack(config, config.L_layers),
        )

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """T cycles of n fast updates and a slow one, with gradient through the last of each."""
        y, z = latents
        with torch.no_grad():
            for step in range(1, self.config.T * self.config.n):
                z = self.f_L(z + (y + x))
                if step % self.config.n == 0:
                    y = self.f_H(y + z)
        z = self.f_L(z + (y + x))
        return Latents(self.f_H(y + z), z)
