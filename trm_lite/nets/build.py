"""Build the network that a configuration describes."""

from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.configs import (
    AutoregressiveConfig,
    DirectConfig,
    HRMConfig,
    NetConfig,
    TRMConfig,
    URMConfig,
)
from trm_lite.nets.direct import Direct
from trm_lite.nets.hrm import HRM
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.trm import TRM
from trm_lite.nets.urm import URM

Network = Reasoner | Autoregressive

NETWORKS: dict[type[NetConfig], type[Network]] = {
    TRMConfig: TRM,
    HRMConfig: HRM,
    DirectConfig: Direct,
    URMConfig: URM,
    AutoregressiveConfig: Autoregressive,
}


def build_network(config: NetConfig) -> Network:
    """A new, untrained network of the class that `config` belongs to."""
    return NETWORKS[type(config)](config)
