"""Small mazes: one path, found by the convention of the public data set."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import MazeData
from trm_lite.puzzles import hard_mazes, maze

OPEN_FIELD = "S  \n   \n  G"  # six shortest paths


few = settings(max_examples=20, deadline=None, derandomize=True)


def grid(cells: np.ndarray) -> np.ndarray:
    return cells.reshape(maze.size_of(cells), -1)


@few
@given(size=st.sampled_from([3, 5, 9, 15]), seed=st.integers(0, 10_000))
def test_generated_mazes_are_trees(size, seed):
    """Connected, with one passage fewer than cells: one path between any two cells."""
    cells, answer = (boards[0] for boards in maze.generate(1, size, seed=seed))
    free = grid(cells) != maze.WALL
    passages = (free[1:] & free[:-1]).sum() + (free[:, 1:] & free[:, :-1]).sum()
    assert passages == free.sum() - 1
    assert free[::2, ::2].all()
    distance = flood(free, *np.argwhere(grid(cells) == maze.START)[0])
    assert (distance[free] >= 0).all()
    goal = distance[tuple(np.argwhere(grid(cells) == maze.GOAL)[0])]
    assert goal == distance.max() == (answer == maze.PATH).sum() + 1


def flood(free: np.ndarray, row: int, column: int) -> np.ndarray:
    """Steps from a cell to every other, -1 where none lead: by spreading, not by a queue."""
    distance = np.full(free.shape, -1)
    front = np.zeros(free.shape, bool)
    front[row, column] = True
    steps = 0
    while front.any():
        distance[front] = steps
        wide = np.pad(front, 1)
        around = wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
        front = around & free & (distance < 0)
        steps += 1
    return distance


@few
@given(seed=st.integers(0, 10_000))
def test_shortest_paths_in_mazes_with_loops(seed):
    rng = np.random.default_rng(seed)
    cells = np.where(rng.random(49) < 0.7, maze.OPEN, maze.WALL).astype(np.uint8)
    start, goal = rng.choice(49, 2, replace=False)
    cells[start], cells[goal] = maze.START, maze.GOAL
    steps = flood(grid(cells) != maze.WALL, *divmod(start, 7)).reshape(-1)[goal]
    if steps < 0:
        with pytest.raises(PuzzleError, match="No path"):
            maze.shortest_path(cells)
        return
    answer = maze.shortest_path(cells)
    assert (answer == maze.PATH).sum() == steps - 1
    assert maze.is_path(cells[None], answer[None])[0]
    assert maze.is_shortest_path(cells[None], answer[None])[0]
    assert (maze.shortest_path(answer) == answer).all()  # old marks are wiped


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
    content = b"".join(boards.tobytes() for boards in maze.generate(5, 9, seed=42))
    content = bytes(cell - 1 for cell in content)  # when this was measured, a wall was 0
    assert hashlib.sha256(content).hexdigest()[:16] == "04bec450ede020ca"


def test_text_goes_both_ways_and_spaces_are_cells():
    mazes, answers = maze.generate(3, 7, seed=3)
    for board in (*mazes, *answers):
        assert (maze.parse(maze.render(board)) == board).all()
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
        ("S  \n   \n  G", False),  # marks nothing
        ("So \n#o \n oG", False),  # a wall that the maze has not
        ("Soo\n  o\n  G", True),
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


def test_a_detour_is_a_path_but_not_a_shortest_one():
    cells = np.tile(maze.parse("S G\n   \n   "), (2, 1))
    answers = np.stack([maze.parse("SoG\n   \n   "), maze.parse("S G\no o\nooo")])
    assert maze.is_path(cells, answers).tolist() == [True, True]
    assert maze.is_shortest_path(cells, answers).tolist() == [True, False]


def test_impossible_wishes_are_refused():
    for size, count, words in (
        (4, 1, "odd"),
        (1, 1, "odd"),
        (5, 0, "at least 1"),
        (3, 500, "more"),
    ):
        with pytest.raises(PuzzleError, match=words):
            maze.generate(count, size, seed=0)


# --- mazes of chance, as in Maze-Hard ------------------------------------------------------


def by_levels(cells: np.ndarray) -> np.ndarray:
    """The answer by the convention, found another way: all cells of a distance at once.

    Cells of a level stand in the order in which the level before discovered them; a cell belongs
    to the first neighbour that reaches it, looking down, left, right, up.
    """
    size = maze.size_of(cells)
    free = np.pad(grid(cells) != maze.WALL, 1)
    around, ends = np.pad(grid(cells), 1), (maze.START, maze.GOAL)
    start, goal = (tuple(np.argwhere(around == end)[0]) for end in ends)
    came_from = {start: None}
    level = [start]
    while goal not in came_from:
        found = {}
        for row, column in level:
            for near in (
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
                (row - 1, column),
            ):
                if free[near] and near not in came_from:
                    found.setdefault(near, (row, column))
        came_from |= found
        level = list(found)
    answer = np.pad(grid(cells), 1)
    cell = came_from[goal]
    while cell != start:
        answer[cell], cell = maze.PATH, came_from[cell]
    return answer[1:-1, 1:-1].reshape(size * size)


def number_of_shortest_paths(cells: np.ndarray) -> int:
    around, ends = np.pad(grid(cells), 1), (maze.START, maze.GOAL)
    start, goal = (tuple(np.argwhere(around == end)[0]) for end in ends)
    distance = flood(np.pad(grid(cells) != maze.WALL, 1), *start)
    ways = {start: 1}
    for steps in range(1, distance[goal] + 1):
        for row, column in map(tuple, np.argwhere(distance == steps)):
            around = ((row + r, column + c) for r, c in maze.STEPS)
            ways[row, column] = sum(ways[near] for near in around if distance[near] == steps - 1)
    return ways[goal]


def test_mazes_like_the_public_ones():
    mazes, answers = hard_mazes.generate(6, seed=0)
    assert ((answers >= maze.START).sum(1) >= 110).all()
    assert maze.is_shortest_path(mazes, answers).all()
    assert (abs((mazes == maze.WALL).mean(1) - 0.37) < 0.12).all()
    for cells, answer in zip(mazes, answers, strict=True):
        assert np.array_equal(by_levels(cells), answer)
        assert number_of_shortest_paths(cells) > 1  # so the convention has something to decide
    assert np.array_equal(hard_mazes.generate(2, seed=0)[0], mazes[:2])
    content = bytes(cell - 1 for cell in mazes.tobytes() + answers.tobytes())  # a wall was 0 then
    assert hashlib.sha256(content).hexdigest()[:16] == "1164f9cecee18ac5"


@few
@given(seed=st.integers(0, 10_000), moves=st.integers(0, 30))
def test_cells_beyond_some_moves(seed, moves):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 12))
    free = rng.random((5, size * size)) < 0.7
    starts = rng.integers(size * size, size=5)
    free[np.arange(5), starts] = True
    far = hard_mazes._beyond(free, starts, moves)
    for cells, start, ours in zip(free, starts, far, strict=True):
        distance = flood(cells.reshape(size, size), *divmod(int(start), size))
        assert np.array_equal(ours, distance.reshape(-1) > moves)


def test_paths_are_as_long_as_by_chance():
    """As if S and G were drawn at random, and only mazes with a long way between them kept."""
    size, least = 6, 7
    _, answers = hard_mazes.generate(500, size, seed=0, density=(0.4, 0.4), least_moves=least)
    ours = (answers == maze.PATH).sum(1) + 1
    rng = np.random.default_rng(1)
    chance = []
    for _ in range(6_000):
        free = rng.random((size, size)) >= 0.4
        start, goal = rng.integers(size, size=(2, 2))
        free[tuple(start)] = True
        chance.append(flood(free, *start)[tuple(goal)])
    chance = [steps for steps in chance if steps >= least]
    assert ours.min() == least and abs(ours.mean() - np.mean(chance)) < 0.25


def test_impossible_hard_mazes_are_refused(monkeypatch):
    monkeypatch.setattr(hard_mazes, "MOST_FRUITLESS", 3)
    for options, words in (
        ({"size": 1}, "between 2 and 64"),
        ({"count": 0}, "at least 1"),
        ({"size": 5, "least_moves": 60}, "too rare"),
    ):
        with pytest.raises(PuzzleError, match=words):
            hard_mazes.generate(**{"count": 2, "seed": 0} | options)


def test_generated_splits_hold_no_turned_or_mirrored_twins():
    splits = MazeData(size=5, train=20, validation=4, test=6).build()
    assert [len(part) for part in splits] == [20, 4, 6]
    guises = set()
    for part in splits:
        for tokens in part.inputs.numpy():
            square = tokens.reshape(5, 5)
            turned = [np.rot90(s, k).tobytes() for s in (square, square.T) for k in range(4)]
            assert not guises & set(turned)
            guises |= set(turned)
    generator = torch.Generator().manual_seed(0)
    batch = splits.train.batch(slice(0, 20), generator)
    mazes, answers = (part.numpy() for part in batch[:2])
    assert maze.is_shortest_path(mazes, answers).all()
    assert (batch.inputs != splits.train.inputs).any()
    with pytest.raises(UserError, match="ask for fewer"):
        MazeData(size=3, train=1000).build()
