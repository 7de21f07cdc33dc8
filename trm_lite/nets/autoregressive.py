"""A small causal transformer that writes its answer token by token, as language models do.

It reads the puzzle and then writes one token at a time, each based on all the tokens before it.
What is written stays: unlike the other networks, it cannot correct a mistake. Optionally it
first writes a *scratch*, the steps of a solver ("chain of thought"):

    puzzle (L tokens)   scratch (S tokens: cell, digit, cell, digit, ..., END)   answer (L tokens)

`trm_lite.training.token_trainer` trains it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_lite.nets.configs import AutoregressiveConfig
from trm_lite.nets.layers import (
    Attention,
    Block,
    Stack,
    truncated_normal_,
)
from trm_lite.puzzles import Puzzle

PAD = 0


class Written(NamedTuple):
    """What the network wrote about B puzzles."""

    answer: Tensor  # (B, L) tokens
    logits: Tensor  # (B, L, V) scores from which the answer was chosen
    scratch: Tensor  # (B, S) tokens, PAD after END
    log_probability: Tensor  # (B,) natural log of the probability that it gives its whole answer

    @property
    def log_odds(self) -> Tensor:
        """That probability (B,) as log-odds, which makes it comparable with a halt logit."""
        log_p = self.log_probability.clamp(max=-1e-6)
        return log_p - torch.log(-torch.expm1(log_p))


class CausalAttention(Attention):
    """Attention in which each position sees only itself and the positions before it.

    While a text is being written, its keys and values are cached, so that each new token costs
    only one position.
    """

    room: int = 0  # length of the cache, or 0 to work without one, as in training
    # The cache: keys and values, each (B, H, room, head_dim), and how many positions are filled.
    memory: tuple[Tensor, Tensor, int] | None = None

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to earlier positions, cached ones included; q, k, v are (B, H, n, head_dim)."""
        if self.room == 0:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.memory is None:
            shape = (*k.shape[:2], self.room, k.shape[-1])
            self.memory = k.new_empty(shape), v.new_empty(shape), 0
        keys, values, seen = self.memory
        now = seen + k.shape[-2]
        keys[:, :, seen:now], values[:, :, seen:now] = k, v
        self.memory = keys, values, now
        # The first call reads the whole puzzle and needs the causal mask. Every later call has
        # one token, which may see all that is cached.
        return F.scaled_dot_product_attention(
            q, keys[:, :, :now], values[:, :, :now], is_causal=seen == 0
        )


class Autoregressive(nn.Module):
    """A causal transformer that writes its answer one token after the other.

    It is not a `Reasoner`: it carries no latents, only its text, and cannot revise it.
    """

    hot = "read"
    puzzle: Puzzle | None = None  # what it reads, where it was told; see `build.puzzle_of`

    def __init__(self, config: AutoregressiveConfig):
        super().__init__()
        self.config = config
        D, vocabulary = config.hidden_size, config.end_token + 1
        self.net = Stack(
            [
                Block(CausalAttention(D, config.num_heads), D, config.expansion, config.multiple_of)
                for _ in range(config.num_layers)
            ]
        )
        self.token_embedding = nn.Embedding(vocabulary, D)
        self.position_embedding = nn.Embedding(config.length, D)
        self.head = nn.Linear(D, vocabulary, bias=False)
        for module in (self.token_embedding, self.position_embedding, self.head):
            truncated_normal_(module.weight, D**-0.5)
        self.register_load_state_dict_pre_hook(_without_puzzle_embedding)

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.head.weight.device

    def read(self, text: Tensor) -> Tensor:
        """Logits (B, n, vocabulary) of the token that follows each token of whole texts (B, n)."""
        return self.scores(text)

    def scores(self, text: Tensor, start: int = 0) -> Tensor:
        """Logits (B, n, vocabulary) of the token that follows each token of `text` (B, n).

        `start` is the position of the first token; the positions before it must be cached.
        """
        places = self.position_embedding.weight[start : start + text.shape[1]]
        h = self.token_embedding(text) + places  # (B, n, D)
        return self.head(self.net((0.5 * self.config.hidden_size) ** 0.5 * h))

    @torch.no_grad()
    def write(
        self,
        inputs: Tensor,
        *,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Written:
        """Write the answers to B puzzles.

        Args:
            inputs: (B, L) tokens of the puzzles.
            temperature: 0 always takes the likeliest token. Above 0, tokens are drawn from a
                softmax, and the higher the temperature, the more evenly.
            generator: source of these random draws.
        """
        config = self.config
        self._remember(config.length)
        text, written, logits = inputs, [], []
        for place in range(config.seq_len, config.length):
            start = 0 if place == config.seq_len else place - 1
            scores = self.scores(text, start)[:, -1].float()  # (B, vocabulary)
            in_answer = place >= config.seq_len + config.scratch_len
            if in_answer:
                scores = scores[:, : config.vocab_size]
                logits.append(scores)
            token = _choose(scores, temperature, generator)
            if not in_answer and written:  # only padding may follow END
                done = (written[-1] == config.end_token) | (written[-1] == PAD)
                token = token.masked_fill(done, PAD)
            written.append(token)
            text = token[:, None]
        self._remember(0)
        scratch, answer = torch.stack(written, dim=1).split(
            (config.scratch_len, config.seq_len), dim=1
        )
        stacked = torch.stack(logits, dim=1)
        log_p = stacked.log_softmax(-1).gather(-1, answer[..., None]).sum((-2, -1))
        return Written(answer, stacked, scratch, log_p)

    def _remember(self, room: int) -> None:
        """Start an empty cache for a text of `room` tokens, or drop the cache if `room` is 0."""
        for block in self.net.blocks:
            block.mixer.room, block.mixer.memory = room, None


def _without_puzzle_embedding(module, state: dict, prefix: str, *_) -> None:
    """Drop the unused table of puzzle embeddings that older weights files hold."""
    state.pop(f"{prefix}puzzle_embedding.table", None)


def _choose(scores: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """Choose a token (B,) for each row of `scores` (B, vocabulary)."""
    if temperature <= 0:
        return scores.argmax(-1)
    chances = (scores / temperature).softmax(-1)
    if generator is not None:  # which may be of another device than the network
        chances = chances.to(generator.device)
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(scores.device)
