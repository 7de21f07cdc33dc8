"""The puzzle files of the course: short, right, and with weights that know something."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trm_lite.data import PuzzleSet
from trm_lite.evaluation import evaluate
from trm_lite.nets import load_weights
from trm_lite.puzzles import load_puzzle

FOLDER = Path(__file__).parents[2] / "notebooks" / "puzzles"
FILES = sorted(FOLDER.glob("*.py"))
TRAINED = sorted(FOLDER.glob("*.safetensors"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_short_and_does_what_it_says(path):
    assert len(path.read_text().splitlines()) < 100
    puzzle = load_puzzle(path)  # tries everything out
    assert f"[{path.name}]({path.name})" in (FOLDER / "README.md").read_text()
    questions, answers = puzzle.make(20, np.random.default_rng(0))
    assert not puzzle.broken(questions, answers).any()
    assert puzzle.broken(questions, np.roll(answers, 1, axis=0)).any()


def test_takuzus_symmetries_keep_the_family():
    puzzle = load_puzzle(FOLDER / "takuzu.py")
    questions, answers = (
        torch.from_numpy(part).long() for part in puzzle.make(8, np.random.default_rng(0))
    )
    shown = puzzle.augment(questions, answers, torch.Generator().manual_seed(0))
    assert not torch.equal(shown[1], answers)
    families = [
        [puzzle.family(None, row.numpy().astype(np.uint8)) for row in part]
        for part in (answers, shown[1])
    ]
    assert families[0] == families[1] and len(set(families[0])) > 1


@pytest.mark.parametrize("name", TRAINED)
def test_its_weights_find_valid_answers(name):
    by_name = {puzzle.name: puzzle for puzzle in map(load_puzzle, FILES)}
    puzzle = by_name[name.removesuffix("-trm")]
    parts = (part.astype(np.uint8) for part in puzzle.make(40, np.random.default_rng(7)))
    found = evaluate(shipped(name)[0], PuzzleSet.of(puzzle, *parts), steps=8, rules=True)
    assert found.valid.float().mean() > 0.2


def test_some_weights_are_there():
    assert "takuzu-6x6-trm" in TRAINED
