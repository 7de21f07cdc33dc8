"""Mazes with random walls and long shortest paths, like those of the benchmark Maze-Hard.

Each cell is a wall or not at random, so there are many ways from S to G. The public data set
Maze-Hard was most likely made like this: the densities of walls and the lengths of paths of this
generator agree with it, and `maze.shortest_path` reproduces all of its answers.
"""

from collections.abc import Callable

import numpy as np

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.maze import GOAL, OPEN, START, WALL, shortest_path, size_of

WIDTH = 1024  # mazes tried at once
MOST_FRUITLESS = 200  # batches in a row without a single good maze before giving up


def generate(
    count: int,
    size: int = 30,
    *,
    seed: int,
    density: tuple[float, float] = (0.29, 0.45),
    least_moves: int = 109,
    progress: Callable[[int], object] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`count` mazes like those of Maze-Hard, with random walls and long shortest paths.

    Each cell is a wall independently of the others. S and G are drawn at random, and kept if the
    shortest path between them is long enough. There are nearly always many shortest paths, and
    `maze.shortest_path` marks one of them. With the defaults, wall densities and path lengths are
    distributed like those of the public data set. The same arguments give the same mazes.

    Returns (mazes, answers), both (count, size * size) uint8. Raises PuzzleError for a size
    outside 2..64, and if paths of that length are too rare to be found.

    Args:
        count: how many mazes.
        size: rows and columns of a maze.
        seed: seed of all random draws.
        density: lowest and highest share of walls; each maze's own is drawn uniformly between.
        least_moves: the fewest moves from S to G.
        progress: called with the number of new mazes each time some are found.
    """
    if not 2 <= size <= 64:
        raise PuzzleError(f"The size of such a maze must be between 2 and 64, not {size}.")
    if count < 1 or least_moves < 1:
        raise PuzzleError("The number of mazes and the fewest moves must both be at least 1.")
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    missing, fruitless = count, 0
    while missing:
        walls = rng.uniform(*density, size=(WIDTH, 1)).astype(np.float32)
        free = rng.random((WIDTH, size * size), np.float32) >= walls
        starts = rng.integers(size * size, size=WIDTH)
        free[np.arange(WIDTH), starts] = True
        far = _beyond(free, starts, least_moves - 1)
        # A G drawn from all cells would nearly always miss the few that are far enough. So G is
        # drawn from those alone, and mazes with fewer of them are kept with a lower probability.
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
                f"Mazes of size {size} with {least_moves} moves from S to G are too rare to find; "
                "ask for fewer moves."
            )
        if progress is not None:
            progress(len(good))
    made = np.concatenate(kept)
    return made, np.stack([shortest_path(maze) for maze in made])


def _beyond(free: np.ndarray, starts: np.ndarray, moves: int) -> np.ndarray:
    """The cells (B, n*n) that can be reached, but not within `moves` moves.

    Each row of a maze becomes a number of n bits, so that a few shifts move from all the cells
    reached so far in all directions at once.

    Args:
        free: (B, n*n) bool, the cells without a wall.
        starts: (B,) the cell of each maze from which to count.
        moves: the number of moves.
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
    mazes = np.arange(len(free))  # the mazes in which more cells can still be reached
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
