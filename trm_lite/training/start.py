"""What a network starts with: weights of an earlier run, and the format of its latents."""

import dataclasses

import torch

from trm_lite.common.device import prefers_bfloat16
from trm_lite.common.errors import UserError
from trm_lite.nets.build import Network
from trm_lite.nets.configs import NetConfig
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, shipped
from trm_lite.training.recipe import Recipe


def weights_for(config: NetConfig, name: str) -> dict:
    """The weights of a file or of the course; UserError if they are for another `config`."""
    model, _ = load_weights(name) if name.endswith(".safetensors") else shipped(name)
    if dataclasses.replace(model.config, puzzle=config.puzzle) != config:
        raise UserError(
            f"{name} holds a different network ({model.config}) from the one to train "
            f"({config}); choose the preset that it was trained with."
        )
    return model.state_dict()


def carry_as_asked(network: Network, recipe: Recipe, device: torch.device) -> None:
    """Let a network carry its latents in bfloat16 if its recipe says so and `device` suits."""
    asked = recipe.bfloat16 and recipe.bfloat16_carry and isinstance(network, Reasoner)
    if asked and prefers_bfloat16(device):
        network.carry_in(torch.bfloat16)
