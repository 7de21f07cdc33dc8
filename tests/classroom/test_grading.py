"""Points: an error costs its own once, and a class gets the same grades twice."""

import csv
import json

import pytest
from classroom.sums import LIMITS, RIGHT, exercise, graded, hand_in, linux

from trm_lite.classroom import kernel, whole_class
from trm_lite.classroom.master import Master
from trm_lite.classroom.pages import file_name
from trm_lite.classroom.submissions import collect
from trm_lite.cli.main import main
from trm_lite.common import UserError


def test_solutions_score_everything(master, master_path):
    result, points = graded(master, master_path)
    assert points == {"add": 2, "times": 3, "both": 5} and not result.remarks


def test_the_untouched_version_scores_nothing(master, notebook, tmp_path):
    result, _ = graded(master, hand_in(tmp_path, notebook, "anna"))
    assert result.points == 0
    assert {mark.outcome.error for mark in result.marks} == {"NotImplementedError"}
    assert {mark.status for mark in result.marks} == {"not done"}


def test_an_error_costs_its_points_once(master, notebook, tmp_path):
    wrong = RIGHT | {"add": "def add(a, b):\n    return 0"}
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", wrong))
    assert points == {"add": 0, "times": 3, "both": 5}
    assert result.marks[0].outcome.message == "try other numbers"


def test_an_edited_check_gains_nothing(master, notebook, tmp_path):
    free = {f"{name}-check": "pass" for name in RIGHT}
    _, points = graded(master, hand_in(tmp_path, notebook, "anna", free))
    assert sum(points.values()) == 0


@linux
def test_a_deleted_cell_costs_only_its_own_exercise(master, notebook, tmp_path):
    def delete(cells):
        return [cell for cell in cells if "def times" not in cell["source"]]

    result, points = graded(master, hand_in(tmp_path, notebook, "anna", RIGHT, delete))
    assert points == {"add": 2, "times": 0, "both": 5}
    assert "exercise 'times' is missing" in result.remarks[0]


def test_private_tests_take_points(master_path, notebook, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "add.py").write_text("assert add(1, -1) == 0, 'negative numbers too'")
    master = Master.read(master_path, private)
    tuned = RIGHT | {"add": "def add(a, b):\n    return a + abs(b)"}
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", tuned))
    assert points["add"] == 0 and result.marks[0].outcome.message == "negative numbers too"
    with pytest.raises(UserError, match="no private test"):
        Master.read(master_path, tmp_path / "private" / "..")


def test_a_broken_private_test_is_noticed_before_anybody_loses_points(
    master_path, notebook, tmp_path, capsys
):
    private, out = tmp_path / "private", tmp_path / "out"
    private.mkdir()
    hand_in(tmp_path / "in", notebook, "anna", RIGHT)
    asked = ["classroom", "grade", str(master_path), str(tmp_path / "in"), "--out", str(out),
             "--hidden", str(private)]  # fmt: skip
    (private / "add.py").write_text("assert add(1, 1) == 2, 'one and one'")
    (private / "times.py").write_text("assert tmes(2, 2) == 4, 'misspelt'")
    assert main(asked) == 2 and not out.exists()
    said = capsys.readouterr().err
    assert "exercise 'times' fails its tests (NameError" in said and "test times.py" in said
    (private / "times.py").write_bytes("assert True, 'zwölf'".encode("latin-1"))
    assert main(asked) == 2 and "times.py is not UTF-8" in capsys.readouterr().err
    (private / "times.py").unlink()
    assert main(asked) == 0 and "anna,,10" in (out / "grades.csv").read_text("utf-8-sig")


