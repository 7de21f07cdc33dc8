"""Thinking in steps: slots that hold unfinished puzzles, and the decision when to halt.

This is the heart of the course. It answers the most common question about the authors' code:
*where is the loop over the N_sup supervision steps?* There is none. A batch is a set of
**slots**. Every slot holds one puzzle with its own y, z and step count, and each optimiser step
takes every slot forward by ONE supervision step:

    carry = refill(model, carry, batch)       halted slots get a new puzzle and start afresh
    thought = model(carry.latents, ...)       every slot thinks one step further
    loss(thought, carry.labels).backward()    is the answer right *now*, and does the model know?
    carry = advance(carry, thought, ...)      some slots halt, the others carry on

So the weights change up to 16 times while the network works on one puzzle, and as many puzzles
are in progress as there are slots. To see the answer after every step, evaluation uses the plain
loop, `think`; to answer quickly, it uses slots again, `in_slots`.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.choices import MAX_STEPS, Act, Latent
from trm_lite.data.dataset import Batch
from trm_lite.nets.reasoner import Latents, Reasoner, Thought

SLOTS = 256  # puzzles that are answered at once


@dataclass
class Carry:
    """The state of B slots: one unfinished puzzle in each."""

    latents: Latents  # y and z of every slot
    batch: Batch  # the puzzles in the slots
    steps: Tensor  # (B,) supervision steps taken on the slot's present puzzle
    halted: Tensor  # (B,) bool: done, so the slot gets a new puzzle next

    def rows(self, rows: slice) -> "Carry":
        """The carry of the slots in the slice `rows` only."""
        latents = Latents(*(latent[rows] for latent in self.latents))
        return Carry(latents, self.batch.rows(rows), self.steps[rows], self.halted[rows])


def empty_carry(model: Reasoner, batch: Batch) -> Carry:
    """A carry in which every slot has halted, so that `refill` gives each of them a puzzle.

    Of `batch` only the shapes and the device matter; its puzzles are never used.
    """
    count, device = len(batch.inputs), batch.inputs.device
    return Carry(
        model.initial_latents(count),
        batch,
        steps=torch.zeros(count, dtype=torch.long, device=device),
        halted=torch.ones(count, dtype=torch.bool, device=device),
    )


def where(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Per slot, `new` where `mask` (B,) is true and `old` elsewhere; both are (B, ...)."""
    return torch.where(mask.view(-1, *[1] * (new.dim() - 1)), new, old)


def refill(model: Reasoner, carry: Carry, fresh: Batch) -> Carry:
    """Put a new puzzle into every halted slot, with fresh latents and a step count of 0.

    Slot i takes row i of `fresh`; the rows of slots that have not halted are discarded.

    Args:
        model: provides the initial latents.
        carry: the slots after `advance`, or from `empty_carry`.
        fresh: B new puzzles.
    """
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
    """Count one supervision step, and halt the slots that are done.

    A slot halts at `max_steps`, or earlier when the model believes that its answer is right.
    With probability `exploration` it must first reach a minimum number of steps, drawn uniformly
    from 2..max_steps, so that the model also learns what further thinking would have brought.

    Args:
        carry: the slots before the step.
        thought: what the model returned for them.
        act: the sign of that belief: a halt logit above 0 ("halt"), a halt logit above the
            continue logit ("q_learning"), or never ("off"). With "random" nobody is asked: a slot
            halts with the probability `exploration`, as in SE-RRM (arXiv 2603.02193).
        max_steps: the step at which a slot halts in any case, N_sup in the paper.
        exploration: the probability of a minimum number of steps, or of halting at random.
        draws: (2, B) random numbers, uniform in 0..1, for this exploration: whether a slot gets
            a minimum, and which. Drawn here if None.
    """
    steps = carry.steps + 1
    if exploration > 0 and max_steps > 1:
        draws = (torch.rand(2, len(steps)) if draws is None else draws).to(steps.device)
    if act == "random":
        chance = torch.zeros_like(carry.halted) if draws is None else draws[0] < exploration
        return Carry(thought.latents, carry.batch, steps, chance | (steps >= max_steps))
    bars = {"halt": 0.0, "q_learning": thought.continue_logit, "off": math.inf}
    wants_to_halt = thought.halt_logit > bars[act]
    if exploration > 0 and max_steps > 1:
        minimum = 2 + (draws[1] * (max_steps - 1)).long()  # uniform in 2..max_steps
        wants_to_halt &= (draws[0] >= exploration) | (steps >= minimum)
    return Carry(thought.latents, carry.batch, steps, wants_to_halt | (steps >= max_steps))


