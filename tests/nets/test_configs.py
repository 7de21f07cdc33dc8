"""Configurations: only sensible values, so that no other ones are ever tried."""

import dataclasses

import pytest

from trm_lite.common import UserError
from trm_lite.experiments import get_preset
from trm_lite.nets import AutoregressiveConfig, DirectConfig, HRMConfig, TRMConfig
from trm_lite.nets.configs import config_from_dict
from trm_lite.training.recipe import from_dict


@pytest.mark.parametrize(
    "fields",
    [
        {"num_layers": 10**7},
        {"T": 10**9},
        {"n": 10**9},
        {"hidden_size": 60_000},
        {"num_heads": 0},
        {"num_heads": "x"},
        {"vocab_size": -1},
        {"seq_len": 1.5},
        {"hidden_size": True},
        {"hidden_size": None},
        {"n": float("inf")},
        {"expansion": float("nan")},
        {"expansion": -1},
        {"puzzle_embedding_size": -1},
        {"mixing": "magic"},
        {"mixing": []},
        {"shared_net": "yes"},
        {"network": "HRM", "H_layers": 10**7},
        {"network": "HRM", "L_layers": 0},
        {"network": "Direct", "loops": 10**9},
        {"network": "Autoregressive", "scratch_len": -1},
    ],
    ids=str,
)
def test_senseless_values_are_one_sentence(fields):
    *_, name = fields
    with pytest.raises(UserError, match=rf"cannot have {name}=.*, which must be") as refused:
        config_from_dict(fields)
    assert "\n" not in str(refused.value)


def test_sensible_values_that_do_not_go_together():
    with pytest.raises(UserError, match="2,002,000 layers per step"):
        TRMConfig(T=1000, n=1000)
    with pytest.raises(UserError, match="does not fit into 2 positions of 512 features"):
        TRMConfig(prefix_len=2, puzzle_embedding_size=1025)
    for name in ({}, "Perceptron"):
        with pytest.raises(UserError, match="is unknown here"):
            config_from_dict({"network": name})


def test_what_is_sensible_is_taken():
    TRMConfig(num_puzzles=1_000_000, prefix_len=0, num_latents=0, puzzle_embedding_size=None)
    TRMConfig(T=100, n=4, expansion=1)
    for config in (HRMConfig, DirectConfig, AutoregressiveConfig):
        assert config_from_dict(vars(config())) == config()


@pytest.mark.parametrize("fields", ["abc", [1, 2], 7, None])
def test_what_is_no_table_of_fields_is_a_sentence(fields):
    described = dataclasses.asdict(get_preset("sudoku-6x6")) | {"model": fields}
    with pytest.raises(UserError, match="does not describe a preset"):
        from_dict(described)
