"""Exact match of a network on a set of puzzles, with a confidence interval."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.choices import Choice, Latent
from trm_lite.common.device import precision
from trm_lite.common.errors import UserError
from trm_lite.common.ranks import ALONE, Ranks
from trm_lite.data.dataset import IGNORE, Batch, PuzzleSet
from trm_lite.evaluation.breadth import WINDOW, changes, choose, fingerprint
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.build import Network
from trm_lite.puzzles import Puzzle
from trm_lite.thinking import MAX_STEPS, Noise, seeded, think

SEEN = ("halt_logits", "logit_changes", "latent_changes", "prints")  # without knowing the label
Guise = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]  # see `Puzzle.symmetry`


class Share(NamedTuple):
    """A measured proportion with its 95 % confidence interval; all are in 0..1."""

    value: float
    low: float
    high: float
    count: int  # how many puzzles it was measured on

    def __str__(self) -> str:
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.value:.1f} % [{low:.1f}, {high:.1f}]"


def share(successes: float, count: int) -> Share:
    """The proportion of `successes` among `count`, with the Wilson 95 % interval.

    Unlike the usual plus-minus interval, it also holds near 0 and 1.
    """
    if count == 0:
        return Share(math.nan, 0.0, 1.0, 0)
    z, p = 1.959964, successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return Share(p, max(0.0, centre - half), min(1.0, centre + half), count)


@dataclass
class Evaluation:
    """How a network's answers to N puzzles stood after each of S supervision steps."""

    correct: Tensor  # (S, N) bool: every graded cell is right
    cells: Tensor  # (S, N) share of the graded cells that are right
    halt_logits: Tensor  # (S, N) above 0 means that the network believes its answer
    # Needed to choose among attempts only: (S, N) the changes of each step, see `breadth`, of which
    # the first is infinite, and fingerprints of the answers.
    logit_changes: Tensor | None = None
    latent_changes: Tensor | None = None
    prints: Tensor | None = None
    answers: Tensor | None = None  # (N, L) tokens after the last step, if they were kept
    # (N,) bool, where rules were asked: whether the answer is valid, though it may be another one
    # than the label. After the last step, and at the step at which the network halts itself.
    valid: Tensor | None = None
    valid_when_halting: Tensor | None = None

    def exact(self, step: int = -1) -> Share:
        """Exact match after supervision step `step` (from 1; -1 is the last)."""
        row = self.correct[step - 1 if step > 0 else step]
        return share(int(row.sum()), len(row))

    @classmethod
    def best_of(
        cls, attempts: Sequence["Evaluation"], by: Choice = "halting", window: int = WINDOW
    ) -> "Evaluation":
        """Combine several attempts at the same puzzles, choosing one for each puzzle and step.

        The choice is made without knowing the right answer.

        Args:
            attempts: evaluations with equal steps.
            by: how to choose, see `trm_lite.evaluation.breadth`.
            window: of the residual.
        """
        parts = {
            name: torch.stack([getattr(attempt, name) for attempt in attempts])
            for name in ("correct", "cells", *SEEN)
        }  # (A, S, N) each
        chosen = choose(by, window=window, **{name: parts[name] for name in SEEN})
        result = cls(**{name: part.gather(0, chosen[None])[0] for name, part in parts.items()})
        if attempts[0].answers is not None:
            answers = torch.stack([attempt.answers for attempt in attempts])  # (A, N, L)
            result.answers = answers[chosen[-1], torch.arange(answers.shape[1])]
        if attempts[0].valid is not None:
            valid = torch.stack([attempt.valid for attempt in attempts])  # (A, N)
            result.valid = valid.gather(0, chosen[-1:])[0]
        return result

    @staticmethod
    def any_right(attempts: Sequence["Evaluation"]) -> Share:
        """How often at least one attempt is right after the last step (pass@K).

        No way of choosing can do better.
        """
        right = torch.stack([attempt.correct[-1] for attempt in attempts]).any(0)
        return share(int(right.sum()), len(right))

    def slowest(self) -> int:
        """The row of the puzzle that took the most steps to be solved for good.

        Puzzles that are wrong after the last step do not count.
        """
        steps = torch.arange(1, len(self.correct) + 1)[:, None]
        last_wrong = (~self.correct * steps).amax(0)  # (N,) 0 for puzzles that were never wrong
        return int(last_wrong.where(self.correct[-1], -1).argmax())

    def when_halting(self, above: float = 0.0) -> tuple[Share, float]:
        """Exact match and mean number of steps if the network decides when to halt.

        Each puzzle stops at the first step whose halt logit exceeds `above`, or at the last step.
        """
        done = self.halt_logits > above
        done[-1] = True
        stop = done.int().argmax(0)  # (N,) the first step, from 0, that meets the condition
        correct = self.correct.gather(0, stop[None])[0]
        return share(int(correct.sum()), len(correct)), float(stop.float().mean()) + 1


