"""Puzzle sets: splits that share nothing, batches, and the cache on disk."""

import hashlib

import numpy as np
import pytest
import torch

from trm_lite.common import UserError
from trm_lite.data import IGNORE, Batch, Deck, PuzzleSet, SudokuData
from trm_lite.data import sudokus as generated
from trm_lite.data.dataset import with_hints
from trm_lite.data.families import assign
from trm_lite.puzzles import sudoku


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path))


def forms(puzzles):
    boards, solutions = (sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))
    return [sudoku.canonical_form(*pair) for pair in zip(boards, solutions, strict=True)]


def content(splits):
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.inputs.numpy().tobytes() + split.labels.numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        (SudokuData(), "e18937fc5e33e6f6"),
        (
            SudokuData(9, ("40-blanks", "minimal"), train=60, validation=6, test=20),
            "23be59d2aa5fabe2",
        ),
    ],
)
def test_trained_weights_can_rely_on_the_splits(data, hashed):
    """Weights are tested on what they were not trained on only while these stay the same."""
    assert content(data.build()) == hashed


def test_seeds_choose_the_puzzles(monkeypatch, tmp_path):
    data = SudokuData(train=20, validation=5, test=5)
    made = content(data.build())
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "another"))
    assert content(data.build()) == made
    assert content(SudokuData(train=20, validation=5, test=5, puzzle_seed=1).build()) != made


def test_no_puzzle_has_a_twin_in_any_split():
    splits = SudokuData(size=4, kinds=("6-blanks",), train=60, validation=20, test=20).build()
    assert [len(split) for split in splits] == [60, 20, 20]
    everything = [form for split in splits for form in forms(split)]
    assert len(set(everything)) == 100


def test_kinds_come_in_equal_parts_in_every_split():
    splits = SudokuData(kinds=("10-blanks", "20-blanks"), train=40, validation=10, test=10).build()
    for split in splits:
        blanks = (split.inputs == sudoku.BLANK).sum(1)
        assert (blanks == 10).sum() == (blanks == 20).sum() == len(split) // 2


def test_relatives_stay_in_one_split():
    rows, families = np.arange(9), np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    filled = assign(rows, families, {"train": 3, "validation": 2, "test": 2})
    assert {name: len(chosen) for name, chosen in filled.items()} == {
        "train": 3, "validation": 2, "test": 2,
    }  # fmt: skip
    homes = [set(families[chosen]) for chosen in filled.values()]
    assert not (homes[0] & homes[1] or homes[0] & homes[2] or homes[1] & homes[2])


def test_evolved_puzzles_are_hard_and_unrelated(monkeypatch):
    monkeypatch.setattr(generated, "EVOLUTION_ROUNDS", 2)
    evolve, founder = generated._evolve, {}

    def watched(count, seed):
        kind = evolve(count, seed)
        founder.update(zip((p.tobytes() for p in kind.puzzles), kind.families, strict=True))
        return kind

    monkeypatch.setattr(generated, "_evolve", watched)
    splits = SudokuData(size=9, kinds=("evolved",), train=30, validation=10, test=10).build()
    assert [len(split) for split in splits] == [30, 10, 10]
    boards = [sudoku.from_tokens(split.inputs.numpy()) for split in splits]
    families = [[founder[puzzle.tobytes()] for puzzle in split] for split in boards]
    assert all(len(set(split)) < len(split) for split in families)  # relatives there are
    assert len(set().union(*families)) == sum(len(set(split)) for split in families)
    assert len({form for split in splits for form in forms(split)}) == 50
    beside = np.mean([a == b for a, b in zip(families[0], families[0][1:], strict=False)])
    assert beside < 0.2  # so that the first few puzzles of a split are no single family
    plain = sudoku.rate(sudoku.generate(20, 9, seed=0)[0]).guesses.mean()
    assert sudoku.rate(boards[2]).guesses.mean() > 2 * plain


def test_evolved_puzzles_mix_with_other_kinds(monkeypatch):
    monkeypatch.setattr(generated, "EVOLUTION_ROUNDS", 1)
    splits = SudokuData(9, ("20-blanks", "evolved"), train=10, validation=4, test=4).build()
    for split in splits:
        blanks = (split.inputs == sudoku.BLANK).sum(1)
        assert (blanks[0::2] == 20).all() and (blanks[1::2] > 45).all()


def test_what_was_made_once_is_read_from_the_cache(tmp_path, monkeypatch):
    data = SudokuData(train=6, validation=2, test=2)
    first = data.build()
    monkeypatch.setattr(generated, "_generate", None)  # would fail if it were called
    again = data.build()
    assert torch.equal(first.train.inputs, again.train.inputs)


