"""How a row of the mini table is tested: as usual, deeper and broader, and against another row."""

import math
from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from trm_lite.common.choices import Choice
from trm_lite.evaluation.scoring import Evaluation, evaluate
from trm_lite.evaluation.solving import NOISE
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.training.exam import make_attempts, sample
from trm_lite.training.exam_options import ExamOptions
from trm_lite.training.trainer import Trainer


@dataclass(frozen=True)
class Further:
    """What a row is tested on besides the usual number of supervision steps.

    Args:
        depths: Numbers of supervision steps to test as well, such as 1, 16, 64 and 256.
        tries: Attempts at each puzzle, of the usual number of steps each.
        count: How many of the test puzzles, because this takes long.
    """

    depths: tuple[int, ...] = ()
    tries: int = 1
    count: int = 200


NOTHING = Further()


def test_trainer(trainer: Trainer, further: Further = NOTHING) -> dict:
    """Test a trainer's present weights on its test puzzles, both averaged (EMA) and raw."""
    steps = trainer.recipe.max_steps
    result = {}
    for name, model in (("ema", trainer.ema.module), ("raw", trainer.model)):
        seen = evaluate(model, trainer.splits.test, steps=steps, rules=True)
        halting, mean_steps = seen.when_halting()
        result[name] = {
            "puzzles": seen.correct.shape[1],
            "correct_by_step": seen.correct.sum(1).tolist(),
            "cells": seen.cells[-1].mean().item(),
            "exact_when_halting": halting.value,
            "steps_when_halting": mean_steps,
        }
        if seen.valid is not None:
            result[name]["any_valid"] = seen.valid.float().mean().item()
            result[name]["any_valid_when_halting"] = seen.valid_when_halting.float().mean().item()
        if name == "ema":
            result[name]["solved"] = as_hex(seen.correct[-1])
    thinks = not isinstance(trainer.model, Autoregressive)
    if thinks and (further.depths or further.tries > 1):
        result["further"] = test_further(trainer, further)
    return result


def test_further(trainer: Trainer, further: Further) -> dict:
    """Test the averaged weights at other depths, and with several attempts at each puzzle.

    Attempts differ by the random start of networks that have one; for others by the guise of a
    puzzle with symmetries, else by noise on z, or on the one state of a network that has no z.
    """
    model, puzzles = trainer.ema.module, sample(trainer.splits.test, further.count)
    result: dict = {"puzzles": len(puzzles), "exact": {}, "exact_by_choice": {}}
    if further.depths:
        seen = evaluate(model, puzzles, steps=max(further.depths))
        result["exact"] = {str(depth): seen.exact(depth).value for depth in further.depths}
    if further.tries > 1:
        vary = "start" if model.draws else "guise" if puzzles.has_guises else "noise"
        options = ExamOptions(
            steps=trainer.recipe.max_steps,
            tries=further.tries,
            vary=vary,
            noise=NOISE if vary == "noise" else 0.0,
        )
        attempts = make_attempts(model, puzzles, trainer.preset, options, trainer.ranks, vary)
        result |= {"tries": further.tries, "vary": vary}
        result["exact_by_choice"] = {
            choice: Evaluation.best_of(attempts, choice).exact().value
            for choice in get_args(Choice)
        } | {"any": Evaluation.any_right(attempts).value}
    return result


def as_hex(right: Tensor) -> str:
    """Truth values (N,) as hexadecimal digits, the first puzzle at the left of their bits."""
    bits = "".join("1" if one else "0" for one in right.tolist())
    return f"{int(bits, 2):0{math.ceil(len(bits) / 4)}x}"


def paired(pairs: list[tuple[str, str]]) -> tuple[int, int, float]:
    """Compare two rows on the same puzzles by McNemar's exact test, over several seeds.

    Returns how many puzzles only the first row solves, how many only the second, and the
    probability of a difference at least as large if both were equally good.

    Args:
        pairs: what each of the two solved with a seed, as `as_hex` writes it.
    """
    first, second = (
        sum((int(pair[own], 16) & ~int(pair[1 - own], 16)).bit_count() for pair in pairs)
        for own in (0, 1)
    )
    together = first + second
    tail = sum(math.comb(together, k) for k in range(min(first, second) + 1))
    return first, second, min(1.0, 2 * tail / 2**together)
