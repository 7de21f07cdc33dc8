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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_short_and_does_what_it_says(path):
    assert len(path.read_text().splitlines()) < 100
    puzzle = load_puzzle(path)  # tries everything out
    assert f"[{path.name}]({path.name})" in (FOLDER / "README.md").read_text()
    questions, answers = puzzle.make(20, np.random.default_rng(0))
    assert not puzzle.broken(questions, answers).any()
    assert puzzle.broken(questions, np.roll(answers, 1, axis=0)).any()


@pytest.mark.parametrize("name", ["takuzu", "sorting", "colouring"])
def test_symmetries_keep_the_family(name):
    """Otherwise a training example could turn into one of the test."""
    puzzle = load_puzzle(FOLDER / f"{name}.py")
    pairs = [torch.from_numpy(part).long() for part in puzzle.make(8, np.random.default_rng(0))]
    shown = puzzle.augment(*pairs, torch.Generator().manual_seed(0))
    assert not torch.equal(shown[0], pairs[0])
    families = [
        [puzzle.family(*pair) for pair in zip(*(part.numpy() for part in parts), strict=True)]
        for parts in (pairs, shown)
    ]
    assert families[0] == families[1] and len(set(families[0])) > 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_comes_with_the_weights_that_its_table_names(path):
    puzzle = load_puzzle(path)
    there = {path.stem for path in FOLDER.glob(f"{puzzle.name}-*.safetensors")}
    rows = () if puzzle.name.startswith("lights-out") else ("direct", "hrm-ema", "trm")
    assert there == {f"{puzzle.name}-{row}" for row in rows}


@pytest.mark.parametrize(
    ("name", "row", "steps", "at_least"),
    [("takuzu", "trm", 8, 0.3), ("sorting", "direct", 1, 0.4), ("colouring", "hrm-ema", 8, 0.5)],
)
def test_its_weights_find_valid_answers(name, row, steps, at_least):
    puzzle = load_puzzle(FOLDER / f"{name}.py")
    parts = (part.astype(np.uint8) for part in puzzle.make(40, np.random.default_rng(7)))
    network, _ = load_weights(FOLDER / f"{puzzle.name}-{row}.safetensors")
    found = evaluate(network, PuzzleSet.of(puzzle, *parts), steps=steps, rules=True)
    assert found.valid.float().mean() > at_least
