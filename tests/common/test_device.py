"""The device: what a processor computes in."""

import time
from types import SimpleNamespace

import pytest
import torch

from trm_lite.common import device


@pytest.mark.parametrize("quick", ["float32", "bfloat16"])
def test_a_processor_computes_in_the_format_in_which_it_is_quick(quick, monkeypatch):
    """Some multiply bfloat16 at half the speed of float32, and yet say that they support it."""

    trials = []

    class Stopwatch:
        def __init__(self, code, globals, num_threads):
            self.name = str(globals["matrix"].dtype).removeprefix("torch.")

        def timeit(self, number):
            trials.append(self.name)
            time.sleep(0 if self.name == quick else 0.02)
            return SimpleNamespace(mean=1.0 if self.name == quick else 2.0)

    monkeypatch.setattr("torch.utils.benchmark.Timer", Stopwatch)
    monkeypatch.setattr(device, "cpu_prefers_bfloat16", device.cpu_prefers_bfloat16.__wrapped__)
    a = torch.ones(4, 4)
    with device.precision(torch.device("cpu"), bfloat16=True):
        assert (a @ a).dtype == getattr(torch, quick)
    assert trials.count(quick) < 20  # a format that is very slow is not waited for
    with device.precision(torch.device("cpu"), bfloat16=False):
        assert (a @ a).dtype == torch.float32


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_computes_in_bfloat16_only_if_it_has_units_for_it(native, monkeypatch):
    """torch says that an older GPU supports it, and emulates it."""

    def supported(including_emulation=True):
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert device.prefers_bfloat16(torch.device("cuda")) is native
    mac = torch.device("mps")
    assert not device.prefers_bfloat16(mac)
    monkeypatch.setenv("TRM_LITE_MPS_BFLOAT16", "1")
    assert device.prefers_bfloat16(mac)
