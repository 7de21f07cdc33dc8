"""Mazes: find the shortest path from S to G.

A maze is a flat uint8 array (n*n,) of tokens, row by row; a batch is (B, n*n). The characters
of a maze are `#` (wall), space (open), `S` (start), `G` (goal) and, in answers, `o` (the path
between them). Everything beyond the edge counts as wall, so no cells are spent on a border.
"""

from collections import deque
from math import isqrt

import numpy as np

from trm_lite.common.errors import PuzzleError

CHARACTERS = "_# SGo"  # the token is the index; the first is padding
PAD, WALL, OPEN, START, GOAL, PATH = range(6)
MOST_REPEATS = 1000  # repeated mazes in a row before `generate` gives up

# Down, left, right, up. Where there are several shortest paths, the order in which neighbours
# are visited chooses between them. This order reproduces the answers of the Maze-Hard data set.
STEPS = ((1, 0), (0, -1), (0, 1), (-1, 0))


def size_of(mazes: np.ndarray) -> int:
    """The size n of square mazes (..., n*n). Raises PuzzleError if they are not square."""
    cells = np.shape(mazes)[-1] if np.ndim(mazes) else 0
    size = isqrt(cells)
    if size < 2 or size * size != cells:
        raise PuzzleError(f"A maze must be square, but this one has {cells} cells.")
    return size


def parse(text: str) -> np.ndarray:
    """Read a maze (n*n,) from text: n lines of n characters, or one line of n*n.

    Every space is a cell, also at the end of a line. Only empty lines before and after the maze
    are skipped. Raises PuzzleError unless the maze is square with one S and one G.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise PuzzleError("This text holds no maze; write one line of characters for each row.")
    for row, line in enumerate(lines, start=1):
        for column, character in enumerate(line, start=1):
            if character not in CHARACTERS[1:]:
                raise PuzzleError(
                    "A maze is written with '#', space, 'S', 'G' and 'o', "
                    f"but line {row}, position {column} holds {character!r}."
                )
    if len(lines) > 1:
        for row, line in enumerate(lines, start=1):
            if len(line) != len(lines):
                raise PuzzleError(
                    f"A maze must be square, but line {row} of {len(lines)} has {len(line)} "
                    f"characters instead of {len(lines)}; spaces at its end count."
                )
    maze = np.array([CHARACTERS.index(character) for character in "".join(lines)], np.uint8)
    size_of(maze)
    for value, name in ((START, "start S"), (GOAL, "goal G")):
        number = int((maze == value).sum())
        if number != 1:
            raise PuzzleError(f"A maze needs exactly one {name}, but this one has {number}.")
    return maze


def render(maze: np.ndarray) -> str:
    """A maze (n*n,) as text, n lines of n characters, which `parse` reads back."""
    size = size_of(maze)
    return "\n".join("".join(CHARACTERS[cell] for cell in row) for row in maze.reshape(size, size))


def generate(count: int, size: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` different mazes, each with only one path from S to G.

    S is in a random room, and G in one of the rooms farthest from it. The same arguments give the
    same mazes. Returns (mazes, answers), both (count, size * size) uint8. Raises PuzzleError for
    a size that is even or below 3, and if there are too few different mazes of that size.

    Args:
        count: how many mazes.
        size: rows and columns of a maze, an odd number.
        seed: seed of all random draws.
    """
    if size < 3 or size % 2 == 0:
        raise PuzzleError(f"The size of a maze must be odd and at least 3, not {size}.")
    if count < 1:
        raise PuzzleError(f"The number of mazes must be at least 1, not {count}.")
    rng = np.random.default_rng(seed)
    mazes: dict[bytes, np.ndarray] = {}  # keeps the order of insertion
    repeats = 0
    while len(mazes) < count:
        maze = _carve(size, rng)
        repeats = repeats + 1 if maze.tobytes() in mazes else 0
        if repeats == MOST_REPEATS:
            raise PuzzleError(
                f"There are hardly more than {len(mazes)} different mazes of size {size}; "
                "ask for fewer, or for a larger size."
            )
        mazes[maze.tobytes()] = maze
    made = np.stack(list(mazes.values()))
    return made, np.stack([shortest_path(maze) for maze in made])


def _carve(size: int, rng: np.random.Generator) -> np.ndarray:
    """A random maze (n*n,) with exactly one path between any two rooms.

    Rooms lie at even rows and columns. A random walk knocks down the walls between them and
    steps back whenever it reaches a dead end (depth-first search).
    """
    maze = np.full((size, size), WALL, np.uint8)
    rooms = size // 2 + 1
    row, column = (2 * rng.integers(rooms, size=2)).tolist()
    maze[row, column] = OPEN
    walk = [(row, column)]
    while walk:
        row, column = walk[-1]
        closed = [
            (row_step, column_step)
            for row_step, column_step in STEPS
            if 0 <= row + 2 * row_step < size
            and 0 <= column + 2 * column_step < size
            and maze[row + 2 * row_step, column + 2 * column_step] == WALL
        ]
        if not closed:
            walk.pop()
            continue
        row_step, column_step = closed[rng.integers(len(closed))]
        maze[row + row_step, column + column_step] = OPEN
        maze[row + 2 * row_step, column + 2 * column_step] = OPEN
        walk.append((row + 2 * row_step, column + 2 * column_step))
    cells = maze.reshape(-1)
    row, column = (2 * rng.integers(rooms, size=2)).tolist()
    start = row * size + column
    parents = _search(cells, start)
    goal = list(parents)[-1]  # a breadth-first search reaches the farthest cells last
    cells[start], cells[goal] = START, GOAL
    return cells


