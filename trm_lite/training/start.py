"""The weights that a training run starts from, if it does not start from random ones."""

import dataclasses

from trm_lite.common.errors import UserError
from trm_lite.nets.configs import NetConfig
from trm_lite.nets.weights import load_weights, shipped


def weights_for(config: NetConfig, name: str) -> dict:
    """The weights of a file or of the course; UserError if they are for another `config`."""
    model, _ = load_weights(name) if name.endswith(".safetensors") else shipped(name)
    if dataclasses.replace(model.config, puzzle=config.puzzle) != config:
        raise UserError(
            f"{name} holds a different network ({model.config}) from the one to train "
            f"({config}); choose the preset that it was trained with."
        )
    return model.state_dict()
