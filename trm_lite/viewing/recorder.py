"""Record how a network thinks, without changing what it thinks.

A recording has one of three *grains*: a *frame* after every supervision step, after every full
recursion, or after every application of the network. In each frame, `record` stores what can be
read off the latents y and z, for any number of puzzles. It only watches, through forward hooks.
So the numbers equal those of an unrecorded run of the same batch, bit for bit.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.nets.build import puzzle_of
from trm_lite.nets.configs import NetConfig
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents, Reasoner, Thought
from trm_lite.nets.se_rrm import SERRM
from trm_lite.nets.trm import TRM
from trm_lite.puzzles import Puzzle
from trm_lite.thinking import MAX_STEPS, Noise, seeded
from trm_lite.viewing.traces import Grain, Trace

Keep = Literal["none", "projected", "whole"]  # how much is stored of the latents themselves

WORKING = 256 * 2**20  # bytes of latents in memory at once while recording
LIMIT = 2**30  # bytes that a recording may store
DIRECTIONS = 128  # random directions onto which latents are projected


class Push(NamedTuple):
    """An intervention in a thought: y is overwritten at one cell.

    Its new value makes the output head answer `value` there with very high confidence.
    """

    step: int  # do it after this supervision step; 0 is before the first
    cell: int  # number of the cell, from 0
    value: int  # token to put there


@dataclass(frozen=True)
class Recording:
    """The settings of a recording. Raises UserError for values that make no sense.

    Args:
        steps: supervision steps.
        grain: a frame after every "step", full "recursion", or "application" of the network.
        latents: what to store of y and z: "none" of them, both projected onto 128 fixed random
            directions ("projected"), or all of both ("whole").
        probabilities: store the probability of every token in every cell.
        noise: standard deviation of Gaussian noise on the initial z.
        seed: puzzle b gets the noise of `seed` + b, so that several copies of one puzzle become
            different thoughts. A network that draws its own starts and noise begins with `seed`.
        push: an intervention in the thought.
        batch_size: puzzles in the network at once; if None, as many as have latents of at most
            256 MiB together.
        limit: the most bytes to store. Each puzzle takes per frame 9 for each cell, 2 V more
            with probabilities, and 8 D (P + L) with whole latents.
    """

    steps: int = MAX_STEPS
    grain: Grain = "step"
    latents: Keep = "none"
    probabilities: bool = False
    noise: float = 0.0
    seed: int = 0
    push: Push | None = None
    batch_size: int | None = None
    limit: int = LIMIT

    def __post_init__(self):
        if self.steps < 1:
            raise UserError(f"A trace needs at least 1 supervision step, not {self.steps}.")
        if self.grain not in get_args(Grain):
            known = ", ".join(get_args(Grain))
            raise UserError(f"There is no grain '{self.grain}'; use one of {known}.")

    def bytes_per_puzzle(self, config: NetConfig, frames: int) -> int:
        """The bytes stored for one puzzle with so many `frames`, by a network of this `config`."""
        per_cell = 9 + 2 * config.vocab_size * self.probabilities
        latents = {"none": 0, "projected": 2 * 4 * DIRECTIONS, "whole": 4 * config.latent_size}
        return frames * (per_cell * config.seq_len + latents[self.latents])


def trace(model: Reasoner, question: np.ndarray, steps: int = MAX_STEPS, **options) -> Trace:
    """Record a network's thought about one question.

    Args:
        model: a reasoner.
        question: (L,) tokens.
        steps: supervision steps.
        options: fields of `Recording`, and further arguments of `record`.
    """
    return record(model, np.asarray(question)[None], steps=steps, **options)[0]


@torch.inference_mode()
def record(
    model: Reasoner,
    questions: np.ndarray,
    *,
    solutions: np.ndarray | None = None,
    puzzle_ids: np.ndarray | None = None,
    **options,
) -> list[Trace]:
    """Record a network's thoughts about questions: one trace each.

    Raises UserError for a network that writes token by token or does not know its puzzle, for
    boards of the wrong size or with tokens that it does not know, and if the recording would be
    too large.

    Args:
        model: a reasoner.
        questions: (B, L) tokens.
        solutions: (B, L) tokens of their answers. If None, the puzzle's solver looks for them,
            and a question without exactly one answer gets none.
        puzzle_ids: (B,) puzzle identifiers, for ARC.
        options: fields of `Recording`.
    """
    recording = Recording(**options)
    questions = np.atleast_2d(questions)
    puzzle = _check(model, questions, recording)
    places = _places(model, recording)
    _refuse_if_large(model.config, len(questions), len(places), recording)
    if solutions is None:
        found = [_solution(puzzle, question) for question in questions]
    else:
        found = list(np.atleast_2d(solutions))
        if len(found) != len(questions):
            raise UserError(
                f"There are {len(questions)} questions and {len(found)} solutions; give each one."
            )
    traces = []
    for rows in _batches(model.config, len(questions), len(places), recording):
        inputs = torch.from_numpy(questions[rows.start : rows.stop]).long().to(model.device)
        ids = None if puzzle_ids is None else torch.as_tensor(puzzle_ids[rows.start : rows.stop])
        with seeded(model, recording.seed + rows.start):
            noise = Noise(recording.noise, [recording.seed + b for b in rows])
            first = noise.disturb(model.initial_latents(len(rows)), 1)
            frames = list(_frames(model, inputs, ids, first, recording))
        written = _write_down(puzzle, first, frames, recording)
        for b, row in enumerate(rows):
            traces.append(
                Trace(
                    question=questions[row],
                    solution=found[row],
                    places=places,
                    puzzle=puzzle,
                    grain=recording.grain,
                    thinks=model.config.latent_updates,
                    **{name: None if part is None else part[b] for name, part in written.items()},
                )
            )
    return traces


def _solution(puzzle: Puzzle, question: np.ndarray) -> np.ndarray | None:
    """The only answer (L,) to a question, or None."""
    if puzzle.solve is None:
        return None
    try:
        return puzzle.call("solve", question)
    except PuzzleError:
        return None


def _check(model: Reasoner, questions: np.ndarray, recording: Recording) -> Puzzle:
    """The puzzle that a network reads; UserError if it cannot be recorded on these questions."""
    if not isinstance(model, Reasoner):
        raise UserError(
            "This network writes token by token, so it has no steps to record; call its `write`, "
            "which tells what it wrote and how sure it was."
        )
    if questions.ndim != 2:
        raise UserError(
            f"A puzzle to think about is one row of tokens, not of shape {questions.shape[1:]}."
        )
    count, cells = questions.shape
    if cells != model.config.seq_len:
        raise UserError(
            f"This network reads boards of {model.config.seq_len} cells, not of {cells}; use a "
            "network for this size."
        )
    if count == 0:
        raise UserError("There is no puzzle to think about; give at least one.")
    puzzle = puzzle_of(model)
    puzzle.check_tokens(questions)
    push, steps = recording.push, recording.steps
    if push is not None and isinstance(model, SERRM):
        raise UserError(
            "The state of an SE-RRM cannot be pushed, because all digits share one head; use "
            "another network."
        )
    if push is not None and not (0 <= push.step <= steps and 0 <= push.cell < cells):
        raise UserError(
            f"A push after step {push.step} at cell {push.cell} lies outside this trace of "
            f"{steps} steps on {cells} cells; choose another step or cell."
        )
    if push is not None:
        puzzle.check_tokens(np.array([push.value]))
    return puzzle


def _places(model: Reasoner, recording: Recording) -> np.ndarray:
    """The supervision step, recursion and application of every frame, (F, 3), all from 1."""
    schedule = _schedule(model)
    kept = [place for place in schedule if _is_seen(place, schedule, recording.grain)]
    return np.array(
        [(step + 1, *place) for step in range(recording.steps) for place in kept], np.int16
    )


def _refuse_if_large(config: NetConfig, count: int, frames: int, recording: Recording) -> None:
    size = count * recording.bytes_per_puzzle(config, frames)
    if size > recording.limit:
        raise UserError(
            f"This recording would take {size / 2**20:,.0f} MiB, but the limit is "
            f"{recording.limit / 2**20:,.0f}; record fewer puzzles or steps, a coarser grain, or "
            "latents='projected'."
        )


def _batches(config: NetConfig, count: int, frames: int, recording: Recording) -> Iterator[range]:
    """Divide the puzzles into batches whose latents, of all frames, fit into memory together."""
    whole = replace(recording, latents="whole", probabilities=False)
    size = recording.batch_size or max(1, WORKING // whole.bytes_per_puzzle(config, frames))
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


# --- watching ------------------------------------------------------------------------------------


def _schedule(model: Reasoner) -> list[tuple[int, int]]:
    """The applications of a network in a supervision step, as (recursion, application in it)."""
    config = model.config
    if hasattr(config, "loops"):
        return [(loop, 1) for loop in range(1, config.loops + 1)]
    return [(r, a) for r in range(1, config.T + 1) for a in range(1, config.n + 2)]


def _is_seen(place: tuple[int, int], schedule: list[tuple[int, int]], grain: Grain) -> bool:
    if grain == "application":
        return True
    last_of_recursion = place[1] == schedule[-1][1]
    return last_of_recursion and (grain == "recursion" or place == schedule[-1])


@contextmanager
def applications(model: Reasoner, see: Callable[[Tensor], None]) -> Iterator[None]:
    """A context in which `see` is called with the output of every application of a network."""
    if isinstance(model, TRM):  # its applications can be damped and noisy, after the stack

        def watched(*arguments: Tensor) -> Tensor:
            new = TRM.update(model, *arguments)
            see(new)
            return new

        model.update = watched
        try:
            yield
        finally:
            del model.update
        return
    stacks = [part for part in model.children() if isinstance(part, Stack)]
    hooks = [part.register_forward_hook(lambda _, __, out: see(out)) for part in stacks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _frames(
    model: Reasoner, inputs: Tensor, ids: Tensor | None, latents: Latents, recording: Recording
) -> Iterator[Thought]:
    """Yield the thought in each frame, beginning with the given latents."""
    latents = _pushed(model, latents, recording.push, 0)
    for step in range(1, recording.steps + 1):
        outputs: list[Tensor] = []
        if recording.grain == "step":
            thought = model(latents, inputs, ids)
        else:
            with applications(model, outputs.append):
                thought = model(latents, inputs, ids)
            for state in list(_states(model, latents, outputs, recording.grain))[:-1]:
                yield model.read(state)
        latents = _pushed(model, thought.latents, recording.push, step)
        # After a push, the answer is read again off the new y.
        yield thought if latents is thought.latents else model.read(latents)


def _states(
    model: Reasoner, latents: Latents, outputs: list[Tensor], grain: Grain
) -> Iterator[Latents]:
    """Yield y and z after each application that is a frame.

    `latents` are those before the supervision step, and `outputs` those of all applications.
    """
    (y, z), schedule = latents, _schedule(model)
    thinks, count = model.config.latent_updates, model.config.num_latents
    for place, out in zip(schedule, outputs, strict=True):
        application = place[1]
        if application > thinks or count == 0:
            y = out
        elif count == 1:
            z = out
        else:  # multi-scale: every update replaces one of the latents
            z = z.clone()
            z[:, (application - 1) % count] = out
        if _is_seen(place, schedule, grain):
            yield Latents(y, z)


def _pushed(model: Reasoner, latents: Latents, push: Push | None, step: int) -> Latents:
    if push is None or push.step != step:
        return latents
    vote = model.head.weight[push.value]
    y = latents.y.clone()
    y[:, model.config.prefix_len + push.cell] = vote / vote.square().mean().sqrt()  # of size 1
    return latents._replace(y=y)


# --- writing down --------------------------------------------------------------------------------


def _write_down(
    puzzle: Puzzle, first: Latents, frames: list[Thought], recording: Recording
) -> dict[str, np.ndarray | None]:
    """The fields of the traces, each (B, F, ...), or None if it is not stored.

    `first` are the initial latents, from which the first change is measured.
    """
    logits = [thought.logits.float() for thought in frames]
    chances = [scores.softmax(-1) for scores in logits]  # (B, L, V) each
    shown = [chance.max(-1) for chance in chances]
    halts = [thought.halt_logit for thought in frames]
    fields = {
        "boards": _stack([best.indices for best in shown]),
        "confidence": _stack([best.values for best in shown]),
        "entropy": _stack([torch.special.entr(c).sum(-1) / math.log(2) for c in chances]),
        "halt": _stack([(c[:, 0, 0] * math.nan if h is None else h.sigmoid())
                        for c, h in zip(chances, halts, strict=True)]),
    }  # fmt: skip
    keep = recording.probabilities
    fields["probabilities"] = _stack([chance.half() for chance in chances]) if keep else None
    fields["boards"] = fields["boards"].astype(puzzle.dtype)
    for name in ("y", "z"):
        states = [getattr(thought.latents, name).flatten(1).float() for thought in frames]
        before = [getattr(first, name).flatten(1).float(), *states[:-1]]
        changes = [
            (new - old).square().mean(1).sqrt() for new, old in zip(states, before, strict=True)
        ]
        there = states[0].shape[1] > 0
        cosines = [torch.cosine_similarity(s, states[-1]) for s in states]
        nothing = torch.full_like(changes[0], math.nan)
        fields[f"{name}_residual"] = _stack(changes)
        fields[f"{name}_cosine"] = _stack(cosines if there else [nothing] * len(states))
        fields[name] = None
        if recording.latents != "none" and there:
            if recording.latents == "projected":
                directions = _directions(states[0].shape[1]).to(states[0].device)
                states = [state @ directions for state in states]
            fields[name] = _stack(states)
    return fields


def _stack(frames: list[Tensor]) -> np.ndarray:
    return torch.stack(frames, 1).cpu().numpy()


def _directions(size: int) -> Tensor:
    """Fixed random directions, (size, DIRECTIONS); a projection keeps distances on average."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, DIRECTIONS, generator=generator) / DIRECTIONS**0.5
