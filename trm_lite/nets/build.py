"""Build the network that a configuration describes, also for boards of another size."""

import dataclasses

from trm_lite.common.errors import UserError
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.configs import (
    AutoregressiveConfig,
    DirectConfig,
    HRMConfig,
    NetConfig,
    RSMConfig,
    SERRMConfig,
    TRMConfig,
    URMConfig,
)
from trm_lite.nets.direct import Direct
from trm_lite.nets.hrm import HRM
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.rsm import RSM
from trm_lite.nets.se_rrm import SERRM
from trm_lite.nets.trm import TRM
from trm_lite.nets.urm import URM

Network = Reasoner | Autoregressive

NETWORKS: dict[type[NetConfig], type[Network]] = {
    TRMConfig: TRM,
    HRMConfig: HRM,
    DirectConfig: Direct,
    URMConfig: URM,
    RSMConfig: RSM,
    SERRMConfig: SERRM,
    AutoregressiveConfig: Autoregressive,
}


def build_network(config: NetConfig) -> Network:
    """A new, untrained network of the class that `config` belongs to."""
    return NETWORKS[type(config)](config)


def resized(network: Network, vocab_size: int, seq_len: int) -> Network:
    """The network with the same weights for boards of another size.

    Only an SE-RRM has weights that belong to no cell and no digit. Raises UserError for others.

    Args:
        network: a trained network.
        vocab_size: tokens of the other boards.
        seq_len: their cells.
    """
    config = network.config
    if (config.vocab_size, config.seq_len) == (vocab_size, seq_len):
        return network
    if not getattr(config, "fits_other_boards", False):
        raise UserError(
            f"A {config.network} with {config.mixing} mixing has weights for boards of "
            f"{config.seq_len} cells with {config.vocab_size} tokens, and cannot read {seq_len} "
            f"cells with {vocab_size} tokens; use an SE-RRM with shared symbols."
        )
    other = build_network(dataclasses.replace(config, vocab_size=vocab_size, seq_len=seq_len))
    other.load_state_dict(network.state_dict())
    return other.to(network.device).train(network.training)
