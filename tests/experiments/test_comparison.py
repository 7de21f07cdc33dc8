"""The mini table: rows trained alike, tested alike, kept, and summed up."""

import json

import pytest
import torch

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.experiments import comparison, get_preset
from trm_lite.experiments.comparison_tests import Further, as_hex, paired
from trm_lite.nets import load_weights

SMALL = {"steps": 2, "max_steps": 4, "test": 12, "train": 40, "validation": 8, "eval_every": 100}


def test_rows_get_equal_steps_and_equal_compute(tmp_path):
    rows, ship = ("trm", "one-step", "direct"), tmp_path / "weights"
    small = SMALL | {"hidden_size": 32}
    table = comparison.compare(tmp_path, rows=rows, seeds=2, ship=ship, **small)
    for row in rows:
        shipped, about = load_weights(ship / f"sudoku-6x6-{row}.safetensors")
        kept, _ = load_weights(tmp_path / f"{row}-seed0" / "last.safetensors")
        assert about["preset"]["seed"] == 0
        for one, other in zip(shipped.parameters(), kept.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(table))
    assert list(table["rows"]) == ["trm", "one-step", "direct"]
    for name, row in table["rows"].items():
        assert [run["seed"] for run in row["seeds"]] == [0, 1]
        for run in row["seeds"]:
            assert run["equal_steps"]["steps"] == 2
            spent = run["equal_compute"]["steps"] * run["flops_per_step"]
            assert abs(spent - table["budget_flops"]) <= run["flops_per_step"] / 2, name
            for end in ("equal_steps", "equal_compute"):
                for kind in ("ema", "raw"):
                    assert run[end][kind]["puzzles"] == 12
                    assert len(run[end][kind]["correct_by_step"]) in (1, 4)
    trm, one_step = (table["rows"][row]["seeds"][0] for row in ("trm", "one-step"))
    assert trm["equal_compute"]["steps"] == 2 < one_step["equal_compute"]["steps"]


def test_a_network_that_grows_gets_a_whole_run_for_each_end(tmp_path):
    small = SMALL | {"steps": 20, "max_steps": 8, "hidden_size": 16}
    table = comparison.compare(tmp_path, rows=("rsm",), seeds=1, **small)
    (run,) = table["rows"]["rsm"]["seeds"]
    assert 6 <= run["equal_compute"]["steps"] < 20 == run["equal_steps"]["steps"]
    for end in ("equal_steps", "equal_compute"):
        _, about = load_weights(tmp_path / "rsm-seed0" / end / "last.safetensors")
        assert about["preset"]["recipe"]["steps"] == run[end]["steps"]
        assert len(run[end]["ema"]["correct_by_step"]) == 8


@pytest.mark.parametrize("base", ["sudoku-6x6", "sudoku-9x9-minimal", "maze-7x7"])
def test_the_systems_of_the_year_after_are_there_for_every_table(base):
    for row in comparison.YEAR_AFTER:
        preset = get_preset(base if row == comparison.TRM else f"{base}-{row}")
        assert preset.data == get_preset(base).data
    assert get_preset("maze-7x7-se-rrm").model.shared_symbols is False


def test_an_interrupted_table_goes_on(tmp_path, monkeypatch):
    from trm_lite.training import Trainer

    whole = comparison.compare(tmp_path / "whole", rows=("trm", "direct"), seeds=1, **SMALL)
    train = Trainer.train

    def interrupted(self, steps):
        train(self, 2)
        return False

    there = tmp_path / "parts"
    monkeypatch.setattr(Trainer, "train", interrupted)
    assert comparison.compare(there, rows=("trm", "direct"), seeds=1, **SMALL) is None
    monkeypatch.setattr(Trainer, "train", train)
    parts = comparison.compare(there, rows=("trm", "direct"), seeds=1, **SMALL)
    for table in (whole, parts):
        for row in table["rows"].values():
            del row["seeds"][0]["seconds"]
    assert parts == whole

    monkeypatch.setattr(Trainer, "train", None)  # nothing is trained twice
    again = comparison.compare(there, rows=("trm", "direct"), seeds=1, **SMALL)
    assert (
        again["rows"]["trm"]["seeds"][0]["equal_steps"]
        == (whole["rows"]["trm"]["seeds"][0]["equal_steps"])
    )


def test_intervals_over_seeds():
    assert comparison.mean_over_seeds([0.5]) == "50.0"
    assert comparison.mean_over_seeds([0.9, 0.9, 0.9]) == "90.0 [90.0, 90.0]"
    # By hand: mean 0.8, standard deviation 0.1, 4.30 * 0.1 / sqrt(3) = 0.2483.
    assert comparison.mean_over_seeds([0.7, 0.8, 0.9]) == "80.0 [55.2, 100.0]"


def test_the_table_as_text(tmp_path, capsys):
    table = comparison.compare(tmp_path, rows=("trm",), seeds=1, **SMALL)
    run = table["rows"]["trm"]["seeds"][0]["equal_steps"]
    run["ema"]["correct_by_step"] = [3] * 15 + [9]  # of 12
    text = comparison.as_text(table)
    assert "trm" in text and "66,146" in text and "75.0" in text and "25.0" in text


def test_a_misspelled_row_is_refused(tmp_path, capsys):
    assert main(["compare", "--rows", "trm", "one-stepp", "--out", str(tmp_path)]) == 2
    assert "one-step" in capsys.readouterr().err
    with pytest.raises(UserError, match="sudoku-6x6"):
        comparison.compare(tmp_path, base="sudoku-6x7")


def test_rows_are_tested_deeper_broader_and_in_pairs(tmp_path):
    rows, further = ("trm", "eqr-ri", "direct"), Further(depths=(1, 3), tries=2, count=6)
    how = SMALL | {"hidden_size": 16, "max_steps": 2}
    table = comparison.compare(tmp_path, rows=rows, seeds=1, further=further, **how)
    runs = {name: row["seeds"][0]["equal_steps"] for name, row in table["rows"].items()}
    assert {name: run["further"]["vary"] for name, run in runs.items()} == {
        "trm": "guise", "eqr-ri": "start", "direct": "guise",
    }  # fmt: skip
    for run in runs.values():
        assert list(run["further"]["exact"]) == ["1", "3"] and run["further"]["puzzles"] == 6
        assert set(run["further"]["exact_by_choice"]) >= {"halting", "residual", "any"}
        assert int(run["ema"]["solved"], 16).bit_count() == run["ema"]["correct_by_step"][-1]
    (direct,) = table["rows"]["direct"]["seeds"]
    assert "further" not in direct["equal_compute"], "which would take longer than the training"
    text = comparison.as_text(table)
    assert text.count("D = 3") == 1 and "2 attempts, halting" in text
    assert "only it / only TRM" in text


def test_pairs_are_compared_exactly():
    solved = as_hex(torch.tensor([False, False, True, True, True, True]))
    assert solved == "0f"
    assert paired([(solved, "03"), ("20", "00")]) == (3, 0, 0.25)
    assert paired([("ff", "ff")]) == (0, 0, 1.0)
    first, second, chance = paired([("0f", "f0")])
    assert (first, second, chance) == (4, 4, 1.0)
