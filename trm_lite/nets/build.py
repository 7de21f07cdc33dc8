"""Build the network that a configuration describes, or tell the shapes of its weights."""

import dataclasses

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

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
from trm_lite.puzzles import Puzzle, get_puzzle
from trm_lite.puzzles.known import name_by_sizes

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
    sizes = {"vocab_size": vocab_size, "seq_len": seq_len}
    puzzle = name_by_sizes(vocab_size, seq_len)
    config = dataclasses.replace(config, **sizes, puzzle=puzzle)
    other = network_with(config, network.state_dict())
    return other.to(network.device).train(network.training)


def puzzle_of(network: Network) -> Puzzle:
    """The puzzle that a network reads: the one it was given, or the one that its config names.

    Raises UserError if it has none, or one of other boards.
    """
    config, puzzle = network.config, network.puzzle
    if puzzle is None:
        if not config.puzzle:
            raise UserError(
                "This network does not say which puzzle it reads; name one in its configuration, "
                "such as puzzle='sudoku-6x6', or set its attribute `puzzle`."
            )
        puzzle = get_puzzle(config.puzzle)
    if (puzzle.vocab_size, puzzle.length) != (config.vocab_size, config.seq_len):
        raise UserError(
            f"The puzzle '{puzzle.name}' has {puzzle.length} cells and {puzzle.vocab_size} tokens, "
            f"but this network reads {config.seq_len} cells of {config.vocab_size} tokens; load "
            "the puzzle that it was trained on."
        )
    return puzzle


class Uninitialised(TorchFunctionMode):
    """Leaves out the initialisation of weights."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call `func`, unless it initialises; see `TorchFunctionMode`."""
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func is Tensor.normal_:  # `trunc_normal_` alone cannot be left out as a whole
            return args[0]
        if func is Tensor.__bool__:  # whether one of its numbers is out of bounds
            return False
        return func(*args, **(kwargs or {}))


def network_with(config: NetConfig, state: dict[str, Tensor]) -> Network:
    """The network that `config` describes with the weights of a state dict; none are drawn first.

    Raises PyTorch's RuntimeError if they do not fit.
    """
    with Uninitialised():
        network = build_network(config)
    network.load_state_dict(state)
    return network


def shapes(config: NetConfig) -> dict[str, torch.Size]:
    """The shape of every tensor in the state dict of a network, without making the network.

    An untrusted file can thus be compared with its configuration before it takes any memory.
    Initialisation is left out, because on the meta device it imports a compiler, in a second.
    """
    with torch.device("meta"), Uninitialised():
        return {name: tensor.shape for name, tensor in build_network(config).state_dict().items()}
