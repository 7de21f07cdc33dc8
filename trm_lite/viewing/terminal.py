"""Sudoku boards as text for the terminal, in colour if the terminal shows colours."""

import os
import sys

import numpy as np

from trm_lite.puzzles import sudoku
from trm_lite.viewing.traces import Trace

CLUE, RIGHT, WRONG, CHANGED = "1", "32", "31", "7"  # ANSI codes: bold, green, red, reversed
LEGEND = (("clue", CLUE), ("right", RIGHT), ("wrong", WRONG), ("changed in this step", CHANGED))


def colours() -> bool:
    """Whether to print colours: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, *codes: str) -> str:
    """The text in the colours of the ANSI `codes`, if colours are shown."""
    return f"\033[{';'.join(codes)}m{text}\033[0m" if codes and colours() else text


def legend() -> str:
    """What the colours mean, in one line."""
    return "  ".join(paint(name, code) for name, code in LEGEND)


def board_lines(
    board: np.ndarray,
    puzzle: np.ndarray,
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
) -> list[str]:
    """A board as lines of equal width. Without colours, `!` marks a fault and `*` a change.

    Args:
        board: (n*n,) the digits to show.
        puzzle: (n*n,) the puzzle, which tells what is a clue.
        faults: (n*n,) bool, the cells to show as wrong.
        changed: (n*n,) bool, the cells to show as changed.
    """
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
    """The text of a cell, two characters wide."""
    if not colours():
        return (str(digit) if digit else ".") + ("!" if fault else "*" if changed else " ")
    codes = [WRONG if fault else CLUE if clue else RIGHT] + [CHANGED] * changed
    return (paint(str(digit), *codes) if digit else ".") + " "


def side_by_side(blocks: list[tuple[str, list[str]]], visible: int, width: int) -> str:
    """Put blocks of text next to each other, as many as fit into a line.

    Args:
        blocks: title and lines of each block.
        visible: characters per line of a block, not counting colour codes.
        width: characters per line of the terminal.
    """
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
