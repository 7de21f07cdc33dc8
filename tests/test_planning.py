"""A plan is worth what its predictions are worth: they are held against what torch measures."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from trm_lite import planning
from trm_lite.__main__ import main
from trm_lite.nets import count_parameters
from trm_lite.presets import PRESETS, get_preset, replace
from trm_lite.writing import trainer_for

# Trains for two steps and prints the bytes that were needed on top of those before the first.
CHILD = """
import re, sys
import torch
torch.set_num_threads(1)
from trm_lite.presets import get_preset, replace
from trm_lite.puzzles.generated import SudokuData
from trm_lite.training import Trainer
import dataclasses
def peak():
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
name, batch, recompute = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "recompute"
preset = replace(get_preset(name), batch_size=batch, hidden_size=256, bfloat16=False)
preset = dataclasses.replace(preset, data=SudokuData(9, ("20-blanks",), 64, 4, 4))
small = dataclasses.replace(preset, recipe=dataclasses.replace(preset.recipe, batch_size=1))
Trainer(small, device="cpu", progress=False).step()  # libraries are loaded, buffers are there
trainer = Trainer(preset, device="cpu", progress=False, recompute=recompute)
before = peak()
trainer.step()
trainer.step()
print(peak() - before)
"""


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("sudoku-6x6")])
def test_operations_are_those_that_torch_counts(name, tiny):
    preset = replace(get_preset(name), batch_size=3, bfloat16=False)
    preset = dataclasses.replace(preset, data=tiny.data)
    trainer = trainer_for(preset, device="cpu", progress=False)
    # The fused attention of the CPU is unknown to the counter; the plain one is not.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        trainer.step()
    assert planning.step_flops(preset) == counter.get_total_flops()


def test_recomputing_costs_what_is_planned(tiny):
    preset = replace(tiny, bfloat16=False)
    trainer = trainer_for(preset, device="cpu", progress=False, recompute=True)
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    counted = counter.get_total_flops()
    assert planning.step_flops(preset) < counted
    assert planning.step_flops(preset, recompute=True) == pytest.approx(counted, rel=0.02)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells the peak")
@pytest.mark.parametrize("how", ["plain", "recompute"])
def test_memory_is_what_a_small_run_needs(how):
    name, batch = "sudoku-extreme-mlp", 24
    child = [sys.executable, "-c", CHILD, name, str(batch), how]
    measured = int(subprocess.run(child, capture_output=True, text=True, check=True).stdout)
    preset = replace(get_preset(name), batch_size=batch, hidden_size=256, bfloat16=False)
    needs = planning.memory(preset)
    example = needs.example if how == "plain" else needs.example_recomputed
    weights = 3 * 4 * count_parameters(preset.model)  # gradients and moments; the rest was there
    assert measured == pytest.approx(batch * example + needs.slots + weights, rel=0.25)


def test_a_plan_says_what_fits():
    preset = get_preset("sudoku-extreme-mlp")
    needs = planning.memory(preset)
    small, large = (planning.fit(preset, planning.GPUS[name], needs) for name in ("T4", "H100"))
    assert (small.micro_batch, small.recompute) == (64, False)
    assert (large.micro_batch, large.recompute) == (768, False)
    assert small.hours > 50 * large.hours
    # 36 hours on the authors' own GPU, by definition.
    assert planning.fit(preset, planning.GPUS["L40S"], needs).hours_authors == pytest.approx(36)
    tight = planning.fit(preset, planning.GPU(1.5, 1.0), needs)
    assert (tight.micro_batch, tight.recompute) == (16, True)


def test_plans_are_printed(capsys):
    assert main(["plan", "sudoku-extreme-mlp", "--gpu", "4090"]) == 0
    text = capsys.readouterr().out
    assert "5,028,866" in text and "RTX 4090" in text and "H100" not in text
    assert main(["plan", "sudoku-6x6-tokens", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gpus"]["T4"]["micro_batch"] == 32
    assert main(["plan", "sudoku-6x6", "--gpu", "4091"]) == 2
    assert "RTX 4090" in capsys.readouterr().err
    assert main(["plan", "sudoku-6x7"]) == 2
    assert "did you mean sudoku-6x6" in capsys.readouterr().err
