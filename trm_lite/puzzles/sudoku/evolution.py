"""Breeding extremely hard Sudokus.

Random minimal puzzles are rarely hard. Small changes to a hard puzzle, though, often leave it
hard and now and then make it harder, so a pool of puzzles that keeps only its hardest members
climbs far beyond what random generation reaches.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.canonical import canonical_form
from trm_lite.puzzles.sudoku.generator import remove_clues
from trm_lite.puzzles.sudoku.solver import rate, solve

PROMISING = 0.3  # share of the rating of the pool's last that a child needs before it is polished


class Pool(NamedTuple):
    """Puzzles, the hardest first."""

    puzzles: np.ndarray  # (P, n*n) uint8, minimal except for founders that are not
    solutions: np.ndarray  # (P, n*n) uint8
    guesses: np.ndarray  # (P,) float, the rating
    lineage: np.ndarray  # (P,) the index of the founder each puzzle descends from


def evolve(
    founders: np.ndarray,
    *,
    rounds: int,
    seed: int,
    keep: int = 400,
    keep_per_lineage: int = 20,
    children: int = 1600,
    orders: int = 10,
    seconds: float | None = None,
    progress: Callable[[int, Pool], None] | None = None,
) -> Pool:
    """Breed hard puzzles from `founders` (F, n*n), such as the minimal ones of `generate`.

    Each of the `rounds` makes `children` new puzzles, minimises the promising ones, rates these
    over `orders` branch orders (see `rate`), and keeps the `keep` hardest puzzles without twins.
    No founder may have more than `keep_per_lineage` descendants in the pool; without this, those
    of one founder would crowd out the rest. Relatives resemble each other, so divide training
    from test puzzles by `lineage`. Many children cost less each: `4 * keep` is a good number.

    `progress(round, pool)` is called after every round. The result depends only on the
    arguments, unless the time limit of `seconds` ends the last rounds early. Raises PuzzleError
    if there are no founders, or one that does not have exactly one solution.
    """
    if not len(founders):
        raise PuzzleError("Evolution needs at least one founder; generate some first.")
    rng = np.random.default_rng(seed)
    found = solve(founders)
    wrong = np.flatnonzero(found.counts != 1)
    if len(wrong):
        raise PuzzleError(
            f"Every founder needs exactly one solution, but number {wrong[0] + 1} of "
            f"{len(founders)} does not have one; leave it out."
        )
    start = monotonic()
    forms: dict[bytes, bytes] = {}
    everyone = Pool(
        founders, found.boards, _hardness(founders, orders, rng), np.arange(len(founders))
    )
    pool = _hardest(everyone, keep, keep_per_lineage, forms)
    for number in range(1, rounds + 1):
        if seconds is not None and monotonic() - start >= seconds:
            break
        parents = rng.integers(len(pool.puzzles), size=children)
        puzzles, solutions = mutate(pool.puzzles[parents], rng)
        # Taking away needless clues is most of the work, and it rarely saves what is easy now.
        bar = PROMISING * pool.guesses[-1]
        promising = np.flatnonzero(_hardness(puzzles, 1, rng) >= bar)
        puzzles = remove_clues(puzzles[promising], rng)
        born = Pool(
            puzzles,
            solutions[promising],
            _hardness(puzzles, orders, rng),
            pool.lineage[parents[promising]],
        )
        everyone = Pool(*map(np.concatenate, zip(pool, born, strict=True)))
        pool = _hardest(everyone, keep, keep_per_lineage, forms)
        if progress is not None:
            progress(number, pool)
    return pool


def mutate(puzzles: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Replace a clue of each of `puzzles` (B, n*n), which have one solution.

    One clue is dropped and others are added until the solution is unique again, often a new one.
    Some clues may then be needless; see `remove_clues`. Returns (puzzles, solutions).
    """
    puzzles, solutions = puzzles.copy(), np.empty_like(puzzles)
    dropped = np.where(puzzles == 0, -1, rng.random(puzzles.shape)).argmax(1)
    puzzles[np.arange(len(puzzles)), dropped] = 0
    ambiguous = np.arange(len(puzzles))
    while len(ambiguous):
        found = solve(puzzles[ambiguous], rng=rng, locked=True)
        solutions[ambiguous] = found.boards
        several = np.flatnonzero(found.counts > 1)
        ambiguous = ambiguous[several]
        one, other = found.boards[several], found.others[several]
        # A clue where two solutions differ excludes one of them.
        cell = np.where(one != other, rng.random(one.shape), -1).argmax(1)
        puzzles[ambiguous, cell] = one[np.arange(len(one)), cell]
    return puzzles, solutions


def _hardness(puzzles: np.ndarray, orders: int, rng: np.random.Generator) -> np.ndarray:
    return rate(puzzles, orders, seed=int(rng.integers(2**31))).guesses


def _hardest(pool: Pool, keep: int, keep_per_lineage: int, forms: dict[bytes, bytes]) -> Pool:
    """The `keep` hardest of `pool` without twins; `forms` remembers canonical forms by puzzle."""
    kept: list[int] = []
    taken: set[bytes] = set()
    relatives = np.zeros(pool.lineage.max() + 1, int)
    for index in np.argsort(-pool.guesses, kind="stable"):
        if relatives[pool.lineage[index]] == keep_per_lineage:
            continue
        content = pool.puzzles[index].tobytes()
        if content not in forms:
            forms[content] = canonical_form(pool.puzzles[index], pool.solutions[index])
        if forms[content] in taken:
            continue
        kept.append(index)
        taken.add(forms[content])
        relatives[pool.lineage[index]] += 1
        if len(kept) == keep:
            break
    return Pool(*(values[kept] for values in pool))
