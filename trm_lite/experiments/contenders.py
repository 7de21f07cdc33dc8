"""What the speed bench compares the package with: a textbook TRM, and a peer from PyPI.

The textbook TRM is a plain first version, in float32 and without regard for speed. It computes
the same as `trm_lite.nets.trm` with MLP mixing; a test compares the two.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_lite.data.dataset import Batch
from trm_lite.nets.base_config import inner_width
from trm_lite.nets.configs import TRMConfig


class GatedMLP(nn.Module):
    """A SwiGLU on the last axis, (..., W) -> (..., W)."""

    def __init__(self, width: int, config: TRMConfig):
        super().__init__()
        inner = inner_width(width, config.expansion, config.multiple_of)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate and project x (..., W)."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


def norm(x: Tensor) -> Tensor:
    """Divide by the root mean square of the last axis."""
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


class Layer(nn.Module):
    """One post-norm block, (B, L, D) -> (B, L, D), that mixes over the length and the features."""

    def __init__(self, config: TRMConfig):
        super().__init__()
        self.over_length = GatedMLP(config.length, config)
        self.over_features = GatedMLP(config.hidden_size, config)

    def forward(self, h: Tensor) -> Tensor:
        """Mix over the length, then over the features."""
        h = h.transpose(1, 2)  # (B, D, L)
        h = norm(h + self.over_length(h))
        h = h.transpose(1, 2)  # (B, L, D)
        return norm(h + self.over_features(h))


class TextbookTRM(nn.Module):
    """A plain TRM with MLP mixing. `forward` is one supervision step."""

    def __init__(self, config: TRMConfig):
        super().__init__()
        self.config, D = config, config.hidden_size
        self.net = nn.Sequential(*(Layer(config) for _ in range(config.num_layers)))
        self.embedding = nn.Embedding(config.vocab_size, D)
        self.prefix = nn.Parameter(torch.zeros(config.prefix_len, D))
        self.head = nn.Linear(D, config.vocab_size, bias=False)
        self.halt_head = nn.Linear(D, 1)

    def forward(self, tokens: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """One supervision step on tokens (B, L), from y and z (B, P + L, D).

        Returns the new y and z, the logits (B, L, V) and the halt logit (B,).
        """
        prefix = self.prefix.expand(len(tokens), -1, -1)
        x = self.config.hidden_size**0.5 * torch.cat((prefix, self.embedding(tokens)), dim=1)
        with torch.no_grad():
            for _ in range(self.config.T - 1):
                y, z = self.recursion(x, y, z)
        y, z = self.recursion(x, y, z)
        logits = self.head(y)[:, self.config.prefix_len :]
        return y.detach(), z.detach(), logits, self.halt_head(y[:, 0])[:, 0]

    def recursion(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """One full recursion: n updates of z, then one of y."""
        for _ in range(self.config.n):
            z = self.net(x + y + z)
        return self.net(y + z), z


class TextbookTrainer:
    """Trains a `TextbookTRM` on one batch with AdamW and a moving average of the weights."""

    def __init__(self, config: TRMConfig, batch: Batch):
        self.model = TextbookTRM(config)
        self.average = copy.deepcopy(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95))
        self.batch = batch
        shape = (len(batch.inputs), config.length, config.hidden_size)
        self.y, self.z = (torch.randn(config.hidden_size).expand(shape) for _ in range(2))

    def loss(self) -> Tensor:
        """Take the next supervision step; returns the loss of the answer and of the halt logit."""
        self.y, self.z, logits, halt = self.model(self.batch.inputs, self.y, self.z)
        right = (logits.argmax(-1) == self.batch.labels).all(-1).float()
        answer = F.cross_entropy(logits.flatten(0, 1).float(), self.batch.labels.flatten())
        return answer + 0.5 * F.binary_cross_entropy_with_logits(halt.float(), right)

    def learn(self, loss: Tensor) -> None:
        """Take an optimiser step, and update the moving average."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
            for average, parameter in pairs:
                average.mul_(0.999).add_(parameter, alpha=0.001)


PEER = "tiny_recursive_model"


class PeerTrainer:
    """Trains `tiny-recursive-model` from PyPI, with the same sizes and number of applications.

    Its mixer has plain GELU layers. Their width is chosen so that an application of the network
    takes as many operations as ours.
    """

    def __init__(self, config: TRMConfig, batch: tuple):
        from tiny_recursive_model import TinyRecursiveModel
        from tiny_recursive_model.mlp_mixer_1d import MLPMixer1D

        D, L = config.hidden_size, config.length

        def expansion(width: int) -> float:
            """The expansion that gives the two matrices of a GELU layer a SwiGLU's operations."""
            return 1.5 * inner_width(width, config.expansion, config.multiple_of) / D

        mixer = MLPMixer1D(
            dim=D,
            depth=config.num_layers,
            seq_len=L,
            expansion_factor=expansion(L),  # each is multiplied by dim
            expansion_factor_token=expansion(D),
        )
        self.model = TinyRecursiveModel(
            dim=D,
            num_tokens=config.vocab_size,
            network=mixer,
            num_refinement_blocks=config.T,
            num_latent_refinements=config.n,
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.tokens = torch.randint(config.vocab_size, (len(batch[0]), L))
        self.latents = self.model.get_initial()

    def loss(self) -> torch.Tensor:
        """Take the next supervision step; returns its loss."""
        loss, _, *latents, _, _ = self.model(self.tokens, *self.latents, labels=self.tokens)
        self.latents = latents
        return loss

    def learn(self, loss: torch.Tensor) -> None:
        """Take an optimiser step."""
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
