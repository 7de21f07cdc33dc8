"""How good is it? Exact match on puzzles that were never seen, with an interval."""

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
from trm_lite.thinking import MAX_STEPS, noisy_start, think


class Share(NamedTuple):
    """A measured proportion with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int  # of puzzles that it was measured on

    def __str__(self) -> str:
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.value:.1f} % [{low:.1f}, {high:.1f}]"


def share(successes: float, count: int) -> Share:
    """`successes` of `count` with the Wilson 95 % interval, sound near 0 and 1 too."""
    if count == 0:
        return Share(math.nan, 0.0, 1.0, 0)
    z, p = 1.959964, successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return Share(p, max(0.0, centre - half), min(1.0, centre + half), count)


@dataclass
class Evaluation:
    """What N puzzles looked like after each of S supervision steps."""

    correct: Tensor  # (S, N) bool: every graded cell right
    cells: Tensor  # (S, N) share of the graded cells that are right
    halt_logits: Tensor  # (S, N)
    answers: Tensor | None = None  # (N, L) uint8 tokens after the last step, if they were kept

    def exact(self, step: int = -1) -> Share:
        """Exact match after supervision step `step` (from 1; -1 is the last)."""
        row = self.correct[step - 1 if step > 0 else step]
        return share(int(row.sum()), len(row))

    @classmethod
    def most_confident(cls, attempts: Sequence["Evaluation"]) -> "Evaluation":
        """Of several attempts at the same puzzles, at every step the one that believes in itself.

        "Thinking wider" (arXiv 2605.19943): the halting head chooses, nobody knows the answer.
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
        return result

    def slowest(self) -> int:
        """The row of the puzzle whose answer became right, for good, the latest."""
        steps = torch.arange(1, len(self.correct) + 1)[:, None]
        last_wrong = (~self.correct * steps).amax(0)  # (N,) 0 where it was never wrong
        return int(last_wrong.where(self.correct[-1], -1).argmax())

    def when_halting(self, above: float = 0.0) -> tuple[Share, float]:
        """Exact match and mean steps if each puzzle stops once its halt logit exceeds `above`."""
        done = self.halt_logits > above
        done[-1] = True
        stop = done.int().argmax(0)  # first step that is done
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
) -> Evaluation:
    """Let `model` think `steps` supervision steps about every puzzle, whatever its halting head.

    Several `ranks` share the puzzles, and all get the whole result. `keep_answers` adds the final
    answers to it. `noise` is the deviation of Gaussian noise on the initial z, puzzle i's drawn
    with `seed` + i. With `guises` the model sees each puzzle under a random symmetry of its own,
    drawn with `seed`.
    """
    model.eval()
    device = model.device
    parts: list[Tensor] = []
    answers: list[Tensor] = []
    batches = list(range(0, len(puzzles), batch_size))
    share = len(batches) / ranks.size
    for start in batches[round(ranks.rank * share) : round((ranks.rank + 1) * share)]:
        drawn = torch.Generator().manual_seed(seed + start) if guises else None
        batch = puzzles.batch(slice(start, start + batch_size), drawn).to(device)
        graded = batch.labels != IGNORE
        rows = []
        seeds = range(seed + start, seed + start + len(graded))
        with precision(device, bfloat16):
            for tokens, belief in _answers(model, batch, steps, noise, seeds):
                right = (tokens == batch.labels) | ~graded
                share_right = (right & graded).sum(-1) / graded.sum(-1).clamp(min=1)
                rows.append(torch.stack((right.all(-1), share_right, belief)))
        parts.append(torch.stack(rows).cpu())  # (S, 3, B)
        if keep_answers:
            answers.append(tokens.to(torch.uint8).cpu())
    parts = [part for said in ranks.gather_objects(parts) for part in said]
    correct, cells, halt_logits = torch.cat(parts, dim=-1).unbind(1)
    result = Evaluation(correct.bool(), cells, halt_logits)
    if keep_answers:
        result.answers = torch.cat(
            [part for said in ranks.gather_objects(answers) for part in said]
        )
    return result


def _answers(
    model: Network, batch: Batch, steps: int, noise: float, seeds: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens (B, L) after each step, and the logit (B,) of the belief in them.

    A network that writes token by token answers once: what it has written stands.
    """
    if isinstance(model, Autoregressive):
        written = model.write(batch.inputs)
        yield written.answer, written.log_odds
        return
    if model.draws:
        model.generator = torch.Generator(model.device).manual_seed(seeds[0])
    start = noisy_start(model, noise, seeds)
    for thought in think(model, batch.inputs, batch.puzzle_ids, steps=steps, start=start):
        yield thought.logits.argmax(-1), thought.halt_logit


def first_mistake(written: Tensor, right: Tensor) -> Tensor:
    """How many cells (B,) were written before the first wrong one; L where none is wrong.

    `written` and `right` are tokens (B, L) in the order of writing; IGNORE in `right` is not
    graded.
    """
    wrong = (written != right) & (right != IGNORE)
    return torch.where(wrong.any(-1), wrong.int().argmax(-1), written.shape[-1])
