"""The labs of lesson 16: claims of the year after TRM, each tested at laptop size.

    trm-lite compare --rows year-after --out runs/year-after --depths 1 16 64 256 --tries 8
    python assets/results/year_after_labs.py runs/year-after [LAB ...]

The first command trains the networks that most labs examine. A part of a lab that stands in
year-after-labs.json already is not done again.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from trm_lite.common.files import write_atomically
from trm_lite.data import sudoku_set
from trm_lite.evaluation import Evaluation, evaluate
from trm_lite.evaluation.breadth import residuals
from trm_lite.evaluation.scoring import observe
from trm_lite.experiments.presets import get_preset, variant
from trm_lite.nets import resized, shipped
from trm_lite.puzzles import sudoku
from trm_lite.thinking import Noise, think
from trm_lite.training import replace, trainer_for
from trm_lite.training.exam import load

FILE, RESULTS = Path(__file__).with_name("year-after-labs.json"), {}
SEEDS = (0, 1, 2)
BASE = "sudoku-6x6"
UNITS = [set(unit.tolist()) for unit in sudoku.geometry(9).units]
PEERS = [set().union(*(unit for unit in UNITS if place in unit)) - {place} for place in range(81)]
PUZZLES, TRIES, ROLLOUTS = 100, 8, 16
DEPTHS = (4, 8, 10, 16, 32, 64, 128, 256, 512)


def once(lab: str, part: str, work: Callable[..., dict], *arguments) -> None:
    """Do a part of a lab, unless it is done, and keep the result."""
    done = RESULTS.setdefault(lab, {})
    if part not in done:
        print(lab, part, flush=True)
        done[part] = work(*arguments)
        write_atomically(FILE, (json.dumps(RESULTS, indent=1) + "\n").encode())


def trained(runs: Path, row: str, seed: int):
    """The averaged network of a row of the comparison, after as many steps as TRM."""
    folder = runs / f"{row}-seed{seed}"
    return load(folder / "equal_steps" if (folder / "equal_steps").exists() else folder)[0].eval()


def test_puzzles(count: int):
    """The first test puzzles of the comparison."""
    preset = replace(get_preset(BASE), test=1000)
    return preset.data.build().test.first(count)


def chance_of_order(scores: torch.Tensor, right: torch.Tensor) -> float | None:
    """How often a right answer has the higher score than a wrong one (AUROC); None without both."""
    if right.all() or not right.any():
        return None
    ranks = scores.argsort().argsort().double() + 1
    good, bad = int(right.sum()), int((~right).sum())
    return round(float((ranks[right].sum() - good * (good + 1) / 2) / (good * bad)), 4)


# --- depth and breadth ------------------------------------------------------------------------


def choosing(runs: Path) -> None:
    """Does the residual choose well among attempts, and does settled mean right?"""
    for row in ("trm", "hrm-ema", "eqr-ri", "eqr", "rsm"):
        for seed in SEEDS:
            once("choosing", f"{row}, seed {seed}", choose_among, trained(runs, row, seed))


def choose_among(model) -> dict:
    """Eight attempts of 16 steps at each puzzle, and one thought of 64 steps.

    Attempts start at random, or for networks that do not, from noise on z.
    """
    puzzles, noise = test_puzzles(PUZZLES), 0.0 if model.draws else 0.5
    tries = [
        evaluate(model, puzzles, steps=16, noise=noise, seed=attempt * PUZZLES)
        for attempt in range(TRIES)
    ]
    right = torch.cat([one.correct[-1] for one in tries])
    residual = torch.cat([residuals(one.logit_changes)[-1] for one in tries])
    belief = torch.cat([one.halt_logits[-1] for one in tries])
    deep = evaluate(model, puzzles, steps=64)
    settled = (deep.prints[-9:] == deep.prints[-1]).all(0)
    wrong = ~deep.correct[-1]
    return {
        "puzzles": PUZZLES,
        "attempts": TRIES,
        "right": {
            "one attempt": round(right.double().mean().item(), 4),
            **{by: Evaluation.best_of(tries, by).exact().value
               for by in ("residual", "latent", "majority", "halting")},
            "any": Evaluation.any_right(tries).value,
        },
        "wrong_attempts": int((~right).sum()),
        "order_by_residual": chance_of_order(-residual, right),
        "order_by_halt_logit": chance_of_order(belief, right),
        "after_64_steps": {
            "right": int((~wrong).sum()),
            "wrong_and_settled": int((wrong & settled).sum()),
            "wrong_and_moving": int((wrong & ~settled).sum()),
            "right_and_moving": int((~wrong & ~settled).sum()),
        },
    }  # fmt: skip


def noise(runs: Path) -> None:
    """PTRM: noise before every step on hard puzzles; broad or deep at equal work?"""
    known = np.loadtxt(FILE.parents[1] / "puzzles/bred-9x9.csv", str, delimiter=",", skiprows=1)
    lines = known if known.ndim == 1 else known[:, 0]
    boards = np.stack([sudoku.parse(line) for line in lines[:50]])
    puzzles = sudoku_set(boards, sudoku.solve(boards, limit=1).boards)
    name = "sudoku-extreme-laptop"
    model = shipped(name)[0]
    once("noise", f"{name}, one thought", one_thought, model, puzzles)
    for latent, size in (("z", 0.1), ("z", 0.3), ("z", 1.0), ("y", 0.3)):
        once("noise", f"{name}, {size} on {latent}", rollouts, model, puzzles, size, latent)


def one_thought(model, puzzles) -> dict:
    """What one thought without noise has solved after 16, 64 and 256 steps."""
    seen = evaluate(model, puzzles, steps=16 * ROLLOUTS)
    return {str(steps): int(seen.correct[steps - 1].sum()) for steps in (16, 64, 256)}


def rollouts(model, puzzles, size: float, latent: str) -> dict:
    """What 1, 4 and 16 noisy thoughts of 16 steps solve, chosen by the halt logit, and in any."""
    tries = [
        evaluate(model, puzzles, steps=16, noise=size, noise_on=latent, noise_every_step=True,
                 seed=attempt * len(puzzles))
        for attempt in range(ROLLOUTS)
    ]  # fmt: skip
    counts = {}
    for number in (1, 4, ROLLOUTS):
        some = tries[:number]
        counts[f"best of {number}"] = int(Evaluation.best_of(some).correct[-1].sum())
        counts[f"any of {number}"] = int(torch.stack([t.correct[-1] for t in some]).any(0).sum())
    return counts


# --- RSM ------------------------------------------------------------------------------------------


def stem(runs: Path) -> None:
    """RSM without growth, with a gradient through its history, and with many more puzzles."""
    rsm, trm = variant(BASE, "rsm"), get_preset(BASE)
    arms = {
        "RSM": rsm,
        "RSM, as long from the start": replace(rsm, outer_growth=(), inner_growth=()),
        "RSM, history always kept": replace(rsm, keep_history=1.0),
        "RSM, 20,000 puzzles": replace(rsm, train=20_000),
        "TRM, 20,000 puzzles": replace(trm, train=20_000),
    }
    for seed in SEEDS:
        for name, preset in arms.items():
            preset = replace(preset, seed=seed, validation=200, test=1000, eval_every=1500)
            folder = runs / "labs" / f"{name}-{seed}".replace(" ", "-")
            once("stem", f"{name}, seed {seed}", by_depth, preset, folder, 200, DEPTHS)


def moving_on(runs: Path) -> None:
    """RSM meets new puzzles at every step: does TRM learn more if it moves on to others sooner?"""
    for base, steps in (("maze-7x7", 2500), (BASE, 1500)):
        for seed in SEEDS:
            for most in (1, 2, 4):  # with 16 it is the table's TRM
                changes = dict(steps=steps, eval_every=steps, test=1000, max_steps=most, seed=seed)
                name = f"{base}, at most {most} steps, seed {seed}"
                folder = runs / "labs" / f"moving-on-{base}-{most}-{seed}"
                preset = replace(get_preset(base), **changes)
                once("moving_on", name, by_depth, preset, folder, 1000, (1, 4, 16))


def by_depth(preset, folder: Path, count: int, depths: tuple[int, ...]) -> dict:
    """Train, and test the averaged weights on `count` puzzles after each number of steps."""
    trainer = trained_in(folder, preset)
    seen = evaluate(trainer.ema.module, trainer.splits.test.first(count), steps=max(depths))
    right = {str(depth): int(seen.correct[depth - 1].sum()) for depth in depths}
    return {"puzzles": count, "right": right}


def trained_in(folder: Path, preset):
    """The trainer of a preset at its end; it goes on from what stands in its folder."""
    trainer = trainer_for(preset, folder=folder, device="cpu")
    if not trainer.train():
        raise SystemExit("Interrupted; the same command goes on from here.")
    return trainer


# --- SE-RRM ---------------------------------------------------------------------------------------


def symbols(runs: Path) -> None:
    """SE-RRM: are digits alike to it, and does it solve 4x4 boards that it never saw?"""
    once("symbols", "4x4 by rows and columns alone", rows_and_columns)
    for seed in SEEDS:
        model = trained(runs, "se-rrm", seed)
        once("symbols", f"seed {seed}", alike, model)


def alike(model) -> dict:
    """Both tests of a network."""
    return {"largest_difference": relabelled(model), "4x4": small_boards(model)}


def relabelled(model) -> float:
    """The largest difference between logits of a puzzle, and of it with other digits, put back."""
    inputs = test_puzzles(50).inputs.long()
    order = torch.cat([torch.arange(2), 2 + torch.randperm(6, generator=torch.manual_seed(0))])
    *_, plain = think(model, inputs, steps=16)
    *_, other = think(model, order[inputs], steps=16)
    return float((plain.logits - other.logits[..., order]).abs().max())


def small_boards(model) -> dict:
    """How many of 200 minimal 4x4 puzzles are solved, and which share of cells is right."""
    boards, solutions = sudoku.generate(200, 4, seed=4)
    seen = evaluate(resized(model, 6, 16), sudoku_set(boards, solutions), steps=64)
    steps = {str(steps): int(seen.correct[steps - 1].sum()) for steps in (16, 64)}
    return steps | {"cells": round(seen.cells[-1].mean().item(), 4)}


def rows_and_columns() -> dict:
    """How many of these puzzles have a single solution if boxes are not looked at."""
    boards, _ = sudoku.generate(200, 4, seed=4)
    squares = [latin_squares(board.reshape(4, 4)) for board in boards]
    return {"solved": sum(count == 1 for count in squares),
            "expected": round(sum(1 / count for count in squares), 1)}  # fmt: skip


def latin_squares(board: np.ndarray) -> int:
    """How many squares with every digit once in each row and column extend a board."""
    blanks = np.argwhere(board == 0)
    if not len(blanks):
        return 1
    row, column = blanks[0]
    total = 0
    for digit in range(1, 5):
        if digit not in board[row] and digit not in board[:, column]:
            board[row, column] = digit
            total += latin_squares(board)
    board[row, column] = 0
    return total


# --- guessing -------------------------------------------------------------------------------------


def guessing(runs: Path) -> None:
    """Are easy puzzles hard, and what do nine relabellings bring?"""
    for row in ("hrm-ema", "trm"):
        for seed in SEEDS:
            once("guessing", f"{row}, seed {seed}", guesses, trained(runs, row, seed))


def guesses(model) -> dict:
    """Failures by the number of blanks, and a vote of nine relabellings on minimal puzzles."""
    failures = {}
    for blanks in (1, 2, 4, 8, 12, 16, 20):
        boards = sudoku.generate(PUZZLES, 6, seed=blanks, minimal=False, blanks=blanks)
        failures[str(blanks)] = PUZZLES - int(
            evaluate(model, sudoku_set(*boards)).correct[-1].sum()
        )
    batch = test_puzzles(PUZZLES).batch(slice(None))
    generator, answers = torch.Generator().manual_seed(0), []
    for _ in range(9):
        order = torch.cat([torch.arange(2), 2 + torch.randperm(6, generator=generator)])
        guise = (partial(torch.take, order), partial(torch.take, order.argsort()))
        answers.append(list(observe(model, batch, 16, Noise(0.0, [0]), guise))[-1].tokens)
    answers = torch.stack(answers)
    votes = (answers[:, None] == answers).all(-1).sum(0).argmax(0)
    right = (answers == batch.labels).all(-1)
    return {"puzzles": PUZZLES, "failures_by_blanks": failures,
            "one_relabelling": round(right.double().mean().item() * PUZZLES, 1),
            "vote_of_nine": int(right[votes, torch.arange(PUZZLES)].sum())}  # fmt: skip


def easier(runs: Path) -> None:
    """HRM with easier puzzles mixed in, at equal optimiser steps."""
    for seed in SEEDS:
        kinds = ("minimal", "8-blanks", "16-blanks")
        preset = replace(variant(BASE, "hrm-ema"), kinds=kinds, seed=seed, eval_every=1500)
        once("easier", f"seed {seed}", mixed, preset, runs / "labs" / f"easier-{seed}")


def mixed(preset, folder: Path) -> dict:
    """Train, and test on the puzzles of the comparison."""
    trainer = trained_in(folder, preset)
    return {
        "puzzles": 1000,
        "right": int(evaluate(trainer.ema.module, test_puzzles(1000)).correct[-1].sum()),
    }


# --- URM ------------------------------------------------------------------------------------------


def loops(runs: Path) -> None:
    """URM: how many of its eight loops need a gradient, and what is the convolution for?"""
    urm = replace(variant("maze-7x7", "urm"), steps=2500, eval_every=2500, test=1000)
    arms = {
        f"{number} with gradient": replace(urm, loops_with_gradient=number)
        for number in (1, 2, 4, 6, 8)
    }
    arms["4 with gradient, no convolution"] = replace(urm, conv_kernel=0)
    for seed in SEEDS:
        for name, preset in arms.items():
            folder = runs / "labs" / f"loops-{name}-{seed}".replace(" ", "-")
            preset = replace(preset, seed=seed)
            once("loops", f"{name}, seed {seed}", by_depth, preset, folder, 1000, (1, 4, 16))


# --- G-RRM ----------------------------------------------------------------------------------------


def guided(runs: Path) -> None:
    """A backtracking solver that tries digits in the order of a network's belief."""
    boards, solutions = sudoku.generate(200, 9, seed=9)
    model = shipped("sudoku-9x9")[0]
    *_, thought = think(model, sudoku_set(boards, solutions).inputs.long(), steps=16)
    belief = F.softmax(thought.logits[..., 2:].float(), -1).numpy()
    solved = (thought.logits.argmax(-1).numpy() - 1 == solutions).all(-1)
    orders = {"ascending digits": np.zeros_like(belief), "the network's order": belief,
              "the network's order, reversed": -belief}  # fmt: skip
    once("guided", "sudoku-9x9, 200 minimal puzzles", count_nodes, boards, solved, orders)


