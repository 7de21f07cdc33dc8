"""The layers that all networks of the course are made of.

A *block* is post-norm: `h = rms_norm(h + mix(h))`, then `h = rms_norm(h + swiglu(h))`.
`mix` lets positions exchange information, by attention or by a SwiGLU along the length.
Sizes: B batch, L length (including the puzzle prefix), D hidden size, H heads.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trm_lite.nets.base_config import inner_width

# A normal distribution truncated at +-2 sigma has a standard deviation of sigma / this number.
TRUNCATION_STD_CORRECTION = 1.1368472343385565


def truncated_normal_(
    tensor: Tensor, std: float, generator: torch.Generator | None = None
) -> Tensor:
    """Fill `tensor`, in place, from a normal distribution truncated at two sigmas.

    `std` is the standard deviation *after* the truncation.
    """
    sigma = std * TRUNCATION_STD_CORRECTION
    return nn.init.trunc_normal_(tensor, std=sigma, a=-2 * sigma, b=2 * sigma, generator=generator)


def truncated_normal(
    shape: Sequence[int], device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Numbers of that distribution with standard deviation 1, made without a wait on a GPU.

    `truncated_normal_` draws until all numbers are within the bounds, and looks each time.
    """
    share = math.erf(2**0.5)  # of a normal distribution within two sigmas
    even = torch.rand(shape, device=device, generator=generator) * 2 - 1
    return TRUNCATION_STD_CORRECTION * 2**0.5 * torch.erfinv(share * even)


def rms_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide `x` by the root mean square over its last axis, (..., D) -> (..., D).

    There is no learned scale. The computation is in float32, the result in the type of `x`.
    """
    return F.rms_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype)


class Linear(nn.Linear):
    """A linear layer without bias, initialised from a truncated normal of std 1/sqrt(fan_in)."""

    cast: Tensor | None = None  # the weight in another format, see `weights_cast_once`

    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        """Initialise the weight; PyTorch calls this when the layer is made."""
        truncated_normal_(self.weight, std=self.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply by the weight, (..., in_features) -> (..., out_features)."""
        return F.linear(x, self.weight if self.cast is None else self.cast)


class SwiGLU(nn.Module):
    """A gated feed-forward layer on the last axis: `down(silu(gate) * up)`, (..., W) -> (..., W).

    Args:
        width: W, the size of the last axis.
        expansion: the inner width is 2/3 of this times W.
        multiple_of: the inner width is rounded up to a multiple of this.
    """

    def __init__(self, width: int, expansion: float = 4.0, multiple_of: int = 256):
        super().__init__()
        inner = inner_width(width, expansion, multiple_of)
        self.gate_up = Linear(width, 2 * inner)
        self.down = Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project, gate and project back, (..., W) -> (..., W)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class TokenMixer(nn.Module):
    """Mix positions with a SwiGLU along the length, then normalise: the paper's "TRM-MLP".

    As in the authors' code, the norm also runs over the *length*. That is why it is part of this
    layer: transposing there and back once serves both.

    Args:
        length: the number of positions, P + L.
        expansion: see `SwiGLU`.
        multiple_of: see `SwiGLU`.
    """

    def __init__(self, length: int, expansion: float = 4.0, multiple_of: int = 256):
        super().__init__()
        self.swiglu = SwiGLU(length, expansion, multiple_of)

    def forward(self, h: Tensor, rotary: "Rotary | None" = None) -> Tensor:
        """Mix positions and normalise, (B, L, D) -> (B, L, D); `rotary` is ignored."""
        # (B, D, L), copied once here so that the matrix products need not do it each time.
        h = h.transpose(1, 2).contiguous()
        return rms_norm(h + self.swiglu(h)).transpose(1, 2).contiguous()  # (B, L, D)


class Attention(nn.Module):
    """Mix positions with bidirectional multi-head self-attention, then normalise.

    Args:
        hidden_size: D.
        num_heads: the number of heads.
        head_dim: features per head; D / num_heads if None.
    """

    def __init__(self, hidden_size: int, num_heads: int, head_dim: int | None = None):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim or hidden_size // num_heads
        width = self.num_heads * self.head_dim  # less than D if D is not a multiple of the heads
        self.qkv = Linear(hidden_size, 3 * width)
        self.out = Linear(width, hidden_size)

    def forward(self, h: Tensor, rotary: "Rotary | None" = None) -> Tensor:
        """Attend and normalise, (B, L, D) -> (B, L, D), with rotary positions if given."""
        return rms_norm(h + self.attend(h, rotary))

    def attend(self, h: Tensor, rotary: "Rotary | None" = None) -> Tensor:
        """What attention adds to h, (B, L, D) -> (B, L, D)."""
        batch, length, _ = h.shape
        qkv = self.qkv(h).view(batch, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, L, head_dim)
        if rotary is not None:
            q, k = rotary(q), rotary(k)
        mixed = self.mix(q, k, v)  # (B, H, L, head_dim)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, -1))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from every position to every other; all of q, k, v are (B, H, L, head_dim)."""
        return F.scaled_dot_product_attention(q, k, v)


