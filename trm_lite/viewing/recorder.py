"""Record what a network thinks, without changing what it thinks.

A thought can be looked at in three *grains*: after every supervision step, after every full
recursion within it, or after every single application of the network. `record` writes down, for
any number of puzzles, what can be read off the latents y and z at each of these moments (the
*frames*). It only watches, through forward hooks: the numbers are those of an untraced run of the
same batch, bit for bit.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.nets.configs import NetConfig
from trm_lite.nets.direct import Direct
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents, Reasoner, Thought
from trm_lite.puzzles.by_sizes import FROM_TOKENS, SOLVERS, TO_TOKENS, puzzle_name_of
from trm_lite.thinking import MAX_STEPS, noisy_start
from trm_lite.viewing.traces import Grain, Trace

Keep = Literal["none", "projected", "whole"]  # what is kept of the latents themselves

WORKING = 256 * 2**20  # bytes of latents held at once while recording
LIMIT = 2**30  # bytes that a recording may keep
DIRECTIONS = 128  # random directions that latents are projected on


class Push(NamedTuple):
    """An interference: after supervision step `step` (0: before the first), y is overwritten at
    one cell, so that the output head reads `value` there with the greatest confidence."""

    step: int
    cell: int
    value: int  # as on boards, such as a digit


@dataclass(frozen=True)
class Recording:
    """What is recorded, and how. UserError for what cannot be.

    Args:
        steps: Supervision steps to think.
        grain: A frame after every step, full recursion, or application of the network.
        latents: What is kept of y and z: nothing, both on 128 fixed random directions each
            ("projected"), or all of both ("whole").
        probabilities: Keep those of every token in every cell.
        noise: Standard deviation of Gaussian noise on the initial z.
        seed: Row b gets the noise of `seed` + b, so that one puzzle given many times is thought
            about in many ways.
        push: An interference in mid-thought.
        batch_size: Puzzles thought about at once; if None, so many that their latents take at
            most 256 MiB.
        limit: Bytes that may be kept. Per puzzle and frame they are 9 per cell, with
            probabilities 2 V more, and with whole latents 8 D (P + L).
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
        """What is kept of one puzzle."""
        per_cell = 9 + 2 * config.vocab_size * self.probabilities
        latents = {"none": 0, "projected": 2 * 4 * DIRECTIONS, "whole": 4 * config.latent_size}
        return frames * (per_cell * config.seq_len + latents[self.latents])


def trace(model: Reasoner, puzzle: np.ndarray, steps: int = MAX_STEPS, **options) -> Trace:
    """Let `model` think `steps` supervision steps about one `puzzle` (L,), and write it down.

    `options` are fields of `Recording`, besides what `record` takes; errors as there.
    """
    return record(model, np.asarray(puzzle)[None], steps=steps, **options)[0]


@torch.inference_mode()
def record(
    model: Reasoner,
    puzzles: np.ndarray,
    *,
    solutions: np.ndarray | None = None,
    puzzle_ids: np.ndarray | None = None,
    **options,
) -> list[Trace]:
    """Let `model` think about `puzzles`, and write down every frame of it.

    Args:
        model: A reasoner. A network that writes token by token has no steps to record.
        puzzles: Boards (B, L); of ARC, tokens.
        solutions: Their answers (B, L). If None, a solver looks for them: a puzzle may have none,
            or several.
        puzzle_ids: The identifiers (B,) of ARC.
        options: Fields of `Recording`.
    """
    recording = Recording(**options)
    puzzles = np.atleast_2d(puzzles)
    _check(model, puzzles, recording)
    puzzle_name = puzzle_name_of(model.config.vocab_size, model.config.seq_len)
    places = _places(model, recording)
    _refuse_if_large(model.config, len(puzzles), len(places), recording)
    if solutions is None:
        found = [SOLVERS[puzzle_name](puzzle) for puzzle in puzzles]
    else:
        found = list(np.atleast_2d(solutions))
    traces = []
    for rows in _batches(model.config, len(puzzles), len(places), recording):
        inputs = torch.from_numpy(TO_TOKENS[puzzle_name](puzzles[rows.start : rows.stop]))
        inputs = inputs.long().to(model.device)
        ids = None if puzzle_ids is None else torch.as_tensor(puzzle_ids[rows.start : rows.stop])
        first = noisy_start(model, recording.noise, [recording.seed + b for b in rows])
        frames = list(_frames(model, inputs, ids, first, recording))
        written = _write_down(puzzle_name, first, frames, recording)
        for b, puzzle in enumerate(rows):
            traces.append(
                Trace(
                    puzzle=puzzles[puzzle],
                    solution=found[puzzle],
                    places=places,
                    puzzle_name=puzzle_name,
                    grain=recording.grain,
                    thinks=model.config.latent_updates,
                    **{name: None if part is None else part[b] for name, part in written.items()},
                )
            )
    return traces


