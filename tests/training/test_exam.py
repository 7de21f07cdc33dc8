"""The exam of a run: on a sample, with raw weights, with several attempts."""

import dataclasses
import os
from contextlib import nullcontext

import pytest
import torch
from nets.networks import CONFIGS, fresh
from shared_settings import SMALL

from trm_lite.common import UserError
from trm_lite.data.settings import SudokuData
from trm_lite.evaluation import scoring as evaluation
from trm_lite.experiments import get_preset
from trm_lite.nets.configs import SERRMConfig
from trm_lite.nets.weights import save_weights
from trm_lite.training import (
    ExamOptions,
    Trainer,
    exam_text,
    examine_run,
    replace,
)
from trm_lite.training.exam import load


def test_a_sample_can_be_examined(tiny, tiny_splits, tmp_path, monkeypatch):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    assert examine_run(tmp_path, ExamOptions(count=3), device="cpu")["puzzles"] == 3
    assert not (tmp_path / "test-last.json").exists()
    exam = examine_run(tmp_path, ExamOptions(bands=True), device="cpu")
    assert "8 test puzzles" in exam_text(exam) and "By difficulty" in exam_text(exam)
    assert os.path.exists(tmp_path / "test-last.json")
    with pytest.raises(UserError, match="at least 1"):
        examine_run(tmp_path, ExamOptions(count=0), device="cpu")


def test_raw_weights_can_be_examined(tiny, tiny_splits, tmp_path):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    for which, trained in (("raw", trainer.model), ("last", trainer.ema.module)):
        model, about = load(tmp_path, which)
        assert not model.training and about["look"]["step"] == tiny.recipe.steps
        for name, tensor in trained.state_dict().items():
            assert torch.equal(model.state_dict()[name], tensor), (which, name)
    assert not torch.equal(trainer.model.head.weight, trainer.ema.module.head.weight)
    assert examine_run(tmp_path, ExamOptions(weights="raw"), device="cpu")["weights"] == "raw"
    assert (tmp_path / "test-raw.json").exists() and not (tmp_path / "test-last.json").exists()
    with pytest.raises(UserError, match="does not hold the raw weights; name the run folder"):
        load(tmp_path / "last.safetensors", "raw")
    for damage in ("[]", "{", None):
        marker = tmp_path / "preset.json"
        marker.write_text(damage) if damage else marker.unlink()
        with pytest.raises(UserError, match=r"train it again|missing or damaged"):
            load(tmp_path, "raw")


def test_an_exam_with_several_attempts(tiny, tiny_splits, tmp_path, monkeypatch):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    exam = examine_run(tmp_path, ExamOptions(steps=2, tries=3, noise=0.3), device="cpu")
    assert (exam["tries"], exam["noise"]) == (3, 0.3)
    text = exam_text(exam)
    assert "noise of 0.3 on z before the first step\n  3 attempts, each with other noise" in text
    assert not (tmp_path / "test-last.json").exists(), "not the exam of the papers"
    asked = []

    def watched(*args, **options):
        asked.append((options["guises"], options["noise"]))
        return evaluation.evaluate(*args, **options)

    monkeypatch.setattr("trm_lite.training.exam.evaluate", watched)
    exam = examine_run(tmp_path, ExamOptions(steps=2, tries=3), device="cpu")
    assert asked == [(False, 0.0), (True, 0.0), (True, 0.0)]
    assert "3 attempts, the puzzle in another guise each" in exam_text(exam)
    assert exam["exact_by_try"][3] == exam["exact"] and list(exam["exact_by_try"]) == [1, 2, 3]
    with pytest.raises(UserError, match="always starts from the same"):
        examine_run(tmp_path, ExamOptions(tries=2, vary="start"), device="cpu")


