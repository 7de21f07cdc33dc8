"""Takuzu, 6x6: three 0 and three 1 in every row and column, and never three alike in a line.

Sixteen cells of a random full board are shown. That is few: many questions have several valid
answers, of which the label is just one. So ask for any valid answer as well as for an exact match.
"""

from itertools import product

import numpy as np
import torch

from trm_lite.puzzles import Puzzle

SIZE, CLUES = 6, 16
BLANK, ZERO, ONE = 1, 2, 3  # tokens; token 0 is padding


def three_alike(lines):
    """Where in lines (..., 6) a cell is one of three alike that follow each other."""
    found = np.zeros(lines.shape, bool)
    for start in range(lines.shape[-1] - 2):
        three = lines[..., start : start + 3]
        found[..., start : start + 3] |= (three == three[..., :1]).all(-1, keepdims=True)
    return found


def unbalanced(lines):
    """Which lines (..., 1) do not have as many 1 as 0."""
    return (lines == ONE).sum(-1, keepdims=True) != (lines == ZERO).sum(-1, keepdims=True)


def breaks(questions, answers):
    """Cells that change a clue, are blank, or stand in a line that breaks a rule."""
    wrong = (answers < ZERO) | ((questions != BLANK) & (questions != answers))
    rows = answers.reshape(-1, SIZE, SIZE)
    columns = rows.swapaxes(1, 2)
    in_rows = three_alike(rows) | unbalanced(rows)
    in_columns = (three_alike(columns) | unbalanced(columns)).swapaxes(1, 2)
    return wrong | (in_rows | in_columns).reshape(wrong.shape)


def full_boards():
    """All 11,222 full boards (N, 36): row is put under row as long as no column is hopeless."""
    rows = np.array(list(product((ZERO, ONE), repeat=SIZE)), np.uint8)
    rows = rows[~(three_alike(rows) | unbalanced(rows)).any(1)]  # 14 of 64 are left
    boards = np.zeros((1, 0, SIZE), np.uint8)
    for _ in range(SIZE):
        above, below = boards.repeat(len(rows), 0), np.tile(rows, (len(boards), 1))
        boards = np.concatenate([above, below[:, None]], axis=1)
        columns = boards.swapaxes(1, 2)
        crowded = np.maximum((columns == ZERO).sum(2), (columns == ONE).sum(2)) > SIZE // 2
        boards = boards[~(three_alike(columns).any(2) | crowded).any(1)]
    return boards.reshape(-1, SIZE * SIZE)


BOARDS = full_boards()


def make(count, rng):
    """Random full boards, and of each a random part."""
    answers = BOARDS[rng.integers(len(BOARDS), size=count)]
    order = rng.random(answers.shape).argsort(1)
    return np.where(order < CLUES, answers, BLANK), answers


def family(question, answer):
    """The same for all answers that become one another by turning, mirroring, swapping digits."""
    board = answer.reshape(SIZE, SIZE)
    turned = [np.rot90(side, quarter) for side in (board, board.T) for quarter in range(4)]
    return min(twin.tobytes() for twin in turned + [ZERO + ONE - twin for twin in turned])


def augment(questions, answers, generator):
    """Each example mirrored, turned, and with its digits swapped, at random."""
    boards = torch.stack((questions, answers), 1).view(-1, 2, SIZE, SIZE)

    def half():
        return torch.rand(len(boards), 1, 1, 1, generator=generator) < 0.5

    boards = torch.where(half(), boards.flip(2), boards)
    boards = torch.where(half(), boards.flip(3), boards)
    boards = torch.where(half(), boards.transpose(2, 3), boards)
    boards = torch.where(half() & (boards != BLANK), ZERO + ONE - boards, boards)
    return boards.flatten(2).unbind(1)


PUZZLE = Puzzle("takuzu-6x6", "_.01", (SIZE, SIZE), ".", make, family, augment, breaks)
