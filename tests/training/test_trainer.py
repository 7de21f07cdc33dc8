"""The trainer: it learns, it stops when asked, and it goes on exactly where it was."""

import dataclasses
import json
import random
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from children import TinyRun

from trm_lite.cli.options import switched
from trm_lite.common import UserError
from trm_lite.data import Deck
from trm_lite.data.official_deck import OfficialDeck
from trm_lite.evaluation import evaluate
from trm_lite.experiments import PRESETS, get_preset
from trm_lite.nets import load_weights, save_weights, shipped
from trm_lite.training import Trainer, exam, learner, replace, trainer_for
from trm_lite.training.optim import schedule
from trm_lite.training.recipe import from_dict
from trm_lite.training.run_folder import load_state
from trm_lite.training.start import weights_for

STEPS, EVERY = 80, 10


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
    assert TinyRun(folder, STEPS, EVERY).wait() == 0
    return folder


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_stopped_at_random_moments_ends_bit_identical(uninterrupted, tmp_path, how):
    folder, moments = tmp_path / "run", random.Random(int(how))
    interruptions = 0
    for _ in range(2):
        run = TinyRun(folder, STEPS, EVERY)
        time.sleep(moments.uniform(0, 0.4))
        run.send(how)
        status = run.wait()
        interruptions += status in (3, -how)
        if how != signal.SIGKILL:
            assert status in (0, 3), "asked politely, it saves and says so"
    assert interruptions > 0, "the run was over before it could be interrupted"
    assert TinyRun(folder, STEPS, EVERY).wait() == 0
    assert_same(load_state(folder / "last.pt"), load_state(uninterrupted / "last.pt"))
    looks = [
        [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (folder, uninterrupted)
    ]
    assert looks[0] == looks[1] == list(range(EVERY, STEPS + 1, EVERY))


@pytest.mark.parametrize("official_epochs", [0, 2])
def test_resuming_in_process_equals_going_on(tiny, tiny_splits, tmp_path, official_epochs):
    tiny = replace(tiny, official_epochs=official_epochs)
    whole = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    assert isinstance(whole.batches.deck, OfficialDeck if official_epochs else Deck)
    whole.train()
    first = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    first.train(5)  # a moment at which it looks anyway
    second = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    assert second.steps_done == 5
    second.train()
    assert_same(second.state(), whole.state())


@pytest.mark.parametrize("changes", [{"optimizer": "adamw"}, {"bfloat16_carry": True}])
def test_every_optimiser_and_carry_can_go_on(tiny, tiny_splits, tmp_path, monkeypatch, changes):
    monkeypatch.setattr("trm_lite.common.device.cpu_prefers_bfloat16", lambda: True)
    preset, options = replace(tiny, **changes), {"splits": tiny_splits, "device": "cpu"}
    first = Trainer(preset, folder=tmp_path, progress=False, **options)
    first.step()
    halved = "bfloat16_carry" in changes
    assert first.carry.latents.y.dtype == (torch.bfloat16 if halved else torch.float32)
    first.save()
    expected = first.step().total
    again = Trainer(preset, folder=tmp_path, progress=False, **options)
    assert torch.equal(again.step().total, expected)
    if halved:  # where bfloat16 is slow, the same run goes on in float32
        monkeypatch.setattr("trm_lite.common.device.cpu_prefers_bfloat16", lambda: False)
        elsewhere = Trainer(preset, folder=tmp_path, progress=False, **options)
        torch.testing.assert_close(elsewhere.step().total, expected, rtol=0.1, atol=0)


def test_muon_steps_are_alike_in_all_directions_and_go_on_after_a_stop(tiny, tiny_splits, tmp_path):
    preset = replace(tiny, optimizer="muon", weight_decay=0.0, warmup_steps=0)
    options = dict(splits=tiny_splits, device="cpu", progress=False)
    trainer = Trainer(preset, folder=tmp_path, **options)
    weight = trainer.model.net.blocks[0].swiglu.down.weight
    before = weight.detach().clone()
    trainer.step()
    moved = (before - weight.detach()) / preset.recipe.lr
    stretch = torch.linalg.svdvals(moved) / (0.2 * max(moved.shape) ** 0.5)
    assert stretch.min() > 0.4 and stretch.max() < 1.9
    trainer.save()
    expected = trainer.step().total
    again = Trainer(preset, folder=tmp_path, **options)
    assert torch.equal(again.step().total, expected)


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
        T=1,
        n=2,
        lr=5e-3,
        warmup_steps=20,
        max_steps=4,
        steps=100,
        ema_rate=0.93,
        eval_every=100,
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
    with pytest.raises(UserError, match="a different network"):
        Trainer(wider, splits=tiny_splits, progress=False)
    with pytest.raises(UserError, match="comes with no weights called 'sudoku-6x7'"):
        Trainer(replace(tiny, start_from="sudoku-6x7"), splits=tiny_splits, progress=False)
    with pytest.raises(UserError, match="train a network first"):
        weights_for(tiny.model, get_preset("sudoku-extreme-laptop-stage-2").recipe.start_from)


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


def test_a_truncated_weights_file_is_reported(tiny, tiny_splits, tmp_path):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    path = tmp_path / "w.safetensors"
    save_weights(trainer.model, path, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a complete safetensors file"):
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
    tiny = replace(tiny, warmup_steps=2)
    Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train(4)
    cooling = replace(tiny, steps=8, cooldown_steps=3)
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


def test_q_learning_costs_a_second_forward_pass(tiny, tiny_splits):
    for act, passes in (("halt", 1), ("q_learning", 2), ("off", 1)):
        preset = replace(tiny, act=act)
        trainer = trainer_for(preset, splits=tiny_splits, device="cpu", progress=False)
        calls = []
        trainer.model.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        loss = trainer.step()
        assert len(calls) == passes == preset.recipe.forward_passes
        assert (loss.going_on is not None) == (act == "q_learning")


def test_compiling_is_the_default_on_gpus_and_reaches_validation_and_exam(
    tiny, tiny_splits, tmp_path, monkeypatch
):
    compiled = []
    for place in (learner, exam):
        monkeypatch.setattr(place, "compiles_by_default", lambda device: True)
        monkeypatch.setattr(place, "compile_hot", lambda network, *_: compiled.append(network))
    options = {"splits": tiny_splits, "device": "cpu", "progress": False}
    Trainer(tiny, compile=False, **options)
    assert not compiled
    trainer = Trainer(tiny, folder=tmp_path, **options)
    assert compiled == [trainer.model, trainer.ema.module]
    trainer.train(5)
    exam.examine_run(tmp_path, device="cpu")
    assert len(compiled) == 2  # a few puzzles are not worth it
    monkeypatch.setattr(exam, "MANY", len(tiny_splits.test))
    exam.examine_run(tmp_path, device="cpu")
    assert len(compiled) == 3
    exam.examine_run(tmp_path, device="cpu", compile=False)
    assert len(compiled) == 3
    with pytest.raises(UserError, match="asks the network twice per step"):
        Trainer(replace(tiny, act="q_learning"), graphs=True, **options)


@pytest.mark.parametrize(("word", "value"), [("--compile", True), ("--no-compile", False)])
def test_a_switch_has_a_third_state(word, value):
    assert switched(["sudoku-6x6", word]) == ["sudoku-6x6", "--compile", str(value)]
    assert switched(["--steps", "3"]) == ["--steps", "3"]