class Rotary(nn.Module):
    """Rotary position encoding (RoPE) of queries or keys (B, H, L, head_dim), in half-split form.

    Feature i is rotated together with feature i + head_dim / 2.

    Args:
        head_dim: features per attention head, an even number.
        length: the largest number of positions.
        base: the slowest feature turns about `base` times more slowly than the fastest.
    """

    def __init__(self, head_dim: int, length: int, base: float = 10_000.0):
        super().__init__()
        cos = sin = torch.empty(length, head_dim)
        if not cos.is_meta:  # where only the shapes matter
            frequencies = 1 / base ** (torch.arange(0, head_dim, 2) / head_dim)
            angles = torch.outer(torch.arange(length).float(), frequencies).repeat(1, 2)
            cos, sin = angles.cos(), angles.sin()
        self.register_buffer("cos", cos, persistent=False)  # (L, head_dim)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate queries or keys by their positions, (B, H, L, head_dim) to the same shape."""
        left, right = x.chunk(2, dim=-1)
        turned = torch.cat((-right, left), dim=-1)
        length = x.shape[-2]
        return (x * self.cos[:length] + turned * self.sin[:length]).to(x.dtype)


class BoardRotary(Rotary):
    """Rotary positions in two dimensions, for the cells of a board in row-major order.

    Half of the frequencies tell the row, and half the column. Extra positions after the board are
    not rotated (SE-RRM, arXiv 2603.02193).

    Args:
        head_dim: features per attention head, a multiple of 4.
        cells: L; a board is as wide as the integer part of the square root of L.
        extra: positions after the board.
        base: see `Rotary`.
    """

    def __init__(self, head_dim: int, cells: int, extra: int = 0, base: float = 10_000.0):
        super().__init__(head_dim, cells + extra, base)
        cell, width = torch.arange(cells), math.isqrt(cells)
        frequencies = 1 / base ** (4 * torch.arange(head_dim // 4) / head_dim)
        places = torch.stack((cell // width, cell % width), dim=1).float()  # (L, 2)
        angles = (places[:, :, None] * frequencies).flatten(1)  # (L, head_dim / 2)
        angles = F.pad(angles.repeat(1, 2), (0, 0, 0, extra))  # 0, so no rotation, after the board
        self.cos, self.sin = angles.cos(), angles.sin()


class Block(nn.Module):
    """One post-norm block, (B, L, D) -> (B, L, D): mix over positions, then over features.

    Args:
        mixer: a `TokenMixer` or `Attention`, which adds its input and normalises.
        hidden_size: D.
        expansion: see `SwiGLU`.
        multiple_of: see `SwiGLU`.
    """

    def __init__(self, mixer: nn.Module, hidden_size: int, expansion: float, multiple_of: int):
        super().__init__()
        self.mixer = mixer
        self.swiglu = SwiGLU(hidden_size, expansion, multiple_of)

    def forward(self, h: Tensor, rotary: Rotary | None = None) -> Tensor:
        """Mix over positions, then over features, (B, L, D) -> (B, L, D)."""
        h = self.mixer(h, rotary)
        return rms_norm(h + self.swiglu(h))


class Stack(nn.Module):
    """The network `f(h)` that recursion applies again and again: several blocks in a row.

    If `recompute` is set, it keeps only its input for the backward pass and computes the rest a
    second time (gradient checkpointing). That is a third more work for a fraction of the memory.
    """

    def __init__(self, blocks: list[Block], rotary: Rotary | None = None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.rotary = rotary
        self.recompute = False

    def forward(self, h: Tensor) -> Tensor:
        """Apply all blocks, (B, L, D) -> (B, L, D)."""
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self.apply_blocks, h, use_reentrant=False)
        return self.apply_blocks(h)

    def apply_blocks(self, h: Tensor) -> Tensor:
        """The forward pass itself, whether or not it is recomputed later."""
        for block in self.blocks:
            h = block(h, self.rotary)
        return h


class PuzzleEmbedding(nn.Module):
    """One learned vector per puzzle identifier, laid out over the positions before the tokens.

    A vector of size E is padded with zeros to P * D numbers. The table starts at zero. It is a
    buffer and not a parameter, because `SignSGD` updates only the rows of puzzles that were in
    the batch. It finds their gradients in `used`: the rows of all training forward passes since
    its last step.

    Args:
        num_puzzles: the number of identifiers.
        size: E, the size of a vector, at most P * D.
        prefix_len: P, the number of positions before the tokens.
        hidden_size: D.
    """

    def __init__(self, num_puzzles: int, size: int, prefix_len: int, hidden_size: int):
        super().__init__()
        self.prefix_len, self.hidden_size = prefix_len, hidden_size
        self.register_buffer("table", torch.zeros(num_puzzles, size))
        self.used: list[tuple[Tensor, Tensor]] = []  # identifiers (B,); rows (B, E) with gradients

    def rows(self, ids: Tensor) -> Tensor:
        """The vectors of puzzle identifiers, (B,) -> (B, E), noted for their gradients."""
        rows = self.table[ids]
        if self.training and torch.is_grad_enabled():
            self.used.append((ids, rows.requires_grad_()))
        return rows

    def forward(self, ids: Tensor) -> Tensor:
        """Look up the embeddings of puzzle identifiers, (B,) -> (B, P, D)."""
        rows = self.rows(ids)
        padding = self.prefix_len * self.hidden_size - rows.shape[-1]
        return F.pad(rows, (0, padding)).view(len(ids), self.prefix_len, self.hidden_size)
