"""Whatever file or folder students hand in is read, or reported by name."""

import csv
import json

import pytest
from classroom.sums import LIMITS, RIGHT, code, hand_in

from trm_lite.classroom.assignment import student_version
from trm_lite.classroom.grading import grade
from trm_lite.classroom.submissions import collect, read_submission
from trm_lite.cli.main import main


def shapes():
    """Changes to a right submission that must not cost a point."""

    def without_ids(cells):  # Colab drops ids and puts its own into the metadata
        for cell in cells:
            cell.pop("id")
            cell["metadata"]["id"] = "AbC123"
        return cells

    def without_metadata(cells):  # copied into a new notebook: only the comments are left
        return [cell | {"metadata": {}} for cell in cells]

    def without_names(cells):  # and the comments are gone too
        return [{"cell_type": "code", "source": cell["source"].replace("# exercise", "# my")}
                for cell in cells if cell["cell_type"] == "code"]  # fmt: skip

    def as_lines(cells):  # VS Code and Jupyter write lists of lines
        return [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in cells]

    def with_output(cells):
        return [cell | {"outputs": [{"output_type": "stream", "name": "stdout",
                                     "text": "x" * 3_000_000}]} for cell in cells]  # fmt: skip

    def with_own_cells(cells):
        return [code("print('my notes')"), *cells, {"cell_type": "raw"}, "rubbish", None]

    return {
        "reordered": lambda cells: cells[::-1],
        "without ids": without_ids,
        "without metadata": without_metadata,
        "without names": without_names,
        "lines": as_lines,
        "megabytes of output": with_output,
        "own cells": with_own_cells,
        "checks deleted": lambda cells: [c for c in cells if "assert" not in c["source"]],
    }


@pytest.mark.parametrize("shape", shapes())
def test_any_shape_of_a_right_notebook_is_read(master, notebook, tmp_path, shape):
    path = hand_in(tmp_path, notebook, "anna", RIGHT, shapes()[shape])
    found = read_submission(path, master.assignment, master.handed)
    assert {name: text.strip() for name, text in found.code.items()} == RIGHT or shape in (
        "without metadata", "without names"), found  # fmt: skip
    assert set(found.code) == set(RIGHT)
    for name, answer in RIGHT.items():
        assert answer in found.code[name]


def test_old_and_marked_files_are_read(master, notebook, tmp_path):
    path = hand_in(tmp_path, notebook, "anna", RIGHT)
    cells = json.loads(path.read_text())["cells"]
    old = [{"cell_type": "code", "input": cell["source"], "metadata": cell["metadata"]}
           for cell in cells]  # fmt: skip
    path.write_text("\ufeff" + json.dumps({"worksheets": [{"cells": old}], "nbformat": 3}))
    assert set(read_submission(path, master.assignment, master.handed).code) == set(RIGHT)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00x", b"[]", b"[" * 100_000, b'{"cells": {}}', b"null"]
)
def test_what_is_not_a_notebook_is_reported_by_name(master, tmp_path, content):
    (tmp_path / "otto.ipynb").write_bytes(content)
    found = read_submission(tmp_path / "otto.ipynb", master.assignment, master.handed)
    assert not found.code and "otto.ipynb" in " ".join(found.remarks)
    result = grade(master, found, LIMITS)
    assert result.points == 0 and len(result.marks) == 3


def test_folders_are_understood(master, notebook, tmp_path):
    folder = tmp_path / "in"
    hand_in(folder / "anna" / "sums", notebook, "sums", RIGHT)
    hand_in(folder / "Bo Li_4711_assignsubmission_file", notebook, "my final (2)", RIGHT)
    hand_in(folder, notebook, "carl", RIGHT)
    hand_in(folder / "dora", notebook, "draft")
    hand_in(folder / "dora", notebook, "sums", RIGHT)
    (folder / "emil").mkdir()
    (folder / "fritz.docx").write_text("my solution")
    found = {one.student: one for one in collect(folder, master.assignment, master.handed)}
    assert sorted(found) == ["Bo Li", "anna", "carl", "dora", "emil", "fritz"]
    assert found["Bo Li"].id == "4711" and found["carl"].id == ""
    assert found["dora"].code["add"] == RIGHT["add"] and "2 notebooks" in found["dora"].remarks[0]
    assert not found["emil"].readable and "no notebook" in found["emil"].remarks[0]
    assert not found["fritz"].readable


def test_students_of_one_name_keep_a_row_and_a_page_each(master_path, notebook, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for number, answers in ((11, RIGHT), (12, {"add": RIGHT["add"]})):
        hand_in(folder / f"Bo Li_{number}_assignsubmission_file", notebook, "x", answers)
    hand_in(folder / "bo li", notebook, "x")
    assert main(["classroom", "grade", str(master_path), str(folder), "--out", str(out)]) == 0
    rows = list(csv.DictReader((out / "grades.csv").read_text("utf-8-sig").splitlines()))
    assert [(row["student"], row["id"], row["points"]) for row in rows] == [
        ("Bo Li_11_assignsubmission_file", "11", "10"),
        ("Bo Li_12_assignsubmission_file", "12", "2"),
        ("bo li", "", "0"),
    ]
    assert all("two students, or one twice?" in row["remarks"] for row in rows)
    pages = [path.read_text() for path in (out / "feedback").iterdir()]
    assert sorted(points for page in pages for points in (0, 2, 10)
                  if f"</b>: {points} of 10 points" in page) == [0, 2, 10]  # fmt: skip


def test_a_copied_cell_counts_once_and_a_forgotten_stub_behind_it_does_not(
    master, notebook, tmp_path
):
    stub = student_version(notebook)["cells"][3]
    path = hand_in(tmp_path, notebook, "anna", RIGHT, lambda cells: [*cells, stub])
    found = read_submission(path, master.assignment, master.handed)
    assert found.code["add"] == RIGHT["add"] and "twice" in found.remarks[0]