def test_a_damaged_file_in_the_cache_is_named(tmp_path):
    data = SudokuData(train=6, validation=2, test=2)
    data.build()
    (file,) = tmp_path.glob("*.npz")
    good = file.read_bytes()
    flipped = bytearray(good)
    flipped[100] ^= 255  # inside the first array
    for content in (b"", good[:50], good[:-30], bytes(flipped), b"no puzzles at all"):
        file.write_bytes(content)
        with pytest.raises(UserError, match=f"{file.name} is damaged .*; delete it"):
            data.build()
    np.savez(file, train=np.zeros(3))
    with pytest.raises(UserError, match="is damaged"):
        data.build()
    file.unlink()
    assert len(data.build().train) == 6


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="TRM_LITE_CACHE"):
        SudokuData(train=2, validation=1, test=1).build()


def rows_of(count, **starts):
    cells = torch.zeros(count, 4, dtype=torch.uint8)
    return PuzzleSet(cells, cells, torch.zeros(count, dtype=torch.long), **starts)


def test_a_shuffled_deck_deals_every_row_once_per_epoch():
    deck = Deck(rows_of(10), batch_size=4, seed=3)
    dealt = torch.cat([deck.rows(step) for step in range(5)])
    assert dealt[:10].sort().values.tolist() == dealt[10:].sort().values.tolist() == list(range(10))
    assert dealt[:10].tolist() != dealt[10:].tolist()
    assert torch.equal(Deck(rows_of(10), 4, 3).rows(4), deck.rows(4))  # resumes anywhere
    assert not torch.equal(Deck(rows_of(10), 4, 4).rows(0), deck.rows(0))


def test_a_deck_deals_one_puzzle_of_every_group_per_epoch():
    # Group 0: puzzles of rows 0-2 and 3-5. Group 1: rows 6, 7 and 8.
    puzzles = rows_of(
        9,
        puzzle_starts=torch.tensor([0, 3, 6, 7, 8, 9]),
        group_starts=torch.tensor([0, 2, 5]),
    )
    deck = Deck(puzzles, batch_size=4, seed=0)
    assert deck.epoch_length == 4
    epochs = [tuple(sorted(deck.rows(step).tolist())) for step in range(60)]
    assert set(epochs) == {
        (*task, single) for task in ((0, 1, 2), (3, 4, 5)) for single in (6, 7, 8)
    }
    assert len({tuple(deck.rows(step).tolist()) for step in range(60)}) > 20  # in any order
    assert torch.equal(Deck(puzzles, 4, 0).rows(7), deck.rows(7))


def test_batches_are_augmented_only_when_asked():
    train = SudokuData(train=20, validation=2, test=2).build().train
    plain = train.batch(torch.arange(5))
    assert torch.equal(plain.inputs, train.inputs[:5].long())
    turned = train.batch(torch.arange(5), torch.Generator().manual_seed(0))
    assert not torch.equal(turned.inputs, plain.inputs)
    twins = [sudoku.from_tokens(t.numpy()) for t in (turned.inputs, turned.labels)]
    assert sudoku.is_solution(*twins).all()
    train.labels[0, :3] = 0  # padding is not graded
    assert (train.batch(torch.tensor([0])).labels[0, :3] == IGNORE).all()
    assert (train.batch(torch.tensor([0])).labels[0, 3:] != IGNORE).all()
    first = train.first(7)
    assert len(first) == 7 and torch.equal(first.inputs, train.inputs[:7])
    assert first.augment is train.augment and len(train.first(99)) == 20


def test_hints_tell_right_cells_in_a_share_of_the_puzzles():
    labels = torch.randint(2, 8, (2_000, 36))
    labels[:, -1] = IGNORE
    batch = Batch(torch.ones_like(labels), labels, torch.zeros(2_000, dtype=torch.long))
    hinted = with_hints(batch, 0.25, torch.Generator().manual_seed(0))
    told = hinted.inputs != 1
    assert (hinted.inputs == labels)[told].all()
    assert not told[:, -1].any()  # what is not graded is not told either
    assert 0.2 < told.any(-1).float().mean() < 0.26
    assert 0.11 < told[:, :-1].float().mean() < 0.14  # half of the cells, in a quarter of them
    assert hinted.labels is labels
    again = with_hints(batch, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(again.inputs, hinted.inputs)
    few = with_hints(batch, 1.0, torch.Generator().manual_seed(0), most=0.2).inputs != 1
    assert 0.09 < few[:, :-1].float().mean() < 0.11 and few.float().mean(1).max() < 0.5


def test_unknown_kinds_and_too_many_puzzles_are_refused():
    with pytest.raises(UserError, match="no kind 'evolved' of 6x6 Sudoku"):
        SudokuData(kinds=("evolved",), train=2, validation=1, test=1).build()
    with pytest.raises(UserError, match="no kind 'hard' of 9x9 Sudoku"):
        SudokuData(9, kinds=("hard",), train=2, validation=1, test=1).build()
    for senseless in ({"kinds": ()}, {"train": -1}):
        with pytest.raises(UserError, match="at least one kind"):
            SudokuData(**senseless).build()
    with pytest.raises(UserError, match="ask for fewer"):
        SudokuData(size=4, kinds=("1-blanks",), train=100, validation=1, test=1).build()