def count_nodes(boards: np.ndarray, solved: np.ndarray, orders: dict[str, np.ndarray]) -> dict:
    """The work of the solver on each board, with each order."""
    return {
        "solved_by_the_network": solved.tolist(),
        "nodes": {
            name: [nodes(board, order) for board, order in zip(boards, scores, strict=True)]
            for name, scores in orders.items()
        },
    }


def nodes(board: np.ndarray, scores: np.ndarray) -> int:
    """How many digits a solver places that tries those with the highest `scores` (81, 9) first."""
    candidates = {
        place: [digit for digit in range(1, 10)
                if not any(board[peer] == digit for peer in PEERS[place])]
        for place in np.flatnonzero(board == 0).tolist()
    }  # fmt: skip
    return search(candidates, scores)[1]


def search(candidates: dict[int, list[int]], scores: np.ndarray) -> tuple[bool, int]:
    """Whether the blanks can be filled, and how many digits were placed until that was known."""
    if not candidates:
        return True, 0
    place = min(candidates, key=lambda blank: len(candidates[blank]))
    placed = 0
    for digit in sorted(candidates[place], key=lambda digit: -scores[place, digit - 1]):
        rest = {
            blank: [other for other in left if other != digit or blank not in PEERS[place]]
            for blank, left in candidates.items()
            if blank != place
        }
        found, further = search(rest, scores)
        placed += 1 + further
        if found:
            return True, placed
    return False, placed


LABS = {
    lab.__name__: lab
    for lab in (choosing, noise, stem, moving_on, symbols, guessing, easier, loops, guided)
}

if __name__ == "__main__":
    if FILE.exists():
        RESULTS.update(json.loads(FILE.read_text()))
    runs, *chosen = sys.argv[1:]
    for name in chosen or LABS:
        LABS[name](Path(runs))
