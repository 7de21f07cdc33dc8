"""Boards in a terminal, in colour where it can show colour."""

import os
import sys

import numpy as np

from trm_lite.puzzles import sudoku

CLUE, RIGHT, WRONG, CHANGED = "1", "32", "31", "7"  # bold, green, red, reversed
LEGEND = (("clue", CLUE), ("right", RIGHT), ("wrong", WRONG), ("changed in this step", CHANGED))


def colours() -> bool:
    """Whether standard output shows colours (https://no-color.org is respected)."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, *codes: str) -> str:
    return f"\033[{';'.join(codes)}m{text}\033[0m" if codes and colours() else text


def legend() -> str:
    return "  ".join(paint(name, code) for name, code in LEGEND)


def board_lines(
    board: np.ndarray,
    puzzle: np.ndarray,
    solution: np.ndarray | None = None,
    previous: np.ndarray | None = None,
) -> list[str]:
    """A board (n*n,) as lines of equal width. Without colours, `*` marks a change, `!` a mistake."""
    shape = sudoku.geometry(sudoku.size_of(board))
    n = shape.size
    lines = []
    for row in range(n):
        if row and row % shape.box_rows == 0:
            lines.append("+".join(["-" * (2 * shape.box_columns + 1)] * (n // shape.box_columns)))
        pieces = []
        for column in range(n):
            i = row * n + column
            digit = str(board[i]) if board[i] else "."
            codes, mark = [], " "
            if puzzle[i]:
                codes = [CLUE]
            elif board[i] and solution is not None:
                wrong = board[i] != solution[i]
                codes, mark = [WRONG if wrong else RIGHT], "!" if wrong else " "
            if previous is not None and board[i] != previous[i]:
                codes.append(CHANGED)
                mark = "!" if mark == "!" else "*"
            pieces.append(paint(digit, *codes) + (" " if colours() else mark))
            if column + 1 < n and (column + 1) % shape.box_columns == 0:
                pieces.append("| ")
        lines.append(" " + "".join(pieces))
    return lines


def side_by_side(blocks: list[tuple[str, list[str], int]], width: int = 80) -> str:
    """Blocks (title, lines, visible width) next to each other, as many in a row as fit."""
    rows = []
    while blocks:
        fits = max(1, (width + 3) // (blocks[0][2] + 3))
        row, blocks = blocks[:fits], blocks[fits:]
        rows.append("   ".join(title.ljust(w) for title, _, w in row))
        rows += ["   ".join(cells) for cells in zip(*(lines for _, lines, _ in row), strict=True)]
        rows.append("")
    return "\n".join(line.rstrip() for line in rows)


def thinking(frames: np.ndarray, puzzle: np.ndarray, solution: np.ndarray, width: int = 80) -> str:
    """The board after each supervision step, frames (S, n*n), side by side."""
    shape = sudoku.geometry(sudoku.size_of(puzzle))
    visible = 1 + 2 * shape.size + 2 * (shape.size // shape.box_columns - 1)
    blocks = [("puzzle", _pad(board_lines(puzzle, puzzle), visible), visible)]
    previous = puzzle
    for step, frame in enumerate(frames, start=1):
        lines = board_lines(frame, puzzle, solution, previous if step > 1 else None)
        wrong = int((frame != solution).sum())
        blocks.append((f"step {step}: {wrong} wrong", _pad(lines, visible), visible))
        previous = frame
    return side_by_side(blocks, width)


def _pad(lines: list[str], visible: int) -> list[str]:
    """Rules are as wide as they are long; board lines end where their last cell does."""
    return [
        line + " " * (visible - len(line)) if set(line) <= set("-+") else line for line in lines
    ]
