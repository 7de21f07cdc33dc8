"""Thinking in steps: slots that carry unfinished thoughts, and the decision to stop.

This is the heart of the course, and the answer to the question most asked about the authors'
code: *where is the loop over the N_sup supervision steps?* There is none. A batch is a set of
**slots**. Every slot holds one puzzle with its own y, z and step count, and each optimiser step
moves every slot on by ONE supervision step:

    carry = refill(model, carry, batch)       halted slots take a new puzzle and start afresh
    thought = model(carry.latents, ...)       every slot thinks one step further
    loss(thought, carry.labels).backward()    is it right *now*? and does it know?
    carry = advance(carry, thought, ...)      some slots halt, the others think on

So the weights change while a puzzle is being thought about, up to 16 times, and there are as
many puzzles in mid-thought as there are slots. In evaluation `think` is the plain loop.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.choices import MAX_STEPS, Act
from trm_lite.data.dataset import Batch
from trm_lite.nets.reasoner import Latents, Reasoner, Thought


@dataclass
class Carry:
    """The slots: B puzzles in mid-thought."""

    latents: Latents
    batch: Batch
    steps: Tensor  # (B,) supervision steps taken on the puzzle in the slot
    halted: Tensor  # (B,) bool: finished, to be refilled

    def rows(self, rows: slice) -> "Carry":
        """Some of the slots."""
        latents = Latents(*(latent[rows] for latent in self.latents))
        return Carry(latents, self.batch.rows(rows), self.steps[rows], self.halted[rows])


def empty_carry(model: Reasoner, batch: Batch) -> Carry:
    """Slots that all wait for a puzzle. `batch` only tells how many and of what kind."""
    count, device = len(batch.inputs), batch.inputs.device
    return Carry(
        model.initial_latents(count),
        batch,
        steps=torch.zeros(count, dtype=torch.long, device=device),
        halted=torch.ones(count, dtype=torch.bool, device=device),
    )


def where(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Take `new` in the slots of `mask` (B,), `old` in the others."""
    return torch.where(mask.view(-1, *[1] * (new.dim() - 1)), new, old)


def refill(model: Reasoner, carry: Carry, fresh: Batch) -> Carry:
    """Give every halted slot the puzzle of the same row of `fresh`; the rest of it is not used."""
    start = model.initial_latents(len(carry.steps), carry.halted)
    return Carry(
        Latents(*(where(carry.halted, *pair) for pair in zip(start, carry.latents, strict=True))),
        Batch(*(where(carry.halted, *pair) for pair in zip(fresh, carry.batch, strict=True))),
        steps=carry.steps.masked_fill(carry.halted, 0),
        halted=torch.zeros_like(carry.halted),
    )


def advance(
    carry: Carry,
    thought: Thought,
    *,
    act: Act = "halt",
    max_steps: int = MAX_STEPS,
    exploration: float = 0.1,
    draws: Tensor | None = None,
) -> Carry:
    """Count the step, and let slots halt: at `max_steps`, or when the model believes it is done.

    It does when the halt logit is above 0, or in Q-learning above the continue logit.
    With probability `exploration` a slot must first reach a step drawn uniformly from
    2..max_steps, so that the model also sees what more thinking would have brought. `draws`
    (2, B), uniform in 0..1, decide about that; they are drawn here if not given.
    """
    steps = carry.steps + 1
    bars = {"halt": 0.0, "q_learning": thought.continue_logit, "off": math.inf}
    wants_to_halt = thought.halt_logit > bars[act]
    if exploration > 0 and max_steps > 1:
        draws = (torch.rand(2, len(steps)) if draws is None else draws).to(steps.device)
        minimum = 2 + (draws[1] * (max_steps - 1)).long()  # uniform in 2..max_steps
        wants_to_halt &= (draws[0] >= exploration) | (steps >= minimum)
    return Carry(thought.latents, carry.batch, steps, wants_to_halt | (steps >= max_steps))


@torch.no_grad()
def worth_of_going_on(model: Reasoner, carry: Carry, max_steps: int = MAX_STEPS) -> Tensor:
    """What the continue logit should say after `advance`, (B,) in 0..1: the price of Q-learning.

    The value of going on is the value of the better choice one step later, as the model itself
    sees it: it takes a second forward pass (HRM, arXiv 2506.21734, "adaptive computation time").
    TRM does without (arXiv 2510.04871, section 4.6), at half the passes.
    """
    later = model(carry.latents, carry.batch.inputs, carry.batch.puzzle_ids)
    better = torch.maximum(later.halt_logit, later.continue_logit)
    must_halt = carry.steps >= max_steps
    return torch.where(must_halt, later.halt_logit, better).sigmoid()


def noisy_start(model: Reasoner, noise: float, seeds: Sequence[int]) -> Latents:
    """Initial latents, a row per seed, with Gaussian noise of deviation `noise` on z."""
    latents = model.initial_latents(len(seeds))
    if noise == 0 or latents.z.numel() == 0:
        return latents
    draws = [
        torch.randn(latents.z.shape[1:], generator=torch.Generator().manual_seed(seed))
        for seed in seeds
    ]
    return latents._replace(z=latents.z + noise * torch.stack(draws).to(latents.z))


@torch.inference_mode()
def think(
    model: Reasoner,
    inputs: Tensor,
    puzzle_ids: Tensor | None = None,
    *,
    steps: int = MAX_STEPS,
    start: Latents | None = None,
) -> Iterator[Thought]:
    """Yield the thought after each of `steps` supervision steps, as in the paper's evaluation."""
    latents = model.initial_latents(len(inputs)) if start is None else start
    for _ in range(steps):
        thought = model(latents, inputs, puzzle_ids)
        latents = thought.latents
        yield thought


class Answer(NamedTuple):
    """Where a model came to rest on each of B puzzles."""

    tokens: Tensor  # (B, L)
    steps: Tensor  # (B,) supervision steps used
    confidence: Tensor  # (B,) in 0..1: the model's own belief that its whole answer is right


@torch.inference_mode()
def answer(
    model: Reasoner,
    inputs: Tensor,
    puzzle_ids: Tensor | None = None,
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = 0.0,
) -> Answer:
    """Think until the halting logit exceeds `halt_above` or `max_steps` are taken.

    Puzzles that are done leave the batch, so easy ones cost little. `halt_above=None` never
    stops early.
    """
    count = len(inputs)
    if puzzle_ids is None:
        puzzle_ids = torch.zeros(count, dtype=torch.long, device=inputs.device)
    tokens = torch.empty_like(inputs)
    used = torch.zeros(count, dtype=torch.long, device=inputs.device)
    confidence = torch.zeros(count, device=inputs.device)
    thinking = torch.arange(count, device=inputs.device)  # rows that are not done yet
    latents = model.initial_latents(count)
    for step in range(1, max_steps + 1):
        thought = model(latents, inputs[thinking], puzzle_ids[thinking])
        tokens[thinking] = thought.logits.argmax(-1).to(tokens.dtype)
        used[thinking] = step
        confidence[thinking] = thought.halt_logit.sigmoid()
        if halt_above is None:
            latents = thought.latents
            continue
        going_on = thought.halt_logit <= halt_above
        thinking = thinking[going_on]
        if len(thinking) == 0:
            break
        latents = Latents(*(latent[going_on] for latent in thought.latents))
    return Answer(tokens, used, confidence)
