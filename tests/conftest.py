"""Shared by all tests: one thread, headless pictures, a puzzle cache of their own."""

import gc
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TRM_LITE_CACHE", tempfile.mkdtemp(prefix="trm-lite-tests-"))
os.environ["MPLBACKEND"] = "agg"
os.environ["OMP_NUM_THREADS"] = "1"  # what tests start shares two cores with others

import pytest
from shared_settings import TINY

# jsonschema takes it if it is there, to check addresses by a grammar that takes seconds to import.
sys.modules.setdefault("rfc3987_syntax", None)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if not {"browser", "site"}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("pages")


def pytest_collection_finish():
    gc.freeze()  # what is there by now stays, and is a million objects to look through
    gc.set_threshold(50_000)  # looking for unreachable ones so seldom saves 2 % of the time


@pytest.fixture
def at_once():
    from at_once import AtOnce

    return AtOnce


@pytest.fixture
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture(scope="session")
def tiny():
    from trm_lite.experiments import get_preset
    from trm_lite.training import replace

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
