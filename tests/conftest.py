"""Shared by all tests: one thread, headless pictures, a puzzle cache of their own."""

import gc
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TRM_LITE_CACHE", tempfile.mkdtemp(prefix="trm-lite-tests-"))
os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # what tests start shares two cores with others

import matplotlib.pyplot as plt
import pytest
import torch
from shared_settings import TINY

from trm_lite.experiments import get_preset
from trm_lite.nets import Latents, Thought
from trm_lite.puzzles import get_puzzle
from trm_lite.training import replace

torch.set_num_threads(1)
# jsonschema takes it if it is there, to check addresses by a grammar that takes seconds to import.
sys.modules.setdefault("rfc3987_syntax", None)


class AtOnce(torch.nn.Module):
    """A network for 6x6 boards that answers `says(inputs)` after one step, and is sure of it."""

    config = SimpleNamespace(seq_len=36, vocab_size=8)
    device, draws, puzzle = torch.device("cpu"), False, get_puzzle("sudoku-6x6")

    def __init__(self, says):
        super().__init__()
        self.says = says

    def initial_latents(self, count):
        return Latents(torch.zeros(count, 1), torch.zeros(count, 1))

    def forward(self, latents, inputs, puzzle_ids=None):
        sure = torch.full((len(inputs),), 9.0)
        logits = torch.nn.functional.one_hot(self.says(inputs), 8).float()
        return Thought(latents, logits, sure, sure)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if not {"browser", "site"}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("pages")


def pytest_collection_finish():
    gc.freeze()  # what is there by now stays, and is a million objects to look through


@pytest.fixture
def at_once():
    return AtOnce


@pytest.fixture
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def tiny():
    return replace(get_preset("sudoku-6x6"), **TINY, steps=12, eval_every=5)


@pytest.fixture(scope="session")
def tiny_splits(tiny):
    return tiny.data.build()


@pytest.fixture(scope="session")
def write_kaggle():
    """Writes golden ARC tasks, `ids` of a subset, into Kaggle's pair of files."""
    golden = Path(__file__).parent / "golden"
    raw = json.loads((golden / "arc6_raw.json").read_text())

    def write(folder: Path, subset: str, ids: list[str] | None = None, infix: str = "") -> None:
        folder.mkdir(exist_ok=True, parents=True)
        for part, tasks in raw[subset].items():
            chosen = json.dumps({name: tasks[name] for name in (ids or tasks)})
            (folder / f"arc-agi_{subset}{infix}_{part}.json").write_text(chosen)

    return write


@pytest.fixture(scope="session")
def browser():
    """A Chromium without a window; tests are skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    chromium = next((found for name in names if (found := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no Chromium is installed (on Debian: apt install chromium)")
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install playwright)"
    )
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
