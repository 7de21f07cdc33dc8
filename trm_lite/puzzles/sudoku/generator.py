"""Generate Sudoku puzzles with exactly one solution.

A puzzle is made backwards: from a random full grid, clues are removed for as long as the solution
stays unique. All puzzles of a call are made together, so that each step is one batched search.
"""

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.board import geometry, size_of
from trm_lite.puzzles.sudoku.solver import search, solve, to_candidates

MOST_TRIES = 20  # batches in a row without a single fitting puzzle before giving up


def random_solutions(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """`count` random full grids of `size`, (count, n*n) uint8, found by guessing at random.

    Every grid can occur, though not all are equally likely.
    """
    return solve(np.zeros((count, geometry(size).cells), np.uint8), limit=1, rng=rng).boards


def generate(
    count: int, size: int, *, seed: int, minimal: bool = True, blanks: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`count` puzzles with unique solutions.

    The same arguments give the same puzzles. At small sizes a puzzle can occur twice, see
    `without_twins`. Returns (puzzles, solutions), both (count, n*n) uint8. Raises PuzzleError for
    arguments that contradict each other, and if puzzles with that many blanks are too rare to
    find.

    Args:
        count: how many puzzles.
        size: 4, 6 or 9.
        seed: seed of all random draws.
        minimal: make puzzles in which every clue is needed for the solution to be unique.
        blanks: without `minimal`, the exact number of blanks. Such puzzles are easier.
    """
    cells = geometry(size).cells
    if count < 1:
        raise PuzzleError(f"The number of puzzles must be at least 1, not {count}.")
    if minimal and blanks is not None:
        raise PuzzleError("Minimal puzzles cannot have a given number of blanks; leave one out.")
    if not minimal and (blanks is None or not 0 <= blanks <= cells):
        raise PuzzleError(f"Puzzles that are not minimal need a number of blanks, 0 to {cells}.")

    rng = np.random.default_rng(seed)
    if minimal:
        solutions = random_solutions(count, size, rng)
        return remove_clues(solutions, rng), solutions

    kept: list[tuple[np.ndarray, np.ndarray]] = []
    missing, fruitless = count, 0
    while missing:
        solutions = random_solutions(max(missing, 32), size, rng)
        puzzles = remove_clues(solutions, rng, blanks)
        reached = np.flatnonzero((puzzles == 0).sum(1) == blanks)[:missing]
        kept.append((puzzles[reached], solutions[reached]))
        missing -= len(reached)
        fruitless = 0 if len(reached) else fruitless + 1
        if fruitless == MOST_TRIES:
            raise PuzzleError(
                f"Puzzles of size {size} with {blanks} blanks are too rare to find; "
                "ask for fewer blanks."
            )
    puzzles, solutions = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return puzzles, solutions


def remove_clues(
    puzzles: np.ndarray,
    rng: np.random.Generator,
    blanks: int | None = None,
) -> np.ndarray:
    """Remove clues from puzzles for as long as their solutions stay unique.

    Each puzzle's clues are tried once, in a random order. That is enough to make it minimal.
    Returns a new array (B, n*n).

    Args:
        puzzles: (B, n*n), each with exactly one solution.
        rng: source of the random orders.
        blanks: stop at a puzzle once it has this many blanks; None makes it minimal.
    """
    puzzles = puzzles.copy()
    full = np.uint16((1 << size_of(puzzles)) - 1)
    keys = np.where(puzzles == 0, 1.0, rng.random(puzzles.shape))
    for step in keys.argsort(1).T[: (puzzles != 0).sum(1).max(initial=0)]:
        trying = puzzles[np.arange(len(puzzles)), step] != 0
        if blanks is not None:
            trying &= (puzzles == 0).sum(1) < blanks
        which = np.flatnonzero(trying)
        if not len(which):
            continue
        cells = step[which]
        candidates = to_candidates(puzzles[which])
        # The clue is needed if and only if there is a solution with another digit in this cell.
        candidates[np.arange(len(which)), cells] ^= full
        removable = search(candidates, limit=1, locked=True).counts == 0
        puzzles[which[removable], cells[removable]] = 0
    return puzzles
