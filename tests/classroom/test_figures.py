"""Figures for slides: as they are stored, or drawn again as SVG."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from trm_lite.cli.main import main

LESSON = {
    "cells": [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "id": "a", "outputs": [],
         "execution_count": None, "source": 'profile: str = "mini"'},
        {"cell_type": "markdown", "metadata": {}, "id": "b", "source": "## 1 · Up, and *down*"},
        {"cell_type": "code", "metadata": {}, "id": "c", "execution_count": None,
         "source": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title(profile);",
         "outputs": [{"output_type": "display_data",
                      "metadata": {"image/png": {"alt": "A line <rises>."}},
                      "data": {"image/png": "aGVsbG8=", "text/plain": "x"}}]},
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "01_lesson.ipynb"
    path.write_text(json.dumps(LESSON))
    return path


def test_stored_pictures_are_taken_as_they_are(lesson, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["classroom", "figures", str(lesson), "--out", str(out)]) == 0
    assert (out / "01_lesson-01-1-up-and-down.png").read_bytes() == b"hello"
    page = BeautifulSoup((out / "index.html").read_text(), "html.parser")
    assert "Up, and *down*" in page.figcaption.text
    assert (page.img["src"], page.img["alt"]) == (
        "01_lesson-01-1-up-and-down.png", "A line <rises>."
    )  # fmt: skip
    assert "1 figure:" in capsys.readouterr().out


def test_svg_is_drawn_by_running_the_lesson(lesson, tmp_path):
    out = tmp_path / "out"
    asked = ["--format", "svg", "--profile", "smoke", "--out", str(out)]
    assert main(["classroom", "figures", str(lesson), *asked]) == 0
    text = (out / "01_lesson-01-1-up-and-down.svg").read_text()
    assert "<svg" in text and "<!-- smoke -->" in text, "the title, which matplotlib notes"


def test_all_lessons_have_figures(tmp_path):
    assert main(["classroom", "figures", "--out", str(tmp_path)]) == 0
    lessons = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
    for path in lessons:
        assert list(tmp_path.glob(f"{path.stem}-*.png")), f"{path.name} stores no figure"


def test_what_is_no_lesson_is_a_sentence(tmp_path, capsys):
    (tmp_path / "x.ipynb").write_text("{")
    assert main(["classroom", "figures", str(tmp_path / "x.ipynb")]) == 2
    assert "is not a notebook" in capsys.readouterr().err
