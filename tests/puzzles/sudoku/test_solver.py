"""The Sudoku solver: it finds every solution, and rates what it solves."""

import csv
import os
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from puzzles.sudoku.drawn import SEEDS, few

from trm_lite.common import PuzzleError
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.solver import narrow

HARD_SUDOKUS = os.environ.get("TRM_LITE_HARD_SUDOKU")  # a CSV file, rating by tdoku's guesses
EASY_9 = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
# Four 2x2 boxes, written out: 288 full grids of 4x4 exist.
ALL_4 = [
    grid
    for rows in product(*[[p for p in product(range(1, 5), repeat=4) if len(set(p)) == 4]] * 2)
    for grid in [rows]
    if len(set(rows[0][:2]) | set(rows[1][:2])) == 4 and len(set(rows[0][2:] + rows[1][2:])) == 4
    and all(a != b for a, b in zip(*rows, strict=True))
]  # fmt: skip


def brute_force(board: np.ndarray) -> list[tuple]:
    """All solutions of a 4x4 board, by trying everything that rows allow."""
    found = []
    for top in ALL_4:
        for bottom in ALL_4:
            grid = np.array(top + bottom)
            columns = all(len(set(grid[:, c])) == 4 for c in range(4))
            flat = grid.reshape(-1)
            if columns and ((board == 0) | (board == flat)).all():
                found.append(tuple(flat.tolist()))
    return found


@cache
def all_grids():
    return np.array(brute_force(np.zeros(16, np.uint8)), np.uint8)  # (288, 16)


@few
@given(seed=SEEDS, clues=st.integers(1, 12))
def test_the_solver_agrees_with_brute_force(seed, clues):
    rng = np.random.default_rng(seed)
    grids = all_grids()
    puzzles = np.zeros((20, 16), np.uint8)
    for puzzle in puzzles:
        cells = rng.permutation(16)[:clues]
        puzzle[cells] = grids[rng.integers(288)][cells]
        if rng.random() < 0.3:  # now and then a clue that does not belong there
            puzzle[cells[0]] = rng.integers(1, 5)
    expected = ((puzzles[:, None] == 0) | (puzzles[:, None] == grids)).all(-1).sum(1)
    found = sudoku.solve(puzzles)
    assert (found.counts == np.minimum(expected, 2)).all()
    for options in ({}, {"locked": True}, {"rng": rng}):
        assert (sudoku.solve(puzzles, limit=1000, **options).counts == expected).all()
    some = expected > 0
    assert sudoku.is_solution(puzzles[some], found.boards[some]).all()
    assert sudoku.is_solution(puzzles[some], found.others[some]).all()
    assert not found.boards[~some].any()
    assert ((found.boards != found.others).any(1) == (expected > 1)).all()


def test_a_search_does_not_depend_on_its_company():
    puzzles, solutions = sudoku.generate(30, 9, seed=5)
    together = sudoku.solve(puzzles)
    alone = [sudoku.solve(puzzle[None]) for puzzle in puzzles]
    for field, values in together._asdict().items():
        assert (values == np.concatenate([getattr(found, field) for found in alone])).all(), field
    assert (together.boards == solutions).all()


def test_more_boards_than_fit_into_one_search_step(monkeypatch):
    monkeypatch.setattr("trm_lite.puzzles.sudoku.solver.WIDTH", 8)
    puzzles, solutions = sudoku.generate(30, 9, seed=6)
    found = sudoku.solve(np.concatenate([puzzles, np.zeros((30, 81), np.uint8), puzzles]))
    assert found.counts.tolist() == [1] * 30 + [2] * 30 + [1] * 30
    assert (found.boards[:30] == solutions).all() and (found.boards[60:] == solutions).all()
    assert sudoku.solve(puzzles[:0]).boards.shape == (0, 81)


def test_a_search_that_is_given_up_says_so():
    deep = ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4........."
    boards = np.stack([sudoku.parse(deep), sudoku.parse(EASY_9)])
    found = sudoku.solve(boards, most_guesses=1_000)
    assert found.complete.tolist() == [False, True]
    assert found.counts.tolist() == [0, 1] and 1_000 < found.guesses[0] < 4_000


@pytest.mark.parametrize("size", [6, 9])
def test_locked_candidates_save_guesses_and_lose_no_solution(size):
    puzzles, solutions = sudoku.generate(150, size, seed=1)
    singles, locked = sudoku.solve(puzzles), sudoku.solve(puzzles, locked=True)
    assert (locked.boards == solutions).all() and (locked.counts == 1).all()
    if size == 9:  # singles alone solve nearly all of 6x6
        assert locked.guesses.sum() < 0.8 * singles.guesses.sum()


