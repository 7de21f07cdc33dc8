"""What the tokens of a network stand for: Sudoku, a maze, or ARC, told by its sizes."""

import math

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.puzzles import arc, maze, sudoku


def puzzle_name_of(vocab_size: int, seq_len: int) -> str:
    """Which puzzles a network reads, as its vocabulary and length tell: sudoku, maze or arc."""
    side = math.isqrt(seq_len)
    if side in sudoku.SIZES and side**2 == seq_len and vocab_size == side + 2:
        return "sudoku"
    if vocab_size == len(maze.CHARACTERS) + 1:
        return "maze"
    if (vocab_size, seq_len) == (arc.VOCAB_SIZE, arc.CELLS):
        return "arc"
    raise UserError(
        f"A network of {vocab_size} tokens on {seq_len} cells reads no puzzle that "
        "can be drawn here; the microscope knows Sudoku, mazes and ARC."
    )


def _the_solution(puzzle: np.ndarray) -> np.ndarray | None:
    found = sudoku.solve(puzzle[None])
    return found.boards[0] if found.counts[0] == 1 else None


def _the_path(cells: np.ndarray) -> np.ndarray | None:
    try:
        return maze.shortest_path(cells)
    except UserError:
        return None


SOLVERS = {"sudoku": _the_solution, "maze": _the_path, "arc": lambda tokens: None}
TO_TOKENS = {"sudoku": sudoku.to_tokens, "maze": maze.to_tokens, "arc": np.asarray}
FROM_TOKENS = {"sudoku": sudoku.from_tokens, "maze": maze.from_tokens, "arc": np.asarray}