def test_a_network_that_draws_its_starts_is_tried_from_several(tiny, tiny_splits, tmp_path):
    preset = replace(tiny, random_start=True, damping=0.05, noise=0.01, steps=4)
    Trainer(preset, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False).train()
    options = ExamOptions(steps=3, tries=4, choose="residual")
    exam, again, other = (
        examine_run(tmp_path, replaced, device="cpu")
        for replaced in (options, options, dataclasses.replace(options, seed=5))
    )
    assert exam["vary"] == "start" and exam["cells"] == again["cells"] != other["cells"]
    assert "4 attempts, each from another start; the one with the most settled" in exam_text(exam)
    assert exam["exact"] == exam["exact_by_choice"]["residual"]
    assert list(exam["exact_by_choice"]) == ["halting", "residual", "latent", "majority", "any"]


def test_an_se_rrm_is_examined_on_boards_of_another_size(tiny, tiny_splits, tmp_path):
    config = SERRMConfig(**SMALL | {"prefix_len": 0}, num_heads=1, loops=2, loops_with_gradient=1)
    preset = dataclasses.replace(replace(tiny, steps=1), model=config)
    for name, model in (("se-rrm", config), ("trm", tiny.model)):
        run = dataclasses.replace(preset, model=model)
        trainer = Trainer(run, splits=tiny_splits, folder=tmp_path / name, device="cpu",
                          progress=False)  # fmt: skip
        trainer.train()
    small = dataclasses.replace(
        preset,
        data=SudokuData(size=4, train=8, validation=4, test=8),
        model=dataclasses.replace(config, vocab_size=6, seq_len=16),
    )
    options = ExamOptions(steps=1)
    assert examine_run(tmp_path / "se-rrm", options, preset=small, device="cpu")["puzzles"] == 8
    with pytest.raises(UserError, match="reads 36 cells of 8 tokens"):
        examine_run(tmp_path / "trm", options, preset=small, device="cpu")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tries": 0}, "at least 1"),
        ({"choose": "residual"}, "single attempt"),
        ({"choose": "latent", "tries": 2, "steps": 1}, "between two supervision steps"),
        ({"window": -1}, "at least 0"),
        ({"vary": "guise", "noise": 0.3}, "leave one out"),
        ({"vary": "noise"}, "noise of 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        ExamOptions(**options)


def test_attempts_at_what_has_no_guises_need_noise(tmp_path):
    mazes = replace(get_preset("maze-7x7"), train=8, validation=8, test=8, steps=1)
    Trainer(mazes, folder=tmp_path, device="cpu", progress=False).train()
    with pytest.raises(UserError, match="let the attempts differ by noise"):
        examine_run(tmp_path, ExamOptions(tries=2), device="cpu")
    assert examine_run(tmp_path, ExamOptions(tries=2, noise=0.3), device="cpu")["tries"] == 2


def test_noise_falls_where_there_is_something_to_disturb(tiny, tmp_path):
    save_weights(fresh(CONFIGS["urm"]), tmp_path / "urm.safetensors", {})
    save_weights(fresh(CONFIGS["tokens"]), tmp_path / "tokens.safetensors", {})
    noisy = {"options": ExamOptions(steps=1, noise=0.3), "preset": tiny, "device": "cpu"}
    assert "noise of 0.3 on y" in exam_text(examine_run(tmp_path / "urm.safetensors", **noisy))
    with pytest.raises(UserError, match="no latents to disturb"):
        examine_run(tmp_path / "tokens.safetensors", **noisy)


def test_the_exam_computes_as_the_looks_of_training_do(tiny, tiny_splits, tmp_path, monkeypatch):
    asked = []

    def precision(_, bfloat16):
        asked.append(bfloat16)
        return nullcontext()

    for bfloat16 in (True, False):
        folder = tmp_path / str(bfloat16)
        preset = replace(tiny, bfloat16=bfloat16)
        Trainer(preset, folder=folder, splits=tiny_splits, device="cpu", progress=False).train()
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "precision", precision)
            examine_run(folder, device="cpu")
    assert asked == [True, False]
