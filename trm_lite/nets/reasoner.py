"""The parts that TRM, HRM and direct prediction share: input embedding, latents, output heads.

A *reasoner* reads a puzzle, improves the latents that it carries, and gives an answer:

    x = embed(inputs)              the question, as vectors
    latents = recurse(x, latents)  the reasoning, which differs between the networks
    thought = read(latents)        the answer, and whether the network believes in it

The networks differ only in `recurse`; SE-RRM also has its own embedding and head.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trm_lite.common.choices import Latent
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
from trm_lite.puzzles import Puzzle


class Latents(NamedTuple):
    """What a network carries from one supervision step to the next.

    z is (B, P + L, D), like y. In a network with K latents, where K is not 1, it is
    (B, K, P + L, D). SE-RRM has no z, and its y has a further axis of symbols.
    """

    y: Tensor  # the current answer, called "z_H" in HRM and in the authors' code
    z: Tensor  # the latent reasoning, called "z_L" there

    def present(self, name: Latent) -> Latent:
        """That name, or "y" in a network of one state such as URM, which has no z."""
        return name if getattr(self, name).numel() else "y"


class Thought(NamedTuple):
    """The result of one supervision step."""

    latents: Latents  # detached, so no gradient flows from a supervision step into earlier ones
    logits: Tensor  # (B, L, V) token scores of the answer
    halt_logit: Tensor  # (B,) above zero means "I believe that my whole answer is right"
    continue_logit: Tensor  # (B,) used by HRM's Q-learning; TRM does not train it


def build_stack(config: ReasonerConfig, num_layers: int) -> Stack:
    """A stack of `num_layers` blocks with the sizes and the mixing that `config` asks for."""

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


def looped(net: Stack, state: Tensor, seen: Tensor, loops: int, with_gradient: int) -> Tensor:
    """state <- net(state + seen), again and again, with a gradient only at the end.

    Args:
        net: the network.
        state: where it starts.
        seen: what it sees in every loop, of the same shape.
        loops: how often.
        with_gradient: in how many of the last loops.
    """
    with torch.no_grad():
        for _ in range(loops - with_gradient):
            state = net(state + seen)
    for _ in range(with_gradient):
        state = net(state + seen)
    return state


def least_sure(logits: Tensor) -> Tensor:
    """How sure a network is of the cell of which it is least sure, as a logit (B,).

    It serves networks without a halting head, and has no gradient. `logits` are (B, L, V).
    """
    sure = logits.detach().float().softmax(-1).amax(-1).amin(-1)
    return sure.logit(eps=1e-6)


class Reasoner(nn.Module):
    """A network that thinks in supervision steps; subclasses define how, in `recurse`.

    Args:
        config: its sizes.
        num_latents: how many latents it has beside y.
        stacks: the networks that `recurse` applies, which become attributes of these names.
    """

    hot = "recurse"  # the method that does nearly all the work, and so is worth compiling
    puzzle: Puzzle | None = None  # what it reads, where it was told; see `build.puzzle_of`

    def __init__(self, config: ReasonerConfig, *, num_latents: int = 1, **stacks: Stack):
        super().__init__()
        self.config = config
        self.generator: torch.Generator | None = None  # of `draw`; None is torch's own
        for name, stack in stacks.items():
            self.add_module(name, stack)
        self.build_ends()
        # Fixed random initial latents, deliberately not trained.
        D = config.hidden_size
        z_shape = (D,) if num_latents == 1 else (num_latents, D)
        self.register_buffer("y_init", truncated_normal_(torch.empty(D), std=1.0))
        z_init = truncated_normal_(torch.empty(z_shape), std=1.0)
        self.register_buffer("z_init", z_init, persistent=num_latents > 0)
        self.reset_parameters()

    def build_ends(self) -> None:
        """Make the embeddings that the question goes through, and the heads of the answer."""
        config, D = self.config, self.config.hidden_size
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

    def reset_parameters(self) -> None:
        """Initialise the embeddings and the heads."""
        std = self.config.hidden_size**-0.5
        truncated_normal_(self.token_embedding.weight, std)
        truncated_normal_(self.head.weight, std)
        if self.position_embedding is not None:
            truncated_normal_(self.position_embedding.weight, std)
        # Start with "surely not right yet"; with a bias near 0 the network would halt too early.
        nn.init.zeros_(self.halt_head.weight)
        nn.init.constant_(self.halt_head.bias, -5.0)

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.y_init.device

    def carry_in(self, dtype: torch.dtype) -> None:
        """Keep latents, question and the sums in the blocks in another format from now on.

        The format of the initial latents decides. In bfloat16 everything is rounded where the
        authors' code rounds it; matrix products must then be in bfloat16 too, see `precision`.
        """
        self.y_init, self.z_init = self.y_init.to(dtype), self.z_init.to(dtype)

    @property
    def draws(self) -> bool:
        """Whether its thoughts are random, so that two about the same puzzle differ."""
        return False

    def draw(self, batch_size: int) -> tuple[Tensor, ...]:
        """The random numbers of one supervision step, further arguments of `recurse`."""
        return ()

    def initial_latents(self, batch_size: int, needed: Tensor | None = None) -> Latents:
        """The latents y and z before the first step, the same for all puzzles and positions.

        Rows that are not `needed` (B,) may have any value; they matter where latents are drawn.
        """
        length, D = self.config.length, self.config.hidden_size
        y = self.y_init.expand(batch_size, length, D)
        z = self.z_init.unsqueeze(-2)  # (1, D), or (K, 1, D)
        return Latents(y, z.expand(batch_size, *z.shape[:-2], length, D))

    def embed(self, inputs: Tensor, puzzle_ids: Tensor | None = None) -> Tensor:
        """The question x as vectors: puzzle embedding, then token embeddings.

        Token ids (B, L) and puzzle identifiers (B,), all 0 if None, become (B, P + L, D).
        """
        if puzzle_ids is None:
            puzzle_ids = torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)
        x = torch.cat((self.puzzle_embedding(puzzle_ids), self.token_embedding(inputs)), dim=1)
        x = x.to(self.y_init.dtype)
        if self.position_embedding is not None:
            x = 0.5**0.5 * (x + self.position_embedding.weight.to(x.dtype))
        return self.config.hidden_size**0.5 * x

    def recurse(self, x: Tensor, latents: Latents) -> Latents:
        """The reasoning of one supervision step: the improved latents.

        x is the question, (B, P + L, D).
        """
        raise NotImplementedError

    def read(self, latents: Latents) -> Thought:
        """Read the answer off y, and the two halting logits off its first position."""
        logits = self.head(latents.y)[:, self.config.prefix_len :]  # (B, L, V)
        halt_logit, continue_logit = self.halt_head(latents.y[:, 0]).float().unbind(-1)
        carried = Latents(*(latent.detach() for latent in latents))
        return Thought(carried, logits, halt_logit, continue_logit)

    def forward(
        self, latents: Latents, inputs: Tensor, puzzle_ids: Tensor | None = None
    ) -> Thought:
        """One supervision step: improve the latents and read the answer off them.

        Args:
            latents: those of the step before, or `initial_latents`.
            inputs: (B, L) token ids of the puzzles.
            puzzle_ids: (B,) puzzle identifiers; all 0 if None.
        """
        x = self.embed(inputs, puzzle_ids)
        return self.read(self.recurse(x, latents, *self.draw(len(inputs))))
