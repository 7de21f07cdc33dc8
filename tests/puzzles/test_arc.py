"""ARC: grids, their tokens, augmentations and their names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trm_lite.common import PuzzleError
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Augmentation, as_grid, as_task

SMALL = [[0, 1], [2, 3], [0, 0]]
few = settings(max_examples=60, deadline=None, derandomize=True)
grids = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 9))
)
augmentations = st.builds(
    Augmentation,
    st.integers(0, 7),
    st.permutations(range(1, 10)).map(lambda colours: (0, *colours)),
)


@given(grids, st.data())
@few
def test_a_grid_survives_its_tokens(grid, data):
    assert np.array_equal(arc.from_tokens(arc.to_tokens(grid)), grid)
    row = data.draw(st.integers(0, 30 - grid.shape[0]))
    column = data.draw(st.integers(0, 30 - grid.shape[1]))
    canvas = arc.to_tokens(grid, row, column).reshape(30, 30)
    moved = np.zeros_like(canvas)
    moved[: 30 - row, : 30 - column] = canvas[row:, column:]
    assert np.array_equal(arc.from_tokens(moved), grid)
    assert (canvas >= arc.BLACK).sum() == grid.size


def test_the_canvas_by_hand():
    canvas = arc.to_tokens(as_grid(SMALL), 26, 28).reshape(30, 30)
    assert canvas[26:, 27:].tolist() == [[0, 2, 3], [0, 4, 5], [0, 2, 2], [0, 1, 1]]
    canvas = arc.to_tokens(as_grid(SMALL)).reshape(30, 30)
    assert canvas[:4, :4].tolist() == [[2, 3, 1, 0], [4, 5, 1, 0], [2, 2, 1, 0], [1, 1, 0, 0]]
    assert canvas.sum() == 3 + 5 + 9 + 4 + 2  # and nothing elsewhere
    assert (arc.to_tokens(np.zeros((30, 30), np.uint8)) == arc.BLACK).all()
    for row, column in ((28, 0), (0, 29), (-1, 0)):
        with pytest.raises(PuzzleError, match="does not fit"):
            arc.to_tokens(as_grid(SMALL), row, column)


@given(arrays(np.int64, 900, elements=st.sampled_from([0, 1, 2, 5, 11, 12]), fill=st.just(5)))
@few
def test_the_largest_rectangle_is_found(tokens):
    canvas = tokens.reshape(30, 30)
    coloured = np.isin(canvas, range(2, 12))
    areas = [
        (rows * columns, -rows)
        for rows in range(1, 31)
        for columns in range(1, 31)
        if coloured[:rows, :columns].all()
    ]
    grid = arc.from_tokens(tokens)
    area, rows = max(areas, default=(0, 0))
    assert (grid.size, -grid.shape[0]) == (area, rows)
    assert np.array_equal(grid, canvas[: grid.shape[0], : grid.shape[1]] - 2)


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([[0] * 31], "1x31, larger than 30x30"),
        ([[0]] * 31, "31x1, larger than 30x30"),
        ([], "is empty"),
        ([[]], "is empty"),
        ([[1, 2], [3]], "ragged: row 2 has 1 cells and row 1 has 2"),
        ([[1, 10]], "colour 10"),
        ([[1, -1]], "colour -1"),
        ([[1, 0.5]], "not a whole number"),
        ([["1"]], "not a whole number"),
        ([[True]], "not a whole number"),
        ([[[1]], [[2]]], "not a whole number"),
        ([[1, [2]]], "not a whole number"),
        ([1, 2], "not a list of rows"),
        (7, "not a list of rows"),
    ],
)
def test_what_is_no_grid_is_named_with_its_task(cells, complaint):
    good = (SMALL, SMALL)
    with pytest.raises(PuzzleError, match=f"Task 'abc', test pair 2, output.*{complaint}"):
        as_task("abc", [good], [good, (SMALL, cells)])


def test_only_the_answer_to_a_test_may_be_unknown():
    task = as_task("abc", [(SMALL, SMALL)], [(SMALL, None), (SMALL, SMALL)])
    assert [pair.answered for pair in task.pairs] == [True, False, True]
    for train, test in (([(SMALL, None)], [(SMALL, SMALL)]), ([(SMALL, SMALL)], [(None, SMALL)])):
        with pytest.raises(PuzzleError, match="not a list of rows"):
            as_task("abc", train, test)


def test_what_is_no_task():
    good = (SMALL, SMALL)
    for train, test, complaint in (
        ([], [good], "no train pairs"),
        ([good], [], "no test pairs"),
        ([good], [(SMALL,)], "test pair 1 does not have exactly"),
    ):
        with pytest.raises(PuzzleError, match=f"'abc'.*{complaint}"):
            as_task("abc", train, test)
    with pytest.raises(PuzzleError, match="rename it"):
        as_task("a|||b", [good], [good])


@given(grids, augmentations)
@few
def test_an_augmentation_is_undone_by_its_name(grid, augmentation):
    task, read = arc.parse_name(augmentation.name("abc"))
    assert task == "abc"
    assert np.array_equal(read.undo(augmentation.apply(grid)), grid)
    assert read == augmentation


def test_the_turns_in_the_authors_order():
    grid = as_grid([[1, 2, 3], [4, 5, 6]])
    turned = [arc.turn(grid, number).tolist() for number in range(8)]
    assert turned == [
        [[1, 2, 3], [4, 5, 6]],
        [[3, 6], [2, 5], [1, 4]],
        [[6, 5, 4], [3, 2, 1]],
        [[4, 1], [5, 2], [6, 3]],
        [[3, 2, 1], [6, 5, 4]],
        [[4, 5, 6], [1, 2, 3]],
        [[1, 4], [2, 5], [3, 6]],
        [[6, 3], [5, 2], [4, 1]],
    ]


def test_names():
    augmentation = Augmentation(1, (0, 2, 1, 3, 4, 5, 6, 7, 8, 9))
    assert augmentation.name("abc") == "abc|||t1|||0213456789"
    assert str(augmentation) == "turned left by 90 degrees, 1 as 2, 2 as 1"
    assert Augmentation().name("abc") == "abc"
    for name in ("a|||t8|||0123456789", "a|||t1|||0113456789", "a|||t1", "a|||t1|||0123456789|||"):
        with pytest.raises(PuzzleError, match="not the name of an ARC puzzle"):
            arc.parse_name(name)
