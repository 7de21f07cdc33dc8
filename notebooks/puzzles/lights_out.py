"""Lights Out, 5x5: a press switches a lamp and its neighbours, and in the end all must be dark.

Here the networks of the course fail. Lesson 15 tells what was tried.
"""

import numpy as np

from trm_lite.puzzles import Puzzle

SIZE = 5
DARK, LIT = 1, 2  # in an answer: leave it alone, press it
PLACES = np.indices((SIZE, SIZE)).reshape(2, -1)
DISTANCE = np.abs(PLACES[:, :, None] - PLACES[:, None]).sum(0)
SWITCHES = (DISTANCE <= 1).astype(int)  # (25, 25) which lamps each press switches


def make(count, rng):
    """Random presses, and the lamps that they switch on."""
    presses = rng.integers(2, size=(count, SIZE * SIZE))
    return DARK + presses @ SWITCHES % 2, DARK + presses


def breaks(questions, answers):
    """Lamps that are lit after all presses."""
    lit = (questions == LIT) + (answers == LIT) @ SWITCHES
    return (lit % 2 == 1) | (answers < DARK)


PUZZLE = Puzzle("lights-out-5x5", "_.#", (SIZE, SIZE), make=make, breaks=breaks)
