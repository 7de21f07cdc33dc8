"""Exact match when each puzzle halts by itself and gives its place to the next one."""

from collections import deque

import torch

from trm_lite.common.device import precision
from trm_lite.common.ranks import ALONE, Ranks
from trm_lite.data.dataset import PuzzleSet
from trm_lite.evaluation.scoring import Evaluation, check, graded, keeps_rules, whole
from trm_lite.nets.reasoner import Reasoner
from trm_lite.thinking import MAX_STEPS, SLOTS, Asked, in_slots, seeded


@torch.inference_mode()
def evaluate_halting(
    model: Reasoner,
    puzzles: PuzzleSet,
    *,
    steps: int = MAX_STEPS,
    slots: int = SLOTS,
    bfloat16: bool = False,
    ranks: Ranks = ALONE,
    seed: int = 0,
) -> Evaluation:
    """Let a network answer every puzzle until it believes its answer, and compare with the labels.

    It costs a fraction of `evaluate`. After the step at which it halts, a puzzle keeps its answer.

    Args:
        model: the network.
        puzzles: N examples.
        steps: the most supervision steps per puzzle.
        slots: puzzles in the network at once.
        bfloat16: compute in bfloat16 where that is faster.
        ranks: processes that share the puzzles; each gets the whole result.
        seed: seed of what the network itself draws.
    """
    check(model, puzzles)
    model.eval()
    first, end = (len(puzzles) * rank // ranks.size for rank in (ranks.rank, ranks.rank + 1))
    batch = puzzles.batch(slice(first, end))
    count = end - first
    asked = zip(range(count), batch.inputs, batch.puzzle_ids, strict=True)
    columns = {
        "correct": torch.zeros(steps, count, dtype=torch.bool),
        "cells": torch.zeros(steps, count),
        "halt_logits": torch.zeros(steps, count),
    }
    answers, last = torch.zeros_like(batch.inputs), torch.zeros(count, dtype=torch.long)
    with precision(model.device, bfloat16), seeded(model, seed):
        queue = deque(Asked(*one) for one in asked)
        for moment in in_slots(model, queue, max_steps=steps, slots=slots):
            rows, step = moment.tickets.cpu(), moment.steps.cpu() - 1
            answers[rows], last[rows] = moment.thought.logits.argmax(-1).cpu(), step
            seen = graded(answers[rows], batch.labels[rows])
            seen["halt_logits"] = moment.thought.halt_logit.cpu()
            for name, column in seen.items():
                columns[name][step, rows] = column
    kept = torch.arange(steps)[:, None].clamp(max=last)  # (S, N) the step whose answer stands
    columns = {name: column.gather(0, kept) for name, column in columns.items()}
    puzzle = puzzles.puzzle
    if puzzle is not None and puzzle.breaks is not None:
        columns["valid"] = columns["valid_when_halting"] = keeps_rules(puzzle, batch, answers)
    parts = {name: [column] for name, column in columns.items()}
    return whole(ranks.gather_objects(parts))
