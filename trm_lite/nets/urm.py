"""The Universal Reasoning Model (URM): one state, a convolution, and a gradient at the end only.

"Universal Reasoning Model", Gao et al. 2025, arXiv 2512.14693. It is a universal transformer:

    h <- net(h + x)            `loops` times, only the last few with a gradient

There is no latent beside the answer, because the one state h is both. The SwiGLU of every layer
looks at the position before, through a short convolution inside. In the paper's ablation this
convolution and the truncated gradient matter most.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trm_lite.nets.configs import URMConfig
from trm_lite.nets.layers import SwiGLU
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack, looped


class DepthwiseConv(nn.Conv1d):
    """A convolution along the positions in which each feature is on its own, (B, L, W) to the same.

    With an even kernel of k positions, k / 2 of them lie before the position itself. It is a sum
    of shifted copies, so nothing has to be transposed.
    """

    def __init__(self, features: int, kernel: int):
        super().__init__(features, features, kernel, groups=features)

    def forward(self, x: Tensor) -> Tensor:
        """Add up the shifted copies of x (B, L, W), each times its weight."""
        taps = self.weight[:, 0].unbind(1)  # (W,) each
        before, length = len(taps) // 2, x.shape[1]
        padded = F.pad(x, (0, 0, before, len(taps) - 1 - before))
        return self.bias + sum(tap * padded[:, j : j + length] for j, tap in enumerate(taps))


class ConvSwiGLU(SwiGLU):
    """A SwiGLU whose inner features are mixed along the positions: "ConvSwiGLU" in the paper.

    With a kernel of 2, a position sees the one before it and itself. Positions are in the order
    of the tokens, so the first cell of a row sees the last one of the row above.

    Args:
        width: see `SwiGLU`.
        expansion: see `SwiGLU`.
        multiple_of: see `SwiGLU`.
        kernel: how many positions the convolution spans.
    """

    def __init__(self, width: int, expansion: float, multiple_of: int, kernel: int):
        super().__init__(width, expansion, multiple_of)
        self.conv = DepthwiseConv(self.down.in_features, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Gate, mix along the positions and project back, (B, L, D) -> (B, L, D)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(self.conv(F.silu(gate) * up)))


class URM(Reasoner):
    """The Universal Reasoning Model. `forward` is one supervision step, as in `TRM`."""

    def __init__(self, config: URMConfig):
        net = build_stack(config, config.num_layers)
        if config.conv_kernel:
            sizes = (config.hidden_size, config.expansion, config.multiple_of)
            for block in net.blocks:
                block.swiglu = ConvSwiGLU(*sizes, config.conv_kernel)
        super().__init__(config, num_latents=0, net=net)

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """Apply the network `loops` times to the state and the question x (B, P + L, D)."""
        h, z = latents
        config = self.config
        return Latents(looped(self.net, h, x, config.loops, config.loops_with_gradient), z)
