"""Tell from a network's sizes whether its tokens stand for a Sudoku, a maze or an ARC grid."""

import math

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.puzzles import arc, maze, sudoku


def puzzle_name_of(vocab_size: int, seq_len: int) -> str:
    """The puzzles that a network reads, judged by its sizes: "sudoku", "maze" or "arc".

    `seq_len` counts the cells of a puzzle. Raises UserError if the sizes fit none of them.
    """
    side = math.isqrt(seq_len)
    if side in sudoku.SIZES and side**2 == seq_len and vocab_size == side + 2:
        return "sudoku"
    if vocab_size == len(maze.CHARACTERS) + 1:
        return "maze"
    if (vocab_size, seq_len) == (arc.VOCAB_SIZE, arc.CELLS):
        return "arc"
    raise UserError(
        f"A network of {vocab_size} tokens on {seq_len} cells reads no puzzle known here; "
        "use a network for Sudoku, mazes or ARC."
    )


def _the_solution(puzzle: np.ndarray) -> np.ndarray | None:
    found = sudoku.solve(puzzle[None])
    return found.boards[0] if found.counts[0] == 1 else None


def _the_path(cells: np.ndarray) -> np.ndarray | None:
    try:
        return maze.shortest_path(cells)
    except UserError:
        return None


# By name of the puzzle. A solver returns None where there is no unique solution or no path, and
# always for ARC.
SOLVERS = {"sudoku": _the_solution, "maze": _the_path, "arc": lambda tokens: None}
TO_TOKENS = {"sudoku": sudoku.to_tokens, "maze": maze.to_tokens, "arc": np.asarray}
FROM_TOKENS = {"sudoku": sudoku.from_tokens, "maze": maze.from_tokens, "arc": np.asarray}
