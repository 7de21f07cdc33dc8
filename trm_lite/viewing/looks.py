"""How the cells of a board look at every moment of a thought, in marks that a page can draw."""

import numpy as np

from trm_lite.puzzles import maze, sudoku
from trm_lite.viewing import boards
from trm_lite.viewing.traces import Trace

# What can be said of a cell, and how it is read out. The first is bit 0, and so on.
MARKS = {
    "clue": "clue",
    "wall": "wall",
    "path": "path",
    "wrong": "wrong",
    "against": "breaks a rule",
    "changed": "changed",
    "differs": "differs from the other board",
    "sure0": "less than 25 % sure",
    "sure1": "less than 50 % sure",
    "sure2": "less than 75 % sure",
}
LETTERS = {maze.START: "S", maze.GOAL: "G"}


def marks(thought: Trace, other: Trace | None = None) -> np.ndarray:
    """Say of every cell in every frame what is to be seen in it.

    Returns (F + 1, L) integers: bit b is set where the mark number b of `MARKS` applies. Frame 0
    is the puzzle. A cell differs where the `other` thought shows something else at that moment.
    """
    in_maze, in_sudoku = (thought.puzzle_name == name for name in ("maze", "sudoku"))
    given = thought.puzzle != (maze.OPEN if in_maze else 0)
    quarter = np.floor(4 * thought.confidence)
    nothing = np.zeros(thought.boards.shape, bool)
    seen = {  # (F, L) each, after the first step
        "path": thought.boards == maze.PATH if in_maze else nothing,
        "wrong": thought.faults() if thought.solution is not None else nothing,
        "against": thought.rule_breaks(),
        "changed": thought.changed(),
        "differs": nothing if other is None else _differences(thought, other),
        **{f"sure{q}": (quarter == q) & ~given for q in range(3)},
    }
    always = {
        "clue": given if in_sudoku else nothing[0],
        "wall": thought.puzzle == maze.WALL if in_maze else nothing[0],
    }
    found = np.zeros((len(thought) + 1, thought.puzzle.size), int)
    for bit, name in enumerate(MARKS):
        if name in always:
            found |= always[name].astype(int) << bit
        else:
            found[1:] |= seen[name].astype(int) << bit
    return found


def _differences(thought: Trace, other: Trace) -> np.ndarray:
    """(F, L) where the other thought, or its end if it is shorter, shows another board."""
    same_time = np.minimum(np.arange(len(thought)), len(other) - 1)
    return thought.boards != other.boards[same_time]


def texts(thought: Trace) -> np.ndarray:
    """(F + 1, L) what is written in every cell in every frame; frame 0 is the puzzle."""
    shown = np.vstack((thought.puzzle, thought.boards))
    if thought.puzzle_name == "arc":
        return np.full(shown.shape, "")
    if thought.puzzle_name == "maze":
        words = np.array([LETTERS.get(value, "") for value in range(len(maze.CHARACTERS))])
        wrong = np.vstack((np.zeros(thought.puzzle.size, bool), thought.faults()))
        return np.where(wrong, "×", words[shown])
    return np.array(["", *map(str, range(1, shown.max() + 1))])[shown]


def caption(thought: Trace, frame: int, cell: int | None = None) -> str:
    """One line on a frame: what is wrong, what is believed, and what stands in the chosen cell."""
    if frame == 0:
        blanks = int((thought.puzzle == 0).sum())
        return f"the puzzle, {blanks} blanks" if thought.puzzle_name == "sudoku" else "the puzzle"
    parts = [f"{thought.label(frame)}: {boards.verdict(thought, frame)}"]
    belief = thought.halt[frame - 1]
    parts.append("no halting head" if np.isnan(belief) else f"believes it is done: {belief:.0%}")
    if cell is not None:
        row, column = divmod(cell, round(thought.puzzle.size**0.5))
        text = texts(thought.first(frame))[-1, cell] or "blank"
        sure = thought.confidence[frame - 1, cell]
        parts.append(f"row {row + 1}, column {column + 1}: {text} with {sure:.0%}")
    return " · ".join(parts)


def legend(thought: Trace, *, two: bool = False, pickable: bool = False) -> list[list[str]]:
    """What the marks mean: classes of a sample cell, its text, and the words beside it.

    `two`: whether another board stands beside; `pickable`: whether cells can be chosen.
    """
    known = thought.solution is not None
    kinds = {
        "sudoku": [
            ["trm-clue", "5", "clue"],
            ["", "5", "right" if known else "answer"],
            *([["trm-wrong", "5", "wrong"]] if known else []),
            ["trm-against", "5", "breaks a rule"],
            ["trm-sure0", "5", "fainter: less sure"],
        ],
        "maze": [
            ["trm-wall", "", "wall"],
            ["trm-path", "", "path"],
            *([["trm-wrong trm-cross", "×", "wrong, or missing"]] if known else []),
            ["trm-path trm-sure0", "", "fainter: less sure"],
        ],
        "arc": [],
    }
    entries = [*kinds[thought.puzzle_name], ["trm-changed", "", "just changed"]]
    if two:
        entries.append(["trm-differs", "5", "boards differ"])
    if pickable:
        entries.append(["trm-chosen", "", "followed"])
    return entries


def boxes(thought: Trace) -> list[int]:
    """Rows and columns of a Sudoku's box; an empty list for other puzzles."""
    if thought.puzzle_name != "sudoku":
        return []
    shape = sudoku.geometry(sudoku.size_of(thought.puzzle))
    return [shape.box_rows, shape.box_columns]
