"""Benchmarks on disk: whole or not there, memory-mapped, never another one by mistake."""

import json

import numpy as np
import pytest
import torch

from trm_lite.common import UserError
from trm_lite.data import BuiltData
from trm_lite.data.folder import (
    Arrays,
    append_to_split,
    new_folder,
    plain,
    read_split,
    write_split,
)
from trm_lite.puzzles import sudoku

ABOUT = {"puzzle": "sudoku", "vocab_size": 6, "seq_len": 16}


@pytest.fixture
def boards():
    return [sudoku.to_tokens(boards) for boards in sudoku.generate(12, 4, seed=0)]


@pytest.fixture
def data(tmp_path, boards):
    with new_folder(tmp_path / "small", ABOUT) as folder:
        write_split(folder / "train", plain(*(part[:8] for part in boards)))
        write_split(folder / "test", plain(*(part[8:] for part in boards)))
    return BuiltData("small", str(tmp_path / "small"), vocab_size=6, seq_len=16, validation=2)


def test_what_is_written_is_read(data, boards):
    train, validation, test = data.build()
    assert np.array_equal(train.inputs, boards[0][:8])
    assert np.array_equal(test.labels, boards[1][8:])
    assert len(validation) == 2
    assert all((test.inputs == row).all(1).any() for row in validation.inputs)
    assert train.group_starts.tolist() == list(range(9))
    assert not list(data.path.parent.glob(".*"))


def test_a_split_can_grow_bit_by_bit(tmp_path, boards):
    whole = plain(*boards)
    small = {name: array for name, array in whole._asdict().items() if name.startswith(("p", "g"))}
    with append_to_split(tmp_path / "grown", 16, **small) as append:
        for rows in (slice(0, 5), slice(5, 12)):
            append(*(part[rows] for part in boards))
    for ours, other in zip(read_split(tmp_path / "grown"), whole, strict=True):
        assert ours.dtype == other.dtype and np.array_equal(ours, other)
    with (
        pytest.raises(ValueError, match="5 examples were appended"),
        append_to_split(tmp_path / "half", 16, **small) as append,
    ):
        append(*(part[:5] for part in boards))


def test_symmetries_are_drawn_or_not(data):
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(8)
    train = data.build().train
    plain_batch, drawn = train.batch(rows), train.batch(rows, generator)
    assert not torch.equal(plain_batch.inputs, drawn.inputs)
    solutions = sudoku.from_tokens(drawn.labels.numpy())
    assert sudoku.is_solution(sudoku.from_tokens(drawn.inputs.numpy()), solutions).all()
    still = BuiltData("small", data.folder, vocab_size=6, seq_len=16, symmetries=False)
    assert torch.equal(still.build().train.batch(rows, generator).inputs, plain_batch.inputs)


def test_identifiers_belong_to_puzzles_of_several_examples(tmp_path):
    cells = np.ones((5, 4), np.uint8)
    starts = np.array([0, 2, 5], np.int32), np.array([0, 2], np.int32)
    with new_folder(tmp_path / "arc", {"puzzle": "arc", "vocab_size": 12, "seq_len": 4}) as folder:
        for name in ("train", "test"):
            arrays = Arrays(cells, cells, np.array([7, 8], np.int32), *starts)
            write_split(folder / name, arrays)
    train = BuiltData("arc", str(tmp_path / "arc"), vocab_size=12, seq_len=4).build().train
    assert train.puzzle_ids.tolist() == [7, 7, 8, 8, 8]
    assert train.batch(torch.tensor([1, 4])).puzzle_ids.tolist() == [7, 8]


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "half", ABOUT) as folder:
        (folder / "inputs.npy").write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    with (
        pytest.raises(UserError, match="No space left"),
        new_folder(tmp_path / "data" / "full", ABOUT),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []  # nor the folder data, which was made for it


def test_a_failure_leaves_what_others_have_made_meanwhile(tmp_path):
    with pytest.raises(UserError), new_folder(tmp_path / "data" / "full", ABOUT):
        (tmp_path / "data" / "other").mkdir()
        raise UserError("no more")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["other"]


def test_nothing_is_overwritten(data):
    with pytest.raises(UserError, match="exists already"), new_folder(data.path, ABOUT):
        pass
    assert data.build()


def test_what_is_missing_damaged_or_another_benchmarks(data):
    with pytest.raises(UserError, match="trm-lite data nowhere"):
        BuiltData("nowhere", str(data.path.parent / "nowhere")).build()
    with pytest.raises(UserError, match="puzzles of 16 cells and 6 tokens"):
        BuiltData("small", data.folder).build()
    file = data.path / "train" / "labels.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(UserError, match="damaged"):
        data.build()
    file.write_bytes(whole)
    np.save(data.path / "train" / "puzzle_indices.npy", np.arange(4))
    with pytest.raises(UserError, match="do not fit together"):
        read_split(data.path / "train")
    (data.path / "about.json").write_text(json.dumps([1]))
    with pytest.raises(UserError, match=r"about\.json is damaged"):
        data.build()


def test_arrays_that_are_no_boards_of_the_puzzle_are_told(data, boards):
    labels = data.path / "train" / "labels.npy"
    for wrong, words in (
        (boards[1][:8] * 0, r"answers\[0\] is token 0 in all cells"),
        (boards[1][:8] + 9, r"holds token 14, but the tokens of 'sudoku-4x4' are 0 to 5"),
    ):
        np.save(labels, wrong)
        with pytest.raises(UserError, match=words):
            data.build()
    for name in ("inputs", "labels"):
        np.save(data.path / "train" / f"{name}.npy", boards[0][:8, :15])
    with pytest.raises(UserError, match="have 15 cells, but those of 'sudoku-4x4' have 16"):
        data.build()
    about = json.loads((data.path / "about.json").read_text())
    del about["puzzle"]
    (data.path / "about.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"about\.json is damaged"):
        data.puzzle  # noqa: B018


def test_a_folder_of_an_earlier_version_has_its_puzzle(data):
    assert data.puzzle_name == "sudoku-4x4" and data.build().train.puzzle is data.puzzle
    assert data.build().train.augment is data.puzzle.augment
