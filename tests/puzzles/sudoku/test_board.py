"""A Sudoku board: what is read, drawn and broken."""

import numpy as np
import pytest
from hypothesis import given
from puzzles.sudoku.drawn import SEEDS, SIZES, few

from trm_lite.common import PuzzleError
from trm_lite.puzzles import sudoku


@few
@given(size=SIZES, seed=SEEDS)
def test_what_is_written_is_read_back(size, seed):
    puzzle = sudoku.generate(1, size, seed=seed)[0][0]
    assert (sudoku.parse(sudoku.to_line(puzzle)) == puzzle).all()
    assert (sudoku.parse(sudoku.render(puzzle)) == puzzle).all()
    spaced = " ".join(sudoku.to_line(puzzle).replace(".", "0")) + "\n\t "
    assert (sudoku.parse(spaced) == puzzle).all()
    assert (sudoku.from_tokens(sudoku.to_tokens(puzzle)) == puzzle).all()
    assert sudoku.to_tokens(puzzle).min() == 1 and sudoku.to_tokens(puzzle).max() <= size + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no Sudokus"),
        ("." * 80, "has 80"),
        ("." * 35 + "k", "position 36 holds 'k'"),
        ("." * 35 + "7", "uses the digits 1 to 6, but row 6 column 6 holds 7"),
        ("....\n5...\n....\n....", "row 2 column 1 holds 5"),
        (f"{'1' + '.' * 15}\n{'2' + '.' * 15}", "holds 2 Sudokus"),
        (f"\n{'1' + '.' * 15}\n{'2' + '.' * 14}", "Line 3: A Sudoku has 16, 36 or 81 cells"),
        ("\x00\x01\x7f" * 27, "holds '\\x00'"),
        ("٣" + "." * 35, "holds '٣'"),
    ],
)
def test_bad_text_is_refused_in_words(text, words):
    with pytest.raises(PuzzleError) as caught:
        sudoku.parse(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ((0, 5), "Row 1 holds two 4s, in columns 1 and 6"),
        ((0, 30), "Column 1 holds two 4s, in rows 1 and 6"),
        ((0, 7), "Box 1 holds two 4s, at row 1 column 1 and at row 2 column 2"),
    ],
)
def test_two_equal_clues_are_named(cells, words):
    board = np.zeros(36, np.uint8)
    board[list(cells)] = 4
    with pytest.raises(PuzzleError, match=words):
        sudoku.validate(board)
    marks = np.flatnonzero(sudoku.violations(board[None])[0])
    assert marks.tolist() == sorted(cells)


def test_rendering_draws_boxes_and_marks():
    board = sudoku.parse("1234" + "." * 12)
    assert sudoku.render(board, marks=np.arange(16) == 1).splitlines() == [
        " 1 2*| 3 4",
        " . . | . .",
        "-----+-----",
        " . . | . .",
        " . . | . .",
    ]
    six = sudoku.render(np.zeros(36, np.uint8)).splitlines()
    assert six[0] == " . . . | . . ." and [i for i, line in enumerate(six) if "+" in line] == [2, 5]


@few
@given(size=SIZES, seed=SEEDS)
def test_violations_follow_the_definition(size, seed):
    boards = np.random.default_rng(seed).integers(0, size + 1, (2, size * size)).astype(np.uint8)
    units = sudoku.geometry(size).units
    for board, mask in zip(boards, sudoku.violations(boards), strict=True):
        for cell in range(size * size):
            others = [c for unit in units if cell in unit for c in unit if c != cell]
            assert mask[cell] == (board[cell] != 0 and board[cell] in board[others])


def test_is_solution_wants_rules_clues_and_all_cells():
    puzzles, solutions = sudoku.generate(2, 6, seed=0)
    assert sudoku.is_solution(puzzles, solutions).all()
    assert not sudoku.is_solution(puzzles, solutions[::-1]).any()  # another puzzle's
    assert not sudoku.is_solution(puzzles, puzzles).any()  # not complete
    assert not sudoku.is_solution(puzzles, np.ones_like(puzzles)).any()