def _check(model: Reasoner, puzzles: np.ndarray, recording: Recording) -> None:
    if not isinstance(model, Reasoner):
        raise UserError(
            "This network writes token by token, so there are no steps to record; its `write` "
            "tells what it wrote and how sure it was."
        )
    count, cells = puzzles.shape
    if cells != model.config.seq_len:
        raise UserError(
            f"This network reads boards of {model.config.seq_len} cells, not of {cells}."
        )
    if count == 0:
        raise UserError("There is no puzzle to think about; give at least one.")
    push, steps = recording.push, recording.steps
    if push is not None and not (0 <= push.step <= steps and 0 <= push.cell < cells):
        raise UserError(
            f"A push after step {push.step} at cell {push.cell} lies outside this trace of "
            f"{steps} steps on {cells} cells."
        )


def _places(model: Reasoner, recording: Recording) -> np.ndarray:
    """(F, 3) supervision step, recursion and application of every frame."""
    schedule = _schedule(model)
    kept = [place for place in schedule if _is_seen(place, schedule, recording.grain)]
    return np.array(
        [(step + 1, *place) for step in range(recording.steps) for place in kept], np.int16
    )


def _refuse_if_large(config: NetConfig, count: int, frames: int, recording: Recording) -> None:
    size = count * recording.bytes_per_puzzle(config, frames)
    if size > recording.limit:
        raise UserError(
            f"This recording would keep {size / 2**20:,.0f} MiB, more than "
            f"{recording.limit / 2**20:,.0f}; record fewer puzzles or steps, a coarser grain, or "
            "latents='projected'."
        )


def _batches(config: NetConfig, count: int, frames: int, recording: Recording) -> Iterator[range]:
    """The puzzles that are thought about at once: latents are held until they are written down."""
    whole = replace(recording, latents="whole", probabilities=False)
    size = recording.batch_size or max(1, WORKING // whole.bytes_per_puzzle(config, frames))
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


# --- watching ------------------------------------------------------------------------------------


def _schedule(model: Reasoner) -> list[tuple[int, int]]:
    """(recursion, application in it) for each application of a network in a supervision step."""
    config = model.config
    if isinstance(model, Direct):
        return [(loop, 1) for loop in range(1, config.loops + 1)]
    return [(r, a) for r in range(1, config.T + 1) for a in range(1, config.n + 2)]


def _is_seen(place: tuple[int, int], schedule: list[tuple[int, int]], grain: Grain) -> bool:
    if grain == "application":
        return True
    last_of_recursion = place[1] == schedule[-1][1]
    return last_of_recursion and (grain == "recursion" or place == schedule[-1])


@contextmanager
def applications(model: Reasoner, see: Callable[[Tensor], None]) -> Iterator[None]:
    """Within this context `see` gets what every application of a network puts out."""
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
    """The thoughts of all frames."""
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
        # What was pushed is read again; otherwise the thought is the model's own.
        yield thought if latents is thought.latents else model.read(latents)


def _states(
    model: Reasoner, latents: Latents, outputs: list[Tensor], grain: Grain
) -> Iterator[Latents]:
    """y and z after each application that is seen, put together from the `outputs`."""
    (y, z), schedule = latents, _schedule(model)
    thinks, count = model.config.latent_updates, model.config.num_latents
    for place, out in zip(schedule, outputs, strict=True):
        application = place[1]
        if application > thinks or count == 0:
            y = out
        elif count == 1:
            z = out
        else:  # multi-scale: every update refines a latent of its own
            z = z.clone()
            z[:, (application - 1) % count] = out
        if _is_seen(place, schedule, grain):
            yield Latents(y, z)


def _pushed(model: Reasoner, latents: Latents, push: Push | None, step: int) -> Latents:
    if push is None or push.step != step:
        return latents
    token = int(
        TO_TOKENS[puzzle_name_of(model.config.vocab_size, model.config.seq_len)](
            np.array([push.value])
        )[0]
    )
    vote = model.head.weight[token]
    y = latents.y.clone()
    y[:, model.config.prefix_len + push.cell] = vote / vote.square().mean().sqrt()  # of size 1
    return latents._replace(y=y)


# --- writing down --------------------------------------------------------------------------------


def _write_down(
    puzzle_name: str, first: Latents, frames: list[Thought], recording: Recording
) -> dict[str, np.ndarray | None]:
    """The fields of the traces, each (B, F, ...), or None if it is not kept."""
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
    fields["boards"] = FROM_TOKENS[puzzle_name](fields["boards"].astype(np.uint8))
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
    """(size, DIRECTIONS) fixed random directions; distances survive them on average."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, DIRECTIONS, generator=generator) / DIRECTIONS**0.5
