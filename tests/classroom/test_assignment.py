"""What is handed out: no solution, no hidden test, and never over the master."""

import json

import pytest

from trm_lite.classroom.assignment import read_master, replace_region, student_version
from trm_lite.classroom.master import Master
from trm_lite.classroom.submissions import collect
from trm_lite.cli.main import main
from trm_lite.common import UserError


def test_the_student_version_holds_no_solution_and_no_hidden_test(notebook):
    made = student_version(notebook, "anna")
    text = json.dumps(made)
    for secret in ("return a + b", "BEGIN SOLUTION", "HIDDEN", "add(2, 3) == 5"):
        assert secret not in text
    assert "nothing and nothing" in text, "visible checks stay"
    assert 'student: str = "anna"' in made["cells"][1]["source"]
    assert "    raise NotImplementedError(\"Exercise 'add' is waiting" in made["cells"][3]["source"]
    assert all(not cell.get("outputs") for cell in made["cells"])


def test_markers_that_do_not_close_are_a_sentence():
    with pytest.raises(UserError, match="not closed"):
        replace_region("a\n### BEGIN SOLUTION\nb", "### BEGIN SOLUTION", "### END SOLUTION", "x")
    with pytest.raises(UserError, match="twice"):
        replace_region("### BEGIN SOLUTION\n### BEGIN SOLUTION", "### BEGIN SOLUTION", "### E", "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not a notebook"), ('{"cells": 3}', "not a notebook"), ('["cells"]', "not a notebook")],
)
def test_a_broken_master_is_a_sentence(tmp_path, text, message):
    (tmp_path / "m.ipynb").write_text(text)
    with pytest.raises(UserError, match=message):
        read_master(tmp_path / "m.ipynb")


def test_names_of_cells_must_fit(notebook, tmp_path):
    path = tmp_path / "m.ipynb"
    notebook["cells"].append(notebook["cells"][3])
    path.write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="two cells are called 'add'"):
        read_master(path)
    notebook["cells"] = notebook["cells"][:4]
    path.write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="'add' has no check"):
        read_master(path)
    notebook["cells"][3]["metadata"]["nbgrader"]["grade_id"] = ["add"]
    path.write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="the name of a cell is"):
        read_master(path)


@pytest.mark.parametrize("name", [1e308, 0, None, ["add-check"]])
def test_a_name_that_is_no_text_is_a_sentence(notebook, tmp_path, name):
    """Of a check, whose name also tells its exercise."""
    (check,) = (
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "add-check"
    )
    check["metadata"]["nbgrader"]["grade_id"] = name
    (tmp_path / "m.ipynb").write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="the name of a cell is"):
        read_master(tmp_path / "m.ipynb")


def test_build_never_writes_over_the_master(master_path, capsys):
    before = master_path.read_text()
    assert main(["classroom", "build", str(master_path), "--out", str(master_path.parent)]) == 2
    assert "is the master" in capsys.readouterr().err
    assert master_path.read_text() == before


def test_each_student_gets_a_version_that_is_known_again(master_path, tmp_path):
    built = tmp_path / "built"
    names = ["anna", "Zoë"]
    arguments = ["--out", str(built), "--student-id", *names]
    assert main(["classroom", "build", str(master_path), *arguments]) == 0
    master = Master.read(master_path)
    found = collect(built, master.assignment, master.handed)
    assert sorted(one.student for one in found) == sorted(names)
    assert not any(one.remarks for one in found), "each was built for the student who hands it in"
    (built / "anna").rename(built / "otto")
    found = {one.student: one for one in collect(built, master.assignment, master.handed)}
    assert found["otto"].remarks == ["the notebook was built for 'anna'."]
