"""Build the network that a configuration describes."""

from trm_lite.common.errors import UserError
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
from trm_lite.puzzles import Puzzle, get_puzzle

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
