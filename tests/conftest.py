"""Shared by all tests: one thread, headless pictures, a puzzle cache of their own."""

import os
import tempfile

os.environ.setdefault("TRM_LITE_CACHE", tempfile.mkdtemp(prefix="trm-lite-tests-"))
os.environ["MPLBACKEND"] = "agg"

import pytest
import torch

from trm_lite.presets import get_preset, replace

torch.set_num_threads(1)


# What shrinks the mini preset until it trains in a second.
TINY = {"train": 48, "validation": 8, "test": 8, "hidden_size": 16, "batch_size": 8}


@pytest.fixture(scope="session")
def tiny():
    return replace(get_preset("sudoku-6x6"), **TINY, steps=12, eval_every=5)


@pytest.fixture(scope="session")
def tiny_splits(tiny):
    return tiny.data.build()
