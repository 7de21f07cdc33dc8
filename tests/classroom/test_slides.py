"""A deck of slides shows what a lesson shows, and says the rest in its notes."""

import re

import nbformat
import pytest

from trm_lite.classroom.course import find_lessons
from trm_lite.classroom.slides import deck, make_decks

LESSONS = find_lessons()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_picture_and_question_is_seen_and_no_solution(path):
    slides = [slide for part in deck(path) for slide in part]
    shown = "".join(slide.shown for slide in slides)
    cells = nbformat.read(path, as_version=4).cells
    words = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    figures = [
        output for cell in cells for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]  # fmt: skip
    assert shown.count("data:image/png") == len(figures) + words.count(".png)")
    assert shown.count("Predict first") == words.count("> **Predict first.**")
    assert shown.count("data:image/svg+xml") == words.count(".svg)")
    said = "".join(slide.shown + slide.notes for slide in slides)
    assert "Solution" not in re.sub("<details>.*?</details>", "", said, flags=re.DOTALL)
    assert "<h1" in slides[0].shown and any(len(slide.notes) > 200 for slide in slides)


def test_a_deck_is_one_file_that_loads_only_reveal(tmp_path):
    (path,) = make_decks(tmp_path, ["07"], reveal="../reveal")
    text = path.read_text()
    assert "<title>07" in text
    loads = re.findall(r"""<(?:script|link|img)[^>]*?(?:src|href)="(?!data:)([^"]+)""", text)
    assert loads and all(address.startswith("../reveal/") for address in loads)