@torch.inference_mode()
def evaluate(
    model: Network,
    puzzles: PuzzleSet,
    *,
    steps: int = MAX_STEPS,
    batch_size: int = 256,
    bfloat16: bool = False,
    ranks: Ranks = ALONE,
    keep_answers: bool = False,
    noise: float = 0.0,
    noise_on: Latent = "z",
    noise_every_step: bool = False,
    guises: bool = False,
    seed: int = 0,
    rules: bool = False,
) -> Evaluation:
    """Let a network answer every puzzle, and compare its answers with the labels after each step.

    The network thinks all the steps, whatever its halt logits say. One that writes token by token
    answers once, in a single step. Raises UserError for puzzles that it cannot read.

    Args:
        model: the network.
        puzzles: N examples.
        steps: supervision steps per puzzle.
        batch_size: puzzles in the network at once.
        bfloat16: compute in bfloat16 where that is faster.
        ranks: processes that share the puzzles; each gets the whole result.
        keep_answers: keep the answers after the last step.
        noise: standard deviation of Gaussian noise on a latent.
        noise_on: which latent, see `Noise`.
        noise_every_step: whether the noise comes before every step, or before the first only.
        guises: show each puzzle under a random symmetry, which needs `Puzzle.symmetry`.
        seed: seed of the guises, and of what the network itself draws; puzzle i draws its noise
            with `seed` + i.
        rules: also ask the puzzle's rules which answers are valid, if it has any.
    """
    check(model, puzzles)
    model.eval()
    puzzle = puzzles.puzzle
    parts: dict[str, list[Tensor]] = {}
    batches = list(range(0, len(puzzles), batch_size))
    share = len(batches) / ranks.size
    for start in batches[round(ranks.rank * share) : round((ranks.rank + 1) * share)]:
        batch = puzzles.batch(slice(start, start + batch_size)).to(model.device)
        seeds = range(seed + start, seed + start + len(batch.inputs))
        draws = torch.Generator().manual_seed(seeds[0])
        guise = puzzle.symmetry(len(seeds), draws) if guises else None
        shaken = Noise(noise, seeds, noise_on, noise_every_step)
        with precision(model.device, bfloat16):
            steps_seen = list(observe(model, batch, steps, shaken, guise))
        said = torch.stack([step.tokens for step in steps_seen])  # (S, B, L)
        columns = stacked(steps_seen) | graded(said, batch.labels)
        if keep_answers:
            columns["answers"] = said[-1].to(puzzles.labels.dtype)
        if rules and puzzle is not None and puzzle.breaks is not None:
            columns |= _valid(steps_seen, puzzle, batch)
        for name, column in columns.items():
            parts.setdefault(name, []).append(column.cpu())
    return whole(ranks.gather_objects(parts))


def check(model: Network, puzzles: PuzzleSet) -> None:
    """Raise UserError unless there are puzzles, which the network can read."""
    if not len(puzzles):
        raise UserError("There are no puzzles to answer; give at least 1.")
    puzzles.check_fits(model.config)


def whole(parts: list[dict[str, list[Tensor]]]) -> Evaluation:
    """The evaluation of all puzzles, from what each process has of each batch."""
    parts = [said for said in parts if said]  # a process may have had no batch
    fields = {}
    for name in parts[0]:
        pieces = [piece for said in parts for piece in said[name]]
        fields[name] = torch.cat(pieces, dim=0 if name == "answers" else -1)
    return Evaluation(**fields)