def test_a_class_of_twelve_gets_the_same_grades_twice(master_path, notebook, tmp_path, capfd):
    folder = tmp_path / "in"
    for number in range(8):
        answers = dict(list(RIGHT.items())[: number % 4])
        hand_in(folder, notebook, f"student{number:02}", answers)
    (folder / "zoe.ipynb").write_text("{")
    hand_in(folder, notebook, "=cmd()", RIGHT)
    hand_in(folder, notebook, "loop", RIGHT | {"times": "while True: pass"})
    hand_in(folder, notebook, "<i>x", RIGHT | {"add": "def add(a, b): return '<script>'"})
    tables = []
    for number in range(2):
        out = tmp_path / f"out{number}"
        arguments = ["--out", str(out), "--cell-seconds", "2", "--jobs", "3"]
        assert main(["classroom", "grade", str(master_path), str(folder), *arguments]) == 0
        tables.append((out / "grades.csv").read_bytes())
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].decode("utf-8-sig").splitlines()))
    assert len(rows) == 12
    by_name = {row["student"]: row for row in rows}
    assert [by_name[f"student{n:02}"]["points"] for n in range(4)] == ["0", "2", "5", "10"]
    assert by_name["'=cmd()"]["points"] == "10", "no formula reaches the spreadsheet"
    assert by_name["loop"]["points"] == "7" and by_name["zoe"]["points"] == "0"
    page = (out / "summary.html").read_text()
    assert (
        "12 submissions" in page
        and "<h1>Sums</h1>" in page
        and "<svg" in page
        and "zoe.ipynb" in page
    )
    assert len(list((out / "feedback").iterdir())) == 12
    texts = [page, *(path.read_text() for path in (out / "feedback").iterdir())]
    assert not any("add(2, 3) == 5" in text or "<script>" in text for text in texts)
    assert "Not readable, and therefore 0 points: zoe." in capfd.readouterr().out


def test_a_student_checks_alone(notebook, tmp_path, capsys):
    path = hand_in(tmp_path, notebook, "anna", {"add": "def add(a, b):\n    return 0"})
    assert main(["classroom", "check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "ok  add" in said and "times  not done yet" in said
    assert main(["classroom", "check", str(hand_in(tmp_path, notebook, "bo", RIGHT))]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grade", "MASTER", "nowhere"], "no folder nowhere"),
        (["grade", "nowhere.ipynb", "."], "cannot be read"),
        (["grade", "STUDENT", "."], "is a student version"),
        (["grade", ".", "."], "is a folder; name one master notebook"),
        (["check", "nowhere.ipynb"], "cannot be read"),
        (["build"], "Name a master"),
        (["build", "MASTER", "--student-id", "a", "A"], "named twice"),
        (["build", "MASTER", "--student-id", "../../evil"], "cannot be called '../../evil'"),
        (["build", "MASTER", "--student-id", "a", ".."], "cannot be called '..'"),
        (["build", "MASTER", "--student-id", "a\\b"], "cannot be called"),
        (["build", "SAME", "--student-id", "a", "b"], "has no numbers that vary by student"),
        (["grade", "SAME", ".", "--by-student"], "has no numbers that vary by student"),
        (["grade", "MASTER", ".", "--hidden", "nowhere"], "no folder nowhere of private"),
        (["check", "STUDENT", "--memory-gb", "0.1"], "at least 0.5 GB"),
        (["check", "STUDENT", "--seconds", "-1"], "must be above 0"),
    ],
)
def test_wrong_arguments_are_a_sentence(
    master_path, notebook, tmp_path, monkeypatch, capsys, arguments, message
):
    same = tmp_path / "same.ipynb"
    same.write_text(json.dumps(notebook | {"cells": notebook["cells"][2:]}))
    names = {"MASTER": str(master_path), "STUDENT": str(hand_in(tmp_path, notebook, "anna")),
             "SAME": str(same)}  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["classroom", *(names.get(word, word) for word in arguments)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "release").exists(), "nothing was built"


def test_a_master_that_fails_says_so(notebook, tmp_path):
    notebook["cells"][2]["source"] = "base = 1 / 0"
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="A cell of the master itself failed"):
        graded(Master.read(path), hand_in(tmp_path / "in", notebook, "anna", RIGHT))


def test_trouble_with_one_submission_costs_no_other(master, notebook, tmp_path, monkeypatch):
    hand_in(tmp_path / "in", notebook, "anna", RIGHT)
    hand_in(tmp_path / "in", notebook, "bo", RIGHT)
    whole = whole_class.grade

    def stumbles(master, submission, *rest):
        if submission.student == "anna":
            raise OSError("too many open files")
        return whole(master, submission, *rest)

    monkeypatch.setattr(whole_class, "grade", stumbles)
    handed_in = collect(tmp_path / "in", master.assignment, master.handed)
    anna, bo = whole_class.grade_all(master, handed_in, LIMITS, jobs=1)
    assert bo.points == 10 and anna.points == 0 and "too many open files" in anna.remarks[0]


