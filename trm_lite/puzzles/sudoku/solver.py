"""A Sudoku solver for many boards at once, and a measure of how hard they are.

The state of a board is one bit mask per cell, with a bit for each candidate digit. All boards
advance together. Every round narrows the candidates by rules that are always right. A board on
which they find nothing more has to branch (guess a digit), and one that turns out to be
impossible goes back to its latest alternative. Internally the boards lie along the last axis, so
that each numpy call runs over long rows.
"""

from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.board import Geometry, geometry, size_of, validate

# States narrowed at once: enough to hide numpy's overhead, few enough for the processor's cache.
WIDTH = 1024
ONE = np.uint16(1)
# By number of entries, the orders in which each entry meets all others.
OTHERS = {n: [np.roll(np.arange(n), -shift) for shift in range(1, n)] for n in (2, 3)}
# A puzzle that people or programs make needs a few thousand guesses at most. One that contradicts
# itself somewhere deep can need any number; it is given up after so many, a fraction of a second.
MOST_GUESSES = 50_000


class Solutions(NamedTuple):
    """The solutions that a search found for B boards, and its effort."""

    boards: np.ndarray  # (B, n*n) uint8, a solution, or zeros where there is none
    others: np.ndarray  # (B, n*n) uint8, another solution if one was found, else the same one
    counts: np.ndarray  # (B,) number of solutions, counted up to the limit of the search
    guesses: np.ndarray  # (B,) how often the search had to guess
    rounds: np.ndarray  # (B,) rounds of deduction
    complete: np.ndarray  # (B,) bool, False where the search was given up


class Ratings(NamedTuple):
    """How hard B puzzles are, measured in three ways."""

    rounds: np.ndarray  # (B,) rounds of singles until the puzzle is solved or they find no more
    needs: np.ndarray  # (B,) the method it takes: "singles", "locked candidates" or "search"
    guesses: np.ndarray  # (B,) float, mean number of guesses of a complete search


def solve(
    boards: np.ndarray,
    limit: int = 2,
    rng: np.random.Generator | None = None,
    locked: bool = False,
    most_guesses: int | None = None,
) -> Solutions:
    """Solve boards by deduction and search, finding up to `limit` solutions of each.

    Under the default limit, a count of 1 proves that the solution is unique. Boards that break
    the rules simply have no solution.

    Args:
        boards: (B, n*n) puzzles.
        limit: the search of a board ends with this many solutions.
        rng: guess in a random order drawn from it; None guesses in a fixed order.
        locked: deduce by locked candidates too, not only by singles. Rounds are slower, but fewer
            guesses are needed.
        most_guesses: give a board up after so many; None never does.
    """
    return search(to_candidates(boards), limit, rng, locked, most_guesses)


