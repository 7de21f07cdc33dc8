"""A run's folder: of one experiment, of one process, and never damaged."""

import json
import os
import random

import pytest
import torch

from trm_lite.common import UserError, files
from trm_lite.training import Trainer, replace


def test_a_full_disk_at_a_look_loses_nothing(tiny, tiny_splits, tmp_path, monkeypatch):
    def trainer():
        return Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)

    first = trainer()
    first.train(5)
    before = (tmp_path / "metrics.jsonl").read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(UserError, match=r"metrics\.jsonl could not be written: No space left"):
            first.look(first.step())
    assert (tmp_path / "metrics.jsonl").read_text() == before
    assert not list(tmp_path.glob(".*.tmp"))
    second = trainer()
    assert second.steps_done == 5 and second.train()
    looks = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [look["step"] for look in looks] == [5, 10, 12]


def test_a_folder_belongs_to_one_experiment(tiny, tiny_splits, tmp_path):
    Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train(2)
    for changes, words in (
        ({"lr": 1.0}, "lr 0.002 and not 1.0"),
        ({"seed": 7}, "seed 0 and not 7"),
        ({"name": "other"}, "preset sudoku-6x6 and not other"),
        ({"hidden_size": 32}, "hidden_size 16 and not 32"),
        ({"puzzle_seed": 3}, "puzzle_seed 0 and not 3"),
    ):
        with pytest.raises(UserError, match=f"holds another run, with {words}"):
            Trainer(replace(tiny, **changes), folder=tmp_path, splits=tiny_splits, device="cpu")
    described = replace(tiny, about="in other words")
    assert Trainer(described, folder=tmp_path, splits=tiny_splits, device="cpu").steps_done == 2
    longer = replace(tiny, steps=50, eval_every=tiny.recipe.eval_every + 1)
    assert Trainer(longer, folder=tmp_path, splits=tiny_splits, device="cpu").steps_done == 2


@pytest.mark.parametrize("damage", ["truncated", "rubbish", "empty stack", "code"])
def test_a_damaged_checkpoint_is_reported_and_nothing_is_run(tiny, tiny_splits, tmp_path, damage):
    Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train(1)
    path, witness = tmp_path / "last.pt", tmp_path / "executed"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "rubbish":
        path.write_bytes(random.Random(0).randbytes(2000))
    elif damage == "empty stack":
        path.write_bytes(b"\x80\x020.")  # pops what is not there: an IndexError in the parser
    else:

        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(witness),)

        torch.save({"model": Evil()}, path)
    with pytest.raises(UserError, match=r"last\.pt"):
        Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu")
    assert not witness.exists()


def test_a_folder_in_use_is_left_alone(tiny, tiny_splits, tmp_path):
    first, second = (
        Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
        for _ in range(2)
    )
    with first.folder.in_use(), pytest.raises(UserError, match="Another process"):
        second.train(1)
    assert second.train(1)


def test_a_refused_process_changes_nothing_in_the_folder(tiny, tiny_splits, tmp_path):
    def trainer(preset):
        return Trainer(preset, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)

    running = trainer(tiny)
    running.train(5)
    with running.folder.in_use():
        running.look(running.step())  # a look that is not in last.pt yet
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(UserError, match="Another process"):
            trainer(replace(tiny, steps=50)).train()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert before["metrics.jsonl"].count(b"\n") == 2 and b'"steps": 12' in before["preset.json"]
