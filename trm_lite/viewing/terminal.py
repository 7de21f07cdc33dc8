"""Boards as text for the terminal, in colour if the terminal shows colours."""

import os
import sys

import numpy as np

from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.puzzle import PAD
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
    puzzle: Puzzle,
    board: np.ndarray,
    question: np.ndarray,
    faults: np.ndarray | None = None,
    changed: np.ndarray | None = None,
) -> list[str]:
    """A board as lines of equal width. Without colours, `!` marks a fault and `*` a change.

    Args:
        puzzle: what the tokens mean.
        board: (L,) the tokens to show.
        question: (L,) the tokens of the question, which tell what is a clue.
        faults: (L,) bool, the cells to show as wrong.
        changed: (L,) bool, the cells to show as changed.
    """
    rows, columns = puzzle.shape
    high, across = puzzle.boxes or puzzle.shape
    given = puzzle.given(question)
    lines = []
    for row in range(rows):
        if row and row % high == 0:
            lines.append("+".join(["-" * (2 * across + 1)] * (columns // across)))
        boxes = []
        for start in range(row * columns, (row + 1) * columns, across):
            boxes.append(
                "".join(
                    _cell(
                        _text(puzzle, board[i], question[i]),
                        bool(given[i]),
                        faults is not None and bool(faults[i]),
                        changed is not None and bool(changed[i]),
                    )
                    for i in range(start, start + across)
                )
            )
        lines.append(" " + "| ".join(boxes))
    return lines


def _text(puzzle: Puzzle, token: int, asked: int) -> str:
    """The character of a token; a space for padding where the question has padding too."""
    return " " if token == asked == PAD else puzzle.tokens[token]


def _cell(text: str, clue: bool, fault: bool, changed: bool) -> str:
    """The text of a cell, two characters wide."""
    if not colours():
        return text + ("!" if fault else "*" if changed else " ")
    codes = [WRONG if fault else CLUE if clue else RIGHT] + [CHANGED] * changed
    return (paint(text, *codes) if text not in " ." or changed else text) + " "


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
    puzzle = trace.puzzle
    blocks = [("puzzle", board_lines(puzzle, trace.question, trace.question))]
    faults, changed = trace.faults(), trace.changed()
    for step, board in enumerate(trace.shown):
        lines = board_lines(puzzle, board, trace.question, faults[step], changed[step])
        blocks.append((f"step {step + 1}: {faults[step].sum() or 'none'} wrong", lines))
    columns = puzzle.columns
    visible = 2 * columns + 2 * (columns // (puzzle.boxes or puzzle.shape)[1]) - 1
    wide = max(visible, *(len(title) for title, _ in blocks))  # a title may be wider than a board
    filled = [(title, [line + " " * (wide - visible) for line in board]) for title, board in blocks]
    return side_by_side(filled, wide, width)
