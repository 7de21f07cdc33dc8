"""Direct prediction: read the puzzle, say the answer. What every other network must beat.

    y <- net(y + x)

Once, with y = 0 before it, is the paper's "direct pred" (arXiv 2510.04871, table 4): a plain
transformer. Applied `loops` times in a row, it is *weight-tied recursion*, with gradient through
all of it; and with more than one supervision step per puzzle (`Recipe.max_steps`) the same
network gets deep supervision. So the rungs of the ladder below HRM are this one file.
"""

from torch import Tensor

from trm_lite.nets.configs import DirectConfig
from trm_lite.nets.reasoner import Latents, Reasoner, build_stack


class Direct(Reasoner):
    """Direct prediction, and weight-tied recursion. `forward` is one supervision step."""

    def __init__(self, config: DirectConfig):
        super().__init__(config, num_latents=0, net=build_stack(config, config.num_layers))
        self.y_init.zero_()  # no answer yet

    def recurse(self, x: Tensor, latents: Latents, noise: Tensor | None = None) -> Latents:
        y, z = latents
        for _ in range(self.config.loops):
            y = self.net(y + x)
        return Latents(y, z)
