"""A run's folder: of one experiment, of one process, and never damaged."""

import copy
import json
import os
import random

import pytest
import torch

from trm_lite.common import UserError, files
from trm_lite.training import Trainer, replace
from trm_lite.training.saved_state import keep, load_state, packed


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


# --- the saved state ----------------------------------------------------------------------


def small_state(step=1):
    return {"steps_done": step, "weight": torch.arange(6.0)}


def test_every_flipped_bit_is_found(tmp_path):
    content = packed(small_state())
    path = tmp_path / "last.pt"
    for bit in range(0, 8 * len(content), 23):  # all parts of the file and all places in a byte
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=r"last\.pt is damaged .*; delete it to start afresh"):
            load_state(path)
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match="its end is missing"):
        load_state(path)
    path.write_bytes(content)
    assert torch.equal(load_state(path)["weight"], torch.arange(6.0))


def test_files_of_earlier_versions_have_no_checksum(tmp_path):
    path = tmp_path / "last.pt"
    torch.save(small_state(), path)
    assert load_state(path)["steps_done"] == 1
    content = path.read_bytes()
    number = content.index(torch.arange(6.0).numpy().tobytes())
    path.write_bytes(content[: number + 6] + b"!" + content[number + 7 :])
    assert not torch.equal(torch.load(path)["weight"], torch.arange(6.0))  # PyTorch takes it
    with pytest.raises(UserError, match=r"last\.pt is damaged \(the checksum of a part is wrong\)"):
        load_state(path)


@pytest.mark.parametrize("links", [True, False])
def test_the_state_before_the_last_is_kept(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(files.os, "link", lambda *_: files.os.stat(tmp_path / "none"))
    path, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    for step in (1, 2, 30):
        keep(packed(small_state(step)), path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["last.pt", "previous.pt"]
    assert (load_state(path)["steps_done"], load_state(previous)["steps_done"]) == (30, 2)

    path.write_bytes(path.read_bytes()[:-9])
    way = r"to go on from the state before it, of step 2, rename previous\.pt .* to last\.pt"
    with pytest.raises(UserError, match=way):
        load_state(path)
    previous.write_bytes(b"x")
    with pytest.raises(UserError, match=r"previous\.pt cannot be used either, so delete both"):
        load_state(path)


def test_a_run_goes_on_from_its_previous_state_if_asked_to(tiny, tiny_splits, tmp_path):
    def trainer():
        return Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)

    trainer().train(5)
    trainer().train()
    last, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    whole = load_state(last)["model"]
    last.unlink()
    with pytest.raises(UserError, match=r"last\.pt is missing; to go on .* of step 5, rename"):
        trainer()
    previous.rename(last)
    (tmp_path / ".last.pt.123.tmp").write_bytes(b"half")  # by a process that was killed
    again = trainer()
    assert again.steps_done == 5 and again.train()
    assert all(
        torch.equal(tensor, whole[name]) for name, tensor in again.model.state_dict().items()
    )
    assert not list(tmp_path.glob(".*.tmp"))


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


def with_moment(state, number, moments):
    saved = copy.deepcopy(state["optimizer"])
    saved["state"][number] = moments
    return state | {"optimizer": saved}


OTHER_CONTENT = {
    "a list": (lambda s: [1, 2], "holds a list and not the state of a run"),
    "nothing": (lambda s: {}, "state lacks 'batch'"),
    "no model": (lambda s: without(s, "model"), "state lacks 'model'"),
    "model": (lambda s: s | {"model": 3}, r"state\['model'\] is not a dictionary"),
    "shapes": (lambda s: s | {"model": {n: t[:1] for n, t in s["model"].items()}}, "and not float"),
    "a type": (
        lambda s: s | {"halted": s["halted"].float()},
        r"float32 \(8,\) and not bool \(8,\)",
    ),
    "no tensor": (lambda s: s | {"slot_steps": 5}, "is not a tensor"),
    "batch": (lambda s: s | {"batch": s["batch"][:2]}, "is not a tuple of 3"),
    "steps": (lambda s: s | {"steps_done": "five"}, "is not a number"),
    "before the start": (lambda s: s | {"steps_done": -5}, "history makes no sense"),
    "random": (lambda s: s | {"random": torch.zeros_like(s["random"])}, "not one of this run"),
    "history": (lambda s: s | {"history": "nonsense"}, "is not a list"),
    "looks": (lambda s: s | {"history": ["nonsense"]}, "history makes no sense"),
    "half a look": (lambda s: s | {"history": [{"step": 5}]}, "history makes no sense"),
    "groups": (
        lambda s: s | {"optimizer": {"state": {}, "param_groups": []}},
        "not one of this run",
    ),
    "moment": (lambda s: with_moment(s, 0, {"m": torch.ones(3)}), "lacks 'v'"),
    "number": (lambda s: with_moment(s, "x", {}), "has moments of 'x'"),
}


@pytest.fixture(scope="module")
def begun(tiny, tiny_splits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    Trainer(tiny, folder=folder, splits=tiny_splits, device="cpu", progress=False).train(1)
    return folder


@pytest.mark.parametrize("content", OTHER_CONTENT)
def test_other_content_is_one_sentence(tiny, tiny_splits, begun, content):
    change, words = OTHER_CONTENT[content]
    path = begun / "last.pt"
    whole = path.read_bytes()
    try:
        path.write_bytes(packed(change(load_state(path))))
        with pytest.raises(UserError, match=words) as refused:
            Trainer(tiny, folder=begun, splits=tiny_splits, device="cpu", progress=False)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    finally:
        path.write_bytes(whole)


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
