"""The Symbol-Equivariant Recurrent Reasoning Model (SE-RRM): all digits are treated alike.

"Symbol-Equivariant Recurrent Reasoning Models", 2026, arXiv 2603.02193. The state has a vector
for every *pair* of a symbol and a cell: "could this symbol stand in this cell?"

    z <- net(z + x)            `loops` times, only the last few with a gradient

The network mixes along two axes: over the cells, for each symbol alone, and over the symbols, for
each cell alone. All symbols share all weights, so renaming the digits of a puzzle renames those
of the answer and changes nothing else. The same weights work on larger boards.

Sizes: B batch, K symbols, L cells, A extra cells, D hidden size.
"""

import torch
from torch import Tensor, nn

from trm_lite.nets.configs import SERRMConfig
from trm_lite.nets.layers import (
    Attention,
    BoardRotary,
    Linear,
    PuzzleEmbedding,
    Rotary,
    Stack,
    SwiGLU,
    rms_norm,
    truncated_normal_,
)
from trm_lite.nets.reasoner import Latents, Reasoner, Thought, least_sure, looped

APART = 2  # symbols with weights of their own: padding, and blank


class SymbolBlock(nn.Module):
    """One post-norm block, (B, K, L + A, D) to the same: over cells, symbols, and features."""

    def __init__(self, config: SERRMConfig):
        super().__init__()
        D = config.hidden_size
        self.cells = Attention(D, config.num_heads, config.head_dim)
        self.symbols = Attention(D, config.symbol_heads, config.symbol_head_size)
        self.swiglu = SwiGLU(D, config.expansion, config.multiple_of)

    def forward(self, h: Tensor, rotary: Rotary | None = None) -> Tensor:
        """Mix along each axis; the other one is part of the batch meanwhile."""
        B, K, N, D = h.shape
        h = self.cells(h.flatten(0, 1), rotary).view(B, K, N, D)
        h = self.symbols(h.transpose(1, 2).flatten(0, 1)).view(B, N, K, D).transpose(1, 2)
        return rms_norm(h + self.swiglu(h))


class SERRM(Reasoner):
    """The Symbol-Equivariant Recurrent Reasoning Model. `forward` is one supervision step.

    Example:
        >>> model = SERRM(SERRMConfig(vocab_size=8, seq_len=36, hidden_size=32))
        >>> thought = model(model.initial_latents(2), torch.ones(2, 36, dtype=torch.long))
        >>> thought.latents.y.shape
        torch.Size([2, 8, 40, 32])
    """

    def __init__(self, config: SERRMConfig):
        blocks = [SymbolBlock(config) for _ in range(config.num_layers)]
        super().__init__(config, num_latents=0, net=Stack(blocks, rotary_of(config)))

    def build_ends(self) -> None:
        """Make the embeddings of symbols and extra cells, and a head that reads one number."""
        config, D, K = self.config, self.config.hidden_size, self.config.vocab_size

        def vectors(*shape: int) -> nn.Parameter:
            return nn.Parameter(truncated_normal_(torch.empty(1, *shape, D), std=1.0))

        kinds = 1 if config.shared_symbols else K
        self.symbol_embedding = vectors(kinds, 1)
        self.symbol_cells = vectors(kinds, config.extra_cells)
        if config.shared_symbols:
            self.special_embedding = vectors(APART, 1)
            self.special_cells = vectors(APART, config.extra_cells)
        if config.positions == "learned":
            self.position_embedding = vectors(1, config.seq_len)
        size = D + K if config.num_puzzles > 1 else 0
        self.puzzle_embedding = PuzzleEmbedding(config.num_puzzles, size, 0, D)
        self.head = Linear(D, 1) if config.shared_symbols else Linear(K * D, K)

    def reset_parameters(self) -> None:
        """Do nothing, because each part initialises itself."""

    def initial_latents(self, batch_size: int, needed: Tensor | None = None) -> Latents:
        """The state y before the first step: one fixed vector everywhere. There is no z."""
        config = self.config
        shape = (batch_size, config.vocab_size, config.length, config.hidden_size)
        return Latents(
            self.y_init.expand(shape), self.z_init.expand(batch_size, *self.z_init.shape)
        )

    def of_all_symbols(self, special: str, symbols: Tensor) -> Tensor:
        """Vectors of all K symbols, (1, K, cells, D), of which all digits share the last one."""
        if not self.config.shared_symbols:
            return symbols
        digits = symbols.expand(-1, self.config.vocab_size - APART, -1, -1)
        return torch.cat((getattr(self, special), digits), dim=1)

    def embed(self, inputs: Tensor, puzzle_ids: Tensor | None = None) -> Tensor:
        """The question x as vectors, (B, K, L + A, D): the symbol of a cell, and 0 for all others.

        Token ids are (B, L), puzzle identifiers (B,), all 0 if None.
        """
        config, K = self.config, self.config.vocab_size
        symbols = torch.arange(K, device=inputs.device)
        shown = (inputs[:, None] == symbols[:, None])[..., None]  # (B, K, L, 1)
        embedding = self.of_all_symbols("special_embedding", self.symbol_embedding)
        x = shown * (K**0.5 * embedding)  # (B, K, L, D)
        if config.num_puzzles > 1:
            rows = self.puzzle_embedding.rows(
                inputs[:, 0] * 0 if puzzle_ids is None else puzzle_ids
            )
            features, scalars = rows.split((config.hidden_size, K), dim=1)
            x = x + features[:, None, None] + scalars[:, :, None, None]
        if config.positions == "learned":
            x = x + self.position_embedding
        cells = self.of_all_symbols("special_cells", self.symbol_cells)
        x = torch.cat((x, cells.expand(len(inputs), -1, -1, -1)), dim=2)
        return x.to(self.y_init.dtype)

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """Apply the network `loops` times to the state and the question x (B, K, L + A, D)."""
        y, z = latents
        config = self.config
        return Latents(looped(self.net, y, x, config.loops, config.loops_with_gradient), z)

    def read(self, latents: Latents) -> Thought:
        """Read a score off every pair of symbol and cell, and how sure the network is of them.

        There is no halting head. The belief is that in the least sure cell.
        """
        board = latents.y[:, :, : self.config.seq_len]  # (B, K, L, D)
        if self.config.shared_symbols:
            logits = self.head(board)[..., 0].transpose(1, 2)  # (B, L, K)
        else:
            logits = self.head(board.transpose(1, 2).flatten(2))
        belief = least_sure(logits)
        carried = Latents(*(latent.detach() for latent in latents))
        return Thought(carried, logits, belief, belief)


def rotary_of(config: SERRMConfig) -> Rotary | None:
    """The rotary positions of the cells; extra cells have none."""
    if config.positions == "learned":
        return None
    if config.positions == "board":
        return BoardRotary(config.head_dim, config.seq_len, config.extra_cells)
    rotary = Rotary(config.head_dim, config.length)
    rotary.cos[config.seq_len :], rotary.sin[config.seq_len :] = 1.0, 0.0
    return rotary
