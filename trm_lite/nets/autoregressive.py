"""Token by token: a small causal transformer that writes the answer cell after cell.

So language models answer. It reads the puzzle and then writes one token at a time, each in view
of all before it, and what is written stays: it cannot take back a mistake, as the other networks
can. Optionally it first writes a *scratch*, the worked-out steps of a solver ("chain of thought"):

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

PAD = 0


class Written(NamedTuple):
    """What the network wrote about B puzzles."""

    answer: Tensor  # (B, L) tokens
    logits: Tensor  # (B, L, V) scores from which the answer was chosen
    scratch: Tensor  # (B, S) tokens, PAD after END
    log_probability: Tensor  # (B,) of the whole answer, in its own eyes

    @property
    def log_odds(self) -> Tensor:
        """Its belief (B,) that the whole answer is right, on the scale of a halting logit."""
        log_p = self.log_probability.clamp(max=-1e-6)
        return log_p - torch.log(-torch.expm1(log_p))


class CausalAttention(Attention):
    """Attention to what stands before it.

    While a text is written, `room` is its length and `memory` keeps its keys and values.
    """

    room: int = 0
    memory: tuple[Tensor, Tensor, int] | None = None  # each (B, H, room, head_dim), and how full

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.room == 0:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.memory is None:
            shape = (*k.shape[:2], self.room, k.shape[-1])
            self.memory = k.new_empty(shape), v.new_empty(shape), 0
        keys, values, seen = self.memory
        now = seen + k.shape[-2]
        keys[:, :, seen:now], values[:, :, seen:now] = k, v
        self.memory = keys, values, now
        # The puzzle is read at once, and what follows it one token at a time.
        return F.scaled_dot_product_attention(
            q, keys[:, :, :now], values[:, :, :now], is_causal=seen == 0
        )


class Autoregressive(nn.Module):
    """A causal transformer that writes the answer, one token after the other.

    It is no reasoner: it carries nothing but its text, and cannot go back.
    """

    hot = "read"

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
        return self.head.weight.device

    def read(self, text: Tensor) -> Tensor:
        """Logits (B, n, vocabulary) of what follows each token of whole texts (B, n)."""
        return self.scores(text)

    def scores(self, text: Tensor, start: int = 0) -> Tensor:
        """Logits (B, n, vocabulary) of what follows each of the tokens `text` (B, n).

        `start` is the place of the first one, if what stands before is in the memory.
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
        """Write the answers to the puzzles `inputs` (B, L), the likeliest token each time.

        With a `temperature` above 0 tokens are drawn at random, from a softmax that is the
        flatter the higher it is.
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
            if not in_answer and written:  # nothing but padding after END
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
        """Make room in memory for a text, or forget it with 0."""
        for block in self.net.blocks:
            block.mixer.room, block.mixer.memory = room, None


def _without_puzzle_embedding(module, state: dict, prefix: str, *_) -> None:
    """Older files hold an empty table of puzzle embeddings, for which this network has no use."""
    state.pop(f"{prefix}puzzle_embedding.table", None)


def _choose(scores: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """A token per row of `scores` (B, vocabulary)."""
    if temperature <= 0:
        return scores.argmax(-1)
    chances = (scores / temperature).softmax(-1)
    return torch.multinomial(chances, 1, generator=generator)[:, 0]
