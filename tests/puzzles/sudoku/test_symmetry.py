"""Sudokus are turned around, undone, and known again in their canonical form."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from puzzles.sudoku.drawn import SEEDS, SIZES, few, tokens

from trm_lite.common import PuzzleError
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.canonical import AT_ONCE


@few
@given(size=SIZES, seed=SEEDS)
def test_symmetric_twins_are_puzzles_with_the_twin_solution(size, seed):
    puzzles, solutions = sudoku.generate(4, size, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = sudoku.augment(tokens(puzzles), tokens(solutions), size, generator)
    twins, answers = (sudoku.from_tokens(t.numpy()) for t in (inputs, labels))
    assert sudoku.is_solution(twins, answers).all()
    assert (sudoku.solve(twins).boards == answers).all()
    assert ((twins == 0).sum(1) == (puzzles == 0).sum(1)).all()
    forms = sudoku.canonical_forms(puzzles, solutions)
    assert forms == sudoku.canonical_forms(twins, answers)
    if size > 4:  # of 4x4 there are few, and two may be twins
        assert len(set(forms)) == 4


@pytest.mark.parametrize("size", [4, 6, 9])
def test_a_guise_can_be_undone(size):
    there = tokens(sudoku.generate(50, size, seed=3)[0])
    guise = sudoku.random_symmetry(50, size, torch.Generator().manual_seed(3))
    assert not torch.equal(sudoku.apply(guise, there), there)
    assert torch.equal(sudoku.undo(guise, sudoku.apply(guise, there)), there)


def test_padding_stays_padding():
    padded = torch.zeros(3, 36, dtype=torch.long)
    inputs, labels = sudoku.augment(padded, padded + 1, 6, torch.Generator())
    assert (inputs == 0).all() and (labels == 1).all()


def test_symmetries_are_drawn_uniformly():
    """4x4: 8 orders of rows, 8 of columns, transposed or not, and 24 ways to name the digits."""
    draws = sudoku.random_symmetry(40_000, 4, torch.Generator().manual_seed(0))
    _, cells = draws.cells.unique(dim=0, return_counts=True)
    _, names = draws.tokens.unique(dim=0, return_counts=True)
    for counts, expected in ((cells, 128), (names, 24)):
        assert len(counts) == expected
        assert (counts - 40_000 / expected).abs().max() < 6 * (40_000 / expected) ** 0.5
    assert (draws.tokens[:, :2] == torch.tensor([0, 1])).all()


def test_the_288_grids_of_4x4_fall_into_two_classes():
    """Known since Felgenhauer and Jarvis: two essentially different 4x4 Sudoku grids."""
    rng = np.random.default_rng(0)
    grids = np.unique(sudoku.random_solutions(3000, 4, rng), axis=0)
    assert len(grids) == 288
    classes = [sudoku.solution_class(grid) for grid in grids]
    assert sorted(np.unique(classes, return_counts=True)[1].tolist()) == [96, 192]


def test_equal_forms_are_twins_and_no_others():
    """For 4x4, against trying all 128 x 24 symmetries."""
    draws = sudoku.random_symmetry(5000, 4, torch.Generator().manual_seed(2))
    moves = draws.cells.unique(dim=0).numpy()
    names = np.array([(0, *order) for order in permutations(range(1, 5))], np.uint8)
    puzzles, solutions = sudoku.generate(60, 4, seed=4)
    forms: dict[bytes, bytes] = {}
    for puzzle, solution in zip(puzzles, solutions, strict=True):
        least = min(image.tobytes() for image in names[:, puzzle[moves]].reshape(-1, 16))
        form = sudoku.canonical_form(puzzle, solution)
        assert forms.setdefault(least, form) == form
    assert len(set(forms.values())) == len(forms) > 10


def test_forms_of_puzzles_whose_solution_has_symmetries_of_its_own():
    row, column = np.divmod(np.arange(81), 9)
    # The most symmetric grid there is: many symmetries leave it alone, but move the clues.
    solution = ((3 * (row % 3) + row // 3 + column) % 9 + 1).astype(np.uint8)
    rng = np.random.default_rng(0)
    puzzles = np.where(rng.random((10, 81)) < 0.3, solution, 0).astype(np.uint8)
    solutions = np.tile(solution, (10, 1))
    generator = torch.Generator().manual_seed(0)
    twins = sudoku.augment(tokens(puzzles), tokens(solutions), 9, generator)
    twins = (sudoku.from_tokens(t.numpy()) for t in twins)
    forms = [sudoku.canonical_form(*pair) for pair in zip(puzzles, solutions, strict=True)]
    assert forms == [sudoku.canonical_form(*pair) for pair in zip(*twins, strict=True)]
    assert len(set(forms)) == 10
    with pytest.raises(PuzzleError, match="complete solution"):
        sudoku.canonical_form(puzzles[0], puzzles[0])


@pytest.mark.parametrize("size", [6, 9])
def test_many_puzzles_have_the_forms_that_each_has_alone(size):
    puzzles, solutions = sudoku.generate(AT_ONCE + 6, size, seed=4, minimal=False, blanks=12)
    alone = [sudoku.canonical_form(*pair) for pair in zip(puzzles, solutions, strict=True)]
    assert sudoku.canonical_forms(puzzles, solutions) == alone
    solutions[-1] = solutions[0]
    with pytest.raises(PuzzleError, match="complete solution"):
        sudoku.canonical_forms(puzzles, solutions)


def test_symmetries_move_every_cell_everywhere():
    for size in (4, 6, 9):
        draws = sudoku.random_symmetry(6000, size, torch.Generator().manual_seed(1))
        assert (draws.cells.sort(1).values == torch.arange(size * size)).all()
        for cell in (0, size * size - 1):
            counts = torch.bincount(draws.cells[:, cell], minlength=size * size)
            expected = 6000 / size**2
            assert (counts - expected).abs().max() < 5 * expected**0.5
        # Neighbours in a row stand above each other if and only if the board was transposed.
        share = (draws.cells[:, 0] % size == draws.cells[:, 1] % size).double().mean()
        assert share == 0 if size == 6 else abs(share - 0.5) < 0.04


def test_without_twins_keeps_one_of_each():
    puzzles, solutions = sudoku.generate(6, 6, seed=9)
    generator = torch.Generator().manual_seed(9)
    twins = sudoku.augment(tokens(puzzles), tokens(solutions), 6, generator)
    twins, answers = (sudoku.from_tokens(t.numpy()) for t in twins)
    both = np.concatenate([puzzles, twins]), np.concatenate([solutions, answers])
    assert sudoku.without_twins(*both).tolist() == list(range(6))
    known = [sudoku.canonical_form(puzzles[2], solutions[2])]
    assert sudoku.without_twins(twins, answers, of=known).tolist() == [0, 1, 3, 4, 5]