def test_what_is_graded_before_an_interruption_is_kept(
    master_path, notebook, tmp_path, monkeypatch, capsys
):
    hand_in(tmp_path / "in", notebook, "anna", RIGHT)
    hand_in(tmp_path / "in", notebook, "bo", RIGHT)
    whole = whole_class.grade

    def interrupted(master, submission, *rest):
        if submission.student == "bo":
            raise KeyboardInterrupt
        return whole(master, submission, *rest)

    monkeypatch.setattr(whole_class, "grade", interrupted)
    out = tmp_path / "out"
    asked = ["grade", str(master_path), str(tmp_path / "in"), "--out", str(out), "--jobs", "1"]
    assert main(["classroom", *asked]) == 130
    assert "anna,,10" in (out / "grades.csv").read_text("utf-8-sig")
    assert "the other 1 are not in it" in capsys.readouterr().out


def test_copied_numbers_show(notebook, tmp_path):
    notebook["cells"][2]["source"] = "mine = len(student)"
    notebook["cells"][3:] = exercise("mine", "mine_is", "mine", 2, "mine_is(1, 1) == mine")
    notebook["cells"][4]["source"] = "assert mine_is(0, 0) == mine, 'not the number of your name'"
    path = tmp_path / "m.ipynb"
    path.write_text(json.dumps(notebook))
    copied = {"mine": "def mine_is(a, b):\n    return 4"}
    for student in ("anna", "ottilie"):
        hand_in(tmp_path / "in", notebook, student, copied)
    master = Master.read(path)
    handed_in = collect(tmp_path / "in", master.assignment, master.handed)
    anna, ottilie = whole_class.grade_all(master, handed_in, LIMITS, jobs=1, by_student=True)
    assert anna.points == 2 and not anna.remarks
    assert ottilie.points == 0 and "right for 'anna'" in ottilie.copied[0]


def test_pages_of_different_students_are_different_files():
    names = ["anna", "an na", "an_na", "../anna", "..", "Zoë", "=x"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names) and files[0] == "anna"
    assert not any("/" in file or file.startswith(".") for file in files)


def test_a_course_that_changes_meanwhile_stops_grading(master, master_path, notebook, tmp_path):
    for student in ("anna", "bo", "cleo"):
        hand_in(tmp_path / "in", notebook, student)
    handed_in = collect(tmp_path / "in", master.assignment, master.handed)
    graded = []

    def change(result):
        graded.append(result)
        master_path.write_text(master_path.read_text() + " ")

    with pytest.raises(UserError, match="the master changed while 'bo' was graded"):
        whole_class.grade_all(master, handed_in, LIMITS, jobs=1, done=change)
    assert [result.submission.student for result in graded] == ["anna"]


def test_an_interrupted_run_goes_on_and_grades_only_what_changed(
    master_path, notebook, tmp_path, monkeypatch, capsys
):
    folder, out = tmp_path / "in", tmp_path / "out"
    for student in ("anna", "bo"):
        hand_in(folder, notebook, student, {"add": RIGHT["add"]})
    asked = ["classroom", "grade", str(master_path), str(folder), "--out", str(out), "--jobs", "1"]
    asked_for = []
    whole = whole_class.grade

    def noted(master, submission, *rest):
        asked_for.append(submission.student)
        if len(asked_for) == 2:
            raise KeyboardInterrupt
        return whole(master, submission, *rest)

    monkeypatch.setattr(whole_class, "grade", noted)
    assert main(asked) == 130
    (out / "feedback" / "anna.html").unlink()
    (out / "feedback").rmdir()
    (out / "feedback").write_text("in the way of the pages")
    assert main(asked) == 2 and asked_for == ["anna", "bo", "bo"]
    assert "bo,,2" in (out / "grades.csv").read_text("utf-8-sig"), "written before any page"
    (out / "feedback").unlink()
    first = (out / "grades.csv").read_bytes()
    assert main(asked) == 0 and len(asked_for) == 3, "nothing has changed"
    assert (out / "grades.csv").read_bytes() == first and "2 of 2 were graded before" in (
        capsys.readouterr().out
    )
    hand_in(folder, notebook, "bo", RIGHT)
    assert main(asked) == 0 and asked_for[3:] == ["bo"]
    assert "bo,,10" in (out / "grades.csv").read_text("utf-8-sig")
    (out / "results.json").write_text("{")
    assert main([*asked, "--again"]) == 0 and asked_for[4:] == ["anna", "bo"]
    master_path.write_text(master_path.read_text() + " ")
    assert main(asked) == 0 and asked_for[6:] == ["anna", "bo"], "another master"


def test_whoever_cannot_shut_students_in_is_warned(monkeypatch):
    monkeypatch.setattr(kernel, "isolation", lambda: ())
    monkeypatch.setattr(kernel.os, "geteuid", lambda: 0)
    said = " ".join(kernel.warnings())
    assert "can read and change your files" in said and "you are root" in said
