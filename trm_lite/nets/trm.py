"""The Tiny Recursive Model (TRM): one small network, applied again and again.

"Less is More: Recursive Reasoning with Tiny Networks", Jolicoeur-Martineau 2025,
arXiv 2510.04871. The network holds a question x, a current answer y and a latent z, and has
two jobs that it tells apart by whether x is in its input:

    z <- net(z + (y + x))      think: improve the latent, n times
    y <- net(y + z)            answer: improve the answer, once

That is one *full recursion*. A *supervision step* is T of them, only the last with gradient.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from trm_lite.nets.layers import (
    Attention,
    Block,
    PuzzleEmbedding,
    Rotary,
    Stack,
    TokenMixer,
    truncated_normal_,
)


class Latents(NamedTuple):
    """What the network carries from one supervision step to the next, each (B, P + L, D)."""

    y: Tensor  # the current answer, "z_H" in HRM and in the authors' code
    z: Tensor  # the latent reasoning, "z_L" there


class Thought(NamedTuple):
    """What one supervision step brings forth."""

    latents: Latents  # detached: no gradient flows from one supervision step into the one before
    logits: Tensor  # (B, L, V) token scores of the answer
    halt_logit: Tensor  # (B,) above zero: "my whole answer is right"
    continue_logit: Tensor  # (B,) used by HRM's Q-learning; TRM leaves it untrained


@dataclass(frozen=True)
class TRMConfig:
    """Shape of a TRM. The defaults are the paper's (section 4 and the authors' code)."""

    vocab_size: int = 11
    seq_len: int = 81  # L, without the puzzle prefix
    hidden_size: int = 512  # D
    num_layers: int = 2
    mixing: Literal["mlp", "attention"] = "mlp"
    num_heads: int = 8
    positions: Literal["rotary", "learned", "none"] = "rotary"  # rotary: attention mixing only
    expansion: float = 4.0
    multiple_of: int = 256  # the inner width of a SwiGLU is rounded up to a multiple of this
    T: int = 3  # full recursions per supervision step; only the last has gradient
    n: int = 6  # latent updates per full recursion
    num_puzzles: int = 1  # puzzle identifiers: 1 for Sudoku and mazes, one per task for ARC
    prefix_len: int = 16  # P, positions in front of the tokens that hold the puzzle embedding
    puzzle_embedding_size: int | None = None  # hidden_size if None

    @property
    def length(self) -> int:
        """Positions the network works on: prefix and tokens, P + L."""
        return self.prefix_len + self.seq_len

    @property
    def effective_depth(self) -> int:
        """Layers passed in one supervision step, T (n + 1) layers (paper, table 1)."""
        return self.T * (self.n + 1) * self.num_layers


def build_stack(config: TRMConfig) -> Stack:
    """The network `net`: a stack of identical blocks with the mixing that `config` asks for."""

    def mixer() -> nn.Module:
        if config.mixing == "mlp":
            return TokenMixer(config.length, config.expansion, config.multiple_of)
        return Attention(config.hidden_size, config.num_heads)

    blocks = [
        Block(mixer(), config.hidden_size, config.expansion, config.multiple_of)
        for _ in range(config.num_layers)
    ]
    with_rotary = config.mixing == "attention" and config.positions == "rotary"
    head_dim = config.hidden_size // config.num_heads
    return Stack(blocks, Rotary(head_dim, config.length) if with_rotary else None)


class TRM(nn.Module):
    """Tiny Recursive Model. `forward` is one supervision step.

    Example:
        >>> model = TRM(TRMConfig(vocab_size=8, seq_len=36, hidden_size=48))
        >>> inputs = torch.ones(2, 36, dtype=torch.long)
        >>> thought = model(model.initial_latents(2), inputs)
        >>> thought.logits.shape
        torch.Size([2, 36, 8])
    """

    def __init__(self, config: TRMConfig):
        super().__init__()
        self.config = config
        D = config.hidden_size
        self.net = build_stack(config)
        self.token_embedding = nn.Embedding(config.vocab_size, D)
        self.position_embedding = (
            nn.Embedding(config.length, D) if config.positions == "learned" else None
        )
        self.puzzle_embedding = PuzzleEmbedding(
            config.num_puzzles, config.puzzle_embedding_size or D, config.prefix_len, D
        )
        self.head = nn.Linear(D, config.vocab_size, bias=False)
        self.halt_head = nn.Linear(D, 2)  # halt, continue
        # Fixed random starting points, deliberately not trained.
        self.register_buffer("y_init", truncated_normal_(torch.empty(D), std=1.0))
        self.register_buffer("z_init", truncated_normal_(torch.empty(D), std=1.0))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        std = self.config.hidden_size**-0.5
        truncated_normal_(self.token_embedding.weight, std)
        truncated_normal_(self.head.weight, std)
        if self.position_embedding is not None:
            truncated_normal_(self.position_embedding.weight, std)
        # "Surely not right yet": without a strongly negative start the head halts too early.
        nn.init.zeros_(self.halt_head.weight)
        nn.init.constant_(self.halt_head.bias, -5.0)

    def initial_latents(self, batch_size: int) -> Latents:
        """The starting answer and latent, the same at every position, (B, P + L, D)."""
        shape = (batch_size, self.config.length, self.config.hidden_size)
        return Latents(self.y_init.expand(shape), self.z_init.expand(shape))

    def embed(self, inputs: Tensor, puzzle_ids: Tensor | None = None) -> Tensor:
        """The question x: puzzle prefix and token embeddings, (B, L) -> (B, P + L, D)."""
        if puzzle_ids is None:
            puzzle_ids = torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)
        x = torch.cat((self.puzzle_embedding(puzzle_ids), self.token_embedding(inputs)), dim=1)
        if self.position_embedding is not None:
            x = 0.5**0.5 * (x + self.position_embedding.weight)
        return self.config.hidden_size**0.5 * x

    def full_recursion(self, x: Tensor, y: Tensor, z: Tensor) -> Latents:
        """n latent updates, then one answer update (paper, figure 3, `latent_recursion`)."""
        for _ in range(self.config.n):
            z = self.net(z + (y + x))
        y = self.net(y + z)
        return Latents(y, z)

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """T full recursions, only the last with gradient (paper, `deep_recursion`)."""
        with torch.no_grad():
            for _ in range(self.config.T - 1):
                latents = self.full_recursion(x, *latents)
        return self.full_recursion(x, *latents)

    def read(self, latents: Latents) -> Thought:
        """Read the answer and the wish to halt off y."""
        logits = self.head(latents.y)[:, self.config.prefix_len :]  # (B, L, V)
        halt_logit, continue_logit = self.halt_head(latents.y[:, 0]).float().unbind(-1)
        carried = Latents(*(latent.detach() for latent in latents))
        return Thought(carried, logits, halt_logit, continue_logit)

    def forward(
        self, latents: Latents, inputs: Tensor, puzzle_ids: Tensor | None = None
    ) -> Thought:
        """One supervision step: improve `latents` on the puzzles `inputs` (B, L) of token ids."""
        return self.read(self.recurse(self.embed(inputs, puzzle_ids), latents))
