"""Generate Sudoku data sets from a seed, split them without twins, and cache them on disk."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from trm_lite.common.errors import UserError
from trm_lite.data.cache import cached
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.data.families import assign
from trm_lite.puzzles import get_puzzle, sudoku

# Part of the cache key. Raise it when a generator changes, or old files would be used.
GENERATION = 2
EVOLUTION_ROUNDS = 45  # after so many, nearly all puzzles need more than ten guesses
MOST_RELATIVES = 10  # most descendants of one founder among evolved puzzles


def build_sudokus(
    size: int, kinds: tuple[str, ...], sizes: dict[str, int], puzzle_seed: int
) -> Splits:
    """The splits that a `SudokuData` describes, from the cache folder if they are there already.

    Raises UserError if so many puzzles cannot be found, and if the cache cannot be used.

    Args:
        size: 4, 6 or 9.
        kinds: the kinds of puzzles, mixed in equal parts.
        sizes: the number of puzzles in each split, by its name.
        puzzle_seed: seed of all random draws.
    """
    described = {"size": size, "kinds": kinds, "puzzle_seed": puzzle_seed, "source": "generated"}
    recipe = {"generation": GENERATION} | described | sizes
    return cached("sudoku", recipe, lambda: _generate(size, kinds, sizes, puzzle_seed), _splits)


def _splits(parts: Mapping[str, np.ndarray]) -> Splits:
    return Splits(*(sudoku_set(parts[name], parts[f"{name}_solutions"]) for name in Splits._fields))


def _generate(
    size: int, kinds: tuple[str, ...], sizes: dict[str, int], puzzle_seed: int
) -> dict[str, np.ndarray]:
    total = sum(sizes.values())
    if not kinds or min(sizes.values()) < 0:
        raise UserError("Name at least one kind of Sudoku, and give each split 0 puzzles or more.")
    for spare in (1.05, 1.5, 3.0, 6.0):  # some puzzles are twins, and most of the small ones
        per_kind = math.ceil(spare * total / len(kinds))
        made = [
            _generate_kind(kind, per_kind, size, seed=puzzle_seed * 1000 + number)
            for number, kind in enumerate(kinds)
        ]
        # One of each kind in turn, so that every split holds all kinds in equal parts.
        puzzles, solutions = (
            np.stack(parts, axis=1).reshape(-1, size * size)
            for parts in ([kind.puzzles for kind in made], [kind.solutions for kind in made])
        )
        families = np.stack([kind.families for kind in made], axis=1) * len(made)
        # Families of different kinds get different numbers.
        families = (families + np.arange(len(made))).reshape(-1)
        distinct = sudoku.without_twins(puzzles, solutions)
        rows = assign(distinct, families, sizes)
        if all(len(rows[name]) == count for name, count in sizes.items()):
            break
    else:
        raise UserError(
            f"Only {len(distinct)} of {total} puzzles of size {size} without twins were found; "
            "ask for fewer."
        )
    parts = {}
    for name in sizes:
        mixed = _mixed(rows[name], families, len(made), seed=puzzle_seed)
        parts[name], parts[f"{name}_solutions"] = puzzles[mixed], solutions[mixed]
    return parts


def _mixed(rows: np.ndarray, families: np.ndarray, kinds: int, seed: int) -> np.ndarray:
    """Shuffle the `rows` of a split, within each kind, where relatives stand side by side."""
    rows = rows.copy()
    for kind in range(kinds):
        places = np.flatnonzero(families[rows] % kinds == kind)
        if len(np.unique(families[rows[places]])) < len(places):
            rows[places] = np.random.default_rng(seed).permutation(rows[places])
    return rows


class _Kind(NamedTuple):
    """Generated puzzles of one kind. Puzzles of a family follow one another and are alike."""

    puzzles: np.ndarray  # (N, n*n)
    solutions: np.ndarray  # (N, n*n)
    families: np.ndarray  # (N,) number of the family


def _generate_kind(kind: str, count: int, size: int, seed: int) -> _Kind:
    alone = np.arange(count)  # every puzzle is a family of its own
    if kind == "minimal":
        return _Kind(*sudoku.generate(count, size, seed=seed), alone)
    if match := re.fullmatch(r"(\d+)-blanks", kind):
        blanks = int(match[1])
        return _Kind(*sudoku.generate(count, size, seed=seed, minimal=False, blanks=blanks), alone)
    if kind == "evolved" and size == 9:
        return _evolve(count, seed)
    raise UserError(
        f"There is no kind '{kind}' of {size}x{size} Sudoku; use minimal, a number of blanks "
        "such as 40-blanks, or for 9x9 evolved."
    )


def _evolve(count: int, seed: int) -> _Kind:
    """`count` extremely hard puzzles, family after family. A thousand take minutes."""
    founders, _ = sudoku.generate(5 * count, 9, seed=seed)
    with tqdm(total=EVOLUTION_ROUNDS, desc="breeding hard puzzles", unit="round") as bar:

        def progress(_, pool: sudoku.Pool) -> None:
            bar.set_postfix_str(f"{pool.guesses.mean():.1f} guesses on average")
            bar.update()

        pool = sudoku.evolve(
            founders,
            rounds=EVOLUTION_ROUNDS,
            seed=seed,
            keep=count,
            # Where a split is full, further puzzles of its last family are lost; keep that small.
            keep_per_lineage=min(MOST_RELATIVES, 1 + count // 50),
            children=4 * count,
            progress=progress,
        )
    # The pool is sorted by hardness, so shuffle the families, and the puzzles within each.
    rng = np.random.default_rng(seed)
    key = rng.random(len(founders))[pool.lineage]
    order = np.lexsort((rng.random(len(key)), key))
    return _Kind(pool.puzzles[order], pool.solutions[order], pool.lineage[order])


def boards_in(puzzles: PuzzleSet) -> tuple[np.ndarray, np.ndarray]:
    """The puzzles and the solutions of a set of Sudokus as boards, both (N, n*n)."""
    return tuple(sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))


def sudoku_set(puzzles: np.ndarray, solutions: np.ndarray) -> PuzzleSet:
    """A `PuzzleSet` of Sudokus and their solutions, both (N, n*n) boards.

    Its batches can be shown under random symmetries of Sudoku.
    """
    puzzle = get_puzzle("sudoku-{0}x{0}".format(sudoku.size_of(puzzles)))
    return PuzzleSet.of(puzzle, sudoku.to_tokens(puzzles), sudoku.to_tokens(solutions))
