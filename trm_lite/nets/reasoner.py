"""What every network of the course has around its reasoning: eyes, a memory and a mouth.

A *reasoner* reads a puzzle, improves the latents it carries, and says an answer:

    x = embed(inputs)              the question, as vectors
    latents = recurse(x, latents)  the reasoning, in which the networks differ
    thought = read(latents)        the answer, and whether it believes in it

TRM, HRM and direct prediction differ in `recurse` alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trm_lite.nets.configs import ReasonerConfig
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
    """What a network carries from one supervision step to the next.

    z is (B, P + L, D) like y; a network with K != 1 latents beside y has them as (B, K, P + L, D).
    """

    y: Tensor  # (B, P + L, D) the current answer, "z_H" in HRM and in the authors' code
    z: Tensor  # the latent reasoning, "z_L" there


class Thought(NamedTuple):
    """What one supervision step brings forth."""

    latents: Latents  # detached: no gradient flows from one supervision step into the one before
    logits: Tensor  # (B, L, V) token scores of the answer
    halt_logit: Tensor  # (B,) above zero: "my whole answer is right"
    continue_logit: Tensor  # (B,) used by HRM's Q-learning; TRM leaves it untrained


def build_stack(config: ReasonerConfig, num_layers: int) -> Stack:
    """A network of identical blocks with the mixing that `config` asks for."""

    def mixer() -> nn.Module:
        if config.mixing == "mlp":
            return TokenMixer(config.length, config.expansion, config.multiple_of)
        return Attention(config.hidden_size, config.num_heads)

    blocks = [
        Block(mixer(), config.hidden_size, config.expansion, config.multiple_of)
        for _ in range(num_layers)
    ]
    with_rotary = config.mixing == "attention" and config.positions == "rotary"
    head_dim = config.hidden_size // config.num_heads
    return Stack(blocks, Rotary(head_dim, config.length) if with_rotary else None)


class Reasoner(nn.Module):
    """A network that thinks in supervision steps; subclasses say how (`recurse`).

    `stacks` are the networks that the reasoning applies, kept under their names.
    """

    hot = "recurse"  # the method in which nearly all of the work is done, worth compiling

    def __init__(self, config: ReasonerConfig, *, num_latents: int = 1, **stacks: Stack):
        super().__init__()
        self.config = config
        self.generator: torch.Generator | None = None  # of random starts and noise; torch's own
        for name, stack in stacks.items():
            self.add_module(name, stack)
        D = config.hidden_size
        self.token_embedding = nn.Embedding(config.vocab_size, D)
        self.position_embedding = (
            nn.Embedding(config.length, D) if config.positions == "learned" else None
        )
        size = D if config.puzzle_embedding_size is None else config.puzzle_embedding_size
        self.puzzle_embedding = PuzzleEmbedding(
            config.num_puzzles, size if config.prefix_len else 0, config.prefix_len, D
        )
        self.head = nn.Linear(D, config.vocab_size, bias=False)
        self.halt_head = nn.Linear(D, 2)  # halt, continue
        # Fixed random starting points, deliberately not trained, and not used if they are drawn.
        z_shape, fixed = (D,) if num_latents == 1 else (num_latents, D), not config.random_start
        y_init = truncated_normal_(torch.empty(D), std=1.0)
        z_init = truncated_normal_(torch.empty(z_shape), std=1.0)
        self.register_buffer("y_init", y_init, persistent=fixed)
        self.register_buffer("z_init", z_init, persistent=fixed and num_latents > 0)
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

    @property
    def device(self) -> torch.device:
        return self.y_init.device

    @property
    def draws(self) -> bool:
        """Whether it thinks at random: from drawn starts, or with noise."""
        return self.config.random_start or self.config.noise > 0

    def initial_latents(self, batch_size: int, needed: Tensor | None = None) -> Latents:
        """The starting answer and latent: the same at every position, or drawn anew.

        Args:
            batch_size: Puzzles B.
            needed: (B,) bool, rows that are used; where drawing is dear the others stay 0.
        """
        if self.config.random_start:
            return Latents(*self.draw_start(batch_size, needed))
        length, D = self.config.length, self.config.hidden_size
        y = self.y_init.expand(batch_size, length, D)
        z = self.z_init.unsqueeze(-2)  # (1, D), or (K, 1, D)
        return Latents(y, z.expand(batch_size, *z.shape[:-2], length, D))

    def embed(self, inputs: Tensor, puzzle_ids: Tensor | None = None) -> Tensor:
        """The question x: puzzle prefix and token embeddings, (B, L) -> (B, P + L, D)."""
        if puzzle_ids is None:
            puzzle_ids = torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)
        x = torch.cat((self.puzzle_embedding(puzzle_ids), self.token_embedding(inputs)), dim=1)
        if self.position_embedding is not None:
            x = 0.5**0.5 * (x + self.position_embedding.weight)
        return self.config.hidden_size**0.5 * x

    def draw_start(self, batch_size: int, needed: Tensor | None = None) -> Tensor:
        """Random y and z (2, B, P + L, D): truncated normal numbers of standard deviation 1."""
        shape = (self.config.length, self.config.hidden_size)
        if needed is None or self.device.type != "cpu":  # a GPU would have to wait for the rows
            return self._truncated(2, batch_size, *shape)
        start = torch.zeros(2, batch_size, *shape)
        start[:, needed] = self._truncated(2, int(needed.sum()), *shape)
        return start

    def _truncated(self, *shape: int) -> Tensor:
        drawn = torch.empty(shape, device=self.device)
        return truncated_normal_(drawn, std=1.0, generator=self.generator)

    def draw_noise(self, batch_size: int) -> Tensor | None:
        """Standard normal noise (A, B, P + L, D) for the A applications of a supervision step."""
        config = self.config
        if config.noise == 0:
            return None
        shape = (config.applications, batch_size, config.length, config.hidden_size)
        return torch.randn(shape, device=self.device, generator=self.generator)

    def recurse(self, x: Tensor, latents: Latents, noise: Tensor | None = None) -> Latents:
        """The reasoning of one supervision step on the question x (B, P + L, D).

        `noise` (A, B, P + L, D) is added in its A applications, if there is some.
        """
        raise NotImplementedError

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
        x, noise = self.embed(inputs, puzzle_ids), self.draw_noise(len(inputs))
        return self.read(self.recurse(x, latents, noise))
