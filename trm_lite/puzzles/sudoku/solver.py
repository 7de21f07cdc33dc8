"""A Sudoku solver for many boards at once, and a measure of how hard they are.

The state of a board is one bit mask of candidate digits per cell. All boards advance in
lockstep: every round narrows the candidates by rules that cannot be wrong, and then each board
for itself may have to branch (guess a digit) or to step back (take up its latest alternative).
Inside, the boards lie along the last axis, so that each numpy call runs over long rows.
"""

from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.board import Geometry, geometry, size_of, validate

WIDTH = 1024  # states narrowed at once: enough to hide numpy's overhead, few enough to cache
ONE = np.uint16(1)


class Solutions(NamedTuple):
    """What a search found, per board."""

    boards: np.ndarray  # (B, n*n) uint8, a solution, or zeros where there is none
    others: np.ndarray  # (B, n*n) uint8, another solution if there is one, else the same
    counts: np.ndarray  # (B,) number of solutions, counted up to the limit of the search
    guesses: np.ndarray  # (B,) branches taken
    rounds: np.ndarray  # (B,) rounds of deduction


class Ratings(NamedTuple):
    """How hard puzzles are, each in three ways."""

    rounds: np.ndarray  # (B,) rounds of singles until solved or stuck
    needs: np.ndarray  # (B,) "singles", "locked candidates" or "search"
    guesses: np.ndarray  # (B,) float, mean number of guesses of a complete search


def solve(
    boards: np.ndarray,
    limit: int = 2,
    rng: np.random.Generator | None = None,
    locked: bool = False,
) -> Solutions:
    """Search `boards` (B, n*n) for up to `limit` solutions each.

    A count of 1 under the default limit proves that the solution is unique. Branches are taken
    in a fixed order, or in a random one if `rng` is given. `locked` adds the rule of locked
    candidates to the singles: slower rounds, fewer guesses. Boards that break the rules simply
    have no solution.
    """
    return search(to_candidates(boards), limit, rng, locked)


def solve_one(board: np.ndarray) -> np.ndarray:
    """The solution (n*n,) of a board with exactly one; PuzzleError says why there is none."""
    validate(board)
    found = solve(board[None], limit=2)
    if found.counts[0] == 0:
        raise PuzzleError("This Sudoku has no solution; check its clues.")
    if found.counts[0] > 1:
        one, other = found.boards[0], found.others[0]
        cell = int(np.argmax(one != other))
        row, column = divmod(cell, size_of(board))
        raise PuzzleError(
            f"This Sudoku has more than one solution: row {row + 1} column {column + 1} can hold "
            f"{one[cell]} or {other[cell]}; add a clue."
        )
    return found.boards[0]


def rate(puzzles: np.ndarray, orders: int = 10, seed: int = 0) -> Ratings:
    """Rate `puzzles` (B, n*n) by what a solver must do.

    `guesses` is the mean, over `orders` random branch orders, of the number of guesses until
    the solution is found and proven unique, when singles and locked candidates do the rest.
    """
    rounds, singles_suffice = _deduce(puzzles, locked=False)
    _, locked_suffice = _deduce(puzzles, locked=True)
    needs = np.where(
        singles_suffice, "singles", np.where(locked_suffice, "locked candidates", "search")
    )
    guesses = np.zeros(len(puzzles))
    hard = np.flatnonzero(~locked_suffice)
    if len(hard):
        rng = np.random.default_rng(seed)
        found = solve(np.repeat(puzzles[hard], orders, axis=0), rng=rng, locked=True)
        guesses[hard] = found.guesses.reshape(-1, orders).mean(1)
    return Ratings(rounds, needs, guesses)


def to_candidates(boards: np.ndarray) -> np.ndarray:
    """Candidate masks (B, n*n) uint16: bit d-1 is set where digit d is possible."""
    full = (1 << size_of(boards)) - 1
    return np.where(boards == 0, np.uint16(full), _bits(boards))


