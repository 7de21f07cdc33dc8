"""The sizes and options of the networks of the year after TRM. This file needs no torch."""

from dataclasses import dataclass
from typing import Literal

from trm_lite.common.errors import UserError
from trm_lite.nets.base_config import OneStackConfig, inner_width


@dataclass(frozen=True)
class LoopedConfig(OneStackConfig):
    """What URM and SE-RRM have in common: one state, and loops of which the last have a gradient.

    Raises UserError for an impossible number of loops.
    """

    mixing: Literal["mlp", "attention"] = "attention"
    loops: int = 12
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
    def gradient_depth(self) -> int:
        """How many of these layers the gradient flows through: those of the last loops."""
        return self.loops_with_gradient * self.num_layers


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
class SERRMConfig(LoopedConfig):
    """The configuration of an SE-RRM. The defaults are its authors' for Sudoku: 2 million numbers.

    Its tokens are K symbols: padding, blank (or another token apart), and digits that are alike.
    """

    hidden_size: int = 256
    num_heads: int = 4  # of the attention over cells
    head_size: int | None = None  # features of each; hidden_size / num_heads if None
    symbol_heads: int = 2  # of the attention over symbols
    symbol_head_size: int = 64  # features of each
    positions: Literal["board", "rotary", "learned"] = "board"  # of cells; "board": in 2 dimensions
    prefix_len: int = 0
    extra_cells: int = 4  # A, learned cells after the board
    loops: int = 18
    shared_symbols: bool = True  # digits share all weights; False: each has its own embedding
    network: Literal["SERRM"] = "SERRM"  # the name of the class in files

    def __post_init__(self):
        super().__post_init__()
        parts = {"board": 4, "rotary": 2, "learned": 1}[self.positions]
        if self.head_dim % parts:
            raise UserError(
                f"Attention heads of {self.head_dim} features cannot have these positions; choose "
                f"a size that is a multiple of {parts}.",
                "head_size",
            )
        if self.prefix_len:
            raise UserError(
                "An SE-RRM has no positions before the cells; use extra cells.", "prefix_len"
            )

    @property
    def head_dim(self) -> int:
        return self.head_size or super().head_dim

    @property
    def fits_other_boards(self) -> bool:
        """Whether the same weights work on boards with more cells or more digits."""
        return self.shared_symbols and self.positions != "learned" and self.num_puzzles == 1

    @property
    def length(self) -> int:
        return self.seq_len + self.extra_cells

    @property
    def latent_size(self) -> int:
        return self.vocab_size * self.length * self.hidden_size

    @property
    def puzzle_table_size(self) -> int:
        # With several puzzles, each has a vector of all features, and a number for each symbol.
        return self.num_puzzles * (self.hidden_size + self.vocab_size) * (self.num_puzzles > 1)

    @property
    def parameters(self) -> int:
        D, K = self.hidden_size, self.vocab_size
        width = self.num_heads * self.head_dim + self.symbol_heads * self.symbol_head_size
        kinds, head = (3, D) if self.shared_symbols else (K, K * K * D)
        positions = self.seq_len * D if self.positions == "learned" else 0
        ends = kinds * (1 + self.extra_cells) * D + positions + head
        return self.num_layers * (4 * D * width + self._swiglu(D)) + ends
