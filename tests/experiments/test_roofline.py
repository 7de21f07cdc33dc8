"""The roofline: counted work, physics, and what others have done on real GPUs."""

import json

import pytest
import torch
from torch._subclasses import FakeTensorMode

from trm_lite.cli.main import main
from trm_lite.experiments import get_preset, roofline
from trm_lite.experiments.counting import Counter, count_step, fused
from trm_lite.experiments.planning import AUTHORS_RUNS, GPUS
from trm_lite.training import replace, step_flops

# Who did it, with which network: examples, GPU, how many, hours.
PUBLISHED = {
    # 20,000 epochs of 1,000 puzzles, of which every step takes as many as there are slots.
    "HRM, H200": ("sudoku-extreme-hrm", 20_000_000, "H200", 1, 1.0),
    "HRM, RTX 5090": ("sudoku-extreme-hrm", 20_000_000, "RTX 5090", 1, 1.42),
    "nano-trm": ("sudoku-extreme-fast", 50_000 * 768, "H100", 1, 2.0),
    "RSM": ("sudoku-extreme-rsm", 14_968 * 512, "A100", 1, 1.0),
    # The TRM paper's own runs took less than these hours.
    **{f"authors, {name}": (name, None, *where) for name, *where in AUTHORS_RUNS.values()},
}
FULL_SIZE = {name for name, *_ in PUBLISHED.values()} | {"sudoku-extreme-eqr"}


def work(name):
    """Of a step in the authors' number formats."""
    return count_step(replace(get_preset(name), bfloat16_carry=True))


@pytest.mark.parametrize("name", sorted(FULL_SIZE))
def test_a_step_at_full_size(name):
    """All in one test, because counting a step takes a second."""
    found = work(name)
    operations_are_those_of_the_formula_and_nothing_waits(name, found)
    for card in ("T4", "H100", "B200"):
        no_bound_is_faster_than_physics(found, GPUS[card])
    for run, (network, *facts) in PUBLISHED.items():
        if network == name:
            what_somebody_did_is_possible(name, found, run, *facts)


def operations_are_those_of_the_formula_and_nothing_waits(name, found):
    formula = step_flops(get_preset(name))
    # A GPU's attention computes one of its products a second time in the backward pass.
    assert formula <= found.flops * (1 + 1e-9) and found.flops < 1.03 * formula
    assert found.waits == []
    assert 500 < found.launches < 5_000
    merged = found.compiled()
    assert merged.flops == pytest.approx(found.flops)
    assert merged.launches < 0.5 * found.launches and merged.bytes < 0.6 * found.bytes


def no_bound_is_faster_than_physics(found, gpu):
    bounds = roofline.bounds(found, gpu)
    merged = found.compiled()
    least = max(found.flops / (gpu.teraflops * 1e12), merged.bytes / (gpu.bandwidth * 1e9))
    assert least <= bounds["graphs"].seconds <= bounds["compiled"].seconds
    assert bounds["compiled"].seconds < bounds["eager"].seconds


def what_somebody_did_is_possible(name, found, run, examples, card, count, hours):
    """At best, and with room of no more than a factor of ten."""
    recipe = get_preset(name).recipe
    steps = examples / recipe.batch_size if examples else recipe.steps
    step = roofline.bounds(found, GPUS[card])["graphs"].seconds
    best = step * steps / count / 3600
    assert best <= hours < 15 * best, run


def test_bytes_are_those_that_a_hand_counts():
    """Two products with a norm in between, on tensors of 4 MB."""
    counter = Counter()
    counter.fusing = True
    with FakeTensorMode(), counter:
        x, w = torch.ones(1024, 1024), torch.ones(1024, 1024)
        (((x @ w) * 2 + 1).relu() @ w).sum()
    kernels = [kernel for kernel in counter.kernels if kernel.name not in ("ones", "fill_")]
    size = 4 * 1024 * 1024
    assert [kernel.name for kernel in kernels] == ["mm", "mul", "add", "relu", "mm", "sum"]
    assert [kernel.bytes for kernel in kernels] == [3 * size, *[2 * size] * 3, 3 * size, size + 4]
    assert kernels[0].flops == 2 * 1024**3
    merged = fused(kernels)
    assert [kernel.bytes for kernel in merged] == [3 * size, 2 * size, 3 * size, size + 4]


def test_a_few_rows_of_a_large_table_are_little_traffic():
    with FakeTensorMode(), Counter() as counter:
        table, rows = torch.zeros(100_000, 8), torch.zeros(10, dtype=torch.long)
        table[rows] = table[rows] + 1
    by_name = {kernel.name: kernel.bytes for kernel in counter.kernels}
    assert by_name["index"] < 1_000 and by_name["index_put_"] < 2_000


def test_a_wait_is_counted():
    with FakeTensorMode(allow_non_fake_inputs=True), Counter() as counter:
        x = torch.ones(3)
        with pytest.raises(Exception, match="aten"):
            x[x > 0]
    with Counter() as counter:
        torch.ones(3)[torch.ones(3) > 0].sum().item()
    assert counter.waits == ["index", "_local_scalar_dense"]


def test_what_bounds_a_network_is_said():
    counted = work("sudoku-extreme-mlp")
    small, large = (roofline.bounds(one, GPUS["H100"]) for one in (work("sudoku-6x6"), counted))
    assert small["eager"].by == small["compiled"].by == "the CPU"
    assert small["graphs"].by == "launches" and large["compiled"].by == "memory"
    assert roofline.bounds(counted, GPUS["T4"])["compiled"].by == "arithmetic"


def test_the_command_prints_it(capsys):
    assert main(["plan", "sudoku-6x6", "--roofline", "--gpu", "H200", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    way = figures["gpus"]["H200"]["graphs"]
    assert way["hours"] == pytest.approx(way["seconds"] * 1_500 / 3600) and figures["waits"] == 0
    assert main(["plan", "sudoku-6x6", "--roofline"]) == 0
    said = capsys.readouterr().out
    assert "it makes the CPU wait never" in said and "B200" in said and "the CPU" in said
    assert main(["plan", "sudoku-6x6-tokens-scratch", "--roofline"]) == 2
    assert "depend on the contents of its puzzles" in capsys.readouterr().err