def solve_one(board: np.ndarray) -> np.ndarray:
    """The solution (n*n,) of a board (n*n,) that has exactly one.

    Raises PuzzleError if the board breaks the rules, has no solution, or has several, and if that
    could not be found out within `MOST_GUESSES`.
    """
    validate(board)
    found = solve(board[None], limit=2, most_guesses=MOST_GUESSES)
    if not found.complete[0]:
        raise PuzzleError(
            f"Whether this Sudoku has exactly one solution is still open after {MOST_GUESSES:,} "
            "guesses; check its clues, which may contradict each other."
        )
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
    """Rate how hard puzzles are, by the work that a solver has with them.

    The rating `guesses` counts until the solution is found and proven unique, with singles and
    locked candidates deducing all they can in between.

    Args:
        puzzles: (B, n*n), each with exactly one solution.
        orders: the number of searches, each guessing in another random order, to average over.
        seed: seed of these orders.
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
    most_guesses: int | None = None,
) -> Solutions:
    """The same as `solve`, but from candidate masks (B, n*n), as `to_candidates` makes them.

    Some candidates may have been ruled out already. For the arguments see `solve`.
    """
    shape = geometry(size_of(candidates))
    total = len(candidates)
    found = Solutions(
        *(np.zeros((total, shape.cells), np.uint8) for _ in range(2)),
        *(np.zeros(total, int) for _ in range(3)),
        complete=np.ones(total, bool),
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
        if most_guesses is not None:
            found.complete[~finished & (found.guesses > most_guesses)] = False
            finished |= ~found.complete
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
    """States that wait for a free column of the search.

    First come the alternatives to guesses, the latest first, and then the boards whose search
    has not begun.
    """

    def __init__(self, boards: np.ndarray) -> None:
        self.boards = boards
        self.started = 0
        self.states = np.empty((WIDTH, boards.shape[1]), np.uint16)
        self.owners = np.empty(WIDTH, int)
        self.height = 0

    def put(self, states: np.ndarray, owners: np.ndarray) -> None:
        """Add alternative states (k, n*n) of the boards `owners` (k,)."""
        end = self.height + len(owners)
        while end > len(self.owners):
            self.states = np.concatenate([self.states, np.empty_like(self.states)])
            self.owners = np.concatenate([self.owners, np.empty_like(self.owners)])
        self.states[self.height : end], self.owners[self.height : end] = states, owners
        self.height = end

    def take(self, most: int, finished: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Remove up to `most` states (k, n*n) and return them with their boards (k,).

        States of boards that are `finished` (B,) are thrown away.
        """
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
    """One round of deduction: rule out candidates that cannot be right.

    By naked singles, the only candidate of a cell is ruled out in all cells of its row, column
    and box. By hidden singles, a digit with only one place left in such a unit goes there.

    Returns the narrowed masks (n*n, B), and (B,) bool: which boards turned out to have no
    solution.

    Args:
        state: (n*n, B) candidate masks.
        shape: the geometry of the boards.
        locked: also rule out locked candidates, see `_locked_candidates`.
    """
    row, column, box = shape.memberships.T
    single = state * (state & (state - ONE) == 0)  # much faster here than np.where
    members = single[shape.units]  # (3n, n, B)
    placed = np.bitwise_or.reduce(members, axis=1)
    # The sum of masks equals their union only if all digits differ; two equal ones carry over.
    broken = (placed != np.add.reduce(members, axis=1, dtype=members.dtype)).any(0)
    state = state & ~(placed[row] | placed[column] | placed[box]) | single

    once, *others = state[shape.units.T]  # the first cell of each unit, and the others
    twice = np.zeros_like(once)
    for cells in others:
        twice |= once & cells
        once |= cells
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


def _locked_candidates(state: np.ndarray, box_rows: int, box_columns: int) -> np.ndarray:
    """Rule out digits by comparing segments, the cells in which a row crosses a box.

    Pointing: if a digit fits into only one segment of its box, it cannot be elsewhere in the row.
    Claiming: if a digit fits into only one segment of its row, it cannot be elsewhere in the box.
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
    first, *rest = OTHERS[masks.shape[axis]]
    union = masks.take(first, axis)
    for order in rest:
        union |= masks.take(order, axis)
    return union


def _branch(state: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Guess: split each state (n*n, B) at the open cell with the fewest candidates.

    Returns the states in which that cell has the guessed digit, and the alternatives in which it
    has lost this candidate.
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
    """Deduce without guessing: the rounds (B,) that it took, and whether it was enough (B,)."""
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
    """The masks (...) uint16 of digits (...). Blanks get a meaningless mask."""
    return np.uint16(1) << (np.maximum(digits, 1).astype(np.uint16) - np.uint16(1))


def _digits(bits: np.ndarray) -> np.ndarray:
    """The digits (...) uint8 of masks (...) that have one bit each."""
    return np.bitwise_count(bits - np.uint16(1)) + np.uint8(1)


def found_in_round(boards: np.ndarray) -> np.ndarray:
    """The round of deduction in which naked and hidden singles find each cell's digit.

    `boards` and the result are (B, n*n). Clues have 0, and cells that singles never find have one
    more than the last round.
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
