"""Generate data sets of small mazes with one path from S to G, split without twins.

Twins are mazes that become equal by turning and mirroring.
"""

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.puzzles import get_puzzle, maze
from trm_lite.puzzles.maze_puzzle import canonical


def build_mazes(size: int, sizes: tuple[int, int, int], puzzle_seed: int) -> Splits:
    """The splits that a `MazeData` describes.

    Raises UserError if there are not enough mazes without twins.

    Args:
        size: rows and columns of a maze, an odd number.
        sizes: the number of mazes in each of the three splits.
        puzzle_seed: seed of all random draws.
    """
    if min(sizes) < 0 or sum(sizes) == 0:
        raise UserError(
            "Each split must have 0 mazes or more, and at least one of them more than 0."
        )
    for spare in (1.1, 2, 4):  # some mazes are twins, and most of the small ones
        count = round(spare * sum(sizes)) + 1
        mazes, answers = maze.generate(count, size, seed=puzzle_seed)
        seen: dict[bytes, int] = {}
        for row, cells in enumerate(mazes):
            seen.setdefault(canonical(cells), row)
        if len(seen) >= sum(sizes):
            break
    else:
        raise UserError(
            f"Only {len(seen)} of {sum(sizes)} mazes of size {size} without twins were found; "
            "ask for fewer, or for a larger size."
        )
    rows = np.fromiter(seen.values(), int)
    ends = np.cumsum(sizes)
    parts = np.split(rows[: ends[-1]], ends[:-1])
    return Splits(*(maze_set(mazes[part], answers[part]) for part in parts))


def maze_set(mazes: np.ndarray, answers: np.ndarray) -> PuzzleSet:
    """A `PuzzleSet` of mazes and their answers, both (N, n*n).

    Its batches can be shown turned and mirrored at random.
    """
    puzzle = get_puzzle("maze-{0}x{0}".format(maze.size_of(mazes)))
    return PuzzleSet.of(puzzle, mazes, answers)
