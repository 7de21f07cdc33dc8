"""The Universal Reasoning Model (URM): one state, a convolution, and gradient at the end only.

"Universal Reasoning Model", Gao et al. 2025, arXiv 2512.14693. A universal transformer, with

    h <- net(h + x)            `loops` times, only the last few with gradient
    SwiGLU                     looks at the position before, by a short convolution inside

There is no latent beside the answer: the one state is both.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_lite.nets.configs import URMConfig
from trm_lite.nets.layers import SwiGLU
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class ConvSwiGLU(SwiGLU):
    """A SwiGLU whose inner features are mixed along the positions, (B, L, D) -> (B, L, D).

    Each feature has a convolution of its own (depthwise). With a kernel of 2 a position sees the
    one before and itself. Positions are in the order of the tokens, so rows of a board run on.
    """

    def __init__(self, width: int, expansion: float, multiple_of: int, kernel: int):
        super().__init__(width, expansion, multiple_of)
        inner = self.down.in_features
        self.conv = nn.Conv1d(inner, inner, kernel, padding=kernel // 2, groups=inner)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        inner = (F.silu(gate) * up).transpose(1, 2)  # (B, W, L)
        mixed = self.conv(inner)[..., : x.shape[1]]  # an even kernel gives one position too many
        return self.down(F.silu(mixed.transpose(1, 2)))


class URM(Reasoner):
    """Universal Reasoning Model. `forward` is one supervision step, as in `TRM`."""

    def __init__(self, config: URMConfig):
        net = build_stack(config, config.num_layers)
        if config.conv_kernel:
            for block in net.blocks:
                sizes = (config.hidden_size, config.expansion, config.multiple_of)
                block.swiglu = ConvSwiGLU(*sizes, config.conv_kernel)
        super().__init__(config, num_latents=0, net=net)

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """`loops` applications, the last ones with gradient."""
        h, z = latents
        without = self.config.loops - self.config.loops_with_gradient
        with torch.no_grad():
            for _ in range(without):
                h = self.net(h + x)
        for _ in range(self.config.loops_with_gradient):
            h = self.net(h + x)
        return Latents(h, z)
