"""The Recursive Stem Model (RSM): a TRM that is trained on whole thoughts, mostly without gradient.

"Recursive Stem Model", 2026, arXiv 2603.15641. The applications are those of TRM,

    z <- net(z + (y + x))      n times: an *inner* step each
    y <- net(y + z)            once; together they are an *outer* step

but there are no slots and no carry. Every optimiser step starts with fresh puzzles and fixed
latents, thinks for several outer steps, and takes one loss at the end. The history is detached:
only the last outer step has a gradient. `trm_lite.training.rsm_trainer` makes the number of steps
grow during the training.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_lite.nets.configs import RSMConfig
from trm_lite.nets.layers import PuzzleEmbedding, TokenMixer, rms_norm, truncated_normal_
from trm_lite.nets.reasoner import Latents, Thought, least_sure
from trm_lite.nets.trm import TRM


class FeatureNormMixer(TokenMixer):
    """Mix positions with a SwiGLU along the length, then normalise over the features.

    In TRM this norm runs over the length.
    """

    def forward(self, h: Tensor, rotary: None = None) -> Tensor:
        """Mix positions and normalise, (B, L, D) -> (B, L, D); `rotary` is ignored."""
        mixed = self.swiglu(h.transpose(1, 2).contiguous()).transpose(1, 2)
        return rms_norm(h + mixed)


class RSM(TRM):
    """The Recursive Stem Model. `forward` is one outer step, so it can think on as a TRM does."""

    hot = "net.apply_blocks"  # whole thoughts get longer, and each length would be compiled anew

    def __init__(self, config: RSMConfig):
        super().__init__(config)
        if config.mixing == "mlp":
            for block in self.net.blocks:
                mixer = FeatureNormMixer(config.length, config.expansion, config.multiple_of)
                block.mixer = mixer

    def build_ends(self) -> None:
        """Make the embeddings; the token embedding is the output head too."""
        config, D = self.config, self.config.hidden_size
        self.token_embedding = nn.Embedding(config.vocab_size, D)
        learned = config.positions == "learned"
        self.position_embedding = nn.Embedding(config.length, D) if learned else None
        size = D if config.puzzle_embedding_size is None else config.puzzle_embedding_size
        self.puzzle_embedding = PuzzleEmbedding(
            config.num_puzzles, size if config.prefix_len else 0, config.prefix_len, D
        )

    def reset_parameters(self) -> None:
        """Initialise the embeddings."""
        std = self.config.hidden_size**-0.5
        truncated_normal_(self.token_embedding.weight, std)
        if self.position_embedding is not None:
            truncated_normal_(self.position_embedding.weight, std)

    def read(self, latents: Latents) -> Thought:
        """Read the answer off y. The belief in it is that in the least sure cell."""
        logits = F.linear(latents.y, self.token_embedding.weight)[:, self.config.prefix_len :]
        belief = least_sure(logits)
        carried = Latents(*(latent.detach() for latent in latents))
        return Thought(carried, logits, belief, belief)

    def think_through(
        self,
        inputs: Tensor,
        puzzle_ids: Tensor | None,
        outer: int,
        inner: int,
        keep: bool = False,
    ) -> Thought:
        """A whole thought, with a gradient through the last outer step.

        Args:
            inputs: (B, L) token ids of the puzzles.
            puzzle_ids: (B,) puzzle identifiers; all 0 if None.
            outer: how many outer steps.
            inner: how many inner steps in each.
            keep: whether the gradient also flows through the last answer update before that step.
        """
        x = self.embed(inputs, puzzle_ids)
        y, z = self.initial_latents(len(inputs))
        learns = torch.is_grad_enabled()
        for step in range(1, outer + 1):
            last = step == outer
            with torch.set_grad_enabled(learns and last):
                for _ in range(inner):
                    z = self.net(z + (y + x))
            with torch.set_grad_enabled(learns and (last or (keep and step == outer - 1))):
                y = self.net(y + z)
        return self.read(Latents(y, z))
