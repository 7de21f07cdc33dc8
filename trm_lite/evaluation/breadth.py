"""Depth and breadth: think several times about a puzzle, and choose one of the answers.

A network whose thoughts are random, or that sees a puzzle in several guises, can be asked again
and again. Which answer to trust is decided without knowing the right one:

    halting      the one whose halting head is most confident (arXiv 2605.19943)
    residual     the one whose logits have settled most (the code of EqR, arXiv 2605.21488)
    latent       the one whose latents have settled most (the paper of EqR)
    majority     the one that most attempts agree on

A *residual* is how much the last supervision steps still changed: 0 at a fixed point.
"""

import torch
from torch import Tensor

from trm_lite.common.choices import Choice
from trm_lite.nets.reasoner import Latents, Thought

WINDOW = 3  # changes that a residual is the mean of, in EqR's paper and code
PRINT_BITS = 2**62 - 1


def logit_change(before: Tensor, after: Tensor) -> Tensor:
    """How far the logits (..., L, V) of a step are from those of the step before: (...).

    It is the mean over the cells of the Euclidean distance.
    """
    return (after.float() - before.float()).norm(dim=-1).mean(-1)


def latent_change(before: Latents, after: Latents) -> Tensor:
    """How far y and z moved in a supervision step: the root mean square change, (B,)."""
    pairs = zip(before, after, strict=True)
    moved = [(new.float() - old.float()).flatten(1) for old, new in pairs]
    return torch.cat(moved, dim=1).square().mean(1).sqrt()


def changes(before: Thought | None, after: Thought) -> tuple[Tensor, Tensor]:
    """The change of the logits (B,) and of the latents (B,); infinite without a step before."""
    if before is None:
        never = torch.full_like(after.halt_logit, torch.inf)
        return never, never
    return (
        logit_change(before.logits, after.logits),
        latent_change(before.latents, after.latents),
    )


def residual(changes: Tensor, window: int = WINDOW) -> Tensor:
    """The mean (...) of the last `window` of the changes (C, ...); of all if there are fewer.

    A window of 0 means all. Without any change it is infinite.
    """
    if len(changes) == 0:
        return torch.full(changes.shape[1:], torch.inf, device=changes.device)
    return changes[-window:].mean(0)


def residuals(changes: Tensor, window: int = WINDOW) -> Tensor:
    """The residual after each of S steps, (S, ...), from all changes (S, ...).

    The first change is not counted, because there is no step before the first.
    """
    return torch.stack([residual(changes[1 : step + 1], window) for step in range(len(changes))])


def fingerprint(tokens: Tensor) -> Tensor:
    """A number for each answer (..., L): equal for equal answers, and else surely different."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randint(PRINT_BITS, tokens.shape[-1:], generator=generator)
    return (tokens.long() * weights.to(tokens.device)).sum(-1)  # overflow is harmless


def agreement(prints: Tensor) -> Tensor:
    """How many of A attempts gave the same answer as each one, from fingerprints (A, ...)."""
    return torch.stack([(prints == one).sum(0) for one in prints])


def choose(
    by: Choice,
    *,
    halt_logits: Tensor,
    logit_changes: Tensor,
    latent_changes: Tensor,
    prints: Tensor,
    window: int = WINDOW,
) -> Tensor:
    """Which of A attempts to trust after each step, (S, N) numbers from 0; of equals, the first.

    Args:
        by: see above.
        halt_logits: (A, S, N).
        logit_changes: (A, S, N) see `logit_change`.
        latent_changes: (A, S, N) see `latent_change`.
        prints: (A, S, N) fingerprints of the answers.
        window: of the residual.
    """
    match by:
        case "halting":
            return halt_logits.argmax(0)
        case "majority":
            return agreement(prints).argmax(0)
    settling = logit_changes if by == "residual" else latent_changes
    return residuals(settling.transpose(0, 1), window).argmin(1)
