"""Direct prediction: read the puzzle and say the answer. The baseline for all other networks.

    y <- net(y + x)

Applied once, starting from y = 0, this is the paper's "direct pred" (arXiv 2510.04871, table 4):
a plain transformer. Applied `loops` times in a row, it is *weight-tied recursion* with a
gradient through every application. With more than one supervision step per puzzle
(`Recipe.max_steps`), the same network gets deep supervision. So this one file covers all the
course's networks that are simpler than HRM and predict all cells at once.
"""

from torch import Tensor

from trm_lite.nets.configs import DirectConfig
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class Direct(Reasoner):
    """Direct prediction and weight-tied recursion. `forward` is one supervision step."""

    def __init__(self, config: DirectConfig):
        super().__init__(config, num_latents=0, net=build_stack(config, config.num_layers))
        self.y_init.zero_()  # no answer yet

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """Apply the layers `loops` times to the answer and the question x (B, P + L, D)."""
        y, z = latents
        for _ in range(self.config.loops):
            y = self.net(y + x)
        return Latents(y, z)
