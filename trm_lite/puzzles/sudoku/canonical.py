"""Telling whether two Sudokus are the same one in different guises.

Two puzzles are twins if a symmetry (see `symmetry.py`) turns one into the other. Of all guises
of a solution, the canonical one is the least when read as a sequence of digits. Its first row
is always 1..n, because the digits can be renamed, so a guise is chosen by its top row and the
order of its columns; the rest follows. Comparing second rows rules out nearly all choices.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations, product

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.sudoku.board import Geometry, geometry, is_solution, size_of


def canonical_form(puzzle: np.ndarray, solution: np.ndarray) -> bytes:
    """Bytes that two puzzles (n*n,), given with their solutions, share if and only if they are
    twins. PuzzleError if `solution` does not solve `puzzle`."""
    grid, masks = _canonical_guises(puzzle, solution)
    # A solution with symmetries of its own has several canonical guises; the clues choose one.
    return grid + min(np.packbits(mask).tobytes() for mask in masks)


def solution_class(solution: np.ndarray) -> bytes:
    """Bytes that two solutions (n*n,) share if and only if a symmetry turns one into the other."""
    return _canonical_guises(solution, solution)[0]


def without_twins(
    puzzles: np.ndarray, solutions: np.ndarray, of: Iterable[bytes] = ()
) -> np.ndarray:
    """Indices of the `puzzles` (B, n*n) to keep so that no two are twins.

    Of several twins the first is kept. Puzzles whose canonical form is among `of` are left out
    too: pass those of a training set to get test puzzles that are new in every guise.
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
    """All orders of columns that keep stacks together (K, n), and their inverses (K, n)."""
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
    """The canonical grid of `solution`, and the clues (S, n*n) bool in each guise reaching it."""
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
    """The guises of `grid` (n, n), not transposed, with the least second row, and their clues.

    Both are (S, n*n); the guises have all their rows in order.
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
    # Any order of rows can be had within the bands, so the least one sorts by the first column.
    first = guises[:, :, 0].astype(int)
    band = first.reshape(len(pair), -1, shape.box_rows).min(2).repeat(shape.box_rows, axis=1)
    rows = (band * (size + 1) + first).argsort(1)[:, :, None]
    guises = np.take_along_axis(guises, rows, axis=1)
    masks = np.take_along_axis(clues[:, orders[order]].swapaxes(0, 1), rows, axis=1)
    return guises.reshape(len(pair), -1), masks.reshape(len(pair), -1)
