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
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.nets.build import Network
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


def trace(model: Network, puzzle: np.ndarray, steps: int = MAX_STEPS, **options) -> Trace:
    """Let `model` think `steps` supervision steps about one `puzzle` (L,), and write it down.

    `options` and errors are those of `record`.
    """
    return record(model, np.asarray(puzzle)[None], steps=steps, **options)[0]


@torch.inference_mode()
def record(
    model: Network,
    puzzles: np.ndarray,
    *,
    solutions: np.ndarray | None = None,
    puzzle_ids: np.ndarray | None = None,
    steps: int = MAX_STEPS,
    grain: Grain = "step",
    latents: Keep = "none",
    probabilities: bool = False,
    noise: float = 0.0,
    seed: int = 0,
    push: Push | None = None,
    batch_size: int | None = None,
    limit: int = LIMIT,
) -> list[Trace]:
    """Let `model` think about `puzzles` (B, L), and write down every frame of it.

    `solutions` (B, L) are found by a solver if not given, where they are unique; so puzzles with
    none or several are allowed. ARC's puzzles are tokens. `noise` is the standard deviation of
    Gaussian noise on the initial z; row b gets that of `seed` + b, so that one puzzle given many
    times is thought about in many ways. `push` interferes in mid-thought.

    Memory: latents of one batch are held while it is thought about (`batch_size` is chosen so
    that they take at most 256 MiB). What is kept per puzzle and frame is 9 bytes per cell, with
    `probabilities` 2 V more; `latents` "projected" keeps y and z on 128 fixed random directions
    each, "whole" keeps all of both, 8 D (P + L) bytes. More than `limit` bytes are refused.
    """
    if not isinstance(model, Reasoner):
        raise UserError(
            "This network writes token by token, so there are no steps to record; its `write` "
            "tells what it wrote and how sure it was."
        )
    puzzle_name = puzzle_name_of(model.config.vocab_size, model.config.seq_len)
    schedule = _schedule(model)
    puzzles = np.atleast_2d(puzzles)
    if puzzles.shape[-1] != model.config.seq_len:
        raise UserError(
            f"This network reads boards of {model.config.seq_len} cells, not of "
            f"{puzzles.shape[-1]}."
        )
    _check(puzzles, steps, grain, push)
    kept = [place for place in schedule if _is_seen(place, schedule, grain)]
    places = np.array([(step + 1, *place) for step in range(steps) for place in kept], np.int16)
    row = _row_bytes(model.config, len(places), latents, probabilities)
    if row * len(puzzles) > limit:
        raise UserError(
            f"This recording would keep {row * len(puzzles) / 2**20:,.0f} MiB, more than "
            f"{limit / 2**20:,.0f}; record fewer puzzles or steps, a coarser grain, or "
            "latents='projected'."
        )
    if solutions is None:
        found = [SOLVERS[puzzle_name](puzzle) for puzzle in puzzles]
    else:
        found = list(np.atleast_2d(solutions))
    if batch_size is None:
        whole = _row_bytes(model.config, len(places), "whole", False)
        batch_size = max(1, WORKING // whole)
    traces = []
    for start in range(0, len(puzzles), batch_size):
        rows = range(start, min(start + batch_size, len(puzzles)))
        inputs = torch.from_numpy(TO_TOKENS[puzzle_name](puzzles[rows.start : rows.stop]))
        inputs = inputs.long().to(model.device)
        ids = None if puzzle_ids is None else torch.as_tensor(puzzle_ids[rows.start : rows.stop])
        first = noisy_start(model, noise, [seed + b for b in rows])
        frames = list(_frames(model, inputs, ids, first, schedule, steps, grain, push))
        written = _write_down(model, puzzle_name, first, frames, latents, probabilities)
        for b, puzzle in enumerate(rows):
            traces.append(
                Trace(
                    puzzle=puzzles[puzzle],
                    solution=found[puzzle],
                    places=places,
                    puzzle_name=puzzle_name,
                    grain=grain,
                    thinks=model.config.latent_updates,
                    **{name: None if part is None else part[b] for name, part in written.items()},
                )
            )
    return traces


# --- watching ------------------------------------------------------------------------------------


def _schedule(model: Network) -> list[tuple[int, int]]:
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
def applications(model: Network, see: Callable[[Tensor], None]) -> Iterator[None]:
    """Within this context `see` gets what every application of a network puts out."""
    stacks = [part for part in model.children() if isinstance(part, Stack)]
    hooks = [part.register_forward_hook(lambda _, __, out: see(out)) for part in stacks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _frames(model, inputs, ids, latents, schedule, steps, grain, push) -> Iterator[Thought]:
    """The thoughts of all frames."""
    latents = _pushed(model, latents, push, 0)
    for step in range(1, steps + 1):
        outputs: list[Tensor] = []
        if grain == "step":
            thought = model(latents, inputs, ids)
        else:
            with applications(model, outputs.append):
                thought = model(latents, inputs, ids)
            for state in list(_states(model, latents, schedule, outputs, grain))[:-1]:
                yield model.read(state)
        latents = _pushed(model, thought.latents, push, step)
        # What was pushed is read again; otherwise the thought is the model's own.
        yield thought if latents is thought.latents else model.read(latents)


def _states(model, latents, schedule, outputs, grain) -> Iterator[Latents]:
    """y and z after each application that is seen, put together from the `outputs`."""
    y, z = latents
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


def _pushed(model: Network, latents: Latents, push: Push | None, step: int) -> Latents:
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
    model: Network,
    puzzle_name: str,
    first: Latents,
    frames: list[Thought],
    keep: Keep,
    probable: bool,
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
        "probabilities": _stack([chance.half() for chance in chances]) if probable else None,
    }  # fmt: skip
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
        if keep != "none" and there:
            if keep == "projected":
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


def _row_bytes(config: NetConfig, frames: int, keep: Keep, probable: bool) -> int:
    """Bytes kept per puzzle."""
    per_frame = 9 * config.seq_len + (2 * config.vocab_size * config.seq_len if probable else 0)
    if keep == "projected":
        per_frame += 2 * 4 * DIRECTIONS
    elif keep == "whole":
        per_frame += 4 * config.latent_size
    return frames * per_frame


def _check(puzzles: np.ndarray, steps: int, grain: str, push: Push | None) -> None:
    if len(puzzles) == 0:
        raise UserError("There is no puzzle to think about; give at least one.")
    if steps < 1:
        raise UserError(f"A trace needs at least 1 supervision step, not {steps}.")
    if grain not in get_args(Grain):
        raise UserError(f"There is no grain '{grain}'; use one of {', '.join(get_args(Grain))}.")
    if push is not None and not (0 <= push.step <= steps and 0 <= push.cell < puzzles.shape[-1]):
        raise UserError(
            f"A push after step {push.step} at cell {push.cell} lies outside this trace of "
            f"{steps} steps on {puzzles.shape[-1]} cells."
        )
