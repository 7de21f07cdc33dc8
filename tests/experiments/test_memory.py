"""What a training run keeps in memory, found out on one example."""

import pytest

from trm_lite.experiments import activation_bytes, get_preset, memory


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", ["", "-hrm-ema", "-one-step", "-multi-scale", "-att", "-urm"])
def test_applications_without_gradient_keep_nothing(name, recompute, monkeypatch):
    preset = get_preset(f"sudoku-6x6{name}")
    quick = activation_bytes(preset, recompute)
    monkeypatch.setattr(memory, "gradient_alone", lambda config: config)
    assert activation_bytes(preset, recompute) == quick > 10_000
