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

AT_ONCE = 64  # puzzles, each with up to 23,328 choices to compare


def canonical_form(puzzle: np.ndarray, solution: np.ndarray) -> bytes:
    """A fingerprint of a puzzle that all its twins share, and no other puzzle.

    `puzzle` and `solution` are (n*n,). Raises PuzzleError if `solution` does not solve `puzzle`.
    """
    return canonical_forms(puzzle[None], solution[None])[0]


def canonical_forms(puzzles: np.ndarray, solutions: np.ndarray) -> list[bytes]:
    """The canonical form of each of the puzzles (B, n*n), which is much faster for many at once.

    Raises PuzzleError if one of the `solutions` (B, n*n) does not solve its puzzle.
    """
    if not is_solution(puzzles, solutions).all():
        raise PuzzleError("A canonical form needs a puzzle together with its complete solution.")
    forms = []
    for first in range(0, len(puzzles), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        forms += _forms(puzzles[some], solutions[some])
    return forms


def solution_class(solution: np.ndarray) -> bytes:
    """A fingerprint of a solution (n*n,) that is the same in all its guises, and for no other."""
    return canonical_form(solution, solution)[: solution.size]


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
    for index, form in enumerate(canonical_forms(puzzles, solutions)):
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


def _forms(puzzles: np.ndarray, solutions: np.ndarray) -> list[bytes]:
    """Of each puzzle the canonical guise of its solution, and after it where the clues lie."""
    shape = geometry(size_of(solutions))
    square = (len(puzzles), shape.size, shape.size)
    grids, clues = solutions.reshape(square), (puzzles != 0).reshape(square)
    guises = [_least_second_row(grids, clues, shape)]
    if shape.box_rows == shape.box_columns:
        guises.append(_least_second_row(*(part.swapaxes(1, 2) for part in (grids, clues)), shape))
    forms: dict[int, bytes] = {}
    # Several symmetries can lead to the canonical guise of a solution; the clues choose one.
    for owners, seen in guises:
        for owner, guise in zip(owners.tolist(), map(bytes, seen), strict=True):
            forms[owner] = min(guise, forms.get(owner, guise))
    return [forms[number] for number in range(len(puzzles))]


def _least_second_row(
    grids: np.ndarray, clues: np.ndarray, shape: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """The guises of `grids` (B, n, n) with the least second row, each followed by its clues.

    Returns the number (S,) of the grid that each belongs to, and the guises (S, n*n and the bytes
    that hold n*n bits) uint8. The grids are not transposed here. The rows of each guise are
    already in their least order.
    """
    size = shape.size
    row = np.arange(size)
    top, second = np.nonzero(
        (row[:, None] // shape.box_rows == row // shape.box_rows) & (row[:, None] != row)
    )
    column_of = grids.argsort(2)  # (B, n, n): where digit d + 1 stands in each row
    # The column in `top` of each digit in `second`, (B, choices of the two, n).
    link = np.take_along_axis(column_of[:, top], grids[:, second] - 1, axis=2)

    orders, inverses = _column_orders(size)
    digit = inverses[np.arange(len(orders)), link[:, :, orders[:, 0]]]  # (B, choices, K)
    owner, pair, order = np.nonzero(digit == digit.min((1, 2), keepdims=True))
    for column in range(1, size):
        digit = inverses[order, link[owner, pair, orders[order, column]]]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))  # where the next grid's choices begin
        least = digit == np.minimum.reduceat(digit, starts)[owner]
        owner, pair, order = owner[least], pair[least], order[least]

    order = orders[order][:, None]  # (S, 1, n)
    moved = np.take_along_axis(grids[owner], order, axis=2)
    names = np.zeros((len(pair), size + 1), np.uint8)
    np.put_along_axis(names, moved[np.arange(len(pair)), top[pair]], row + 1, axis=1)
    guises = np.take_along_axis(names[:, None], moved, axis=2)
    # Rows may be reordered within a band, and bands as a whole, so the least order is the one
    # sorted by the first column.
    first = guises[:, :, 0].astype(int)
    band = first.reshape(len(pair), -1, shape.box_rows).min(2).repeat(shape.box_rows, axis=1)
    rows = (band * (size + 1) + first).argsort(1)[:, :, None]
    guises = np.take_along_axis(guises, rows, axis=1).reshape(len(pair), -1)
    masks = np.take_along_axis(np.take_along_axis(clues[owner], order, axis=2), rows, axis=1)
    masks = np.packbits(masks.reshape(len(pair), -1), axis=1)
    return owner, np.concatenate([guises, masks], axis=1)