@torch.no_grad()
def worth_of_going_on(model: Reasoner, carry: Carry, max_steps: int = MAX_STEPS) -> Tensor:
    """The training target (B,), in 0..1, of the continue logit in Q-learning. Call after `advance`.

    The value of continuing is the value of the better choice one step later, as the model itself
    estimates it. At `max_steps` halting is the only choice. The estimate costs a second forward
    pass (HRM, arXiv 2506.21734, "adaptive computation time"), which TRM avoids (arXiv
    2510.04871, section 4.6).

    Args:
        model: the network in training.
        carry: the slots after `advance`.
        max_steps: the step at which a slot must halt.
    """
    later = model(carry.latents, carry.batch.inputs, carry.batch.puzzle_ids)
    better = torch.maximum(later.halt_logit, later.continue_logit)
    must_halt = carry.steps >= max_steps
    return torch.where(must_halt, later.halt_logit, better).sigmoid()


@contextmanager
def seeded(model: Reasoner, seed: int) -> Iterator[None]:
    """A context in which what a network draws is repeatable, and its own generator rests."""
    if not model.draws:
        yield
        return
    own, model.generator = model.generator, torch.Generator(model.device).manual_seed(seed)
    try:
        yield
    finally:
        model.generator = own


class Noise(NamedTuple):
    """Gaussian noise on the latents of B puzzles, which makes every attempt another one.

    Equal seeds give equal noise, on every device and in every batch.
    """

    size: float  # standard deviation; 0 for none
    seeds: Sequence[int]  # B seeds
    on: Latent = "z"  # which latent is disturbed, see `Latents.present`
    every_step: bool = False  # before each supervision step (PTRM, arXiv 2605.19943), or the first

    def disturb(self, latents: Latents, step: int) -> Latents:
        """The latents with the noise that comes before supervision step `step`, from 1."""
        if self.size == 0 or (step > 1 and not self.every_step):
            return latents
        on = latents.present(self.on)
        latent = getattr(latents, on)
        draws = [
            torch.randn(latent.shape[1:], generator=torch.Generator().manual_seed(seed))
            for seed in (seed + 1_000_003 * (step - 1) for seed in self.seeds)
        ]
        return latents._replace(**{on: latent + self.size * torch.stack(draws).to(latent)})


@torch.inference_mode()
def think(
    model: Reasoner,
    inputs: Tensor,
    puzzle_ids: Tensor | None = None,
    *,
    steps: int = MAX_STEPS,
    noise: Noise | None = None,
) -> Iterator[Thought]:
    """Yield the thought after each of `steps` supervision steps, without ever halting.

    This is how the paper evaluates.

    Args:
        model: the network.
        inputs: (B, L) tokens of the puzzles.
        puzzle_ids: (B,) puzzle identifiers; all 0 if None.
        steps: how many supervision steps.
        noise: noise on the latents.
    """
    latents = model.initial_latents(len(inputs))
    for step in range(1, steps + 1):
        if noise is not None:
            latents = noise.disturb(latents, step)
        thought = model(latents, inputs, puzzle_ids)
        latents = thought.latents
        yield thought


class Asked(NamedTuple):
    """A puzzle that waits for a slot."""

    ticket: int  # by which the asker knows it
    inputs: Tensor  # (L,) tokens
    puzzle_id: Tensor | int = 0
    start: Latents | None = None  # of one row; `initial_latents` if None


class Moment(NamedTuple):
    """One supervision step of the puzzles in B slots, when they are answered in slots."""

    tickets: Tensor  # (B,) which puzzles
    steps: Tensor  # (B,) supervision steps taken on each
    thought: Thought  # after this step
    halted: Tensor  # (B,) bool: this thought is the last one


