"""Count the floating-point operations of a training step from the sizes of the network.

Only matrix products and convolutions are counted, as 2 operations per multiply-add.
"""

from trm_lite.nets.configs import AutoregressiveConfig, NetConfig, URMConfig, inner_width
from trm_lite.training.recipe import Preset


def block_flops(config: NetConfig) -> int:
    """Operations of the forward pass of one block on one example."""
    D, L = config.hidden_size, config.length
    if isinstance(config, AutoregressiveConfig):
        L -= 1  # the last token is only predicted, never read
    inner = inner_width(D, config.expansion, config.multiple_of)
    features = 2 * L * 3 * D * inner
    if isinstance(config, URMConfig) and config.conv_kernel:
        # An even kernel computes one position too many.
        features += 2 * (L + 1 - config.conv_kernel % 2) * config.conv_kernel * inner
    if config.mixing == "mlp":
        return features + 2 * D * 3 * L * inner_width(L, config.expansion, config.multiple_of)
    width = config.num_heads * (D // config.num_heads)
    return features + 2 * L * 4 * D * width + 2 * 2 * L * L * width


def head_flops(config: NetConfig) -> int:
    """Operations of the forward pass of the output heads on one example."""
    D, V = config.hidden_size, config.vocab_size
    if isinstance(config, AutoregressiveConfig):
        return 2 * (config.length - 1) * D * (config.end_token + 1)
    return 2 * config.length * D * V + 2 * D * 2


def step_flops(preset: Preset, recompute: bool = False) -> int:
    """Operations of one optimiser step on the whole batch.

    A backward pass costs twice a forward pass, but only through the layers that have a gradient.
    With `recompute` these layers also have a second forward pass.
    """
    config, recipe = preset.model, preset.recipe
    block, head = block_flops(config), head_flops(config)
    forward = config.effective_depth * block + head
    per_example = recipe.forward_passes * forward + 2 * (config.gradient_depth * block + head)
    if recompute:
        per_example += config.gradient_depth * block
    return recipe.batch_size * per_example
