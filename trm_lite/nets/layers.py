"""The layers every network of the course is made of.

A *block* is post-norm: `h = rms_norm(h + mix(h))`, then `h = rms_norm(h + swiglu(h))`.
`mix` lets positions exchange information, by attention or by a SwiGLU along the length.
Sizes: B batch, L length (puzzle prefix included), D hidden size, H heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trm_lite.nets.configs import inner_width

TRUNCATION_STD_CORRECTION = 1.1368472343385565  # a normal cut at +-2 sigma has std 1 / this


def truncated_normal_(
    tensor: Tensor, std: float, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with a normal cut at two sigmas whose standard deviation *after* the cut is `std`."""
    sigma = std * TRUNCATION_STD_CORRECTION
    return nn.init.trunc_normal_(tensor, std=sigma, a=-2 * sigma, b=2 * sigma, generator=generator)


def rms_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide by the root mean square of the last axis. No learned weight; float32 inside."""
    return F.rms_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype)


class Linear(nn.Linear):
    """A linear map without bias, started as a truncated normal of std 1/sqrt(fan_in)."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        truncated_normal_(self.weight, std=self.in_features**-0.5)


class SwiGLU(nn.Module):
    """Gated feed-forward layer on the last axis: `down(silu(gate) * up)`, (..., W) -> (..., W)."""

    def __init__(self, width: int, expansion: float = 4.0, multiple_of: int = 256):
        super().__init__()
        inner = inner_width(width, expansion, multiple_of)
        self.gate_up = Linear(width, 2 * inner)
        self.down = Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class TokenMixer(nn.Module):
    """Mix positions with a SwiGLU along the length (the paper's "TRM-MLP"), ending in the norm.

    The norm that follows it runs over the *length* too, as in the authors' code, which is why
    it lives here: one transposition there and back serves both.
    """

    def __init__(self, length: int, expansion: float = 4.0, multiple_of: int = 256):
        super().__init__()
        self.swiglu = SwiGLU(length, expansion, multiple_of)

    def forward(self, h: Tensor, rotary: "Rotary | None" = None) -> Tensor:
        h = h.transpose(1, 2).contiguous()  # (B, D, L), moved once and not by every product
        return rms_norm(h + self.swiglu(h)).transpose(1, 2).contiguous()  # (B, L, D)


class Attention(nn.Module):
    """Mix positions with bidirectional multi-head self-attention, ending in the norm."""

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, hidden_size // num_heads
        width = self.num_heads * self.head_dim  # smaller than D where the heads do not divide it
        self.qkv = Linear(hidden_size, 3 * width)
        self.out = Linear(width, hidden_size)

    def forward(self, h: Tensor, rotary: "Rotary | None" = None) -> Tensor:
        batch, length, _ = h.shape
        qkv = self.qkv(h).view(batch, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, L, head_dim)
        if rotary is not None:
            q, k = rotary(q), rotary(k)
        mixed = self.mix(q, k, v)  # (B, H, L, head_dim)
        return rms_norm(h + self.out(mixed.transpose(1, 2).reshape(batch, length, -1)))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers: here from every position, before and after it."""
        return F.scaled_dot_product_attention(q, k, v)


class Rotary(nn.Module):
    """Rotary positions (RoPE) in the half-split form, for queries and keys (B, H, L, head_dim)."""

    def __init__(self, head_dim: int, length: int, base: float = 10_000.0):
        super().__init__()
        frequencies = 1 / base ** (torch.arange(0, head_dim, 2) / head_dim)
        angles = torch.outer(torch.arange(length).float(), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)  # (L, head_dim)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=-1)
        turned = torch.cat((-right, left), dim=-1)
        length = x.shape[-2]
        return (x * self.cos[:length] + turned * self.sin[:length]).to(x.dtype)


class Block(nn.Module):
    """One post-norm block, (B, L, D) -> (B, L, D): mix over positions, then over features."""

    def __init__(self, mixer: nn.Module, hidden_size: int, expansion: float, multiple_of: int):
        super().__init__()
        self.mixer = mixer
        self.swiglu = SwiGLU(hidden_size, expansion, multiple_of)

    def forward(self, h: Tensor, rotary: Rotary | None = None) -> Tensor:
        h = self.mixer(h, rotary)
        return rms_norm(h + self.swiglu(h))


class Stack(nn.Module):
    """A network `f(h)`: blocks one after the other. Recursion calls it again and again.

    With `recompute` it keeps only its input for the backward pass and computes the rest again:
    a third more work for a fraction of the memory.
    """

    def __init__(self, blocks: list[Block], rotary: Rotary | None = None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.rotary = rotary
        self.recompute = False

    def forward(self, h: Tensor) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self.apply_blocks, h, use_reentrant=False)
        return self.apply_blocks(h)

    def apply_blocks(self, h: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, self.rotary)
        return h


class PuzzleEmbedding(nn.Module):
    """One vector per puzzle identifier, spread over `prefix_len` positions before the tokens.

    The vector (size E) is zero-padded to `prefix_len * D`. The table starts at zero and is a
    buffer, not a parameter: `SignSGD` updates only the rows that were in the batch, through
    `used`, the copies that took part in the training forward passes since its last step.
    """

    def __init__(self, num_puzzles: int, size: int, prefix_len: int, hidden_size: int):
        super().__init__()
        self.prefix_len, self.hidden_size = prefix_len, hidden_size
        self.register_buffer("table", torch.zeros(num_puzzles, size))
        self.used: list[tuple[Tensor, Tensor]] = []  # identifiers (B,), rows (B, E) with gradient

    def forward(self, ids: Tensor) -> Tensor:
        rows = self.table[ids]  # (B, E)
        if self.training and torch.is_grad_enabled():
            self.used.append((ids, rows.requires_grad_()))
        padding = self.prefix_len * self.hidden_size - rows.shape[-1]
        return F.pad(rows, (0, padding)).view(len(ids), self.prefix_len, self.hidden_size)
