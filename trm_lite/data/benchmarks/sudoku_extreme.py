"""Sudoku-Extreme: a thousand puzzles to learn from, hundreds of thousands to be tested on.

The public data set (sapientinc/sudoku-extreme on the Hugging Face Hub) holds 3,831,994 training
and 422,786 test puzzles, each rated by the guesses that the solver tdoku makes. The paper draws
1,000 of the former and stores 1,000 random symmetries of each. Here symmetries are drawn in
training, so that nothing but the thousand is stored, unless stored ones are asked for.
"""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from trm_lite.data.benchmarks.csv_files import Notation, Rows
from trm_lite.data.benchmarks.drawing import (
    CsvBenchmark,
    MadeHere,
    build_from_csv,
    build_made_here,
    public_files,
)
from trm_lite.data.benchmarks.options import Drawing, Making
from trm_lite.data.folder import plain, write_split
from trm_lite.data.settings import SudokuData
from trm_lite.data.sudokus import GENERATION, boards_in
from trm_lite.puzzles import sudoku

FILES = public_files(
    "sapientinc/sudoku-extreme",
    "58942f96baeb572ca3127e2a9e9c70f330783d6b",
    train="64b46674db0148e0d73a16346dadeb2b1c00824d3fca3f85b2ae7037f6b4b38e",
    test="a2fd52aea23d331d5b4ee723c856236e838a9fb9a70e66f4e0e0cf26c338c6a8",
)


def _solutions(puzzles: np.ndarray) -> np.ndarray:
    found = sudoku.solve(puzzles, most_guesses=sudoku.MOST_GUESSES)
    return found.boards * ((found.counts == 1) & found.complete)[:, None].astype(np.uint8)


NOTATION = Notation(
    values=dict.fromkeys(sudoku.ALPHABET.blanks, 0) | {str(digit): digit for digit in range(1, 10)},
    cells=81,
    problems=lambda puzzles, solutions: {
        "the answer does not solve the question": ~sudoku.is_solution(puzzles, solutions)
    },
    boards=sudoku.ALPHABET,
    solve=_solutions,
)


def build_sudoku_extreme(folder: Path, drawing: Drawing) -> bool:
    """Build Sudoku-Extreme, which is downloaded (800 MB) unless there is a copy.

    The rest is as in `build_from_csv`.
    """
    return build_from_csv(folder, DRAWN, drawing)


def build_sudoku_made_here(folder: Path, making: Making) -> bool:
    """Breed a stand-in for Sudoku-Extreme, see `sudoku.evolve`. The rest is as `build_made_here`.

    No puzzle of a split is a relative or a twin of one in another. Ratings are mean guesses (see
    `sudoku.rate`), which are not tdoku's.
    """
    return build_made_here(folder, MADE, making)


def _breed(making: Making) -> dict[str, Rows]:
    sizes = (making.train, making.validation, making.test)
    splits = SudokuData(9, ("evolved",), *sizes, puzzle_seed=making.seed).build()
    made = {}
    for name, puzzles in splits._asdict().items():
        if len(puzzles):
            boards, answers = boards_in(puzzles)
            made[name] = Rows(boards, answers, sudoku.rate(boards).guesses)
    return made


def _write_splits(
    folder: Path, splits: dict[str, Rows], about: dict, official: np.random.RandomState | None
) -> None:
    """Write boards as tokens, and with those to train on as many symmetries as `about` says."""
    for name, rows in splits.items():
        count = about["augmentations"] if name == "train" else 0
        inputs, labels = (sudoku.to_tokens(boards) for boards in (rows.questions, rows.answers))
        if count:
            inputs, labels = augmented(inputs, labels, count, about["seed"], official)
        ratings = rows.known_ratings
        ratings = None if ratings is None else np.repeat(ratings, 1 + count)
        write_split(folder / name, plain(inputs, labels, per_group=1 + count), ratings)


def augmented(
    inputs: np.ndarray,
    labels: np.ndarray,
    count: int,
    seed: int,
    official: np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Each of the tokens (N, L) followed by `count` random symmetries: (N * (1 + count), L).

    They come from `seed`, or one after the other from the generator `official`.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = [
        torch.from_numpy(tokens)[:, None].repeat(1, 1 + count, 1) for tokens in (inputs, labels)
    ]  # (N, 1 + count, L) each
    for row in tqdm(range(len(inputs)), desc="storing symmetries", unit="puzzle", delay=1):
        symmetry = (
            official_symmetry(count, official)
            if official
            else sudoku.random_symmetry(count, 9, generator)
        )
        for side in groups:
            side[row, 1:] = sudoku.apply(symmetry, side[row, 1:])
    return tuple(side.flatten(0, 1).numpy() for side in groups)


def official_symmetry(count: int, state: np.random.RandomState) -> sudoku.Symmetry:
    """`count` symmetries in the authors' order of draws.

    That is: the digits, whether to transpose, the bands, the rows in each of them, the stacks, the
    columns in each of them.
    """
    digits = np.empty((count, 9), int)
    transposed = np.empty((count, 1, 1), bool)
    lines = np.empty((count, 2, 9), int)  # rows and columns, after the transposition
    for k in range(count):
        digits[k] = state.permutation(np.arange(1, 10))
        transposed[k] = state.rand() < 0.5
        for axis in (0, 1):
            blocks = state.permutation(3)
            lines[k, axis] = np.concatenate([3 * b + state.permutation(3) for b in blocks])
    rows, columns = lines[:, 0, :, None], lines[:, 1, None, :]
    cells = np.where(transposed, columns * 9 + rows, rows * 9 + columns).reshape(count, 81)
    tokens = np.concatenate((np.tile([0, 1], (count, 1)), digits + 1), axis=1)
    return sudoku.Symmetry(torch.from_numpy(cells), torch.from_numpy(tokens))


SHAPE = {"puzzle": "sudoku-9x9", "vocab_size": 11, "seq_len": 81, "symmetric": True}
DRAWN = CsvBenchmark(
    {"name": "sudoku-extreme", **SHAPE, "rating": "guesses of the solver tdoku"},
    FILES,
    NOTATION,
    _write_splits,
)
MADE = MadeHere(
    {
        "name": "sudoku-hard-made-here",
        **SHAPE,
        "rating": "mean guesses of trm_lite.puzzles.sudoku.rate",
        "generation": GENERATION,
    },
    _breed,
    _write_splits,
)
