"""Measure how fast training data is made, compared with loops that make it puzzle by puzzle.

Each row of the table compares a builder of `trm_lite.data.benchmarks`, working in memory on
generated puzzles, with a simple loop that does the same.
"""

import csv
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trm_lite.data.arc_augmentations import Draws, Group, draw_augmentations
from trm_lite.data.benchmarks.arc_agi import examples_of
from trm_lite.data.benchmarks.csv_files import pieces
from trm_lite.data.benchmarks.sudoku_extreme import NOTATION, augmented
from trm_lite.puzzles import arc, sudoku
from trm_lite.training.recipe import Preset
from trm_lite.training.trainer import Trainer

GUISES = 1_000  # guises of each puzzle, as in the paper


class Rate(NamedTuple):
    """How many puzzles, rows or guises are made per second."""

    here: float  # by this package
    loop: float  # by the simple loop


def data_table() -> dict[str, Rate]:
    """Measure all builders and their loops on one core, which takes half a minute."""
    boards, solutions = sudoku.generate(200, 9, seed=0)
    lines = csv_lines(boards, solutions)
    task = some_task()
    tokens = [sudoku.to_tokens(part) for part in (boards, solutions)]
    return {
        "rows of a Sudoku CSV, checked": Rate(
            rate(lambda: read(lines * 100), 100 * len(lines)),
            rate(lambda: loop_over_rows(lines), len(lines)),
        ),
        "symmetric twins of a Sudoku": Rate(
            rate(lambda: augmented(*(part[:20] for part in tokens), GUISES, 0), 20 * GUISES),
            rate(lambda: loop_over_twins(boards[0], solutions[0], GUISES), GUISES),
        ),
        f"guises of an ARC task of {len(task.pairs)} pairs": Rate(
            rate(lambda: arc_augmentations(task, GUISES), GUISES),
            rate(lambda: loop_over_guises(task, GUISES), GUISES),
        ),
    }


def rate(run: Callable[[], object], made: int, repeats: int = 3) -> float:
    """Things made per second, in the fastest of some runs.

    Args:
        run: what to time.
        made: how many things it makes.
        repeats: how many times to run it.
    """
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return made / min(times)


def batch_share(preset: Preset, steps: int = 10, batches: int = 200) -> float:
    """The share of a training step's time that drawing its batch takes, symmetries included.

    Args:
        preset: the experiment.
        steps: how many training steps to time.
        batches: how many batches to time.
    """
    trainer = Trainer(preset, device="cpu", progress=False)
    trainer.step()
    step = rate(trainer.step, 1, repeats=steps)
    return step / rate(lambda: trainer.next_batch(0), 1, repeats=batches)


# --- the builders -------------------------------------------------------------------------


def csv_lines(boards: np.ndarray, solutions: np.ndarray) -> list[str]:
    """Sudokus and solutions, boards (N, n*n), as lines of a CSV file like Sudoku-Extreme's."""
    texts = (["".join(map(str, board)).replace("0", ".") for board in part]
             for part in (boards, solutions))  # fmt: skip
    return [f"here,{question},{answer},0\n" for question, answer in zip(*texts, strict=True)]


def read(lines: list[str]) -> int:
    """Read and check the lines from a file on disk; returns how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        path.write_text("source,question,answer,rating\n" + "".join(lines))
        return sum(len(rows.ratings) for rows in pieces(path, NOTATION))


def some_task(seed: int = 0) -> arc.Task:
    """An ARC task of four pairs of random grids, all of the same size."""
    rng = np.random.default_rng(seed)
    pairs = [arc.Pair(*grids) for grids in rng.integers(10, size=(4, 2, 12, 14), dtype=np.uint8)]
    return arc.Task("made here", tuple(pairs[:3]), tuple(pairs[3:]))


def arc_augmentations(task: arc.Task, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of a task and of `count` augmentations, made by the package."""
    draws = Draws(0)
    group = Group(task, False, 1, *draw_augmentations(task, count, draws))
    return examples_of(group, task.pairs, draws)


# --- the loops ----------------------------------------------------------------------------


def loop_over_rows(lines: list[str]) -> list:
    """The lines as arrays, each checked against the rules of Sudoku, one after the other."""
    rows = []
    for _, *texts, rating in csv.reader(io.StringIO("".join(lines))):
        question, answer = (
            np.array([0 if character == "." else int(character) for character in text]).reshape(
                9, 9
            )
            for text in texts
        )
        assert ((question == 0) | (question == answer)).all()
        for k in range(9):
            block = answer[k // 3 * 3 :, k % 3 * 3 :][:3, :3]
            for unit in (answer[k], answer[:, k], block.ravel()):
                assert sorted(unit) == list(range(1, 10))
        rows.append((question, answer, int(rating)))
    return rows


def loop_over_twins(board: np.ndarray, solution: np.ndarray, count: int) -> list:
    """`count` random symmetric twins of a board (81,) and its solution, one after the other."""
    rng, twins = np.random.default_rng(0), []
    for _ in range(count):
        digits = np.concatenate(([0], rng.permutation(9) + 1))
        transposed = rng.random() < 0.5
        rows, columns = (
            np.concatenate([3 * band + rng.permutation(3) for band in rng.permutation(3)])
            for _ in range(2)
        )
        pair = []
        for cells in (board, solution):
            grid = cells.reshape(9, 9).T if transposed else cells.reshape(9, 9)
            pair.append(digits[grid[rows][:, columns]].ravel() + 1)
        twins.append(pair)
    return twins


def loop_over_guises(task: arc.Task, count: int) -> list:
    """`count` different random guises of a task, as tokens, one after the other."""
    rng, guises, seen = np.random.default_rng(0), [], set()
    while len(guises) < count:
        turn, colours = rng.integers(8), np.concatenate(([0], rng.permutation(9) + 1))
        pairs = [[arc.turn(colours[grid], turn) for grid in pair] for pair in task.pairs]
        grids = [[(grid.shape, grid.tobytes()) for grid in pair] for pair in pairs]
        fingerprint = tuple(map(tuple, sorted(grids)))
        if fingerprint in seen:
            continue
        seen.add(fingerprint)
        guises.append([])
        for pair in pairs:
            height, width = np.max([grid.shape for grid in pair], axis=0)
            row, column = rng.integers(31 - height), rng.integers(31 - width)
            guises[-1].append([arc.to_tokens(grid, row, column) for grid in pair])
    return guises
