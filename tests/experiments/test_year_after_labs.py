"""The labs of the year after: what they count, and what an interruption leaves behind."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trm_lite.puzzles import sudoku


@pytest.fixture
def labs(script, tmp_path, monkeypatch):
    """The script as a module, with no result yet and its file elsewhere."""
    module = script("year_after_labs")
    monkeypatch.setattr(module, "FILE", tmp_path / "labs.json")
    return module


def test_an_interrupted_training_is_no_result(labs, monkeypatch, tmp_path):
    finished = iter([True, False])
    trainer = SimpleNamespace(train=lambda: next(finished))
    monkeypatch.setattr(labs, "trainer_for", lambda *_, **__: trainer)

    def part():
        return {"right": labs.trained_in(tmp_path, None) is trainer}

    labs.once("lab", "first", part)
    with pytest.raises(SystemExit, match="Interrupted"):
        labs.once("lab", "second", part)
    assert json.loads(labs.FILE.read_text()) == {"lab": {"first": {"right": True}}}


def test_a_part_that_is_done_is_not_done_again(labs):
    for result in (1, 2):
        labs.once("lab", "part", lambda result=result: {"right": result})
    assert labs.RESULTS == {"lab": {"part": {"right": 1}}}


def test_the_chance_of_order_counts_pairs(labs):
    scores, right = torch.tensor([0.1, 0.4, 0.3, 0.9]), torch.tensor([False, True, False, True])
    assert labs.chance_of_order(scores, right) == 1.0
    assert labs.chance_of_order(-scores, right) == 0.0
    assert labs.chance_of_order(scores[[0, 2, 1, 3]], right) == 0.75
    assert labs.chance_of_order(scores, torch.ones(4, dtype=torch.bool)) is None


def test_latin_squares_of_size_four_are_all_counted(labs):
    assert labs.latin_squares(np.zeros((4, 4), int)) == 576


def test_the_guided_search_places_each_blank_once_if_its_order_is_right(labs):
    boards, solutions = sudoku.generate(1, 9, seed=3)
    right = np.eye(9)[solutions[0] - 1]
    blanks = int((boards[0] == 0).sum())
    assert labs.nodes(boards[0], right) == blanks <= labs.nodes(boards[0], -right)
