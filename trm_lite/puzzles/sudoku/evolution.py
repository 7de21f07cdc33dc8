"""Breed extremely hard Sudokus by evolution.

Random minimal puzzles are rarely hard. But small changes to a hard puzzle often keep it hard, and
now and then make it harder. So a pool of puzzles that keeps only its hardest members becomes far
harder than anything that random generation finds.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.canonical import canonical_form
from trm_lite.puzzles.sudoku.generator import remove_clues
from trm_lite.puzzles.sudoku.solver import rate, solve

# A new puzzle is minimised only if its rating is at least this share of the pool's lowest rating.
PROMISING = 0.3


class Pool(NamedTuple):
    """The puzzles that evolution keeps, the hardest first.

    Relatives resemble each other, so split training and test puzzles by `lineage`.
    """

    puzzles: np.ndarray  # (P, n*n) uint8, all minimal if the founders are
    solutions: np.ndarray  # (P, n*n) uint8
    guesses: np.ndarray  # (P,) float, the rating: mean number of guesses, see `rate`
    lineage: np.ndarray  # (P,) the index of the founder that each puzzle descends from


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
    """Breed hard puzzles from `founders` (F, n*n), and return the `keep` hardest without twins.

    Every round changes random members of the pool a little, minimises the promising results and
    rates them. The result depends only on the arguments, unless `seconds` run out. Raises
    PuzzleError if there are no founders, or if one does not have exactly one solution.

    Args:
        keep_per_lineage: the most descendants of one founder, so that none crowds out the rest.
        children: new puzzles per round; 4 * keep is good, as large batches cost less per puzzle.
        orders: how many random branch orders each rating averages over, see `rate`.
        progress: called with the number of the round and the pool, after every round.
    """
    if not len(founders):
        raise PuzzleError("Evolution needs at least one founder; generate some first.")
    rng = np.random.default_rng(seed)
    found = solve(founders)
    wrong = np.flatnonzero(found.counts != 1)
    if len(wrong):
        raise PuzzleError(
            f"Every founder needs exactly one solution, but number {wrong[0] + 1} of "
            f"{len(founders)} does not have exactly one; leave it out."
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
        # Removing needless clues is most of the work, and it rarely makes an easy puzzle hard.
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
    """Change each of the `puzzles` (B, n*n) a little; all must have exactly one solution.

    One clue is dropped, and others are added until the solution is unique again. It is often a
    different one. Some clues may then be needless; `remove_clues` finds them. Returns (puzzles,
    solutions), both (B, n*n).
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
        # A clue in a cell where two solutions differ rules out one of them.
        cell = np.where(one != other, rng.random(one.shape), -1).argmax(1)
        puzzles[ambiguous, cell] = one[np.arange(len(one)), cell]
    return puzzles, solutions


def _hardness(puzzles: np.ndarray, orders: int, rng: np.random.Generator) -> np.ndarray:
    return rate(puzzles, orders, seed=int(rng.integers(2**31))).guesses


def _hardest(pool: Pool, keep: int, keep_per_lineage: int, forms: dict[bytes, bytes]) -> Pool:
    """The `keep` hardest puzzles of `pool`, without twins. `forms` caches their canonical forms."""
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
