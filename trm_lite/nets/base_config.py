"""What the configurations of all networks have in common. This file needs no torch.

Sizes: V vocabulary, L cells of a puzzle, P positions before them, D hidden size.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from tyro.conf import Suppress

from trm_lite.common.errors import UserError
from trm_lite.nets.config_ranges import check_ranges


def inner_width(width: int, expansion: float, multiple_of: int) -> int:
    """The inner width of a SwiGLU: 2/3 * expansion * width, rounded up to a `multiple_of`.

    The factor 2/3 makes up for the third matrix of a SwiGLU, which a plain MLP does not have.
    """
    return math.ceil(max(1, round(expansion * width * 2 / 3)) / multiple_of) * multiple_of


@dataclass(frozen=True)
class NetConfig:
    """The sizes that every network has. The defaults are the TRM paper's, for 9x9 Sudoku."""

    in_slots: ClassVar[bool] = True  # whether its training carries thoughts on in slots
    vocab_size: int = 11  # V, different tokens
    seq_len: int = 81  # L, cells of a puzzle
    hidden_size: int = 512  # D, features per position
    num_heads: int = 8  # H, attention heads
    expansion: float = 4.0  # a SwiGLU is inside 2/3 of this times as wide as outside
    multiple_of: int = 256  # and its inner width is rounded up to a multiple of this
    puzzle: Suppress[str] = ""  # name of the puzzle that it reads; "" if that does not matter

    def __post_init__(self):
        """Raise UserError if a field has no sensible value, so that none needs to be tried."""
        check_ranges(self)

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
    rotary positions, and if a puzzle embedding would not fit in front of the tokens.
    """

    mixing: Literal["mlp", "attention"] = "mlp"  # how positions exchange information
    positions: Literal["rotary", "learned", "none"] = "rotary"  # "rotary" affects attention only
    num_puzzles: int = 1  # puzzle identifiers: 1 for Sudoku and mazes, one per puzzle for ARC
    prefix_len: int = 16  # P, positions before the tokens, which hold the puzzle embedding
    puzzle_embedding_size: int | None = None  # E, numbers per puzzle embedding; hidden_size if None

    def __post_init__(self):
        super().__post_init__()
        if self.mixing == "attention":
            head_dim = self.head_dim
            if head_dim < 1 or (self.positions == "rotary" and head_dim % 2):
                raise UserError(
                    f"{self.num_heads} heads on {self.hidden_size} features have {head_dim} each; "
                    "choose num_heads so that each head has an even number of features."
                )
        size, room = self.puzzle_embedding_size or 0, self.prefix_len * self.hidden_size
        if 0 < room < size:
            raise UserError(
                f"A puzzle embedding of {size} numbers does not fit into {self.prefix_len} "
                f"positions of {self.hidden_size} features; choose a longer prefix_len."
            )

    @property
    def head_dim(self) -> int:
        """Features per attention head."""
        return self.hidden_size // self.num_heads

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
class OneStackConfig(ReasonerConfig):
    """What networks have in common that apply one stack of layers, and have no latent beside y."""

    num_layers: int = 2  # blocks of the network
    loops: int = 1  # how often the same layers are applied per supervision step

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
