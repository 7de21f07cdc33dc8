"""Settings of training: numbers that make no sense are refused before anything is done."""

import math

import pytest
import torch

from trm_lite.common import UserError
from trm_lite.common.device import compiled
from trm_lite.data import SudokuData
from trm_lite.puzzles import sudoku
from trm_lite.training import ExamOptions, Trainer
from trm_lite.training.exam import exam_puzzles
from trm_lite.training.recipe import Recipe

NONSENSE = {
    "steps": (0, -5), "batch_size": (0, -1), "max_steps": (0,), "eval_every": (0,),
    "warmup_steps": (-1,), "cooldown_steps": (-1,), "patience": (-1,), "official_epochs": (-1,),
    "lr": (-1e-4, math.nan), "weight_decay": (-1.0,), "puzzle_lr": (-1.0,),
    "puzzle_weight_decay": (math.nan,), "ema_rate": (1.5,), "min_lr_ratio": (-0.1,),
    "exploration": (1.1,), "hints": (3.0,), "most_hints": (-1.0,), "betas": ((0.9, 1.0),),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_a_recipe_of_nonsense_is_refused(name):
    Recipe()
    for value in NONSENSE[name]:
        with pytest.raises(UserError, match=f"'{name}' must be") as caught:
            Recipe(**{name: value})
        assert caught.value.options == (name,)


def test_other_settings_of_nonsense_are_refused(tiny, tiny_splits):
    for nonsense in (
        lambda: ExamOptions(batch_size=0),
        lambda: SudokuData(puzzle_seed=-1),
        lambda: Trainer(tiny, splits=tiny_splits, device="cpu", micro_batch=-1),
    ):
        with pytest.raises(UserError, match="must be"):
            nonsense()
    for name in ("train", "validation"):
        empty = tiny_splits._replace(**{name: tiny_splits.train.first(0)})
        with pytest.raises(UserError, match=f"The {name} split has no puzzles"):
            Trainer(tiny, splits=empty, device="cpu", progress=False)


def test_without_a_compiler_there_is_one_sentence(monkeypatch):
    from torch._dynamo.exc import BackendCompilerFailed

    def fails(*_):
        raise BackendCompilerFailed(fails, RuntimeError("No working C++ compiler found\nTry"), None)

    monkeypatch.setattr(torch, "compile", lambda function, **_: fails)
    with pytest.raises(UserError, match="No working") as caught:
        compiled(torch.sin)(torch.ones(3))
    assert caught.value.options == ("compile",) and "\n" not in str(caught.value)


def test_new_9x9_puzzles_do_not_wait_for_the_training_puzzles(monkeypatch):
    def breed(*_):
        raise AssertionError("minutes of breeding that nobody asked for")

    monkeypatch.setattr("trm_lite.data.sudokus._evolve", breed)
    data = SudokuData(9, ("evolved",), train=10_000, validation=1, test=1)
    puzzles = exam_puzzles(data, ExamOptions(kinds=("minimal",), count=4))
    assert puzzles.inputs.shape == (4, 81)
    small = SudokuData(4, train=15, validation=1, test=1)
    fresh = exam_puzzles(small, ExamOptions(kinds=("minimal",), count=15))
    boards = [
        [sudoku.from_tokens(part.numpy()) for part in (some.inputs, some.labels)]
        for some in (small.build().train, fresh)
    ]
    there, new = ({sudoku.canonical_form(*p) for p in zip(*b, strict=True)} for b in boards)
    assert new and not there & new
