"""Sorting as text: `dacab` becomes `aabcd$`. Answers vary in length, so they end with a token.

Without the end token, a network could not say where its answer stops: what follows is padding, and
padding is never graded.
"""

import numpy as np
import torch

from trm_lite.puzzles import Puzzle

LETTERS, LONGEST = "abcdef", 7


def make(count, rng):
    """Random words of 2 to 7 letters, and their letters in order."""
    lengths = rng.integers(2, LONGEST + 1, size=count)
    words = ["".join(rng.choice(list(LETTERS), length)) for length in lengths]
    questions = [PUZZLE.encode(word) for word in words]
    answers = [PUZZLE.encode("".join(sorted(word)) + "$") for word in words]
    return np.array(questions), np.array(answers)


def family(question, answer):
    """The same for all words of the same letters."""
    return answer.tobytes()


def breaks(questions, answers):
    """All cells of an answer that is not the sorted word."""
    wrong = np.zeros(answers.shape, bool)
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        word = "".join(sorted(PUZZLE.decode(question)))
        wrong[row] = (answer != PUZZLE.encode(word + "$")).any()
    return wrong


def augment(questions, answers, generator):
    """The letters of each word in another order: the answer stays."""
    order = torch.rand(questions.shape, generator=generator)
    order = torch.where(questions > 0, order, 2.0).argsort(1)  # padding stays at the end
    return questions.gather(1, order), answers


PUZZLE = Puzzle(
    "sorting", "_$" + LETTERS, (1, LONGEST + 1), "", make, family, augment, breaks, end="$"
)
