"""Small mazes: one path, found by the convention of the public data set."""

import numpy as np
import pytest

from trm_lite.errors import PuzzleError
from trm_lite.puzzles import maze

OPEN_FIELD = "S  \n   \n  G"  # six shortest paths


@pytest.mark.parametrize("size", [5, 7, 11])
def test_generated_mazes_have_a_single_path(size):
    mazes, answers = maze.generate(20, size, seed=0)
    assert maze.is_path(mazes, answers).all() and maze.is_shortest_path(mazes, answers).all()
    assert len(np.unique(mazes, axis=0)) == 20
    for cells, answer in zip(mazes, answers, strict=True):
        for cell in np.flatnonzero(answer == maze.PATH):  # a wall anywhere on it cuts S from G
            blocked = cells.copy()
            blocked[cell] = maze.WALL
            with pytest.raises(PuzzleError, match="No path"):
                maze.shortest_path(blocked)


def test_the_same_seed_makes_the_same_mazes():
    first, again, other = (maze.generate(5, 7, seed=seed)[0] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_text_goes_both_ways_and_spaces_are_cells():
    mazes, answers = maze.generate(3, 7, seed=3)
    for board in (*mazes, *answers):
        assert (maze.parse(maze.render(board)) == board).all()
        assert (maze.from_tokens(maze.to_tokens(board)) == board).all()
    assert (maze.parse("S  \n   \n  G") == maze.parse("S       G")).all()


def test_of_several_shortest_paths_down_left_right_up_decides():
    answer = maze.render(maze.shortest_path(maze.parse(OPEN_FIELD)))
    assert answer == "S  \no  \nooG"
    other = maze.parse("Soo\n  o\n  G")
    cells = maze.parse(OPEN_FIELD)[None]
    assert maze.is_shortest_path(cells, other[None])[0]  # as short, so as valid


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("S  \no  \n oG", False),  # a diagonal step
        ("S  \n   \nooG", False),  # does not reach S
        ("Soo\n oo\n  G", False),  # touches itself
        ("S o\noo \n oG", False),  # a stray mark
        ("So \n o \n oG", True),
    ],
)
def test_what_counts_as_a_path(answer, path):
    cells = maze.parse(OPEN_FIELD)[None]
    assert maze.is_path(cells, maze.parse(answer)[None])[0] == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no maze"),
        ("SG\n ", "line 2 of 2 has 1"),
        ("S?\n G", "holds '?'"),
        ("S \n  ", "exactly one goal G"),
        ("SS\n G", "exactly one start S"),
        ("S G", "must be square"),
    ],
)
def test_bad_text_is_refused_in_words(text, words):
    with pytest.raises(PuzzleError) as caught:
        maze.parse(text)
    assert words in str(caught.value)
