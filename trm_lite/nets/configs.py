"""The shape of every network, as a frozen dataclass each; reading them needs no torch.

Sizes: V vocabulary, L cells of a puzzle, P positions before them, D hidden size.
"""

import math
from dataclasses import dataclass
from typing import Literal

from trm_lite.common.errors import UserError


def inner_width(width: int, expansion: float, multiple_of: int) -> int:
    """How wide a SwiGLU is inside: 2/3 of `expansion` times its width, rounded up."""
    return math.ceil(round(expansion * width * 2 / 3) / multiple_of) * multiple_of


@dataclass(frozen=True)
class NetConfig:
    """The sizes that every network has. The defaults are the TRM paper's, for 9x9 Sudoku."""

    vocab_size: int = 11  # V
    seq_len: int = 81  # L, cells of a puzzle
    hidden_size: int = 512  # D
    num_heads: int = 8  # of attention, H
    expansion: float = 4.0
    multiple_of: int = 256  # the inner width of a SwiGLU is rounded up to a multiple of this

    @property
    def effective_depth(self) -> int:
        """Layers passed one after the other in one forward pass."""
        raise NotImplementedError

    @property
    def gradient_depth(self) -> int:
        """How many of these gradient flows through; all, unless a network says otherwise."""
        return self.effective_depth

    @property
    def mixing(self) -> str:
        """How positions exchange information: "mlp" or "attention"."""
        return "attention"

    @property
    def parameters(self) -> int:
        """Trained parameters, without the table of puzzle embeddings."""
        raise NotImplementedError

    @property
    def latent_size(self) -> int:
        """Numbers that one puzzle carries from one supervision step to the next."""
        return 0

    @property
    def puzzle_table_size(self) -> int:
        """Numbers in the table of puzzle embeddings, which are learned beside the parameters."""
        return 0

    def _swiglu(self, width: int) -> int:
        return 3 * width * inner_width(width, self.expansion, self.multiple_of)

    def _attention(self) -> int:
        return 4 * self.hidden_size * (self.hidden_size // self.num_heads * self.num_heads)


@dataclass(frozen=True)
class ReasonerConfig(NetConfig):
    """The shape that all reasoners have in common."""

    mixing: Literal["mlp", "attention"] = "mlp"
    positions: Literal["rotary", "learned", "none"] = "rotary"  # rotary: attention mixing only
    num_puzzles: int = 1  # puzzle identifiers: 1 for Sudoku and mazes, one per task for ARC
    prefix_len: int = 16  # P, positions in front of the tokens that hold the puzzle embedding
    puzzle_embedding_size: int | None = None  # hidden_size if None
    # The additions of Equilibrium Reasoners (EqR, arXiv 2605.21488); of TRM with one latent only.
    random_start: bool = False  # draw y and z anew for every puzzle ("RI")
    damping: float = 0.0  # share of the old state that an application keeps; theirs: 0.05
    noise: float = 0.0  # deviation of Gaussian noise added in every application; theirs: 0.01

    def __post_init__(self):
        if not 0 <= self.damping < 1 or self.noise < 0:
            raise UserError(
                f"A damping is 0 or more and below 1, and noise is not negative; not {self.damping} "
                f"and {self.noise}.",
                "damping",
                "noise",
            )
        if (self.damping or self.noise) and not self.takes_noise:
            raise UserError(
                "Damping and noise are made for a TRM with one latent; leave them out.",
                "damping",
                "noise",
            )
        if self.mixing == "attention":
            head_dim = self.hidden_size // self.num_heads
            if head_dim < 1 or (self.positions == "rotary" and head_dim % 2):
                raise UserError(
                    f"{self.num_heads} heads on {self.hidden_size} features are {head_dim} each; "
                    "choose num_heads so that each head has an even number of features."
                )

    @property
    def length(self) -> int:
        """Positions the network works on: prefix and tokens, P + L."""
        return self.prefix_len + self.seq_len

    @property
    def num_layers_in_all(self) -> int:
        """Layers with weights of their own, of all stacks together."""
        raise NotImplementedError

    @property
    def num_latents(self) -> int:
        """Latents beside the answer y; 1 unless a network says otherwise."""
        return 1

    @property
    def latent_updates(self) -> int:
        """Updates of the latent between two of the answer."""
        return 0

    @property
    def takes_noise(self) -> bool:
        """Whether its applications can be damped and noisy."""
        return False

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
    """Shape of a TRM. The defaults are the paper's (section 4 and the authors' code).

    `gradient`, `shared_net` and `num_latents` are for its ablations (paper, tables 1 and 2).
    """

    num_layers: int = 2
    T: int = 3  # full recursions per supervision step; only the last has gradient
    n: int = 6  # latent updates per full recursion
    gradient: Literal["full", "one_step"] = "full"  # one_step: last think and last answer alone
    shared_net: bool = True  # False: a second network `answer_net` of its own for the answer
    num_latents: int = 1  # 0: y alone does both jobs; n: each update has a latent of its own
    network: Literal["TRM"] = "TRM"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step, T (n + 1) layers (paper, table 1)."""
        return self.T * (self.n + 1) * self.num_layers

    @property
    def gradient_depth(self) -> int:
        """How many of these gradient flows through: those of the last full recursion."""
        updates = self.n + 1 if self.gradient == "full" else 2
        return updates * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers * (1 if self.shared_net else 2)

    @property
    def takes_noise(self) -> bool:
        return self.num_latents == 1

    @property
    def applications(self) -> int:
        """Applications of the network in one supervision step."""
        return self.T * (self.n + 1)

    @property
    def latent_updates(self) -> int:
        return self.n


@dataclass(frozen=True)
class HRMConfig(ReasonerConfig):
    """Shape of an HRM. The defaults are the authors': 27 million parameters."""

    mixing: Literal["mlp", "attention"] = "attention"
    prefix_len: int = 1
    H_layers: int = 4  # of the slow network f_H
    L_layers: int = 4  # of the fast network f_L
    T: int = 2  # cycles per supervision step, "H_cycles" in the authors' code
    n: int = 2  # fast updates per cycle, "L_cycles"
    network: Literal["HRM"] = "HRM"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step, T (n L_layers + H_layers)."""
        return self.T * (self.n * self.L_layers + self.H_layers)

    @property
    def gradient_depth(self) -> int:
        """How many of these gradient flows through: the last update of each network."""
        return self.L_layers + self.H_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.L_layers + self.H_layers

    @property
    def latent_updates(self) -> int:
        return self.n


@dataclass(frozen=True)
class DirectConfig(ReasonerConfig):
    """Shape of a direct predictor. The defaults are the authors' 27 million parameters."""

    mixing: Literal["mlp", "attention"] = "attention"
    num_heads: int = 12
    prefix_len: int = 1
    num_layers: int = 8
    loops: int = 1  # how often the same layers are applied per supervision step
    network: Literal["Direct"] = "Direct"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step."""
        return self.loops * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers

    @property
    def num_latents(self) -> int:
        return 0


@dataclass(frozen=True)
class URMConfig(ReasonerConfig):
    """Shape of a Universal Reasoning Model. The defaults are the authors', 14 million parameters.

    In their code 12 loops, of which the last 6 have gradient; in their paper 8 and the last 6.
    """

    mixing: Literal["mlp", "attention"] = "attention"
    prefix_len: int = 1
    num_layers: int = 4
    loops: int = 12  # applications of the network per supervision step
    loops_with_gradient: int = 6  # the last ones
    conv_kernel: int = 2  # of the convolution inside the SwiGLU; 0: none
    network: Literal["URM"] = "URM"  # names the class in files

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.loops_with_gradient <= self.loops:
            raise UserError(
                f"Of {self.loops} loops 1 to {self.loops} can have gradient, not "
                f"{self.loops_with_gradient}.",
                "loops_with_gradient",
            )

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step."""
        return self.loops * self.num_layers

    @property
    def gradient_depth(self) -> int:
        """How many of these gradient flows through."""
        return self.loops_with_gradient * self.num_layers

    @property
    def num_layers_in_all(self) -> int:
        return self.num_layers

    @property
    def num_latents(self) -> int:
        return 0

    @property
    def parameters(self) -> int:
        inner = inner_width(self.hidden_size, self.expansion, self.multiple_of)
        conv = inner * (self.conv_kernel + 1) if self.conv_kernel else 0
        return super().parameters + self.num_layers * conv


@dataclass(frozen=True)
class AutoregressiveConfig(NetConfig):
    """Shape of a network that writes token by token."""

    num_layers: int = 8
    scratch_len: int = 0  # S, room for worked-out steps: two tokens per cell, and an END
    network: Literal["Autoregressive"] = "Autoregressive"  # names the class in files

    @property
    def effective_depth(self) -> int:
        """Layers passed per token that is written."""
        return self.num_layers

    @property
    def length(self) -> int:
        """Tokens of a whole text: puzzle, scratch and answer."""
        return 2 * self.seq_len + self.scratch_len

    @property
    def end_token(self) -> int:
        """Says that the scratch is done. Before it, after the puzzle's tokens, come the cells."""
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

    `network` says which class; older files call it "kind", and the oldest do not say: a TRM.
    Raises UserError for an unknown network, TypeError for fields that it does not have.
    """
    fields = dict(fields)
    name = fields.setdefault("network", fields.pop("kind", "TRM"))
    if name not in CONFIGS:
        raise UserError(f"There is no network called '{name}' here; it needs a newer trm_lite.")
    return CONFIGS[name](**fields)
