"""The networks: layers shared by all, and one file per system that the course compares."""

import torch

from trm_lite.errors import UserError
from trm_lite.nets.autoregressive import Autoregressive, AutoregressiveConfig
from trm_lite.nets.direct import Direct, DirectConfig
from trm_lite.nets.hrm import HRM, HRMConfig
from trm_lite.nets.layers import NetConfig
from trm_lite.nets.reasoner import Reasoner, ReasonerConfig
from trm_lite.nets.trm import TRM, TRMConfig

__all__ = [
    "HRM",
    "NETWORKS",
    "TRM",
    "Autoregressive",
    "AutoregressiveConfig",
    "Direct",
    "DirectConfig",
    "HRMConfig",
    "NetConfig",
    "Network",
    "Reasoner",
    "ReasonerConfig",
    "TRMConfig",
    "build_network",
    "config_from_dict",
    "count_parameters",
]

Network = Reasoner | Autoregressive

NETWORKS: dict[type[NetConfig], type[Network]] = {
    TRMConfig: TRM,
    HRMConfig: HRM,
    DirectConfig: Direct,
    AutoregressiveConfig: Autoregressive,
}


def build_network(config: NetConfig) -> Network:
    """A fresh network of the class that `config` belongs to."""
    return NETWORKS[type(config)](config)


def config_from_dict(fields: dict) -> NetConfig:
    """The configuration that `dataclasses.asdict` turned into `fields`; `kind` says the class."""
    kind = fields.get("kind", "TRM")  # files older than the other networks name none
    for config in NETWORKS:
        if config.kind == kind:
            return config(**fields)
    raise UserError(f"There is no network called '{kind}' here; it needs a newer trm_lite.")


def count_parameters(config: NetConfig) -> int:
    """Trained parameters of a network, without the table of puzzle embeddings; builds none."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_network(config).parameters())
