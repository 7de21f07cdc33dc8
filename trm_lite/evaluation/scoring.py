"""Exact match of a network on a set of puzzles, with a confidence interval."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.choices import Choice, Latent
from trm_lite.common.device import precision
from trm_lite.common.ranks import ALONE, Ranks
from trm_lite.data.dataset import IGNORE, Batch, PuzzleSet
from trm_lite.evaluation.breadth import WINDOW, changes, choose, fingerprint
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.build import Network
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS, Noise, seeded, think

SEEN = ("halt_logits", "logit_changes", "latent_changes", "prints")  # without knowing the label


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
    logit_changes: Tensor  # (S, N) of each step, see `breadth.logit_change`; the first is infinite
    latent_changes: Tensor  # (S, N) the same of the latents
    prints: Tensor  # (S, N) fingerprints of the answers
    answers: Tensor | None = None  # (N, L) uint8 tokens after the last step, if they were kept

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
) -> Evaluation:
    """Let a network answer every puzzle, and compare its answers with the labels after each step.

    The network thinks all the steps, whatever its halt logits say. One that writes token by token
    answers once, in a single step.

    Args:
        model: the network.
        puzzles: N examples.
        steps: supervision steps per puzzle.
        batch_size: puzzles in the network at once.
        bfloat16: compute in bfloat16 where that is faster.
        ranks: processes that share the puzzles; each gets the whole result.
        keep_answers: keep the answers after the last step.
        noise: standard deviation of Gaussian noise on a latent.
        noise_on: which latent.
        noise_every_step: whether the noise comes before every step, or before the first only.
        guises: show each Sudoku under a random symmetry.
        seed: seed of the guises, and of what the network itself draws; puzzle i draws its noise
            with `seed` + i.
    """
    model.eval()
    parts: dict[str, list[Tensor]] = {}
    batches = list(range(0, len(puzzles), batch_size))
    share = len(batches) / ranks.size
    for start in batches[round(ranks.rank * share) : round((ranks.rank + 1) * share)]:
        batch = puzzles.batch(slice(start, start + batch_size)).to(model.device)
        count, cells = batch.inputs.shape
        guise = None
        if guises:
            drawn = torch.Generator().manual_seed(seed + start)
            guise = sudoku.random_symmetry(count, math.isqrt(cells), drawn)
        seeds = range(seed + start, seed + start + count)
        shaken = Noise(noise, seeds, noise_on, noise_every_step)
        with precision(model.device, bfloat16):
            steps_seen = list(observe(model, batch, steps, shaken, guise))
        columns = stacked(steps_seen) | _graded(steps_seen, batch.labels)
        if keep_answers:
            columns["answers"] = steps_seen[-1].tokens.to(torch.uint8)
        for name, column in columns.items():
            parts.setdefault(name, []).append(column.cpu())
    return _whole(ranks.gather_objects(parts))


def _whole(parts: list[dict[str, list[Tensor]]]) -> Evaluation:
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
    guise: sudoku.Symmetry | None = None,
) -> Iterator[Step]:
    """Yield what can be seen of each of `steps` supervision steps on a batch.

    Args:
        model: the network; one that writes token by token takes a single step.
        batch: B puzzles.
        steps: how many.
        noise: noise on the latents; its first seed also starts what the network itself draws.
        guise: the symmetry under which the network sees each puzzle. Answers are turned back.
    """
    inputs = batch.inputs if guise is None else sudoku.apply(guise, batch.inputs)

    def turned_back(tokens: Tensor) -> Tensor:
        return tokens if guise is None else sudoku.undo(guise, tokens)

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


def _graded(steps: Sequence[Step], labels: Tensor) -> dict[str, Tensor]:
    """The fields of an `Evaluation` that compare S steps with the labels (B, L), (S, B) each."""
    graded = labels != IGNORE
    right = [(step.tokens == labels) | ~graded for step in steps]
    cells = [(row & graded).sum(-1) / graded.sum(-1).clamp(min=1) for row in right]
    return {"correct": torch.stack(right).all(-1), "cells": torch.stack(cells)}


def first_mistake(written: Tensor, right: Tensor) -> Tensor:
    """How many cells (B,) were written before the first wrong one, or L if none is wrong.

    `written` and `right` are tokens (B, L) in the order of writing. Cells where `right` is IGNORE
    are not graded.
    """
    wrong = (written != right) & (right != IGNORE)
    return torch.where(wrong.any(-1), wrong.int().argmax(-1), written.shape[-1])
