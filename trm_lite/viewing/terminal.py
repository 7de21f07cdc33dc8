"""Boards in a terminal, in colour where it can show colour."""

import os
import sys

import numpy as np

from trm_lite.puzzles import sudoku
from trm_lite.viewing.traces import Trace

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
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
) -> list[str]:
    """A board (n*n,) as lines of equal width. Without colours, `!` marks a fault, `*` a change."""
    shape = sudoku.geometry(sudoku.size_of(board))
    n, across = shape.size, shape.box_columns
    lines = []
    for row in range(n):
        if row and row % shape.box_rows == 0:
            lines.append("+".join(["-" * (2 * across + 1)] * (n // across)))
        boxes = []
        for start in range(row * n, row * n + n, across):
            boxes.append(
                "".join(
                    _cell(
                        board[i],
                        puzzle[i] != 0,
                        faults is not None and bool(faults[i]),
                        changed is not None and bool(changed[i]),
                    )
                    for i in range(start, start + across)
                )
            )
        lines.append(" " + "| ".join(boxes))
    return lines


def _cell(digit: int, clue: bool, fault: bool, changed: bool) -> str:
    """A cell, two characters wide."""
    if not colours():
        return (str(digit) if digit else ".") + ("!" if fault else "*" if changed else " ")
    codes = [WRONG if fault else CLUE if clue else RIGHT] + [CHANGED] * changed
    return (paint(str(digit), *codes) if digit else ".") + " "


def side_by_side(blocks: list[tuple[str, list[str]]], visible: int, width: int) -> str:
    """Blocks (title, lines of `visible` characters) next to each other, as many as fit."""
    fits = max(1, (width + 3) // (visible + 3))
    rows = []
    for start in range(0, len(blocks), fits):
        row = blocks[start : start + fits]
        rows.append("   ".join(title.ljust(visible) for title, _ in row).rstrip())
        rows += ["   ".join(cells) for cells in zip(*(lines for _, lines in row), strict=True)]
        rows.append("")
    return "\n".join(rows)


def thinking(trace: Trace, width: int = 80) -> str:
    """The board after each supervision step, side by side in lines of `width` characters."""
    blocks = [("puzzle", board_lines(trace.puzzle, trace.puzzle))]
    faults = trace.faults()
    for step, board in enumerate(trace.boards):
        changed = board != trace.boards[step - 1] if step else None
        lines = board_lines(board, trace.puzzle, faults[step], changed)
        blocks.append((f"step {step + 1}: {faults[step].sum() or 'none'} wrong", lines))
    shape = sudoku.geometry(sudoku.size_of(trace.puzzle))
    visible = 2 * shape.size + 2 * (shape.size // shape.box_columns) - 1
    return side_by_side(blocks, visible, width)