def shortest_path(maze: np.ndarray) -> np.ndarray:
    """The answer (n*n,) to a maze (n*n,): the maze with a shortest path marked by `o`.

    Any path that is already marked is erased first. Raises PuzzleError if no path exists.
    """
    answer = np.where(maze == PATH, OPEN, maze).astype(np.uint8)
    start, goal = _ends(maze)
    parents = _search(answer, start)
    if goal not in parents:
        raise PuzzleError("No path leads from S to G in this maze; open some of its walls.")
    cell = parents[goal]
    while cell != start:
        answer[cell] = PATH
        cell = parents[cell]
    return answer


def only_path(maze: np.ndarray) -> np.ndarray:
    """The answer (n*n,) to a maze (n*n,) with a single shortest path.

    Raises PuzzleError if there is no path, or several are equally short.
    """
    answer = shortest_path(maze)
    ends = _ends(maze)
    far = [_distances(np.where(maze == PATH, OPEN, maze), end) for end in ends]
    moves = far[0][ends[1]]
    if (far[0] + far[1] == moves).sum() > moves + 1:  # more cells than one path has
        raise PuzzleError("Several paths from S to G are equally short in this maze; close some.")
    return answer


def _distances(maze: np.ndarray, start: int) -> np.ndarray:
    """How many moves (n*n,) each cell is away from `start`; a large number if out of reach."""
    moves = np.full(maze.shape, maze.size)
    parents = _search(maze, start)
    moves[start] = 0
    for cell in list(parents)[1:]:  # in the order of their distance
        moves[cell] = moves[parents[cell]] + 1
    return moves


def breaks(mazes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The cells (B, n*n) of answers that are against a rule; none in a shortest path.

    `mazes` and `answers` are (B, n*n). The rules are asked one after the other: only open cells
    may change; a path goes from S to G, and neither branches nor touches itself; nothing else is
    marked; no path is shorter.
    """
    broken = _off_path(mazes, answers)
    for row in np.flatnonzero(~broken.any(1)):
        marked = answers[row] == PATH
        if marked.sum() > (shortest_path(mazes[row]) == PATH).sum():
            broken[row] = marked
    return broken


def is_path(mazes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Whether each answer marks a valid path from S to G; it need not be the shortest.

    The path must go from neighbour to neighbour without crossing a wall, branching or touching
    itself, and no other cell may be marked or changed. `mazes` and `answers` are (B, n*n), and
    the result is (B,) bool.
    """
    return ~_off_path(mazes, answers).any(1)


def is_shortest_path(mazes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Whether each answer marks a shortest path from S to G; any one of them counts.

    `mazes` and `answers` are (B, n*n), and the result is (B,) bool.
    """
    return ~breaks(mazes, answers).any(1)


def _off_path(mazes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The cells (B, n*n) of answers that do not belong to a path from S to G."""
    unmarked = np.where(mazes == PATH, OPEN, mazes)
    broken = np.where(answers == PATH, OPEN, answers) != unmarked
    for row in np.flatnonzero(~broken.any(1)):
        size, ends = size_of(mazes), _ends(mazes[row])
        walked = np.where(answers[row] == OPEN, WALL, answers[row])
        steps = np.flatnonzero(walked != WALL)
        for cell in steps:  # the two ends of a path have one neighbour, all other cells have two
            broken[row, cell] = len(_neighbours(walked, cell, size)) != 2 - (cell in ends)
        if not broken[row].any():  # then what is cut off are closed rings
            broken[row, steps] = ~np.isin(steps, list(_search(walked, ends[0])))
    return broken


def _ends(maze: np.ndarray) -> tuple[int, int]:
    start, goal = np.flatnonzero(maze == START), np.flatnonzero(maze == GOAL)
    if len(start) != 1 or len(goal) != 1:
        raise PuzzleError("A maze needs exactly one start S and one goal G.")
    return int(start[0]), int(goal[0])


def _neighbours(maze: np.ndarray, cell: int, size: int) -> list[int]:
    row, column = divmod(cell, size)
    return [
        (row + row_step) * size + column + column_step
        for row_step, column_step in STEPS
        if 0 <= row + row_step < size
        and 0 <= column + column_step < size
        and maze[(row + row_step) * size + column + column_step] != WALL
    ]


def _search(maze: np.ndarray, start: int) -> dict[int, int]:
    """Breadth-first search from the cell `start`.

    Returns the parent of every reached cell, in the order of their distance.
    """
    size = size_of(maze)
    parents = {start: start}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for neighbour in _neighbours(maze, cell, size):
            if neighbour not in parents:
                parents[neighbour] = cell
                queue.append(neighbour)
    return parents


GUISES = 8  # the ways to turn and mirror a square


def in_all_guises(mazes: np.ndarray) -> np.ndarray:
    """Each maze in its eight guises (turned, mirrored): (B, n*n) -> (8 * B, n*n).

    The guises of a maze follow one another, in the order of the authors' code: turned left by 0,
    90, 180 and 270 degrees, mirrored left to right, mirrored top to bottom, transposed, and
    transposed about the other diagonal.
    """
    size = size_of(mazes)
    grids = mazes.reshape(-1, size, size)
    turned = [np.rot90(grids, quarter, axes=(1, 2)) for quarter in range(4)]
    mirrored = [grids[:, :, ::-1], grids[:, ::-1], grids.mT, turned[1][:, :, ::-1]]
    return np.stack(turned + mirrored, axis=1).reshape(-1, size * size)
