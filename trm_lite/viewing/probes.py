"""Experiments on a thought: which cells it looks at, and what lies around the path it takes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.nets.layers import Attention, TokenMixer
from trm_lite.nets.reasoner import Latents, Reasoner
from trm_lite.thinking import think
from trm_lite.viewing.traces import Trace


@torch.inference_mode()
def influence(model: Reasoner, question: np.ndarray, steps: int = 16) -> np.ndarray:
    """How much each position takes from every other one, (steps, M, heads, P + L, P + L).

    There are M mixers, one per block, in the order of `named_modules`. Each is measured in the
    last application of its network in every supervision step. Row i tells where position i takes
    its information from, and sums to 1.

    With attention, the rows are its weights. MLP mixing has no such weights, so they tell how
    strongly output i reacts to input j at that moment: the absolute derivative, averaged over
    features and divided by the sum of the row. There is then a single "head".

    Args:
        model: the network.
        question: (L,) tokens.
        steps: supervision steps.
    """
    seen: dict[str, Tensor] = {}
    hooks, originals = [], []
    mixers = {n: p for n, p in model.named_modules() if isinstance(p, TokenMixer | Attention)}
    for name, part in mixers.items():
        if isinstance(part, TokenMixer):

            def react(mixer, arguments, _, name=name):
                seen[name] = _derivative(mixer, arguments[0])[0, None]

            hooks.append(part.register_forward_hook(react))
        else:

            def look(q, k, v, name=name, mix=part.mix):
                seen[name] = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)[0]
                return mix(q, k, v)

            originals.append(part)
            part.mix = look  # hides the method of the class until it is deleted below
    frames = []
    inputs = torch.from_numpy(np.asarray(question))[None].long().to(model.device)
    try:
        for _ in think(model, inputs, steps=steps):
            frames.append(torch.stack([seen[name] for name in mixers]).float().cpu())
    finally:
        for hook in hooks:
            hook.remove()
        for part in originals:
            del part.mix
    return torch.stack(frames).numpy()


def _derivative(mixer: TokenMixer, h: Tensor) -> Tensor:
    """How strongly output i of the mixer's SwiGLU reacts to input j, (B, L, L), at h (B, L, D).

    That is the absolute value of d out_i / d in_j, averaged over features, with rows of sum 1.
    """
    swiglu = mixer.swiglu
    gate, up = swiglu.gate_up(h.mT).chunk(2, dim=-1)  # (B, D, inner)
    gate_weight, up_weight = swiglu.gate_up.weight.chunk(2)  # (inner, L)
    sigmoid = gate.sigmoid()
    slope = sigmoid * (1 + gate * (1 - sigmoid))  # the derivative of silu
    inside = (slope * up)[..., None] * gate_weight + F.silu(gate)[..., None] * up_weight
    size = (swiglu.down.weight @ inside).abs().mean(1)  # (B, L, L)
    return size / size.sum(-1, keepdim=True)


class Plane(NamedTuple):
    """The plane in which the latents of some traces vary most (two principal components)."""

    of: str  # which latents: "z", "y", or "state", which is y followed by z
    mean: np.ndarray  # (K,) a point of the plane
    axes: np.ndarray  # (2, K) its two directions, of length 1
    share: np.ndarray  # (2,) share of the variance that each explains

    def place(self, trace: Trace) -> np.ndarray:
        """The coordinates (F, 2) of a trace on this plane."""
        return (latents_of(trace, self.of) - self.mean) @ self.axes.T


def latents_of(trace: Trace, of: str) -> np.ndarray:
    """The latents (F, K) of a trace: its "z", its "y", or both ("state").

    Raises UserError if the trace does not hold them.
    """
    parts = {"z": (trace.z,), "y": (trace.y,), "state": (trace.y, trace.z)}[of]
    if any(part is None for part in parts):
        raise UserError(
            "This trace holds no latents of this name; record it with latents='projected' or "
            "'whole' (direct prediction has no z)."
        )
    return np.concatenate(parts, axis=-1)


def plane(traces: Sequence[Trace], of: str = "z") -> Plane:
    """The plane of the first two principal components of all frames of some traces.

    `of` is "z", "y" or "state", see `Plane`. Raises UserError if there are fewer than 3 frames.
    """
    if not traces:
        raise UserError("There is no trace to examine; record one first.")
    points = np.concatenate([latents_of(trace, of) for trace in traces]).astype(np.float64)
    if len(points) < 3:
        raise UserError("A plane needs at least 3 frames; record more steps or more puzzles.")
    mean = points.mean(0)
    _, sizes, axes = np.linalg.svd(points - mean, full_matrices=False)
    variance = sizes**2
    return Plane(of, mean, axes[:2], variance[:2] / max(variance.sum(), 1e-30))


class Landscape(NamedTuple):
    """The number of wrong cells at each point of a grid on a plane."""

    across: np.ndarray  # (G,) coordinates along the first axis
    up: np.ndarray  # (G,) coordinates along the second axis
    wrong: np.ndarray  # (G, G) number of wrong cells; rows belong to `up`


@torch.inference_mode()
def landscape(
    model: Reasoner, traces: Sequence[Trace], state_plane: Plane, *, points: int = 25
) -> Landscape:
    """How many cells are wrong one supervision step after each point of a plane of latents.

    The grid covers the paths of the traces and a margin. Away from the paths, no real thought has
    such y and z; the landscape shows what the network would make of them. Raises UserError if the
    plane, the latents or the solution are not suitable.

    Args:
        model: the network.
        traces: thoughts about one puzzle, recorded with latents="whole".
        state_plane: their plane of "state".
        points: grid points along each axis.
    """
    first = traces[0]
    if state_plane.of != "state" or first.solution is None:
        raise UserError("A landscape needs a plane of 'state' and a puzzle with one solution.")
    start = model.initial_latents(1)
    if len(state_plane.mean) != start.y.numel() + start.z.numel():
        raise UserError("A landscape needs whole latents; record with latents='whole'.")
    places = np.concatenate([state_plane.place(trace) for trace in traces])
    low, high = places.min(0), places.max(0)
    margin = 0.15 * (high - low) + 1e-6
    across, up = (np.linspace(low[i] - margin[i], high[i] + margin[i], points) for i in (0, 1))
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    states = torch.from_numpy(state_plane.mean + grid @ state_plane.axes).float().to(model.device)
    inputs, labels, graded = (
        torch.from_numpy(part[None]).to(model.device)
        for part in (first.question.astype(np.int64), first.solution.astype(np.int64), first.graded)
    )
    wrong = []
    for part in states.split(64):
        y, z = part.split((start.y.numel(), start.z.numel()), dim=1)
        latents = Latents(y.reshape(-1, *start.y.shape[1:]), z.reshape(-1, *start.z.shape[1:]))
        thought = model(latents, inputs.expand(len(part), -1))
        wrong.append(((thought.logits.argmax(-1) != labels) & graded).sum(-1))
    return Landscape(across, up, torch.cat(wrong).cpu().numpy().reshape(points, points))
