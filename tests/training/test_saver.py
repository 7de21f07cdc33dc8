"""Saving while training goes on: exact, rare enough, and never silent when it fails."""

import threading

import pytest
import torch

from trm_lite.common import UserError
from trm_lite.training import Trainer, saver
from trm_lite.training.run_folder import RunFolder
from trm_lite.training.saved_state import load_state, packed
from trm_lite.training.saver import Saver, snapshot


@pytest.fixture
def trainer(tiny, tiny_splits, tmp_path):
    return Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)


def test_what_is_saved_is_the_state_of_its_moment(trainer, tmp_path, monkeypatch):
    """Although steps are taken before the thread begins to write."""
    goes_on, save = threading.Event(), RunFolder.save_state
    monkeypatch.setattr(RunFolder, "save_state", lambda *it: goes_on.wait(30) and save(*it))
    trainer.step()
    now = trainer.state()
    weights, latents = now["model"]["head.weight"].clone(), now["latents"][0].clone()
    with trainer._saver() as writer:
        trainer._begin_saving(writer)
        assert not writer.due()
        for _ in range(2):
            trainer.step()
        assert not (tmp_path / "last.pt").exists()
        goes_on.set()
    saved = load_state(tmp_path / "last.pt")
    assert saved["steps_done"] == 1 and trainer.steps_done == 3
    assert torch.equal(saved["model"]["head.weight"], weights)
    assert torch.equal(saved["latents"][0], latents)
    assert not torch.equal(trainer.model.head.weight, weights)


@pytest.mark.parametrize(("waited", "written", "wait"), [(0.1, 0.2, 60), (3, 30, 3_300)])
def test_saves_come_less_often_the_more_they_cost(waited, written, wait, monkeypatch, tmp_path):
    clock = [1_000.0]
    monkeypatch.setattr(saver.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(Saver, "_write", lambda self, state: written)
    with Saver(tmp_path) as writer:
        writer.begin({}, waited)
        writer.writing.result()
        for passed, due in ((wait - 1, False), (wait + 1, True)):
            clock[0] = 1_000 + passed
            assert writer.due() is due
    with Saver(None) as nobody:
        assert not nobody.due()


def test_a_state_that_cannot_be_written_stops_the_run(trainer, monkeypatch):
    def full(*_):
        raise UserError("last.pt could not be written: No space left on device.")

    monkeypatch.setattr(RunFolder, "save_state", full)
    monkeypatch.setattr(saver, "LEAST_SECONDS", 0)
    with pytest.raises(UserError, match="No space left"):
        trainer.train(4)
    assert trainer.steps_done < 4


def test_memory_that_is_shared_is_saved_once(trainer):
    table = trainer.model.puzzle_embedding.table.new_ones(1 << 18)
    for network in (trainer.model, trainer.ema.module):
        network.puzzle_embedding.table = table
    copy = snapshot(trainer.state())
    ours, averaged = copy["model"], copy["ema"]
    name = "puzzle_embedding.table"
    assert ours[name] is averaged[f"module.{name}"] is not table
    assert table.nbytes < len(packed(copy)) < 1.5 * table.nbytes
