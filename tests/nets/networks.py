"""Small networks of every kind."""

import torch

from trm_lite.nets import AutoregressiveConfig, DirectConfig, HRMConfig, TRMConfig, build_network
from trm_lite.nets.configs import RSMConfig, SERRMConfig, URMConfig

SMALL = dict(
    vocab_size=8, seq_len=36, hidden_size=16, multiple_of=8, num_heads=2, puzzle="sudoku-6x6"
)
CONFIGS = {
    "trm": TRMConfig(**SMALL, prefix_len=2),
    "trm-attention": TRMConfig(**SMALL, mixing="attention"),
    "trm-learned": TRMConfig(**SMALL, mixing="attention", positions="learned"),
    "trm-two-nets": TRMConfig(**SMALL, shared_net=False),
    "trm-one-step": TRMConfig(**SMALL, gradient="one_step"),
    "trm-single": TRMConfig(**SMALL, num_latents=0),
    "trm-multi": TRMConfig(**SMALL, num_latents=6),
    "trm-no-prefix": TRMConfig(**SMALL, prefix_len=0),
    "eqr": TRMConfig(**SMALL, random_start=True, damping=0.05, noise=0.01),
    "hrm": HRMConfig(**SMALL, H_layers=1, L_layers=2),
    "direct": DirectConfig(**SMALL, num_layers=3, loops=2),
    "urm": URMConfig(**SMALL, num_layers=2, loops=4, loops_with_gradient=2),
    "se-rrm": SERRMConfig(
        **SMALL, symbol_heads=1, symbol_head_size=8, loops=4, loops_with_gradient=2
    ),
    "se-rrm-unshared": SERRMConfig(
        **SMALL,
        symbol_head_size=4,
        extra_cells=0,
        loops=2,
        loops_with_gradient=1,
        shared_symbols=False,
        positions="learned",
    ),
    "rsm": RSMConfig(**SMALL, prefix_len=2, n=3),
    "rsm-attention": RSMConfig(**SMALL, prefix_len=2, n=2, mixing="attention"),
    "tokens": AutoregressiveConfig(**SMALL, num_layers=2, scratch_len=61),
}
WRITER = AutoregressiveConfig(**SMALL, num_layers=2)


def puzzles(count=4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 8, (count, 36), generator=generator)


def fresh(config, seed=0):
    torch.manual_seed(seed)
    return build_network(config)


REASONERS = [name for name in CONFIGS if name != "tokens"]
