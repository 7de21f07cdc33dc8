"""Tell whether two Sudokus are the same puzzle in different guises.

Two puzzles are twins if a symmetry (see `symmetry.py`) turns one into the other. Of all guises
of a solution, the canonical one comes first when all are sorted as sequences of digits. Its first
row is always 1..n, because digits can be renamed. So a guise is determined by the choice of the
row on top and by the order of the columns. Comparing second rows rules out nearly all choices.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations, product

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.board import Geometry, geometry, is_solution, size_of


def canonical_form(puzzle: np.ndarray, solution: np.ndarray) -> bytes:
    """A fingerprint of a puzzle that all its twins share, and no other puzzle.

    `puzzle` and `solution` are (n*n,). Raises PuzzleError if `solution` does not solve `puzzle`.
    """
    grid, masks = _canonical_guises(puzzle, solution)
    # Several symmetries can lead to the canonical guise of a solution; the clues choose one.
    return grid + min(np.packbits(mask).tobytes() for mask in masks)


def solution_class(solution: np.ndarray) -> bytes:
    """A fingerprint of a solution (n*n,) that is the same in all its guises, and for no other."""
    return _canonical_guises(solution, solution)[0]


def without_twins(
    puzzles: np.ndarray, solutions: np.ndarray, of: Iterable[bytes] = ()
) -> np.ndarray:
    """Indices (K,) of the puzzles to keep so that no two of them are twins.

    Of several twins the first is kept. Raises PuzzleError if a solution does not solve its
    puzzle.

    Args:
        puzzles: (B, n*n).
        solutions: (B, n*n).
        of: canonical forms whose puzzles are left out too. Pass those of a training set to get
            test puzzles that are new in every guise.
    """
    seen = set(of)
    kept = []
    for index, (puzzle, solution) in enumerate(zip(puzzles, solutions, strict=True)):
        form = canonical_form(puzzle, solution)
        if form not in seen:
            kept.append(index)
            seen.add(form)
    return np.array(kept, dtype=int)


@lru_cache
def _column_orders(size: int) -> tuple[np.ndarray, np.ndarray]:
    """All orders of columns that keep each stack together, (K, n), and their inverses (K, n)."""
    width = geometry(size).box_columns
    stacks = size // width
    orders = np.array(
        [
            [stack * width + column for stack, inner in zip(outer, inners, strict=True)
             for column in inner]
            for outer in permutations(range(stacks))
            for inners in product(permutations(range(width)), repeat=stacks)
        ]
    )  # fmt: skip
    return orders, orders.argsort(1)


def _canonical_guises(puzzle: np.ndarray, solution: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The canonical guise of `solution`, and where the clues lie in it.

    The clues are (S, n*n) bool, one row for each of the S symmetries that lead to this guise.
    """
    shape = geometry(size_of(solution))
    if not is_solution(puzzle[None], solution[None])[0]:
        raise PuzzleError("A canonical form needs a puzzle together with its complete solution.")
    grid, clues = (board.reshape(shape.size, shape.size) for board in (solution, puzzle != 0))
    guises = [_least_second_row(grid, clues, shape)]
    if shape.box_rows == shape.box_columns:
        guises.append(_least_second_row(grid.T, clues.T, shape))
    grids, masks = (np.concatenate(parts) for parts in zip(*guises, strict=True))
    least = min(grid.tobytes() for grid in grids)
    reached = (grids == np.frombuffer(least, np.uint8)).all(1)
    return least, masks[reached]


def _least_second_row(
    grid: np.ndarray, clues: np.ndarray, shape: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """The guises of `grid` (n, n) with the least second row, and their clues; both are (S, n*n).

    The grid is not transposed here. The rows of each guise are already in their least order.
    """
    size = shape.size
    row = np.arange(size)
    top, second = np.nonzero(
        (row[:, None] // shape.box_rows == row // shape.box_rows) & (row[:, None] != row)
    )
    column_of = grid.argsort(1)  # (n, n): where digit d + 1 stands in each row
    link = column_of[top[:, None], grid[second] - 1]  # the column in `top` of each `second` digit

    orders, inverses = _column_orders(size)
    pair, order = (axis.ravel() for axis in np.indices((len(top), len(orders))))
    for column in range(size):
        digit = inverses[order, link[pair, orders[order, column]]]
        least = digit == digit.min()
        pair, order = pair[least], order[least]

    moved = grid[:, orders[order]].swapaxes(0, 1)  # (S, n, n)
    names = np.zeros((len(pair), size + 1), np.uint8)
    np.put_along_axis(names, moved[np.arange(len(pair)), top[pair]], row + 1, axis=1)
    guises = np.take_along_axis(names[:, None], moved, axis=2)
    # Rows may be reordered within a band, and bands as a whole, so the least order is the one
    # sorted by the first column.
    first = guises[:, :, 0].astype(int)
    band = first.reshape(len(pair), -1, shape.box_rows).min(2).repeat(shape.box_rows, axis=1)
    rows = (band * (size + 1) + first).argsort(1)[:, :, None]
    guises = np.take_along_axis(guises, rows, axis=1)
    masks = np.take_along_axis(clues[:, orders[order]].swapaxes(0, 1), rows, axis=1)
    return guises.reshape(len(pair), -1), masks.reshape(len(pair), -1)
