"""Takuzu 4x4: as many 0 as 1 in every row and column, and never three of them in a line."""

from itertools import product

import numpy as np

from trm_lite.puzzles import Puzzle

BLANK, ZERO, ONE = 1, 2, 3


def breaks(questions, answers):
    """Cells that change a clue, are no digit, or lie in a line that breaks a rule."""
    boards = answers.reshape(-1, 4, 4)
    wrong = (boards != ZERO) & (boards != ONE)
    for lines, marks in ((boards, wrong), (boards.swapaxes(1, 2), wrong.swapaxes(1, 2))):
        marks |= ((lines == ONE).sum(-1) != 2)[..., None]
        for start in (0, 1):
            three = lines[..., start : start + 3]
            marks[..., start : start + 3] |= (three == three[..., :1]).all(-1, keepdims=True)
    changed = (questions != BLANK) & (questions != answers)
    return wrong.reshape(answers.shape) | changed


ROWS = [row for row in product((ZERO, ONE), repeat=4) if sum(row) == 10]
BOARDS = np.array(list(product(ROWS, repeat=4)), np.uint8).reshape(-1, 16)
BOARDS = BOARDS[~breaks(BOARDS, BOARDS).any(1)]


def make(count, rng):
    """Random full boards with half of their cells taken away: often several answers are valid."""
    answers = BOARDS[rng.integers(len(BOARDS), size=count)]
    hidden = rng.random(answers.shape) < 0.5
    return np.where(hidden, BLANK, answers), answers


PUZZLE = Puzzle("takuzu", "_.01", (4, 4), blanks=".", make=make, breaks=breaks)
