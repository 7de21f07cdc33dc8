"""Direct prediction: read the puzzle, say the answer. What every other network must beat.

    y <- net(y + x)

Once, with y = 0 before it, is the paper's "direct pred" (arXiv 2510.04871, table 4): a plain
transformer. Applied `loops` times in a row, it is *weight-tied recursion*, with gradient through
all of it; and with more than one supervision step per puzzle (`Recipe.max_steps`) the same
network gets deep supervision. So the rungs of the ladder below HRM are this one file.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from trm_lite.nets.reasoner import Latents, Reasoner, ReasonerConfig, build_stack


@dataclass(frozen=True)
class DirectConfig(ReasonerConfig):
    """Shape of a direct predictor. The defaults are the authors' 27 million parameters."""

    mixing: Literal["mlp", "attention"] = "attention"
    num_heads: int = 12
    prefix_len: int = 1
    num_layers: int = 8
    loops: int = 1  # how often the same layers are applied per supervision step
    kind: Literal["Direct"] = "Direct"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step."""
        return self.loops * self.num_layers


class Direct(Reasoner):
    """Direct prediction, and weight-tied recursion. `forward` is one supervision step."""

    def __init__(self, config: DirectConfig):
        super().__init__(config, num_latents=0, net=build_stack(config, config.num_layers))
        self.y_init.zero_()  # no answer yet

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        y, z = latents
        for _ in range(self.config.loops):
            y = self.net(y + x)
        return Latents(y, z)
