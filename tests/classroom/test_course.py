"""The whole course in one command: what runs is recorded, and what fails does not stop the rest."""

import json

import nbformat
import pytest
from bs4 import BeautifulSoup

from trm_lite.classroom import course
from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.common.device import cpu_name

PICTURE = """
%matplotlib inline
import matplotlib.pyplot as plt
from trm_lite.classroom import show
plt.plot([1, 2])
show(plt.gcf(), 'Nothing, "drawn" <small>.')
"""
TEXT = """
## Where next?
[first](00_fine.ipynb), [its end](00_fine.ipynb#Where-next?), [not run](appendix.ipynb),
[map](../README.md "all"), [nowhere](gone.ipynb), [web](https://example.org/a.ipynb), `x[0](y)`

![A dot,
in two lines](../dot.png) <img alt="Raw" src="../dot.png">
"""


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, source in {
        "00_fine": "print(profile)",
        "01_broken": "1 / 0",
        "02_after": PICTURE,
    }.items():
        cells = [
            nbformat.v4.new_code_cell('profile: str = "mini"'),
            nbformat.v4.new_code_cell(source),
        ]
        cells[0].metadata = {"tags": ["parameters"]}
        cells.append(nbformat.v4.new_markdown_cell(TEXT))
        about = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=about)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    (folder / "appendix.ipynb").write_text("never run")
    (tmp_path / "README.md").write_text("the map")
    (tmp_path / "dot.png").write_bytes(b"a dot")
    monkeypatch.setattr(course, "NOTEBOOKS", folder)
    return folder


def test_a_failing_lesson_is_reported_and_the_others_go_on(lessons, tmp_path, capsys):
    out = tmp_path / "runs"
    assert main(["course", "--profile", "smoke", "--out", str(out)]) == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out
    page = (out / "index.html").read_text()
    for name in ("00_fine", "01_broken", "02_after"):
        assert f'<a href="{name}.html">' in page and (out / f"{name}.html").exists()
    assert page.count("ran to its end") == 2 and "ZeroDivisionError" in page
    record = json.loads((out / "times.json").read_text())
    assert record["profile"] == "smoke" and list(record["lessons"]) == ["00_fine", "02_after"]
    assert all(0 <= it["longest_wait"] <= it["seconds"] for it in record["lessons"].values())
    assert {it["processor"] for it in record["lessons"].values()} == {cpu_name()}
    ran = nbformat.read(out / "00_fine.ipynb", as_version=4)
    assert [cell.outputs[0].text for cell in ran.cells if cell.get("outputs")] == ["smoke\n"]


def test_the_page_of_a_lesson_stands_alone(lessons, tmp_path):
    out = tmp_path / "runs"
    out.mkdir()
    (out / "00_fine.html").write_text("of an earlier run")
    course.run_course(out, "smoke", ["02"])
    page = BeautifulSoup((out / "02_after.html").read_text(), "html.parser")
    assert {a.text: a["href"] for a in page("a") if a.text != "¶"} == {
        "first": "00_fine.html",
        "its end": "00_fine.html#Where-next?",
        "not run": "../notebooks/appendix.ipynb",
        "map": "../README.md",
        "nowhere": "gone.ipynb",
        "web": "https://example.org/a.ipynb",
    }
    assert "x[0](y)" in [code.text for code in page("code")]
    drawn, dot, raw = page("img")
    assert drawn["alt"] == 'Nothing, "drawn" <small>.' and "small" not in [t.name for t in page()]
    assert (dot["alt"], raw["alt"]) == ("A dot,\nin two lines", "Raw")
    assert dot["src"] == raw["src"] == "data:image/png;base64,YSBkb3Q="


def test_the_lessons_of_the_course_are_found():
    assert course.find_lessons(["00"])[0].name == "00_watch_it_think.ipynb"


def test_times_are_told_in_words():
    assert [course.spoken(seconds) for seconds in (3, 80, 106, 1000)] == [
        "a few seconds",
        "a minute and a half",
        "two minutes",
        "seven minutes or more",
    ]


def test_lessons_are_chosen_by_their_numbers(lessons):
    assert [path.stem for path in course.find_lessons(["02", "00"])] == ["00_fine", "02_after"]
    with pytest.raises(UserError, match="no lesson '03'"):
        course.find_lessons(["03"])


def test_a_misspelled_profile_and_a_missing_course(lessons, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no profile 'smok'"):
        course.run_course(tmp_path / "runs", "smok")
    monkeypatch.setattr(course, "NOTEBOOKS", tmp_path / "nowhere")
    with pytest.raises(UserError, match="in a clone of the course"):
        course.find_lessons()
