"""The sizes and options of every network, one frozen dataclass each. This file needs no torch.

Sizes: V vocabulary, L cells of a puzzle, P positions before them, D hidden size.
"""

import math
from dataclasses import dataclass
from typing import Literal

from trm_lite.common.errors import UserError


def inner_width(width: int, expansion: float, multiple_of: int) -> int:
    """The inner width of a SwiGLU: 2/3 * expansion * width, rounded up to a `multiple_of`.

    The factor 2/3 makes up for the third matrix of a SwiGLU, which a plain MLP does not have.
    """
    return math.ceil(round(expansion * width * 2 / 3) / multiple_of) * multiple_of


@dataclass(frozen=True)
class NetConfig:
    """The sizes that every network has. The defaults are the TRM paper's, for 9x9 Sudoku."""

    vocab_size: int = 11  # V, different tokens
    seq_len: int = 81  # L, cells of a puzzle
    hidden_size: int = 512  # D, features per position
    num_heads: int = 8  # H, attention heads
    expansion: float = 4.0  # a SwiGLU is inside 2/3 of this times as wide as outside
    multiple_of: int = 256  # and its inner width is rounded up to a multiple of this

    @property
    def effective_depth(self) -> int:
        """Layers applied in sequence in one forward pass."""
        raise NotImplementedError

    @property
    def gradient_depth(self) -> int:
        """How many of these layers the gradient flows through: by default all of them."""
        return self.effective_depth

    @property
    def mixing(self) -> str:
        """How positions exchange information: "mlp" or "attention"."""
        return "attention"

    @property
    def parameters(self) -> int:
        """The number of trained parameters, without the table of puzzle embeddings."""
        raise NotImplementedError

    @property
    def latent_size(self) -> int:
        """How many numbers each puzzle carries from one supervision step to the next."""
        return 0

    @property
    def puzzle_table_size(self) -> int:
        """How many numbers the table of puzzle embeddings holds, which `parameters` leaves out."""
        return 0

    def _swiglu(self, width: int) -> int:
        return 3 * width * inner_width(width, self.expansion, self.multiple_of)

    def _attention(self) -> int:
        return 4 * self.hidden_size * (self.hidden_size // self.num_heads * self.num_heads)


@dataclass(frozen=True)
class ReasonerConfig(NetConfig):
    """What all reasoners have in common: networks that carry latents between supervision steps.

    Raises UserError if attention heads would have no features, or an odd number of them with
    rotary positions.
    """

    mixing: Literal["mlp", "attention"] = "mlp"  # how positions exchange information
    positions: Literal["rotary", "learned", "none"] = "rotary"  # "rotary" affects attention only
    num_puzzles: int = 1  # puzzle identifiers: 1 for Sudoku and mazes, one per puzzle for ARC
    prefix_len: int = 16  # P, positions before the tokens, which hold the puzzle embedding
    puzzle_embedding_size: int | None = None  # E, numbers per puzzle embedding; hidden_size if None

    def __post_init__(self):
        if self.mixing == "attention":
            head_dim = self.hidden_size // self.num_heads
            if head_dim < 1 or (self.positions == "rotary" and head_dim % 2):
                raise UserError(
                    f"{self.num_heads} heads on {self.hidden_size} features have {head_dim} each; "
                    "choose num_heads so that each head has an even number of features."
                )

    @property
    def length(self) -> int:
        """How many positions the network works on: prefix and tokens, P + L."""
        return self.prefix_len + self.seq_len

    @property
    def num_layers_in_all(self) -> int:
        """Layers with their own weights, counted over all stacks."""
        raise NotImplementedError

    @property
    def num_latents(self) -> int:
        """How many latents z there are beside the answer y: by default 1."""
        return 1

    @property
    def latent_updates(self) -> int:
        """How often the latent is updated between two updates of the answer."""
        return 0

    @property
    def parameters(self) -> int:
        D = self.hidden_size
        mixer = self._swiglu(self.length) if self.mixing == "mlp" else self._attention()
        positions = self.length * D if self.positions == "learned" else 0
        heads = 2 * self.vocab_size * D + 2 * D + 2  # tokens in and out; halt and continue
        return self.num_layers_in_all * (mixer + self._swiglu(D)) + positions + heads

    @property
    def latent_size(self) -> int:
        return (1 + self.num_latents) * self.length * self.hidden_size

    @property
    def puzzle_table_size(self) -> int:
        size = self.puzzle_embedding_size
        size = self.hidden_size if size is None else size
        return self.num_puzzles * size * (self.prefix_len > 0)


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
class DirectConfig(ReasonerConfig):
    """The configuration of direct prediction. The defaults have the authors' 27 million parameters.

    The network has no latent, only an answer.
    """

    mixing: Literal["mlp", "attention"] = "attention"
    num_heads: int = 12
    prefix_len: int = 1
    num_layers: int = 8  # blocks of the network
    loops: int = 1  # how often the same layers are applied per supervision step
    network: Literal["Direct"] = "Direct"  # the name of the class in files

    @property
    def effective_depth(self) -> int:
        """Layers applied in one supervision step."""
        return self.loops * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers

    @property
    def num_latents(self) -> int:
        return 0


@dataclass(frozen=True)
class LoopedConfig(ReasonerConfig):
    """What URM and SE-RRM have in common: one state, and loops of which the last have a gradient.

    Raises UserError for an impossible number of loops.
    """

    mixing: Literal["mlp", "attention"] = "attention"
    num_layers: int = 2  # blocks of the network
    loops: int = 12  # applications of the network per supervision step
    loops_with_gradient: int = 6  # the last of them, which have a gradient

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.loops_with_gradient <= self.loops:
            raise UserError(
                f"Of {self.loops} loops, {self.loops_with_gradient} cannot have a gradient; "
                f"choose 1 to {self.loops}.",
                "loops_with_gradient",
            )

    @property
    def effective_depth(self) -> int:
        """Layers applied in one supervision step."""
        return self.loops * self.num_layers

    @property
    def gradient_depth(self) -> int:
        """How many of these layers the gradient flows through: those of the last loops."""
        return self.loops_with_gradient * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers

    @property
    def num_latents(self) -> int:
        return 0


@dataclass(frozen=True)
class URMConfig(LoopedConfig):
    """The configuration of a URM. The defaults are those of the authors' code: 14 million numbers.

    Their paper has 8 loops, of which the last 6 have a gradient.
    """

    prefix_len: int = 1
    num_layers: int = 4
    conv_kernel: int = 2  # positions that the convolution inside the SwiGLU spans; 0: none
    network: Literal["URM"] = "URM"  # the name of the class in files

    @property
    def parameters(self) -> int:
        inner = inner_width(self.hidden_size, self.expansion, self.multiple_of)
        conv = inner * (self.conv_kernel + 1) if self.conv_kernel else 0
        return super().parameters + self.num_layers * conv


@dataclass(frozen=True)
class AutoregressiveConfig(NetConfig):
    """The configuration of a network that writes its answer token by token."""

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
    for config in (TRMConfig, HRMConfig, DirectConfig, URMConfig, AutoregressiveConfig)
}


def config_from_dict(fields: dict) -> NetConfig:
    """The configuration that `dataclasses.asdict` turned into `fields`.

    The entry "network" names the class. Older files call it "kind", and the oldest, which only
    knew TRM, do not have it. Raises UserError for an unknown network, and TypeError for fields
    that its class does not have.
    """
    fields = dict(fields)
    name = fields.setdefault("network", fields.pop("kind", "TRM"))
    if name not in CONFIGS:
        raise UserError(f"The network '{name}' is unknown here; it needs a newer trm_lite.")
    return CONFIGS[name](**fields)
