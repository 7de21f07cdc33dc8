"""Notebooks of students, as any bytes: taken apart and put together, or refused in one line."""

import io
import json
import zipfile

import pytest
from classroom.sums import RIGHT, code, exercise
from fuzz.trials import altered, damaged, fuzz, survives, written
from hypothesis import given
from hypothesis import strategies as st

from trm_lite.classroom.assignment import student_version
from trm_lite.classroom.master import Master
from trm_lite.classroom.submissions import collect

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# Sums", "id": "t"},
        code('student: str = ""', {"tags": ["parameters"]}),
        *exercise("add", "add", "a + b", 2, "add(2, 3) == 5"),
        *exercise("times", "times", "a * b", 3, "times(2, 3) == 6"),
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
HANDED_IN = json.loads(json.dumps(student_version(NOTEBOOK)))
for cell in HANDED_IN["cells"]:
    cell["source"] = RIGHT.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
# By this name a file is handed in.
NAMES = ("some.ipynb", "some.IPYNB", "some.ipynb.txt", "some.zip", "in_a_folder/x.ipynb",
         "é_17_assignsubmission_file/sums.ipynb", f"{'x' * 200}.ipynb")  # fmt: skip


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("sums.ipynb", written(HANDED_IN))
        file.writestr("__MACOSX/sums.ipynb", b"0")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    path = tmp_path_factory.mktemp("master") / "sums.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    return Master.read(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("handed-in")
    (path / "good.ipynb").write_bytes(written(HANDED_IN))
    return path


@fuzz
@given(st.one_of(damaged([written(HANDED_IN), zipped()]), altered(HANDED_IN).map(written)),
       st.sampled_from(NAMES))  # fmt: skip
def test_submissions_of_any_bytes(master, folder, content, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with survives("submissions"):
        found = collect(folder, master.assignment, master.handed)
        (good,) = (one for one in found if one.file == "good.ipynb")  # whatever the others are
        assert good.readable and set(good.code) == {"add", "times"}
        for one in found:
            one.student.encode()
    path.unlink()


@fuzz
@given(st.one_of(damaged([written(NOTEBOOK)]), altered(NOTEBOOK).map(written)))
def test_masters_of_any_bytes(folder, content):
    path = folder.parent / "master.ipynb"
    path.write_bytes(content)
    with survives("masters"):
        Master.read(path)
