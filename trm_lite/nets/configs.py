"""The sizes and options of every network, one frozen dataclass each. This file needs no torch.

Sizes: V vocabulary, L cells of a puzzle, P positions before them, D hidden size.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from trm_lite.common.errors import UserError
from trm_lite.nets.base_config import NetConfig, OneStackConfig, ReasonerConfig
from trm_lite.nets.later_configs import SERRMConfig, URMConfig
from trm_lite.puzzles.known import name_by_sizes


@dataclass(frozen=True)
class TRMConfig(ReasonerConfig):
    """The configuration of a TRM. The defaults are the paper's (section 4 and the authors' code).

    `gradient`, `shared_net` and `num_latents` exist for the ablations (paper, tables 1 and 2).
    """

    num_layers: int = 2  # blocks of the network
    T: int = 3  # full recursions per supervision step; only the last one has a gradient
    n: int = 6  # latent updates per full recursion
    # Where the gradient flows: "full": the whole last recursion; "one_step": only its last latent
    # update and its answer update.
    gradient: Literal["full", "one_step"] = "full"
    shared_net: bool = True  # False: answer updates use a second network, `answer_net`
    num_latents: int = 1  # 0: y is answer and latent at once; n: one latent per update
    # The additions of Equilibrium Reasoners (EqR, arXiv 2605.21488).
    random_start: bool = False  # draw y and z anew for every puzzle ("RI")
    damping: float = 0.0  # share of the old state that an application keeps; theirs is 0.05
    noise: float = 0.0  # standard deviation of the noise in every application; theirs is 0.01
    network: Literal["TRM"] = "TRM"  # the name of the class in files

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.damping < 1 or self.noise < 0:
            raise UserError(
                f"Damping must be at least 0 and below 1, and noise at least 0; they are "
                f"{self.damping} and {self.noise}.",
                "damping",
                "noise",
            )
        if self.num_latents != 1 and (self.random_start or self.damping or self.noise):
            raise UserError(
                f"A TRM with {self.num_latents} latents has no random start, damping or noise; "
                "give it one latent, or leave them out.",
                "num_latents",
                "random_start",
                "damping",
                "noise",
            )

    @property
    def effective_depth(self) -> int:
        """Layers applied in one supervision step: T * (n + 1) * num_layers (paper, table 1)."""
        return self.T * (self.n + 1) * self.num_layers

    @property
    def gradient_depth(self) -> int:
        """How many of these layers the gradient flows through: those of the last recursion."""
        updates = self.n + 1 if self.gradient == "full" else 2
        return updates * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers * (1 if self.shared_net else 2)

    @property
    def applications(self) -> int:
        """Applications of the network in one supervision step."""
        return self.T * (self.n + 1)

    @property
    def latent_updates(self) -> int:
        return self.n


@dataclass(frozen=True)
class RSMConfig(TRMConfig):
    """The configuration of an RSM, a TRM whose training begins anew at each optimiser step.

    The defaults are its authors' for Sudoku, at the end of the training. One supervision step is
    one of their outer steps, and n is the number of their inner steps.
    """

    in_slots: ClassVar[bool] = False
    num_layers: int = 1
    T: int = 1
    n: int = 12
    network: Literal["RSM"] = "RSM"  # the name of the class in files

    def __post_init__(self):
        super().__post_init__()
        plain = (self.T, self.num_latents, self.shared_net, self.gradient) == (1, 1, True, "full")
        if not plain or self.random_start or self.damping or self.noise:
            raise UserError(
                "An RSM has T = 1, one latent, one network, the full gradient and no random "
                "numbers; leave these options as they are."
            )

    @property
    def parameters(self) -> int:
        D = self.hidden_size
        # No halting head, and the output head is the token embedding.
        return super().parameters - self.vocab_size * D - 2 * D - 2


@dataclass(frozen=True)
class HRMConfig(ReasonerConfig):
    """The configuration of an HRM. The defaults are its authors': 27 million parameters."""

    mixing: Literal["mlp", "attention"] = "attention"
    prefix_len: int = 1
    H_layers: int = 4  # of the slow network f_H
    L_layers: int = 4  # of the fast network f_L
    T: int = 2  # cycles per supervision step, "H_cycles" in the authors' code
    n: int = 2  # fast updates per cycle, "L_cycles" in the authors' code
    network: Literal["HRM"] = "HRM"  # the name of the class in files

    @property
    def effective_depth(self) -> int:
        """Layers applied in one supervision step: T * (n * L_layers + H_layers)."""
        return self.T * (self.n * self.L_layers + self.H_layers)

    @property
    def gradient_depth(self) -> int:
        """How many of these layers the gradient flows through: the last update of each network."""
        return self.L_layers + self.H_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.L_layers + self.H_layers

    @property
    def latent_updates(self) -> int:
        return self.n


@dataclass(frozen=True)
class DirectConfig(OneStackConfig):
    """The configuration of direct prediction. The defaults have the authors' 27 million parameters.

    The network has no latent, only an answer.
    """

    mixing: Literal["mlp", "attention"] = "attention"
    num_heads: int = 12
    prefix_len: int = 1
    num_layers: int = 8
    network: Literal["Direct"] = "Direct"  # the name of the class in files


@dataclass(frozen=True)
class AutoregressiveConfig(NetConfig):
    """The configuration of a network that writes its answer token by token."""

    in_slots: ClassVar[bool] = False
    num_layers: int = 8  # blocks of the network
    scratch_len: int = 0  # S, room for a solver's steps: two tokens per cell, and an END token
    network: Literal["Autoregressive"] = "Autoregressive"  # the name of the class in files

    @property
    def effective_depth(self) -> int:
        """Layers applied per written token."""
        return self.num_layers

    @property
    def length(self) -> int:
        """Tokens of a whole text, puzzle, scratch and answer: 2 L + S."""
        return 2 * self.seq_len + self.scratch_len

    @property
    def end_token(self) -> int:
        """The token END, which closes the scratch.

        Its number is V + L: tokens 0..V-1 are those of the puzzle, and V..V+L-1 name the cells.
        """
        return self.vocab_size + self.seq_len

    @property
    def parameters(self) -> int:
        D = self.hidden_size
        embeddings = (2 * (self.end_token + 1) + self.length) * D
        return self.num_layers * (self._attention() + self._swiglu(D)) + embeddings


CONFIGS = {
    config.network: config
    for config in (
        TRMConfig,
        RSMConfig,
        HRMConfig,
        DirectConfig,
        URMConfig,
        SERRMConfig,
        AutoregressiveConfig,
    )
}


def config_from_dict(fields: dict) -> NetConfig:
    """The configuration that `dataclasses.asdict` turned into `fields`.

    The entry "network" names the class. Older files call it "kind", and the oldest, which only
    knew TRM, do not have it. Nor do older files name the puzzle. Raises UserError for an unknown
    network; TypeError or ValueError for fields that its class does not have, or no fields at all.
    """
    fields = dict(fields)
    if "puzzle" not in fields:
        sizes = (fields.get(size, getattr(NetConfig, size)) for size in ("vocab_size", "seq_len"))
        fields["puzzle"] = name_by_sizes(*sizes)
    name = fields.setdefault("network", fields.pop("kind", "TRM"))
    if not isinstance(name, str) or name not in CONFIGS:
        raise UserError(f"The network '{name}' is unknown here; it needs a newer trm_lite.")
    return CONFIGS[name](**fields)
