"""The trainer: it learns, it stops when asked, and it goes on exactly where it was."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from shared_settings import TINY

from trm_lite.common import UserError, device, files
from trm_lite.data import Deck
from trm_lite.data.official_deck import OfficialDeck
from trm_lite.evaluation import evaluate
from trm_lite.experiments import PRESETS, get_preset
from trm_lite.nets import load_weights, save_weights, shipped
from trm_lite.training import Trainer, replace
from trm_lite.training.optim import schedule
from trm_lite.training.recipe import from_dict
from trm_lite.training.run_folder import load_state
from trm_lite.training.trainer import weights_for

# Trains the preset of `tiny` (conftest.py) in a folder, saving after every step.
CHILD = f"""
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from trm_lite.experiments import get_preset
import trm_lite.training.trainer as trainer
from trm_lite.training import replace
trainer.SAVE_EVERY_SECONDS = 0
preset = replace(get_preset("sudoku-6x6"), **{TINY}, steps=200, eval_every=25)
run = trainer.Trainer(preset, folder=Path(sys.argv[1]), device="cpu", progress=False)
print("ready", run.steps_done, flush=True)
sys.exit(0 if run.train() else 3)
"""


def start(folder) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline().startswith("ready")
    return child


def assert_same(left, right):
    """Bit for bit, through any nesting."""
    assert type(left) is type(right)
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left.keys() - {"seconds"}:  # the only thing that a clock decides
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for pair in zip(left, right, strict=True):
            assert_same(*pair)
    else:
        assert left == right


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert start(folder).wait() == 0
    return folder


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_stopped_at_random_moments_ends_bit_identical(uninterrupted, tmp_path, how):
    folder, moments = tmp_path / "run", random.Random(int(how))
    interruptions = 0
    for _ in range(2):
        child = start(folder)
        time.sleep(moments.uniform(0.2, 0.8))
        child.send_signal(how)
        status = child.wait()
        interruptions += status in (3, -how)
        if how != signal.SIGKILL:
            assert status in (0, 3), "asked politely, it saves and says so"
    assert interruptions > 0, "the run was over before it could be interrupted"
    assert start(folder).wait() == 0
    assert_same(load_state(folder / "last.pt"), load_state(uninterrupted / "last.pt"))
    looks = [
        [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (folder, uninterrupted)
    ]
    assert looks[0] == looks[1] == list(range(25, 201, 25))


@pytest.mark.parametrize("official_epochs", [0, 2])
def test_resuming_in_process_equals_going_on(tiny, tiny_splits, tmp_path, official_epochs):
    tiny = replace(tiny, official_epochs=official_epochs)
    whole = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    assert isinstance(whole.deck, OfficialDeck if official_epochs else Deck)
    whole.train()
    first = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    first.train(5)  # a moment at which it looks anyway
    second = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    assert second.steps_done == 5
    second.train()
    assert_same(second.state(), whole.state())


def test_the_seed_decides_everything(tiny, tiny_splits):
    def weights(seed):
        preset = replace(tiny, seed=seed, steps=3)
        trainer = Trainer(preset, splits=tiny_splits, device="cpu", progress=False)
        trainer.train()
        return trainer.model.state_dict()

    assert_same(weights(0), weights(0))
    assert not torch.equal(weights(0)["head.weight"], weights(1)["head.weight"])


def test_it_learns_small_boards():
    """4x4 boards with 6 blanks, from nothing to most of the unseen ones in seconds."""
    preset = replace(
        get_preset("sudoku-6x6"),
        size=4,
        vocab_size=6,
        seq_len=16,
        kinds=("6-blanks",),
        train=100,
        validation=50,
        test=50,
        hidden_size=32,
        steps=250,
        ema_rate=0.97,
        eval_every=250,
    )
    trainer = Trainer(preset, device="cpu", progress=False)
    before = evaluate(trainer.ema.module, trainer.splits.test).exact().value
    trainer.train()
    after = evaluate(trainer.ema.module, trainer.splits.test).exact().value
    assert before < 0.1 and after > 0.6, (before, after)


def test_ema_lags_behind_and_feeds_the_saved_weights(tiny, tiny_splits, tmp_path):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    start = trainer.model.head.weight.detach().clone()
    trainer.train()
    raw, ema = trainer.model.head.weight, trainer.ema.module.head.weight
    assert 0 < (ema - start).norm() < (raw - start).norm()
    saved, about = load_weights(tmp_path / "last.safetensors")
    assert torch.equal(saved.head.weight, ema)
    assert from_dict(about["preset"]) == tiny


def test_metrics_go_to_tensorboard_where_it_is_installed(tiny, tiny_splits, tmp_path, monkeypatch):
    written, folders = [], []

    class SummaryWriter:
        def __init__(self, folder):
            folders.append(folder)

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def flush(self):
            written.append("flush")

    module = SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    assert folders == [tmp_path]
    expected = []
    for look in trainer.history:
        expected += [(name, value, look["step"]) for name, value in look.items()] + ["flush"]
    assert written == expected and len(trainer.history) == 3


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


def test_a_run_can_start_from_weights(tiny, tiny_splits, tmp_path):
    first = Trainer(tiny, splits=tiny_splits, folder=tmp_path, progress=False)
    first.train(4)
    first.look(first.step())
    path = str(tmp_path / "last.safetensors")
    second = Trainer(replace(tiny, start_from=path, seed=1), splits=tiny_splits, progress=False)
    learnt = load_weights(path)[0].state_dict()
    assert_same(dict(second.model.state_dict()), dict(learnt))
    assert_same(dict(second.ema.module.state_dict()), dict(learnt))
    wider = replace(tiny, start_from=path, hidden_size=2 * tiny.model.hidden_size)
    with pytest.raises(UserError, match="another network"):
        Trainer(wider, splits=tiny_splits, progress=False)
    with pytest.raises(UserError, match="No weights called 'sudoku-6x7' come with the course"):
        Trainer(replace(tiny, start_from="sudoku-6x7"), splits=tiny_splits, progress=False)
    with pytest.raises(UserError, match="make it first"):
        Trainer(get_preset("sudoku-extreme-laptop-stage-2"), splits=tiny_splits, progress=False)


def test_the_stages_of_one_training_go_on_from_each_other():
    names = [f"sudoku-extreme-laptop{stage}" for stage in ("", "-stage-2", "-stage-3")]
    for before, after in pairwise(names):
        run = Path(get_preset(after).recipe.start_from).parent
        assert run == Path("runs") / f"{before}-seed0"
        assert get_preset(after).model == get_preset(before).model
        assert get_preset(after).data == get_preset(before).data


def test_a_run_can_start_from_weights_of_the_course():
    laptop = get_preset("sudoku-extreme-laptop")
    weights = weights_for(laptop.model, "sudoku-9x9")
    assert_same(weights, shipped("sudoku-9x9")[0].state_dict())


def test_a_folder_belongs_to_one_experiment(tiny, tiny_splits, tmp_path):
    Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train(2)
    with pytest.raises(UserError, match="holds another run"):
        Trainer(replace(tiny, lr=1.0), folder=tmp_path, splits=tiny_splits, device="cpu")
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


def test_a_truncated_weights_file_is_reported(tiny, tiny_splits, tmp_path):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    path = tmp_path / "w.safetensors"
    save_weights(trainer.model, path, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_weights(path)


def test_presets_describe_themselves_and_survive_json():
    for name, preset in PRESETS.items():
        assert preset.name == name and preset.about
        described = json.loads(json.dumps(dataclasses.asdict(preset)))
        assert from_dict(described) == preset


def test_a_run_can_cool_down_at_its_end(tiny, tiny_splits, tmp_path):
    rates = [
        schedule(step, warmup_steps=2, total_steps=10, cooldown_steps=4) for step in range(1, 11)
    ]
    assert rates == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train(4)
    cooling = replace(tiny, steps=60, cooldown_steps=3)
    trainer = Trainer(cooling, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    assert trainer.steps_done == 4 and trainer.train()
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(tiny.recipe.lr / 4)


def test_training_ends_on_a_plateau_if_asked_to(tiny, tiny_splits):
    preset = replace(tiny, steps=1_000, eval_every=2, patience=3)
    trainer = Trainer(preset, splits=tiny_splits, device="cpu", progress=False)
    assert trainer.train() and trainer.steps_done < 1_000
    shares = [look["exact"] for look in trainer.history]
    assert max(shares[-3:]) <= max(shares[:-3])
    assert len(shares) == 4 or max(shares[-4:-1]) > max(shares[:-4])  # and not a look later


@pytest.mark.parametrize("quick", ["float32", "bfloat16"])
def test_a_processor_computes_in_the_format_in_which_it_is_quick(quick, monkeypatch):
    """Some multiply bfloat16 at half the speed of float32, and yet say that they support it."""

    trials = []

    class Stopwatch:
        def __init__(self, code, globals, num_threads):
            self.name = str(globals["matrix"].dtype).removeprefix("torch.")

        def timeit(self, number):
            trials.append(self.name)
            time.sleep(0 if self.name == quick else 0.02)
            return SimpleNamespace(mean=1.0 if self.name == quick else 2.0)

    monkeypatch.setattr("torch.utils.benchmark.Timer", Stopwatch)
    monkeypatch.setattr(device, "cpu_prefers_bfloat16", device.cpu_prefers_bfloat16.__wrapped__)
    a = torch.ones(4, 4)
    with device.precision(torch.device("cpu"), bfloat16=True):
        assert (a @ a).dtype == getattr(torch, quick)
    assert trials.count(quick) < 20  # a format that is very slow is not waited for
    with device.precision(torch.device("cpu"), bfloat16=False):
        assert (a @ a).dtype == torch.float32
