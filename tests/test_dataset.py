"""Puzzle sets: splits that share nothing, batches, and the cache on disk."""

import numpy as np
import pytest
import torch

from trm_lite.errors import UserError
from trm_lite.puzzles import dataset, sudoku
from trm_lite.puzzles.dataset import IGNORE, SudokuData, build


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path))


def forms(puzzles):
    boards, solutions = (sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))
    return [sudoku.canonical_form(*pair) for pair in zip(boards, solutions, strict=True)]


def test_no_puzzle_has_a_twin_in_any_split():
    splits = build(SudokuData(size=4, kinds=("6-blanks",), train=60, validation=20, test=20))
    assert [len(split) for split in splits] == [60, 20, 20]
    everything = [form for split in splits for form in forms(split)]
    assert len(set(everything)) == 100


def test_kinds_come_in_equal_parts_in_every_split():
    splits = build(SudokuData(kinds=("10-blanks", "20-blanks"), train=40, validation=10, test=10))
    for split in splits:
        blanks = (split.inputs == sudoku.BLANK).sum(1)
        assert (blanks == 10).sum() == (blanks == 20).sum() == len(split) // 2


def test_relatives_stay_in_one_split():
    rows, families = np.arange(9), np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    filled = dataset._assign(rows, families, {"train": 3, "validation": 2, "test": 2})
    assert {name: len(chosen) for name, chosen in filled.items()} == {
        "train": 3, "validation": 2, "test": 2,
    }  # fmt: skip
    homes = [set(families[chosen]) for chosen in filled.values()]
    assert not (homes[0] & homes[1] or homes[0] & homes[2] or homes[1] & homes[2])


def test_evolved_puzzles_are_hard_and_unrelated(monkeypatch):
    monkeypatch.setattr(dataset, "EVOLUTION_ROUNDS", 2)
    splits = build(SudokuData(size=9, kinds=("evolved",), train=12, validation=4, test=4))
    assert [len(split) for split in splits] == [12, 4, 4]
    plain = sudoku.rate(sudoku.generate(20, 9, seed=0)[0]).guesses.mean()
    assert sudoku.rate(sudoku.from_tokens(splits.test.inputs.numpy())).guesses.mean() > plain


def test_what_was_made_once_is_read_from_the_cache(tmp_path, monkeypatch):
    data = SudokuData(train=6, validation=2, test=2)
    first = build(data)
    monkeypatch.setattr(dataset, "_generate", None)  # would fail if it were called
    again = build(data)
    assert torch.equal(first.train.inputs, again.train.inputs)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(UserError, match="is damaged"):
        build(data)


def test_batches_are_augmented_only_when_asked():
    train = build(SudokuData(train=20, validation=2, test=2)).train
    plain = train.batch(torch.arange(5))
    assert torch.equal(plain.inputs, train.inputs[:5].long())
    turned = train.batch(torch.arange(5), torch.Generator().manual_seed(0))
    assert not torch.equal(turned.inputs, plain.inputs)
    twins = [sudoku.from_tokens(t.numpy()) for t in (turned.inputs, turned.labels)]
    assert sudoku.is_solution(*twins).all()
    train.labels[0, :3] = 0  # padding is not graded
    assert (train.batch(torch.tensor([0])).labels[0, :3] == IGNORE).all()
    assert len(train.first(7)) == 7


def test_unknown_kinds_and_too_many_puzzles_are_refused():
    with pytest.raises(UserError, match="no kind of 6x6 Sudoku"):
        build(SudokuData(kinds=("evolved",), train=2, validation=1, test=1))
    with pytest.raises(UserError, match="ask for fewer"):
        build(SudokuData(size=4, kinds=("1-blanks",), train=100, validation=1, test=1))
