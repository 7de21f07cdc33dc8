"""The controls of lessons 04 and 05, whose results are in assets/results/recurrence.json."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "assets" / "results"


@pytest.fixture
def recurrence(script, monkeypatch):
    module = script("recurrence")
    monkeypatch.setattr(module, "compiled", lambda function: function)  # which takes half a minute
    return module


def test_the_command_makes_what_is_stored(recurrence, tmp_path):
    steps = dict.fromkeys(recurrence.STEPS, 3)
    recurrence.main(tmp_path, steps=steps, seeds=1, test=4)
    made = json.loads((tmp_path / "recurrence.json").read_text())
    stored = json.loads((RESULTS / "recurrence.json").read_text())
    assert made.keys() == stored.keys()
    for name, (run,) in made.items():
        assert run.keys() == stored[name][0].keys()
        assert [run["steps"] for run in stored[name]] == [recurrence.STEPS[name]] * 3
    begun = {name: run["fresh_puzzles"] for name, (run,) in made.items()}
    # Nothing is right within three steps, so a slot that keeps its puzzle has begun one.
    assert begun == {recurrence.UNTIED: 96, recurrence.SUPERVISED: 32, recurrence.FEW: 15}


def test_few_puzzles_are_at_least_about_as_many_as_with_deep_supervision(recurrence):
    stored = json.loads((RESULTS / "recurrence.json").read_text())
    for many, few in zip(stored[recurrence.SUPERVISED], stored[recurrence.FEW], strict=True):
        assert few["fresh_puzzles"] >= 0.95 * many["fresh_puzzles"]