class Step(NamedTuple):
    """What can be seen of a supervision step on B puzzles, without knowing the right answers."""

    tokens: Tensor  # (B, L) the answers
    halt_logits: Tensor  # (B,) the belief in them
    logit_changes: Tensor  # (B,) see `breadth.logit_change`
    latent_changes: Tensor  # (B,) see `breadth.latent_change`

    @property
    def prints(self) -> Tensor:
        """Fingerprints (B,) of the answers."""
        return fingerprint(self.tokens)


def stacked(steps: Sequence[Step]) -> dict[str, Tensor]:
    """What `breadth.choose` needs of S steps, (S, B) each."""
    return {name: torch.stack([getattr(step, name) for step in steps]) for name in SEEN}


def observe(
    model: Network,
    batch: Batch,
    steps: int,
    noise: Noise,
    guise: Guise | None = None,
) -> Iterator[Step]:
    """Yield what can be seen of each of `steps` supervision steps on a batch.

    Args:
        model: the network; one that writes token by token takes a single step.
        batch: B puzzles.
        steps: how many.
        noise: noise on the latents; its first seed also starts what the network itself draws.
        guise: the symmetry under which the network sees each puzzle. Answers are turned back.
    """
    show, turned_back = guise or (lambda tokens: tokens,) * 2
    inputs = show(batch.inputs)
    if isinstance(model, Autoregressive):
        written = model.write(inputs)
        never = torch.full_like(written.log_odds, torch.inf)
        yield Step(turned_back(written.answer), written.log_odds, never, never)
        return
    before = None
    with seeded(model, noise.seeds[0]):
        for thought in think(model, inputs, batch.puzzle_ids, steps=steps, noise=noise):
            tokens = turned_back(thought.logits.argmax(-1))
            yield Step(tokens, thought.halt_logit, *changes(before, thought))
            before = thought


def graded(answers: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The fields of an `Evaluation` that compare answers (..., B, L) with labels (B, L)."""
    asked = labels != IGNORE
    right = (answers == labels) | ~asked
    counts = asked.sum(-1)
    shares = (right & asked).sum(-1) / counts.clamp(min=1)
    return {"correct": right.all(-1), "cells": shares.where(counts > 0, 1.0)}


def _valid(steps: Sequence[Step], puzzle: Puzzle, batch: Batch) -> dict[str, Tensor]:
    """The fields of an `Evaluation` that ask the rules, (B,) each."""
    done = torch.stack([step.halt_logits > 0 for step in steps])  # (S, B)
    done[-1] = True
    stop = done.int().argmax(0)
    tokens = torch.stack([step.tokens for step in steps])  # (S, B, L)
    stopped = tokens[stop, torch.arange(len(stop), device=stop.device)]
    return {
        "valid": keeps_rules(puzzle, batch, tokens[-1]),
        "valid_when_halting": keeps_rules(puzzle, batch, stopped),
    }


def keeps_rules(puzzle: Puzzle, batch: Batch, answers: Tensor) -> Tensor:
    """Which answers (B, L) to a batch keep all rules of its puzzle: (B,) bool, on the CPU.

    What is not graded counts as padding, whatever the network says there. The label is valid, so
    an answer that equals it is not asked about.
    """
    graded = batch.labels != IGNORE
    answers = torch.where(graded, answers, 0)
    right = (answers == batch.labels) | ~graded
    # A GPU is asked once, for all that is needed.
    inputs, answers, right = torch.stack((batch.inputs, answers, right.to(answers))).cpu()
    valid = right.bool().all(-1)
    asked = (~valid).nonzero()[:, 0]
    if len(asked):
        parts = (part[asked].numpy().astype(puzzle.dtype) for part in (inputs, answers))
        valid[asked] = torch.from_numpy(~puzzle.broken(*parts).any(-1))
    return valid


def first_mistake(written: Tensor, right: Tensor) -> Tensor:
    """How many cells (B,) were written before the first wrong one, or L if none is wrong.

    `written` and `right` are tokens (B, L) in the order of writing. Cells where `right` is IGNORE
    are not graded.
    """
    wrong = (written != right) & (right != IGNORE)
    return torch.where(wrong.any(-1), wrong.int().argmax(-1), written.shape[-1])
