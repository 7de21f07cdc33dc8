"""Count the floating-point operations of a training step from the sizes of the network.

Only matrix products are counted, as 2 operations per multiply-add. All else, such as URM's
convolution of each feature alone, is below one per cent at full size.
"""

from trm_lite.nets.base_config import inner_width
from trm_lite.nets.configs import AutoregressiveConfig, NetConfig, RSMConfig, SERRMConfig
from trm_lite.training.recipe import Preset
from trm_lite.training.rsm_depth import mean_applications


def block_flops(config: NetConfig) -> int:
    """Operations of the forward pass of one block on one example."""
    D, L = config.hidden_size, config.length
    if isinstance(config, SERRMConfig):
        K, cells = config.vocab_size, config.num_heads * config.head_dim
        symbols = config.symbol_heads * config.symbol_head_size
        features = 3 * D * inner_width(D, config.expansion, config.multiple_of)
        # Each symbol attends over L cells, and each cell over K symbols.
        return 2 * K * L * (features + 4 * D * (cells + symbols) + 2 * L * cells + 2 * K * symbols)
    if isinstance(config, AutoregressiveConfig):
        L -= 1  # the last token is only predicted, never read
    features = 2 * L * 3 * D * inner_width(D, config.expansion, config.multiple_of)
    if config.mixing == "mlp":
        return features + 2 * D * 3 * L * inner_width(L, config.expansion, config.multiple_of)
    width = config.num_heads * (D // config.num_heads)
    return features + 2 * L * 4 * D * width + 2 * 2 * L * L * width


def head_flops(config: NetConfig) -> int:
    """Operations of the forward pass of the output heads on one example."""
    D, V = config.hidden_size, config.vocab_size
    if isinstance(config, SERRMConfig):
        return 2 * config.seq_len * V * D * (1 if config.shared_symbols else V)
    if isinstance(config, AutoregressiveConfig):
        return 2 * (config.length - 1) * D * (config.end_token + 1)
    return 2 * config.length * D * V + 2 * D * 2 * (not isinstance(config, RSMConfig))


def step_flops(preset: Preset, recompute: bool = False) -> int:
    """Operations of one optimiser step on the whole batch.

    A backward pass costs twice a forward pass, but only through the layers that have a gradient.
    With `recompute` these layers also have a second forward pass.
    """
    config, recipe = preset.model, preset.recipe
    if isinstance(config, RSMConfig):
        return _rsm_step_flops(preset, recompute)
    block, head = block_flops(config), head_flops(config)
    forward = config.effective_depth * block + head
    per_example = recipe.forward_passes * forward + 2 * (config.gradient_depth * block + head)
    if recompute:
        per_example += config.gradient_depth * block
    return recipe.batch_size * per_example


def _rsm_step_flops(preset: Preset, recompute: bool) -> int:
    """The mean over the run, because the thoughts of an RSM get longer."""
    config, (forward, learning) = preset.model, mean_applications(preset)
    passes = forward + (2 + recompute) * learning
    blocks = passes * config.num_layers * block_flops(config)
    return round(preset.recipe.batch_size * (blocks + 3 * head_flops(config)))
