"""Text backwards: words of 2 to 7 letters, and an end token, because answers vary in length."""

import numpy as np

from trm_lite.puzzles import Puzzle

LETTERS = "abcdef"
LENGTH, END = 8, 1


def make(count, rng):
    """Random words, padded with token 0, and the same backwards, ended with `$`."""
    questions = np.zeros((count, LENGTH), np.uint8)
    answers = np.zeros((count, LENGTH), np.uint8)
    for row, length in enumerate(rng.integers(2, LENGTH, size=count)):
        word = rng.integers(2, 2 + len(LETTERS), size=length)
        questions[row, :length] = word
        answers[row, :length] = word[::-1]
        answers[row, length] = END
    return questions, answers


PUZZLE = Puzzle("reversal", "_$" + LETTERS, (1, LENGTH), make=make, end="$")
