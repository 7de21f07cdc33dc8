"""How many operations a training step takes, counted from the sizes of the network."""

from trm_lite.nets.configs import AutoregressiveConfig, NetConfig, inner_width
from trm_lite.training.recipe import Preset


def block_flops(config: NetConfig) -> int:
    """Operations of one block on one example, forward."""
    D, L = config.hidden_size, config.length
    if isinstance(config, AutoregressiveConfig):
        L -= 1  # what follows the last token is not asked
    features = 2 * L * 3 * D * inner_width(D, config.expansion, config.multiple_of)
    if config.mixing == "mlp":
        return features + 2 * D * 3 * L * inner_width(L, config.expansion, config.multiple_of)
    width = config.num_heads * (D // config.num_heads)
    return features + 2 * L * 4 * D * width + 2 * 2 * L * L * width


def head_flops(config: NetConfig) -> int:
    """Operations that read the answer off one example, forward."""
    D, V = config.hidden_size, config.vocab_size
    if isinstance(config, AutoregressiveConfig):
        return 2 * (config.length - 1) * D * (config.end_token + 1)
    return 2 * config.length * D * V + 2 * D * 2


def step_flops(preset: Preset, recompute: bool = False) -> int:
    """Operations of one optimiser step: forward once, and twice more where gradient flows."""
    config, recipe = preset.model, preset.recipe
    block, head = block_flops(config), head_flops(config)
    forward = config.effective_depth * block + head
    per_example = recipe.forward_passes * forward + 2 * (config.gradient_depth * block + head)
    if recompute:
        per_example += config.gradient_depth * block
    return recipe.batch_size * per_example
