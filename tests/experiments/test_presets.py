"""The paper's tables as presets, each of which trains."""

import dataclasses
import math

import pytest
import torch
from nets.networks import fresh, puzzles

from trm_lite.experiments import PRESETS, get_preset, paper
from trm_lite.nets import (
    AutoregressiveConfig,
    load_weights,
)
from trm_lite.training import replace, trainer_for


@pytest.mark.parametrize("row", [r for r in paper.ROWS if r.millions], ids=lambda r: r.name)
def test_presets_have_the_papers_columns(row):
    preset = PRESETS[f"sudoku-extreme-{row.name or 'mlp'}"]
    assert round(preset.model.parameters / 1e6) == row.millions
    if row.depth is not None:
        assert preset.model.effective_depth == row.depth
        assert preset.recipe.forward_passes == row.passes


def test_the_table_of_ablations_is_complete():
    columns = {
        row.name: (row.accuracy, row.depth, row.passes, row.millions) for row in paper.ABLATIONS
    }
    assert columns == {
        "hrm": (55.0, 24, 2, 27), "": (87.4, 42, 1, 5), "hrm-act": (86.1, 42, 2, 5),
        "two-nets": (82.4, 42, 1, 10), "no-ema": (79.9, 42, 1, 5), "4-layers": (79.5, 48, 1, 10),
        "att": (74.7, 42, 1, 7), "shallow": (73.7, 12, 1, 5), "one-step": (56.5, 42, 1, 5),
        "multi-scale": (77.6, 42, 1, 5), "single": (71.9, 42, 1, 5),
    }  # fmt: skip
    for row in paper.ROWS:
        assert f"sudoku-6x6-{row.name}".rstrip("-") in PRESETS
        assert f"sudoku-extreme-{row.name or 'mlp'}" in PRESETS


def test_depth_is_the_number_of_layers_passed():
    for name, preset in PRESETS.items():
        if not name.startswith("sudoku-6x6") or isinstance(preset.model, AutoregressiveConfig):
            continue
        model = fresh(preset.model)
        passed = []
        for stack in ("net", "answer_net", "f_L", "f_H"):
            for block in getattr(getattr(model, stack, None), "blocks", ()):
                block.register_forward_hook(lambda *_, passed=passed: passed.append(1))
        with torch.no_grad():
            model(model.initial_latents(1), puzzles(1))
        assert len(passed) == preset.model.effective_depth, name


@pytest.mark.parametrize("name", [n for n in PRESETS if n.startswith("sudoku-6x6")])
def test_every_mini_preset_trains_and_goes_on(name, tiny, tiny_splits, tmp_path):
    steps = 6 if name.endswith("-rsm") else 4  # its thoughts grow six times
    small = {"hidden_size": 16, "batch_size": 4, "steps": steps, "eval_every": 4}
    model = get_preset(name).model
    small |= {part: min(2, getattr(model, part)) for part in ("T", "n") if hasattr(model, part)}
    preset = dataclasses.replace(replace(get_preset(name), **small), data=tiny.data)
    options = dict(splits=tiny_splits, device="cpu", progress=False)
    whole = trainer_for(preset, **options)
    losses = [whole.step().total.item() for _ in range(3)]
    assert all(map(math.isfinite, losses))
    first = trainer_for(preset, folder=tmp_path, **options)
    first.step()
    first.save()
    second = trainer_for(preset, folder=tmp_path, **options)
    second.step()
    assert second.step().total.item() == losses[2]
    assert second.train()  # looks at the validation puzzles and saves
    loaded, _ = load_weights(tmp_path / "last.safetensors")
    assert loaded.config == preset.model
