"""However the slots are divided, over processes or over time, the weights come out the same.

To rounding, that is. Mixing by MLP amplifies rounding at fresh weights, within a few steps to any
size; so the tests that take several steps use attention, which does not.
"""

import os
import signal
import time

import pytest
import torch
from children import run_command, start_command
from shared_settings import TINY

from trm_lite.experiments import get_preset
from trm_lite.training import Trainer, replace, trainer_for
from trm_lite.training.run_folder import load_state

OVERRIDES = [
    word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))
]


def train(folder, processes, *more, preset="sudoku-6x6-att", overrides=OVERRIDES):
    words = ["train", preset, *overrides, "--device", "cpu", "--out", str(folder), *more]
    return run_command(folder.parent, processes, *words)


def test_two_processes_stop_when_one_is_asked_to(tmp_path):
    """Long before the next save is due, and although only one of them hears of it."""
    run = tmp_path / "run"
    few = ["--eval-every", "10", "--n", "1", "--T", "1"]
    words = ["train", "sudoku-6x6-att", *OVERRIDES, "--device", "cpu", "--out", str(run), *few]
    children = start_command(tmp_path, 2, *words, "--steps", "100000")
    try:
        patience = time.monotonic() + 120
        while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
            assert children[0].is_alive() and time.monotonic() < patience
            time.sleep(0.05)
        os.kill(children[1].pid, signal.SIGTERM)
        for child in children:
            child.join(45)
            assert child.exitcode not in (0, None)  # they say that they did not finish
    finally:
        for child in children:
            child.kill()
    stopped = load_state(run / "last.pt")["steps_done"]
    assert 10 <= stopped < 100_000
    more = train(run, 2, *few, "--steps", str(stopped + 3))
    assert more.returncode == 0, more.said
    assert f"Going on from step {stopped:,} of" in more.said and "Done:" in more.said


def assert_close(one: dict, other: dict):
    assert one["steps_done"] == other["steps_done"]
    for part in ("model", "ema"):
        for name, tensor in one[part].items():
            torch.testing.assert_close(tensor, other[part][name], atol=1e-5, rtol=1e-4)
    assert torch.equal(one["slot_steps"], other["slot_steps"])
    assert torch.equal(one["batch"][0], other["batch"][0])


def test_two_processes_take_the_steps_of_one(tmp_path):
    for processes in (1, 2):
        done = train(tmp_path / str(processes), processes, "--steps", "10", "--eval-every", "5")
        assert done.returncode == 0, done.said
        assert done.said.count("Done:") == 1  # one of them talks
    one, two = (load_state(tmp_path / str(n) / "last.pt") for n in (1, 2))
    assert_close(one, two)
    assert [look["exact"] for look in one["history"]] == [look["exact"] for look in two["history"]]
    # What two began, one goes on with.
    more = train(tmp_path / "2", 1, "--steps", "14", "--eval-every", "5")
    assert more.returncode == 0 and "Going on from step 10" in more.said


def test_two_processes_learn_many_puzzle_embeddings_like_one(tmp_path):
    """Tasks of ARC, 64 slots with an identifier each; both processes meet some of them."""
    small = ["--augmentations", "1", "--hidden-size", "16", "--mixing", "attention",
             "--num-heads", "2", "--steps", "6", "--eval-every", "6", "--no-exam"]  # fmt: skip
    small += ["--no-bfloat16"]  # there rounding decides some signs, and a sign moves a row
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        done = train(folder, processes, preset="mini-arc", overrides=small)
        assert done.returncode == 0, done.said
    one, two = (load_state(tmp_path / str(n) / "last.pt") for n in (1, 2))
    assert_close(one, two)
    # A table of its own has every row that was met, and both processes' rows have moved in it.
    (name,) = [name for name in one["model"] if "puzzle" in name]
    moved = (one["model"][name] != 0).any(1)
    for rows in (slice(32), slice(32, 64)):
        ids = one["batch"][2][rows].unique()
        assert len(ids) > 5 and moved[ids].float().mean() > 0.9


@pytest.mark.parametrize("act", ["halt", "q_learning"])
def test_micro_batches_and_recomputing_change_nothing(tiny, tiny_splits, act):
    preset = replace(get_preset("sudoku-6x6-att"), **TINY, act=act)

    def state(**options):
        trainer = Trainer(preset, splits=tiny_splits, device="cpu", progress=False, **options)
        losses = [trainer.step() for _ in range(8)]
        return trainer.state(), losses

    whole, losses = state()
    for options in ({"micro_batch": 3}, {"recompute": True}):
        parts, in_parts = state(**options)
        assert_close(whole, parts)
        for loss, other in zip(losses, in_parts, strict=True):
            torch.testing.assert_close(loss.total.detach(), other.total.detach())
            assert torch.equal(loss.correct, other.correct)


@pytest.mark.parametrize(("most", "sizes"), [(0, [8]), (3, [2, 3, 3]), (6, [4, 4]), (1, [1] * 8)])
def test_micro_batches_are_of_one_size_or_nearly(tiny, tiny_splits, most, sizes):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False, micro_batch=most)
    parts = trainer.micro_batches()
    assert [part.stop - part.start for part in parts] == sizes
    assert torch.cat([torch.arange(8)[part] for part in parts]).tolist() == list(range(8))


def test_micro_batches_save_memory_and_so_does_recomputing(tiny, tiny_splits):
    def kept(**options):
        """Bytes that autograd keeps for the largest backward pass."""
        trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False, **options)
        sizes = [0]

        def keep(tensor):
            sizes[-1] += tensor.numel() * tensor.element_size()
            return tensor

        backward = trainer.backward

        def next_part(loss):
            backward(loss)
            sizes.append(0)

        trainer.backward = next_part
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            trainer.step()
        return max(sizes)

    assert kept(micro_batch=2) < 0.5 * kept()
    assert kept(recompute=True) < 0.5 * kept()


def test_networks_that_write_learn_in_micro_batches_too(tiny_splits):
    preset = replace(get_preset("sudoku-6x6-tokens"), **TINY | {"hidden_size": 16})
    preset = replace(preset, bfloat16=False)

    def weights(**options):
        trainer = trainer_for(preset, splits=tiny_splits, device="cpu", progress=False, **options)
        trainer.step()
        return trainer.model.state_dict()

    for name, tensor in weights(micro_batch=3).items():
        torch.testing.assert_close(tensor, weights()[name], atol=1e-5, rtol=1e-4)