def test_locked_candidates_point_and_claim():
    """A digit that a box can hold in one row only leaves the rest of the row, and the reverse."""
    for allowed, excluded in (
        ([0, 1, 2], list(range(3, 9))),  # box 1 holds a 1 only in row 1
        ([0, 9, 18], list(range(27, 81, 9))),  # box 1 holds a 1 only in column 1
    ):
        box = [0, 1, 2, 9, 10, 11, 18, 19, 20]
        for home, others in ((box, excluded), (allowed + excluded, sorted({*box} - {*allowed}))):
            state = np.full((81, 1), 511, np.uint16)
            state[sorted({*home} - {*allowed})] &= ~np.uint16(1)
            narrowed, broken = narrow(state, sudoku.geometry(9), locked=True)
            ruled_out = np.flatnonzero((narrowed & 1 == 0).all(1)).tolist()
            assert ruled_out == sorted({*others} | ({*home} - {*allowed})) and not broken.any()


def test_a_4x4_board_has_288_grids():
    assert sudoku.solve(np.zeros((1, 16), np.uint8), limit=1000).counts[0] == 288


def test_known_puzzle_and_reasons_for_having_no_solution():
    puzzle = sudoku.parse(EASY_9)
    solution = sudoku.solve_one(puzzle)
    assert sudoku.is_solution(puzzle[None], solution[None])[0]
    assert sudoku.to_line(solution).startswith("534678912672195348")
    with pytest.raises(PuzzleError, match="more than one solution: row"):
        sudoku.solve_one(np.zeros(81, np.uint8))
    impossible = puzzle.copy()
    impossible[2] = 1  # breaks no rule at sight
    sudoku.validate(impossible)
    with pytest.raises(PuzzleError, match="no solution"):
        sudoku.solve_one(impossible)


def test_rating_tells_easy_from_hard():
    easy, _ = sudoku.generate(20, 9, seed=1, minimal=False, blanks=30)
    hard, _ = sudoku.generate(60, 9, seed=1)
    rated_easy, rated_hard = sudoku.rate(easy), sudoku.rate(hard)
    assert set(rated_easy.needs) == {"singles"} and (rated_easy.guesses == 0).all()
    assert rated_easy.rounds.mean() < rated_hard.rounds[rated_hard.needs == "singles"].mean()
    assert {"singles", "search"} <= set(rated_hard.needs)
    search = rated_hard.needs == "search"
    assert (rated_hard.guesses[search] > 0).all() and (rated_hard.guesses[~search] == 0).all()
    assert sudoku.rate(sudoku.parse(EASY_9)[None]).needs[0] == "singles"


@pytest.mark.skipif(not HARD_SUDOKUS, reason="TRM_LITE_HARD_SUDOKU names no CSV file of them")
def test_public_hard_sudokus_are_solved_and_rated_as_tdoku_rates_them():
    """2,000 of the public lists, in the columns of Sudoku-Extreme; 20 seconds."""
    with open(HARD_SUDOKUS, newline="") as file:
        rows = list(csv.DictReader(file))
    puzzles, answers = (
        np.stack([sudoku.parse(row[column]) for row in rows]) for column in ("question", "answer")
    )
    found = sudoku.solve(puzzles, limit=2)
    assert len(rows) == 2_000 and (found.counts == 1).all()
    assert np.array_equal(found.boards, answers)

    def ranks(values: np.ndarray) -> np.ndarray:
        """From 1; equals share the mean of theirs."""
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        return (counts.cumsum() - (counts - 1) / 2)[place]

    def spearman(some: np.ndarray) -> float:
        return np.corrcoef(ranks(ours[some]), ranks(theirs[some]))[0, 1]

    theirs = np.array([float(row["rating"]) for row in rows])
    ours = sudoku.rate(puzzles).guesses
    assert spearman(theirs >= 0) == pytest.approx(0.834, abs=0.001)
    assert spearman(theirs >= np.quantile(theirs, 0.9)) == pytest.approx(0.437, abs=0.001)
    # Our numbers run higher than tdoku's (lesson 11).
    assert np.median(theirs[(ours >= 20) & (ours < 30)]) == 6
    assert np.median(ours[(theirs >= 20) & (theirs < 24)]) == pytest.approx(92, abs=0.5)


@pytest.mark.parametrize("unit", [0, 9, 18], ids=["row", "column", "box"])
def test_a_digit_with_one_place_left_goes_there_in_one_round(unit):
    shape = sudoku.geometry(9)
    cells = shape.units[unit]
    state = np.full((81, 9), 0b111111111, np.uint16)  # board k has a place for 5 in cell k alone
    state[cells] &= np.where(np.eye(9, dtype=bool), 0b111111111, 0b111101111).astype(np.uint16)
    narrowed, broken = narrow(state, shape, locked=False)
    assert (np.diag(narrowed[cells]) == 0b000010000).all() and not broken.any()
