"""Graph colouring: three colours for six nodes, and no edge between two nodes of a colour.

A board is the matrix of a graph. Off its diagonal stands whether two nodes have an edge; on it
stands the colour of each node. Some colours are given, the others are to be found.
"""

from itertools import permutations

import numpy as np
import torch

from trm_lite.puzzles import Puzzle

NODES, GIVEN = 6, 2
BLANK, APART, EDGE, FIRST = 1, 2, 3, 4  # tokens; the colours are 4, 5 and 6
COLOURS = ("tab:orange", "tab:blue", "tab:green")
DIAGONAL = np.eye(NODES, dtype=bool)
ORDERS = np.array(list(permutations(range(NODES))))  # (720, 6)


def make(count, rng):
    """Colours first, then edges between most pairs of nodes whose colours differ."""
    colours = FIRST + rng.integers(len(COLOURS), size=(count, NODES))
    differ = colours[:, :, None] != colours[:, None]
    chosen = np.triu(rng.random(differ.shape) < 0.7, 1)
    edges = np.where(differ & (chosen | chosen.swapaxes(1, 2)), EDGE, APART)
    given = rng.random(colours.shape).argsort(1) < GIVEN
    questions = np.where(DIAGONAL, np.where(given, colours, BLANK)[:, None], edges)
    answers = np.where(DIAGONAL, colours[:, None], edges)
    return questions.reshape(count, -1), answers.reshape(count, -1)


def family(question, answer):
    """The same in every order of the nodes, and whatever the colours are called."""
    board = question.reshape(NODES, NODES)
    given = board.diagonal() >= FIRST
    plain = np.where(DIAGONAL, given, board)
    orders = plain[ORDERS[:, :, None], ORDERS[:, None]]  # (720, 6, 6)
    return len(set(board.diagonal()[given])), min(order.tobytes() for order in orders)


def breaks(questions, answers):
    """Changed cells, nodes without a colour, and nodes with a neighbour of their own colour."""
    boards = answers.reshape(-1, NODES, NODES)
    edges = questions.reshape(boards.shape) == EDGE
    colours = boards[:, DIAGONAL]
    clash = (edges & (colours[:, :, None] == colours[:, None])).any(2) | (colours < FIRST)
    changed = (questions != BLANK) & (questions != answers)
    return changed | (DIAGONAL & clash[:, None]).reshape(answers.shape)


def augment(questions, answers, generator):
    """The nodes of each graph in another order, and its colours exchanged."""
    boards = torch.stack((questions, answers), 1).view(-1, 2, NODES, NODES)
    order = torch.rand(len(boards), 1, NODES, generator=generator).argsort(-1).expand(-1, 2, -1)
    boards = boards.gather(2, order[..., None].expand_as(boards))
    boards = boards.gather(3, order[:, :, None].expand_as(boards))
    colours = FIRST + torch.rand(len(boards), len(COLOURS), generator=generator).argsort(-1)
    same = torch.arange(FIRST).expand(len(boards), -1)  # all other tokens stay
    renamed = torch.cat((same, colours), 1).gather(1, boards.flatten(1))
    return renamed.view(len(boards), 2, -1).unbind(1)


def draw(ax, tokens, marks):
    """The graph itself: nodes on a circle, wrong ones with a red rim."""
    board = tokens.reshape(NODES, NODES)
    angle = 2 * np.pi * np.arange(NODES) / NODES
    x, y = np.sin(angle), np.cos(angle)
    for one, other in np.argwhere(np.triu(board == EDGE, 1)):
        ax.plot(x[[one, other]], y[[one, other]], color="grey", lw=1, zorder=1)
    fill = [COLOURS[token - FIRST] if token >= FIRST else "white" for token in board.diagonal()]
    wrong = marks.wrong.reshape(NODES, NODES).diagonal()
    ax.scatter(x, y, s=90, c=fill, edgecolors=np.where(wrong, "red", "black"), zorder=2)
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    ax.axis("off")


PUZZLE = Puzzle("colouring", "_? #abc", (NODES, NODES), "?", make, family, augment, breaks, draw)
