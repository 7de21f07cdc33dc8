"""What counts as an answer: the same for `check` and `grade`, however the cells come back."""

import json
import time

import pytest
from classroom.sums import LIMITS, RIGHT, code, graded, hand_in, marks

from trm_lite.classroom.answers import gather
from trm_lite.classroom.assignment import student_version
from trm_lite.classroom.grading import own_check
from trm_lite.classroom.submissions import read_submission
from trm_lite.cli.main import main

HELPER = "def twice(a):\n    return 2 * a"
USES_HELPER = "def add(a, b):\n    return int(math.sqrt(twice(a) ** 2)) // 2 + b"


def replaced(name, *cells):
    """A change that puts other cells in the place of an exercise's."""

    def change(present):
        at = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in present].index(name)
        return [*present[:at], *cells, *present[at + 1 :]]

    return change


ADD = marks("add", solution=True)
FIRST, SECOND = (
    "# exercise: add\ndef half(a):\n    return a",
    "def add(a, b):\n    return half(a) + b",
)
# How the cell of `add` came back, whether it still counts, and what is said about it.
CHANGES = {
    "helpers in other cells": (
        [code(HELPER), code("import math"), code(USES_HELPER, ADD)], True, ""),
    "helper below": ([code(USES_HELPER, ADD), code("import math\n" + HELPER)], True, ""),
    "a cell with more than a helper": (
        [code(HELPER + "\nprint(twice(2))"), code("import math"), code(USES_HELPER, ADD)],
        False, "may use twice of another cell"),
    "split, both named": ([code(FIRST, ADD), code(SECOND, ADD)], True, "in 2 parts"),
    "split, the second without a name": ([code(FIRST, ADD), code(SECOND)], True, "in 2 parts"),
    "split within the function": (
        [code("# exercise: add\ndef add(a, b):", ADD), code("    return a + b")],
        True, "in 2 parts"),
    "markdown": ([code(RIGHT["add"], ADD) | {"cell_type": "markdown"}], False, "a markdown cell"),
    "raw": ([code("# exercise: add\n" + RIGHT["add"]) | {"cell_type": "raw"}], False, "a raw cell"),
    "twice": ([code("def add(a, b): return 0", ADD), code(RIGHT["add"], ADD)],
              True, "is there 2 times; the last was graded"),
    "a given cell changed": (
        [code("base = 99\ndef extra(): return 1"), code(RIGHT["add"], ADD)],
        True, "a given cell, with base, was changed"),
    "a check edited": ([code(RIGHT["add"], ADD), code("1 / 0", marks("add-check"))], True, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_check_says_what_grading_gives(master, notebook, tmp_path, what):
    cells, counts, said = CHANGES[what]
    path = hand_in(tmp_path, notebook, "anna", RIGHT, replaced("add", *cells))
    checked = own_check(path, LIMITS)
    result, points = graded(master, path)
    assert points["add"] == (2 if counts else 0), [mark.outcome for mark in result.marks]
    # The last exercise builds on this one, for which a student has no solution but their own.
    same = len(result.marks) if counts else 2
    for mine, theirs in list(zip(checked.marks, result.marks, strict=True))[:same]:
        assert mine.points == theirs.points
    assert checked.remarks == result.remarks
    assert said in " ".join(result.remarks) if said else not result.remarks


@pytest.mark.parametrize("what", ["split, both named", "markdown"])
def test_check_works_where_the_note_of_what_was_handed_out_is_lost(
    notebook, tmp_path, capsys, what
):
    cells, counts, said = CHANGES[what]
    path = hand_in(tmp_path, notebook, "anna", RIGHT, replaced("add", *cells))
    made = json.loads(path.read_text())
    del made["metadata"]["trm_lite"]
    path.write_text(json.dumps(made))
    assert main(["classroom", "check", str(path)]) == (not counts)
    out = capsys.readouterr().out
    assert said in out and f"{10 if counts else 3} of 10 points" in out


def test_the_copy_that_nobody_worked_on_does_not_count(master, notebook, tmp_path):
    stub = student_version(notebook)["cells"][3]
    path = hand_in(tmp_path, notebook, "anna", RIGHT, lambda cells: [*cells, stub])
    found = read_submission(path, master.assignment, master.handed)
    assert found.code["add"] == RIGHT["add"]
    assert found.remarks == ["exercise 'add' is there twice; the copy that nobody worked on was "
                             "left out."]  # fmt: skip


ODD = {
    "blank lines": "\n" * 200_000,
    "spaces": (" " * 1000 + "\n") * 200,
    "nested": "x = " + "-" * 50_000 + "1",
    "long chain": "x = a" + ".a" * 10_000,
    "brackets": "(" * 100_000,
    "too long": "x = 1\n" * 100_000,
    "half an emoji": 'add = "\ud83d"',
    "a NUL": "x = '\0'",
}


@pytest.mark.parametrize("what", ODD)
def test_odd_text_takes_no_time_and_no_other_answer(master, notebook, what):
    cells = student_version(notebook)["cells"]
    cells[3] = cells[3] | {"source": RIGHT["add"]}
    started = time.process_time()
    for metadata in ({}, marks("times", solution=True), {"nbgrader": {"grade_id": ["add"]}},
                     {"nbgrader": {"grade_id": {}}}, {"nbgrader": 3}, []):  # fmt: skip
        odd = {"cell_type": "code", "source": ODD[what], "metadata": metadata}
        found = gather([odd, *cells], master.assignment, master.handed)
        assert found.code["add"].endswith(RIGHT["add"])
    assert time.process_time() - started < 5
    json.dumps(found.code, ensure_ascii=False).encode()
