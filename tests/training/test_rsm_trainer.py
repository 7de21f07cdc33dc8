"""The trainer of RSM: thoughts that grow, and what does not fit."""

import dataclasses

import pytest
from shared_settings import SMALL
from torch.utils.flop_counter import FlopCounterMode

from trm_lite.common import UserError
from trm_lite.experiments import get_preset
from trm_lite.nets.configs import RSMConfig
from trm_lite.training import Recipe, Trainer, flops, replace, trainer_for
from trm_lite.training.rsm_depth import depth, ramp

CONFIG = RSMConfig(**SMALL, n=4)
GROWING = {"outer_growth": (0.2, 0.5), "inner_growth": (0.5, 0.5)}


def test_thoughts_grow_at_their_shares_of_the_run():
    recipe = Recipe(steps=10, max_steps=4, **GROWING)
    depths = [depth(recipe, CONFIG, step) for step in range(1, 11)]
    assert depths == [(2, 2)] + [(3, 2)] * 3 + [(4, 4)] * 6


def test_the_learning_rate_ramps_up_after_a_growth():
    recipe = Recipe(steps=10, max_steps=4, growth_ramp=4, **GROWING)
    ramps = [ramp(recipe, CONFIG, step) for step in range(1, 11)]
    assert ramps == [1, 0, 0.25, 0.5, 0, 0.25, 0.5, 0.75, 1, 1]


def test_the_operations_of_a_run_are_their_mean_times_its_steps(tiny, tiny_splits):
    preset = replace(tiny, bfloat16=False, steps=5, max_steps=4, keep_history=0.0, **GROWING)
    preset = dataclasses.replace(preset, model=CONFIG)
    trainer = trainer_for(preset, splits=tiny_splits, device="cpu", progress=False)
    with FlopCounterMode(display=False) as counter:
        for _ in range(5):
            trainer.step()
    assert 5 * flops.step_flops(preset) == pytest.approx(counter.get_total_flops(), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outer_growth": (0.5, 1.2)}, "do not fit into"),
        ({"inner_growth": (0.5, 0.6, 0.7), "steps": 2}, "do not fit into 2 steps"),
        ({"outer_growth": (0.5, 0.6), "max_steps": 2}, "cannot have grown 2 times"),
    ],
)
def test_a_growth_that_does_not_fit_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        Recipe(**options)


@pytest.mark.parametrize("name", ["sudoku-6x6-rsm", "sudoku-6x6-tokens"])
def test_a_trainer_with_slots_refuses_a_network_without(name, tiny, tiny_splits):
    preset = dataclasses.replace(get_preset(name), data=tiny.data)
    with pytest.raises(UserError, match="is not trained in slots; let trainer_for choose"):
        Trainer(preset, splits=tiny_splits, device="cpu")
