"""Six queens that do not attack each other, some of which are given: many answers are valid."""

import numpy as np
import torch

from trm_lite.puzzles import Puzzle

N, BLANK, NONE, QUEEN = 6, 1, 2, 3
ROW, COLUMN = np.indices((N, N))
LINES = [(line.reshape(-1, 1) == line.ravel()).astype(int)
         for line in (ROW, COLUMN, ROW + COLUMN, ROW - COLUMN)]  # fmt: skip
PLACES = np.array([[1, 3, 5, 0, 2, 4], [2, 5, 1, 4, 0, 3], [3, 0, 4, 1, 5, 2], [4, 2, 0, 5, 3, 1]])


def make(count, rng):
    """A random solution, of which a random part is shown."""
    columns = PLACES[rng.integers(len(PLACES), size=count)]
    answers = np.where(np.arange(N) == columns[..., None], QUEEN, NONE).reshape(count, N * N)
    return np.where(rng.random(answers.shape) < 0.8, BLANK, answers), answers


def breaks(questions, answers):
    """Changed cells, blanks, and rows, columns and diagonals with too few or too many queens."""
    wrong = ((questions != BLANK) & (questions != answers)) | (answers < NONE)
    queens = (answers == QUEEN).astype(int)
    for same in LINES:
        wrong |= (queens @ same > 1) & (answers == QUEEN)
    return wrong | (queens @ LINES[0] == 0)


def augment(questions, answers, generator):
    """Mirror every board, or none, from left to right."""
    if torch.rand(1, generator=generator) < 0.5:
        return questions, answers
    return [part.view(-1, N, N).flip(2).reshape(-1, N * N) for part in (questions, answers)]


def draw(ax, tokens, marks):
    """Queens as dots, wrong ones in red."""
    queens = tokens == QUEEN
    colours = np.where(marks.wrong[queens], "red", "black")
    ax.scatter(COLUMN.ravel()[queens], ROW.ravel()[queens], c=colours)
    ax.set(xlim=(-0.5, N - 0.5), ylim=(N - 0.5, -0.5), aspect="equal")


PUZZLE = Puzzle("queens", "_?.Q", (N, N), "?", make, augment=augment, breaks=breaks, draw=draw)
