"""The pages for students and lecturers: nothing from outside is markup, and numbers are whole."""

import csv
import json

import pytest
from bs4 import BeautifulSoup

from trm_lite.classroom.assignment import Assignment, Cell
from trm_lite.classroom.grading import Mark, Result
from trm_lite.classroom.kernel import Outcome
from trm_lite.classroom.pages import (
    MOST_SHOWN,
    as_csv,
    feedback,
    file_name,
    histogram,
    summary,
    write_pages,
    write_table,
)
from trm_lite.classroom.submissions import Submission

EVIL = """<script>alert(1)</script>"' onload=x {{ 7 * 7 }}"""
SUMS = Assignment(
    "sums",
    [
        Cell("text", "", f"# Sums {EVIL}"),
        Cell("exercise", "add", "def add(a, b): ..."),
        Cell("check", "add-check", "assert add(1, 1) == 2", points=10),
        Cell("question", "why", "Why?", points=1),
    ],
)


def result(student="anna", points=10.0, outcome=Outcome(True), code="", words="", remarks=()):  # noqa: B008
    submission = Submission(student, "", {"add": code}, {"why": words})
    return Result(submission, [Mark("add", points, 10, outcome)], remarks=list(remarks))


def test_whatever_a_student_writes_is_text():
    outcome = Outcome(False, EVIL, EVIL)
    hostile = result(EVIL, 0, outcome, EVIL, EVIL, [EVIL])
    for page in (feedback(SUMS, hostile), summary(SUMS, [hostile])):
        soup = BeautifulSoup(page, "html.parser")
        assert not soup.find("script") and not soup.find(onload=True)
        assert EVIL in soup.h1.text and "49" not in soup.text
    shown = BeautifulSoup(feedback(SUMS, hostile), "html.parser")
    assert shown.b.text == EVIL and [pre.text.strip() for pre in shown("pre")] == [EVIL, EVIL]
    assert EVIL in shown.find(class_="failed").text


def test_signs_that_no_encoding_knows_cost_nobody_the_pages(tmp_path):
    lone = json.loads(r'"\ud800"')
    students = [result("bo", remarks=[lone], code=lone, words=lone), result(f"mo{lone}")]
    write_table(SUMS, students, tmp_path)
    write_pages(SUMS, students, tmp_path)
    assert len(list((tmp_path / "feedback").iterdir())) == 2
    assert all((tmp_path / name).exists() for name in ("grades.csv", "summary.html"))


def test_a_cell_is_shown_as_it_was_written():
    code = "\n  if a:\n\n      return b  # <&>\n"
    page = feedback(SUMS, result(code=code, words="x" * (MOST_SHOWN + 5)))
    cell, words = BeautifulSoup(page, "html.parser")("pre")
    assert cell.text == "\n" + code, "a browser drops the first end of line"
    assert words.text.endswith("x\n\n[5 more characters]")


def test_one_is_no_plural():
    assert "<h2>1 submission</h2>" in summary(SUMS, [result()]).decode()
    assert "<h2>2 submissions</h2>" in summary(SUMS, [result(), result("bo")]).decode()
    assert "(1 point, by hand)" in feedback(SUMS, result()).decode()


def test_the_median_of_two_lies_between_them():
    assert "Median 6.5 of 10 points." in summary(SUMS, [result(), result("bo", 3.0)]).decode()


@pytest.mark.parametrize(
    ("most", "edges"),
    [
        (18, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        (10, list(range(11))),
        (7.5, list(range(9))),
        (100, list(range(0, 101, 10))),
        (34, [0, 5, 10, 15, 20, 25, 30, 34]),
        (0.5, [0, 1]),
    ],
)
def test_bars_stand_between_whole_numbers(most, edges):
    points = [most * share for share in (0, 0.1, 0.5, 1, 1)]
    bars = histogram(points, most)
    assert [bar.low for bar in bars] + [bars[-1].high] == edges
    assert sum(bar.students for bar in bars) == 5 and bars[-1].students >= 2


def test_a_sum_of_fractions_stands_in_its_own_bar():
    tenths = sum([0.1] * 10)
    assert tenths < 1, "a rounding error"
    assert histogram([tenths], 10)[1].students == 1


def test_a_page_can_be_read_on_a_phone_and_in_the_dark():
    for page in (feedback(SUMS, result()), summary(SUMS, [result()])):
        soup = BeautifulSoup(page, "html.parser")
        assert soup.html["lang"] == "en" and soup.title.text
        assert soup.find("meta", {"name": "viewport"})["content"].startswith("width=device-width")
        assert "prefers-color-scheme: dark" in soup.style.text
        assert all("scroll" in table.parent["class"] for table in soup("table"))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "a\r=1", "\n=1", "  =1"]
)
def test_a_spreadsheet_computes_nothing(text):
    table = as_csv(SUMS, [result(text, remarks=[text])])
    _, row = csv.reader(table.splitlines())
    assert row[0] == row[-1] == (f"'{text.strip()}" if text[0] != "a" else "a =1")


def test_long_names_become_short_ones_of_files():
    names = ["n" * 300, "n" * 299, "é" * 100, "🙂" * 100]
    files = [file_name(name) for name in names]
    assert len(set(files)) == 4 and all(len(f"{file}.html".encode()) < 200 for file in files)
