"""The three puzzle files of lesson 12 differ in what training shows, and in nothing else."""

from pathlib import Path

import numpy as np
import torch

from trm_lite.puzzles import load_puzzle, maze

FOLDER = Path(__file__).parents[2] / "assets" / "puzzles"


def test_turned_labels_are_valid_and_those_answered_anew_follow_the_rule():
    names = ("open_mazes", "open_mazes_turned", "open_mazes_answered_anew")
    plain, turned, anew = (load_puzzle(FOLDER / f"{name}.py") for name in names)
    made = [puzzle.make(40, np.random.default_rng(0)) for puzzle in (plain, turned, anew)]
    assert all(np.array_equal(made[0], other) for other in made[1:])
    assert plain.augment is None

    follow = {}
    for puzzle in (turned, anew):
        generator = torch.Generator().manual_seed(0)
        shown = puzzle.augment(*map(torch.from_numpy, made[0]), generator)
        questions, answers = (part.numpy() for part in shown)
        assert maze.is_shortest_path(questions, answers).all()
        by_rule = np.stack([maze.shortest_path(cells) for cells in questions])
        follow[puzzle] = (by_rule == answers).all(1).mean()
    assert follow[turned] < 0.9 and follow[anew] == 1
