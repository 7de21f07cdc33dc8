"""Mazes of chance: cells are walls by lot, and the way from S to G is long and far from unique.

This is how the public data set Maze-Hard must have been made: what comes out of this recipe agrees
with it in wall densities and in lengths of paths, and `maze.shortest_path` in all of its answers.
"""

from collections.abc import Callable

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.maze import GOAL, OPEN, START, WALL, shortest_path, size_of

WIDTH = 1024  # mazes tried at once
MOST_FRUITLESS = 200  # such batches in a row without one good maze before giving up


def generate(
    count: int,
    size: int = 30,
    *,
    seed: int,
    density: tuple[float, float] = (0.29, 0.45),
    least_moves: int = 109,
    progress: Callable[[int], object] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`count` mazes like those of Maze-Hard: walls stand by chance, and all paths are long.

    Walls are independent, with a density for each maze that is uniform within `density`. S and G
    are drawn at random, and kept if the shortest path between them has at least `least_moves`;
    nearly always there are many of that length, and `maze.shortest_path` marks one. With the
    defaults, densities and lengths of paths are spread like those of the public data set. The same
    arguments give the same mazes; `progress(n)` hears of n new ones.

    Returns (mazes, answers), both (count, size * size) uint8. Raises PuzzleError if paths so long
    are too rare to be found.
    """
    if not 2 <= size <= 64:
        raise PuzzleError(f"The size of such a maze must be 2 to 64, not {size}.")
    if count < 1 or least_moves < 1:
        raise PuzzleError("The number of mazes and of moves in them must be at least 1.")
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    missing, fruitless = count, 0
    while missing:
        walls = rng.uniform(*density, size=(WIDTH, 1)).astype(np.float32)
        free = rng.random((WIDTH, size * size), np.float32) >= walls
        starts = rng.integers(size * size, size=WIDTH)
        free[np.arange(WIDTH), starts] = True
        far = _beyond(free, starts, least_moves - 1)
        # Drawing G from all cells would nearly always miss the few that are far enough. So it is
        # drawn from those, and what a random G would hit more seldom is kept more seldom.
        good = np.flatnonzero(rng.random(WIDTH) < far.sum(1) / (2 * size))[:missing]
        goals = np.where(far[good], rng.random(far[good].shape), -1).argmax(1)
        mazes = np.where(free[good], OPEN, WALL).astype(np.uint8)
        rows = np.arange(len(good))
        mazes[rows, starts[good]], mazes[rows, goals] = START, GOAL
        kept.append(mazes)
        missing -= len(good)
        fruitless = 0 if len(good) else fruitless + 1
        if fruitless == MOST_FRUITLESS:
            raise PuzzleError(
                f"Mazes of size {size} with {least_moves} moves from S to G are too rare to be "
                "found; ask for fewer moves."
            )
        if progress is not None:
            progress(len(good))
    made = np.concatenate(kept)
    return made, np.stack([shortest_path(maze) for maze in made])


def _beyond(free: np.ndarray, starts: np.ndarray, moves: int) -> np.ndarray:
    """The cells (B, n*n) that are more than `moves` moves from `starts` (B,), but can be reached.

    `free` (B, n*n) says where one can walk. A row of a maze is a number of n bits, so that one
    move in all directions, from all cells reached so far, is a few shifts.
    """
    size = size_of(free)
    bit, one = np.arange(size, dtype=np.uint64), np.uint64(1)

    def pack(cells: np.ndarray) -> np.ndarray:
        bits = cells.reshape(-1, size, size).astype(np.uint64) << bit
        return np.ascontiguousarray(bits.sum(-1).T)  # (n, B): numpy is quickest along the batch

    def spread(reached: np.ndarray) -> np.ndarray:
        wider = reached | reached << one | reached >> one
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        return wider & walkable

    walkable, near = pack(free), pack(np.arange(size * size) == starts[:, None])
    mazes = np.arange(len(free))  # in which there is more to reach
    for move in range(moves):
        wider = spread(near)
        if move % 8 == 7:
            growing = (wider != near).any(0)
            mazes, wider, walkable = mazes[growing], wider[:, growing], walkable[:, growing]
        near = wider
    reached = near
    while ((wider := spread(reached)) != reached).any():
        reached = wider
    far = np.zeros(free.shape, bool)
    far[mazes] = ((reached & ~near).T[:, :, None] >> bit & one).reshape(-1, size * size)
    return far