@torch.inference_mode()
def in_slots(
    model: Reasoner,
    queue: deque[Asked],
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = 0.0,
    slots: int = SLOTS,
) -> Iterator[Moment]:
    """Think about puzzles until the model believes in its answers, and yield every step.

    As in training, a finished puzzle gives its slot to the next one that waits, so that the
    batch stays full. The caller may append to the queue at any time.

    Args:
        model: the network.
        queue: the puzzles that wait; emptied.
        max_steps: the most supervision steps per puzzle.
        halt_above: stop as soon as the halt logit exceeds this; None never stops early.
        slots: puzzles in the network at once.
    """
    bar = math.inf if halt_above is None else halt_above
    held = None  # tickets, steps, inputs, puzzle ids and latents of the puzzles in the slots
    while queue or held:
        room = slots - (len(held[0]) if held else 0)
        if queue and room:
            fresh = _seated(model, [queue.popleft() for _ in range(min(room, len(queue)))])
            held = [torch.cat(pair) for pair in zip(held, fresh, strict=True)] if held else fresh
        tickets, steps, inputs, puzzle_ids, *latents = held
        thought = model(Latents(*latents), inputs, puzzle_ids)
        steps = steps + 1
        halted = (thought.halt_logit > bar) | (steps >= max_steps)
        yield Moment(tickets, steps, thought, halted)
        going_on = (~halted).nonzero()[:, 0]
        held = [tickets, steps, inputs, puzzle_ids, *thought.latents]
        if len(going_on) < len(halted):
            held = [part[going_on] for part in held] if len(going_on) else None


def _seated(model: Reasoner, asked: Sequence[Asked]) -> list[Tensor]:
    """What the slots of some puzzles hold at first, see `in_slots`."""
    device, count = model.device, len(asked)
    latents = [latent.clone() for latent in model.initial_latents(count)]
    for row, one in enumerate(asked):
        if one.start is not None:
            for latent, own in zip(latents, one.start, strict=True):
                latent[row] = own[0]
    ids = torch.tensor([int(one.puzzle_id) for one in asked], device=device)
    tickets = torch.tensor([one.ticket for one in asked], device=device)
    inputs = torch.stack([one.inputs for one in asked]).to(device)
    return [tickets, torch.zeros_like(tickets), inputs, ids, *latents]


class Answer(NamedTuple):
    """A model's final answers to B puzzles."""

    tokens: Tensor  # (B, L) the answers
    steps: Tensor  # (B,) supervision steps taken
    confidence: Tensor  # (B,) in 0..1: how sure the model is that its whole answer is right


def answer(
    model: Reasoner,
    inputs: Tensor,
    puzzle_ids: Tensor | None = None,
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = 0.0,
    slots: int = SLOTS,
) -> Answer:
    """Think about each puzzle until the model believes in its answer, at most `max_steps` steps.

    Args:
        model: the network.
        inputs: (B, L) tokens of the puzzles.
        puzzle_ids: (B,) puzzle identifiers; all 0 if None.
        max_steps: the most supervision steps per puzzle.
        halt_above: stop as soon as the halt logit exceeds this; None never stops early.
        slots: puzzles in the network at once.
    """
    count = len(inputs)
    ids = [0] * count if puzzle_ids is None else puzzle_ids.tolist()
    queue = deque(Asked(*asked) for asked in zip(range(count), inputs, ids, strict=True))
    tokens = torch.empty_like(inputs)
    used = torch.zeros(count, dtype=torch.long, device=inputs.device)
    confidence = torch.zeros(count, device=inputs.device)
    how = {"max_steps": max_steps, "halt_above": halt_above, "slots": slots}
    for tickets, steps, thought, _ in in_slots(model, queue, **how):
        tokens[tickets] = thought.logits.argmax(-1).to(tokens.dtype)
        used[tickets] = steps
        confidence[tickets] = thought.halt_logit.sigmoid()
    return Answer(tokens, used, confidence)
