"""Making Sudoku puzzles with exactly one solution.

A puzzle is made backwards, from a random full grid, by taking away clues for as long as the
solution stays unique. All puzzles of a call are worked on together, so that each step is one
batched search.
"""

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.board import geometry, size_of
from trm_lite.puzzles.sudoku.solver import search, solve, to_candidates

MOST_TRIES = 20  # batches in a row without one puzzle of the wanted kind before giving up


def random_solutions(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """`count` random full grids (count, n*n) uint8, found by a search that guesses at random.

    Every grid can occur, though not all with exactly the same probability.
    """
    return solve(np.zeros((count, geometry(size).cells), np.uint8), limit=1, rng=rng).boards


def generate(
    count: int, size: int, *, seed: int, minimal: bool = True, blanks: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`count` puzzles of `size` 4, 6 or 9 with unique solutions.

    Minimal puzzles lose uniqueness if any clue is taken away. With `minimal=False` every puzzle
    has exactly `blanks` blanks, which makes easier puzzles. The same arguments give the same
    puzzles; small sizes can repeat a puzzle (see `without_twins`).

    Returns (puzzles, solutions), both (count, n*n) uint8. Raises PuzzleError for arguments that
    contradict each other, or if puzzles with so many blanks are too rare to be found.
    """
    cells = geometry(size).cells
    if count < 1:
        raise PuzzleError(f"The number of puzzles must be at least 1, not {count}.")
    if minimal and blanks is not None:
        raise PuzzleError("Minimal puzzles choose their own blanks; leave out one of the two.")
    if not minimal and (blanks is None or not 0 <= blanks <= cells):
        raise PuzzleError(
            f"Say how many blanks, 0 to {cells}, puzzles that need not be minimal have."
        )

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
                f"Puzzles of size {size} with {blanks} blanks are too rare to be found; "
                "ask for fewer blanks."
            )
    puzzles, solutions = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return puzzles, solutions


def remove_clues(
    puzzles: np.ndarray,
    rng: np.random.Generator,
    blanks: int | None = None,
) -> np.ndarray:
    """Take clues away from `puzzles` (B, n*n), each in a random order of its own.

    A clue goes if the puzzle keeps its only solution. Every clue is tried once, which is enough
    to make a puzzle minimal; puzzles with `blanks` blanks are left at that.
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
        # The clue is needed only if some solution has another digit in its place.
        candidates[np.arange(len(which)), cells] ^= full
        removable = search(candidates, limit=1, locked=True).counts == 0
        puzzles[which[removable], cells[removable]] = 0
    return puzzles
