"""How the cells of a board look at every moment of a thought, in marks that a page can draw."""

import numpy as np
from matplotlib.colors import to_hex

from trm_lite.puzzles import Puzzle
from trm_lite.viewing import boards
from trm_lite.viewing.style import PAPER
from trm_lite.viewing.traces import Trace

# What can be said of a cell, and how it is read out. The first is bit 0, and so on.
MARKS = {
    "clue": "clue",
    "wrong": "wrong",
    "against": "breaks a rule",
    "changed": "changed",
    "differs": "differs from the other board",
    "sure0": "less than 25 % sure",
    "sure1": "less than 50 % sure",
    "sure2": "less than 75 % sure",
}


def marks(thought: Trace, other: Trace | None = None) -> np.ndarray:
    """Say of every cell in every frame what is to be seen in it.

    Returns (F + 1, L) integers: bit b is set where the mark number b of `MARKS` applies. Frame 0
    is the puzzle. A cell differs where the `other` thought shows something else at that moment.
    """
    given = thought.puzzle.given(thought.question)
    quarter = np.floor(4 * thought.confidence)
    nothing = np.zeros(thought.boards.shape, bool)
    seen = {  # (F, L) each, after the first step
        "wrong": thought.faults() if thought.solution is not None else nothing,
        "against": thought.rule_breaks(),
        "changed": thought.changed(),
        "differs": nothing if other is None else _differences(thought, other),
        **{f"sure{q}": (quarter == q) & ~given & thought.graded for q in range(3)},
    }
    clue = nothing[0] if thought.puzzle.colours else given
    found = np.zeros((len(thought) + 1, thought.question.size), int)
    for bit, name in enumerate(MARKS):
        if name == "clue":
            found |= clue.astype(int) << bit
        else:
            found[1:] |= seen[name].astype(int) << bit
    return found


def _differences(thought: Trace, other: Trace) -> np.ndarray:
    """(F, L) where the other thought, or its end if it is shorter, shows another board."""
    same_time = np.minimum(np.arange(len(thought)), len(other) - 1)
    return thought.shown != other.shown[same_time]


def texts(thought: Trace) -> np.ndarray:
    """(F + 1, L) what is written in every cell in every frame; frame 0 is the puzzle."""
    puzzle, write = thought.puzzle, boards.character
    if puzzle.colours:
        write = boards.letter
    written = np.array([write(puzzle, token) for token in range(puzzle.vocab_size)])
    found = written[np.vstack((thought.question, thought.shown))]
    if puzzle.colours:
        found[1:][thought.faults()] = "×"
    return found


def paints(thought: Trace) -> list[list[int]]:
    """(F + 1, L) which colour every cell has in every frame; an empty list without colours."""
    if not thought.puzzle.colours:
        return []
    return np.vstack((thought.question, thought.shown)).tolist()


def caption(thought: Trace, frame: int, cell: int | None = None) -> str:
    """One line on a frame: what is wrong, what is believed, and what stands in the chosen cell."""
    puzzle = thought.puzzle
    if frame == 0:
        blanks = 0 if puzzle.colours else int(puzzle.to_find(thought.question).sum())
        return f"the puzzle, {blanks} blanks" if blanks else "the puzzle"
    parts = [f"{thought.label(frame)}: {boards.verdict(thought, frame)}"]
    belief = thought.halt[frame - 1]
    parts.append("no halting head" if np.isnan(belief) else f"believes it is done: {belief:.0%}")
    if cell is not None:
        word = puzzle.word(thought.boards[frame - 1, cell])
        sure = thought.confidence[frame - 1, cell]
        graded = "" if thought.graded[cell] else ", not graded"
        parts.append(f"{puzzle.place(cell)}: {word} with {sure:.0%}{graded}")
    return " · ".join(parts)


def legend(thought: Trace, *, two: bool = False, pickable: bool = False) -> list[list[str]]:
    """What the marks mean: classes of a sample cell, its text, the words beside it, its colour.

    `two`: whether another board stands beside; `pickable`: whether cells can be chosen.
    """
    known, puzzle = thought.solution is not None, thought.puzzle
    sample = _sample(puzzle)
    if puzzle.colours:
        coloured = [token for token, c in enumerate(puzzle.colours) if to_hex(c) != PAPER]
        entries = [["", "", puzzle.word(token), puzzle.colours[token]] for token in coloured]
        entries = entries if len(entries) <= boards.FEW else []
        entries += [["trm-wrong trm-cross", "×", "wrong, or missing"]] * known
    else:
        entries = [
            ["trm-clue", sample, "clue" if puzzle.blanks else "given"],
            ["", sample, "right" if known else "answer"],
            *[["trm-wrong", sample, "wrong"]] * known,
        ]
    if puzzle.breaks is not None:
        entries.append(["trm-against", sample, "breaks a rule"])
    if not puzzle.colours:
        entries.append(["trm-sure0", sample, "fainter: less sure"])
    entries.append(["trm-changed", "", "just changed"])
    if two:
        entries.append(["trm-differs", sample, "boards differ"])
    if pickable:
        entries.append(["trm-chosen", "", "followed"])
    return [[*entry, PAPER][:4] for entry in entries]


def _sample(puzzle: Puzzle) -> str:
    """A character to show in the legend: one in the middle of the puzzle's own."""
    own = [puzzle.tokens[token] for token in range(1, puzzle.vocab_size)]
    own = [text for text in own if text not in puzzle.blanks + puzzle.end and not text.isspace()]
    return own[len(own) // 2] if own and not puzzle.colours else ""


def boxes(thought: Trace) -> list[int]:
    """Rows and columns of the boxes that thick lines surround; an empty list without boxes."""
    return list(thought.puzzle.boxes or ())