def search(
    candidates: np.ndarray,
    limit: int = 2,
    rng: np.random.Generator | None = None,
    locked: bool = False,
) -> Solutions:
    """As `solve`, but from candidate masks (B, n*n) in which some may be ruled out already."""
    shape = geometry(size_of(candidates))
    total = len(candidates)
    found = Solutions(
        *(np.zeros((total, shape.cells), np.uint8) for _ in range(2)),
        *(np.zeros(total, int) for _ in range(3)),
    )
    pending = _Pending(candidates)
    finished = found.counts >= limit
    states, owner = pending.take(WIDTH, finished)  # owner: the board of each column of `state`
    state = np.ascontiguousarray(states.T)
    while len(owner):
        before = state
        state, broken = narrow(state, shape, locked)
        np.add.at(found.rounds, owner, 1)
        stuck = (state == before).all(0) & ~broken
        solved = stuck & (np.bitwise_count(state) == 1).all(0)

        columns = np.flatnonzero(solved)
        found.others[owner[columns]] = _digits(state[:, columns]).T
        first = columns[np.unique(owner[columns], return_index=True)[1]]
        first = first[found.counts[owner[first]] == 0]
        found.boards[owner[first]] = _digits(state[:, first]).T
        np.add.at(found.counts, owner[columns], 1)

        columns = np.flatnonzero(stuck & ~solved)
        if len(columns):
            branch, alternative = _branch(state[:, columns], rng)
            state[:, columns] = branch
            pending.put(alternative.T, owner[columns])
            np.add.at(found.guesses, owner[columns], 1)

        finished = found.counts >= limit
        closed = np.flatnonzero(broken | solved | finished[owner])
        states, owners = pending.take(WIDTH - len(owner) + len(closed), finished)
        reused, closed = closed[: len(owners)], closed[len(owners) :]
        state[:, reused], owner[reused] = states[: len(reused)].T, owners[: len(reused)]
        if len(closed):
            state, owner = np.delete(state, closed, axis=1), np.delete(owner, closed)
        elif len(owners) > len(reused):
            state = np.concatenate([state, states[len(reused) :].T], axis=1)
            owner = np.concatenate([owner, owners[len(reused) :]])
    np.minimum(found.counts, limit, out=found.counts)
    return found


