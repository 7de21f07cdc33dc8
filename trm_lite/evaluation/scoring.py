"""Exact match of a network on a set of puzzles, with a confidence interval."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.device import precision
from trm_lite.common.ranks import ALONE, Ranks
from trm_lite.data.dataset import IGNORE, Batch, PuzzleSet
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.build import Network
from trm_lite.puzzles import Puzzle
from trm_lite.thinking import MAX_STEPS, noisy_start, think


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
    def most_confident(cls, attempts: Sequence["Evaluation"]) -> "Evaluation":
        """Combine several attempts at the same puzzles by choosing the most confident one.

        The choice is made for each puzzle and each step by the highest halt logit, without knowing
        the answer: "thinking wider" (arXiv 2605.19943).
        """
        parts = [
            torch.stack([getattr(attempt, name) for attempt in attempts])
            for name in ("correct", "cells", "halt_logits")
        ]  # (A, S, N) each
        chosen = parts[-1].argmax(0, keepdim=True)
        result = cls(*(part.gather(0, chosen)[0] for part in parts))
        if attempts[0].answers is not None:
            answers = torch.stack([attempt.answers for attempt in attempts])  # (A, N, L)
            result.answers = answers[chosen[0, -1], torch.arange(answers.shape[1])]
        if attempts[0].valid is not None:
            valid = torch.stack([attempt.valid for attempt in attempts])  # (A, N)
            result.valid = valid.gather(0, chosen[:, -1])[0]
        return result

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
    guises: bool = False,
    seed: int = 0,
    rules: bool = False,
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
        noise: standard deviation of Gaussian noise on the initial z.
        guises: show each puzzle under a random symmetry.
        seed: seed of the guises; puzzle i draws its noise with `seed` + i.
        rules: also ask the puzzle's rules which answers are valid, if it has any.
    """
    model.eval()
    device = model.device
    puzzle = puzzles.puzzle if rules and puzzles.puzzle and puzzles.puzzle.breaks else None
    parts: list[Tensor] = []
    answers: list[Tensor] = []
    valid: list[Tensor] = []
    batches = list(range(0, len(puzzles), batch_size))
    share = len(batches) / ranks.size
    for start in batches[round(ranks.rank * share) : round((ranks.rank + 1) * share)]:
        drawn = torch.Generator().manual_seed(seed + start) if guises else None
        batch = puzzles.batch(slice(start, start + batch_size), drawn).to(device)
        graded = batch.labels != IGNORE
        rows, stopped = [], Stopped()
        seeds = range(seed + start, seed + start + len(graded))
        with precision(device, bfloat16):
            for tokens, belief in _answers(model, batch, steps, noise, seeds):
                right = (tokens == batch.labels) | ~graded
                share_right = (right & graded).sum(-1) / graded.sum(-1).clamp(min=1)
                share_right = share_right.where(graded.any(-1), 1.0)  # of no cells, none is wrong
                rows.append(torch.stack((right.all(-1), share_right, belief)))
                stopped.see(tokens, belief)
        parts.append(torch.stack(rows).cpu())  # (S, 3, B)
        if keep_answers:
            answers.append(tokens.to(puzzles.labels.dtype).cpu())
        if puzzle is not None:
            both = (keeps_rules(puzzle, batch, said) for said in (tokens, stopped.tokens))
            valid.append(torch.stack(list(both)))

    def whole(parts: list[Tensor]) -> Tensor:
        return torch.cat([part for said in ranks.gather_objects(parts) for part in said], dim=-1)

    correct, cells, halt_logits = whole(parts).unbind(1)
    result = Evaluation(correct.bool(), cells, halt_logits)
    if keep_answers:
        result.answers = whole([part.T for part in answers]).T
    if puzzle is not None:
        result.valid, result.valid_when_halting = whole(valid)
    return result


class Stopped:
    """The answers (B, L) at the steps at which a network halts itself."""

    tokens: Tensor | None = None

    def see(self, tokens: Tensor, belief: Tensor) -> None:
        """Take the answers (B, L) after a step, and the logits (B,) of the belief in them."""
        if self.tokens is None:
            self.tokens, self.going_on = tokens, torch.ones_like(belief, dtype=torch.bool)
        self.tokens = torch.where(self.going_on[:, None], tokens, self.tokens)
        self.going_on = self.going_on & ~(belief > 0)


def keeps_rules(puzzle: Puzzle, batch: Batch, answers: Tensor) -> Tensor:
    """Which answers (B, L) to a batch keep all rules of its puzzle: (B,) bool, on the CPU.

    What is not graded counts as padding, whatever the network says there. The label is valid, so
    an answer that equals it is not asked about.
    """
    graded = batch.labels != IGNORE
    answers = torch.where(graded, answers, 0)
    valid = ((answers == batch.labels) | ~graded).all(-1).cpu()
    asked = (~valid).nonzero()[:, 0]
    if len(asked):
        parts = (part.cpu()[asked].numpy().astype(puzzle.dtype) for part in (batch.inputs, answers))
        valid[asked] = torch.from_numpy(~puzzle.broken(*parts).any(-1))
    return valid


def _answers(
    model: Network, batch: Batch, steps: int, noise: float, seeds: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The answer's tokens (B, L) after each step, and the logit (B,) of the belief in it."""
    if isinstance(model, Autoregressive):
        written = model.write(batch.inputs)
        yield written.answer, written.log_odds
        return
    start = noisy_start(model, noise, seeds)
    for thought in think(model, batch.inputs, batch.puzzle_ids, steps=steps, start=start):
        yield thought.logits.argmax(-1), thought.halt_logit


def first_mistake(written: Tensor, right: Tensor) -> Tensor:
    """How many cells (B,) were written before the first wrong one, or L if none is wrong.

    `written` and `right` are tokens (B, L) in the order of writing. Cells where `right` is IGNORE
    are not graded.
    """
    wrong = (written != right) & (right != IGNORE)
    return torch.where(wrong.any(-1), wrong.int().argmax(-1), written.shape[-1])
