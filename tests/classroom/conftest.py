"""The small assignment (sums.py) as fixtures."""

import json

import pytest
from classroom.sums import code, exercise

from trm_lite.classroom.master import Master


@pytest.fixture
def notebook():
    return {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "# Sums", "id": "t"},
            code('student: str = ""', {"tags": ["parameters"]}),
            code("base = len(student)"),
            *exercise("add", "add", "a + b", 2, "add(2, 3) == 5"),
            *exercise("times", "times", "a * b", 3, "times(2, 3) == 6"),
            *exercise("both", "both", "times(a, b) + add(a, b)", 5, "both(2, 3) == 11"),
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def master_path(notebook, tmp_path):
    path = tmp_path / "sums.ipynb"
    path.write_text(json.dumps(notebook))
    return path


@pytest.fixture
def master(master_path):
    return Master.read(master_path)