class _Pending:
    """States that wait for a free column: alternatives to guesses, the latest first, and then
    the boards that have not been started."""

    def __init__(self, boards: np.ndarray) -> None:
        self.boards = boards
        self.started = 0
        self.states = np.empty((WIDTH, boards.shape[1]), np.uint16)
        self.owners = np.empty(WIDTH, int)
        self.height = 0

    def put(self, states: np.ndarray, owners: np.ndarray) -> None:
        end = self.height + len(owners)
        while end > len(self.owners):
            self.states = np.concatenate([self.states, np.empty_like(self.states)])
            self.owners = np.concatenate([self.owners, np.empty_like(self.owners)])
        self.states[self.height : end], self.owners[self.height : end] = states, owners
        self.height = end

    def take(self, most: int, finished: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Up to `most` states (k, n*n) and their owners (k,), none of a `finished` board."""
        states, owners = self.states[:0], self.owners[:0]
        while self.height and len(owners) < most:
            start = max(0, self.height - (most - len(owners)))
            wanted = start + np.flatnonzero(~finished[self.owners[start : self.height]])
            states = np.concatenate([self.states[wanted], states])
            owners = np.concatenate([self.owners[wanted], owners])
            self.height = start
        new = np.arange(self.started, min(self.started + most - len(owners), len(self.boards)))
        self.started += len(new)
        return np.concatenate([states, self.boards[new]]), np.concatenate([owners, new])


def narrow(state: np.ndarray, shape: Geometry, locked: bool) -> tuple[np.ndarray, np.ndarray]:
    """One round of deduction on candidate masks `state` (n*n, B).

    Returns the narrowed masks and (B,) booleans that tell which boards cannot be completed.
    Naked singles: a cell with one candidate excludes it from the cells that share a unit.
    Hidden singles: a digit with one place left in a unit goes there.
    """
    row, column, box = shape.memberships.T
    single = state * (state & (state - ONE) == 0)  # much faster here than np.where
    placed = _over_units(np.bitwise_or, single, shape)
    # Masks of different digits add up to their union; two equal ones carry over.
    broken = (placed != _over_units(np.add, single, shape)).any(0)
    state = state & ~(placed[row] | placed[column] | placed[box]) | single

    once, twice = np.zeros_like(placed), np.zeros_like(placed)
    for cells in shape.units.T:
        members = state[cells]
        twice |= once & members
        once |= members
    broken |= (once != (1 << shape.size) - 1).any(0)
    once &= ~twice
    hidden = state & (once[row] | once[column] | once[box])
    broken |= (hidden & (hidden - ONE)).any(0)  # two digits that both need the same cell
    state = hidden | state * (hidden == 0)
    if locked:
        state = _locked_candidates(state, shape.box_rows, shape.box_columns)
        by_columns = state.reshape(shape.size, shape.size, -1).swapaxes(0, 1)
        by_columns = by_columns.reshape(state.shape)
        by_columns = _locked_candidates(by_columns, shape.box_columns, shape.box_rows)
        state = by_columns.reshape(shape.size, shape.size, -1).swapaxes(0, 1).reshape(state.shape)
    broken |= (state == 0).any(0)
    return state, broken


def _over_units(operation: np.ufunc, masks: np.ndarray, shape: Geometry) -> np.ndarray:
    """Combine the masks (n*n, B) of the cells of each unit: (3n, B)."""
    size, rows, columns = shape.size, shape.box_rows, shape.box_columns
    grid = masks.reshape(size, size, -1)
    boxes = masks.reshape(size // rows, rows, size // columns, columns, -1)
    parts = (
        operation.reduce(grid, axis=1, dtype=masks.dtype),
        operation.reduce(grid, axis=0, dtype=masks.dtype),
        operation.reduce(boxes, axis=(1, 3), dtype=masks.dtype).reshape(size, -1),
    )
    return np.concatenate(parts)


def _locked_candidates(state: np.ndarray, box_rows: int, box_columns: int) -> np.ndarray:
    """Rule out digits by comparing the segments in which the rows cross the boxes.

    Pointing: a digit that a box holds only in one segment is excluded from the rest of the row.
    Claiming: a digit that a row holds only in one segment is excluded from the rest of the box.
    """
    size = box_rows * box_columns
    boxes = state.reshape(size // box_rows, box_rows, size // box_columns, box_columns, -1)
    segments = np.bitwise_or.reduce(boxes, axis=3)  # (bands, row in band, stacks, B)
    pointing = segments & ~_union_of_others(segments, axis=1)
    claiming = segments & ~_union_of_others(segments, axis=2)
    excluded = _union_of_others(pointing, axis=2) | _union_of_others(claiming, axis=1)
    return (boxes & ~excluded[:, :, :, None]).reshape(state.shape)


def _union_of_others(masks: np.ndarray, axis: int) -> np.ndarray:
    """For every entry along `axis`, the union of all other entries."""
    length = masks.shape[axis]
    union = np.zeros_like(masks)
    for shift in range(1, length):
        union |= masks.take((np.arange(length) + shift) % length, axis)
    return union


def _branch(state: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Split stuck states (n*n, B) at a cell with the fewest candidates, two or more.

    Returns the states with one candidate chosen there and those with it removed instead.
    """
    number = np.bitwise_count(state).astype(np.float32)
    number[number == 1] = np.inf
    if rng is not None:
        number += rng.random(number.shape, dtype=np.float32) * np.float32(0.5)
    cell = number.argmin(0)
    column = np.arange(state.shape[1])
    mask = state[cell, column]
    if rng is None:
        bit = mask & -mask  # the lowest digit
    else:
        powers = np.uint16(1) << np.arange(9, dtype=np.uint16)
        keys = np.where(mask[:, None] & powers, rng.random((len(mask), 9)), -1)
        bit = powers[keys.argmax(1)]
    branch, alternative = state.copy(), state.copy()
    branch[cell, column] = bit
    alternative[cell, column] = mask & ~bit
    return branch, alternative


def _deduce(puzzles: np.ndarray, locked: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rounds (B,) that changed something, and whether they solved the puzzle (B,), no guesses."""
    shape = geometry(size_of(puzzles))
    state = np.ascontiguousarray(to_candidates(puzzles).T)
    rounds = np.zeros(len(puzzles), int)
    while True:
        before = state
        state, broken = narrow(state, shape, locked)
        changed = (state != before).any(0)
        rounds += changed
        if not changed.any():
            return rounds, (np.bitwise_count(state) == 1).all(0) & ~broken


def _bits(digits: np.ndarray) -> np.ndarray:
    """The masks (...) uint16 of digits; what it says of a blank means nothing."""
    return np.uint16(1) << (np.maximum(digits, 1).astype(np.uint16) - np.uint16(1))


def _digits(bits: np.ndarray) -> np.ndarray:
    """The digits (...) uint8 of masks with one bit each."""
    return np.bitwise_count(bits - np.uint16(1)) + np.uint8(1)


def found_in_round(boards: np.ndarray) -> np.ndarray:
    """The round of deduction (B, n*n) in which naked and hidden singles find each cell.

    0 for clues; one more than the last round for what singles do not find.
    """
    shape = sudoku.geometry(sudoku.size_of(boards))
    state = np.ascontiguousarray(to_candidates(boards).T)  # (n*n, B)
    rounds = np.zeros(state.shape, int)
    while True:
        rounds += np.bitwise_count(state) > 1
        before = state
        state, _ = narrow(state, shape, locked=False)
        if (state == before).all():
            return rounds.T
