"""The scripts beside the results, which are no part of the package."""

import importlib.util
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "assets" / "results"


@pytest.fixture
def script():
    """Makes a module of a script in assets/results, a new one each time."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, RESULTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
