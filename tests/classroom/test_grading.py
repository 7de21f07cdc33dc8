"""Grading holds against every notebook and every cell that students have handed in so far."""

import csv
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from trm_lite.classroom import grading, kernel
from trm_lite.classroom.assignment import read_master, replace_region, student_version
from trm_lite.classroom.grading import Master, grade
from trm_lite.classroom.kernel import Kernel, Limits, isolation
from trm_lite.classroom.pages import file_name, histogram
from trm_lite.classroom.submissions import collect, read_submission
from trm_lite.cli.main import main
from trm_lite.common import UserError

LIMITS = Limits(cell_seconds=4, total_seconds=60, memory_gb=1.0, processes=12)
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


def marks(name, *, grade=False, solution=False, points=None):
    found = {"schema_version": 3, "grade_id": name, "grade": grade, "solution": solution,
             "locked": not solution, "task": False}  # fmt: skip
    return {"nbgrader": found | ({"points": points} if points else {})}


def code(source, metadata=None, **extra):
    return {"cell_type": "code", "metadata": metadata or {}, "source": source, "outputs": [],
            "execution_count": 1, "id": f"c{abs(hash(source)) % 10**8}"} | extra  # fmt: skip


def exercise(name, function, body, points, hidden):
    return [
        code(
            f"# exercise: {name}\ndef {function}(a, b):\n    ### BEGIN SOLUTION\n"
            f"    return {body}\n    ### END SOLUTION",
            marks(name, solution=True),
        ),
        code(
            f"assert {function}(0, 0) == 0, 'nothing and nothing make nothing'\n"
            f"### BEGIN HIDDEN TESTS\nassert {hidden}, 'try other numbers'\n### END HIDDEN TESTS",
            marks(f"{name}-check", grade=True, points=points),
        ),
    ]


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


RIGHT = {
    "add": "def add(a, b):\n    return a + b",
    "times": "def times(a, b):\n    return a * b",
    "both": "def both(a, b):\n    return times(a, b) + add(a, b)",
}


def hand_in(folder, notebook, student, answers=None, change=lambda cells: cells, **cell_keys):
    """Write what `student` made of the student version."""
    made = student_version(notebook)
    for cell in made["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in (answers or {}):
            cell["source"] = answers[name]
    made["cells"] = change(made["cells"])
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{student}.ipynb"
    path.write_text(json.dumps(made))
    return path


def graded(master, path, limits=LIMITS):
    result = grade(
        master, read_submission(path.stem, path, master.assignment, master.stubs), limits
    )
    return result, {mark.exercise: mark.points for mark in result.marks}


# --- build ---------------------------------------------------------------------------------


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


def test_build_never_writes_over_the_master(master_path, capsys):
    before = master_path.read_text()
    assert main(["classroom", "build", str(master_path), "--out", str(master_path.parent)]) == 2
    assert "is the master" in capsys.readouterr().err
    assert master_path.read_text() == before


# --- what is in a file ---------------------------------------------------------------------


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
    found = read_submission("anna", path, master.assignment, master.stubs)
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
    assert set(read_submission("a", path, master.assignment, master.stubs).code) == set(RIGHT)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00x", b"[]", b"[" * 100_000, b'{"cells": {}}', b"null"]
)
def test_what_is_not_a_notebook_is_reported_by_name(master, tmp_path, content):
    (tmp_path / "otto.ipynb").write_bytes(content)
    found = read_submission("otto", tmp_path / "otto.ipynb", master.assignment, master.stubs)
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
    found = {one.student: one for one in collect(folder, master.assignment, master.stubs)}
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
    found = read_submission("anna", path, master.assignment, master.stubs)
    assert found.code["add"] == RIGHT["add"] and "twice" in found.remarks[0]


# --- points --------------------------------------------------------------------------------


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


HOSTILE = {
    "endless loop": ("while True: pass", "Time"),
    "deaf endless loop": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass", "Time"),
    "exit": ("import os; os._exit(0)", "Died"),
    "polite exit": ("exit()", "SystemExit"),
    "sys.exit": ("import sys; sys.exit()", "SystemExit"),
    "kill": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV); import ctypes; "
             "ctypes.string_at(0)", "Died"),
    "two gigabytes": ("x = bytearray(2 * 2**30)", "MemoryError"),
    "fork bomb": ("import os\nwhile True: os.fork()", "Processes"),
    "fork bomb that leaves home": (
        "import os\nwhile True:\n    if os.fork() == 0: os.setsid()", "Processes"),
    "syntax": ("def add(a, b:", "SyntaxError"),
    "asks": ("input('name? ')", "StdinNotImplementedError"),
    "floods": ("while True: print('x' * 100_000)", None),
    "tampers": ("import IPython\nget_ipython().run_cell_async = None", None),
    "silences": (
        "def add(a, b): return 1\nfrom IPython.core.interactiveshell import InteractiveShell as S\n"
        "async def quiet(self, code, result=False, **k): return False\nS.run_code = quiet", None),
}  # fmt: skip


@linux
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_cell_costs_only_its_own_exercise(master, notebook, tmp_path, left_behind, what):
    source, error = HOSTILE[what]
    started = time.monotonic()
    answers = RIGHT | {"add": source}
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", answers))
    assert points == {"add": 0, "times": 3, "both": 5}, [m.outcome for m in result.marks]
    if error:
        assert result.marks[0].outcome.error == error
    assert time.monotonic() - started < 120
    assert not left_behind()


@pytest.fixture
def left_behind(monkeypatch):
    """Says which processes of this test's kernels still run, after a moment to end."""
    folders = []
    make = tempfile.mkdtemp

    def note(*arguments, **keywords):
        folders.append(make(*arguments, **keywords))
        return folders[-1]

    monkeypatch.setattr(kernel.tempfile, "mkdtemp", note)

    def listed():
        assert folders, "no kernel was started"
        for _ in range(50):
            text = subprocess.run(
                ["ps", "-ewwo", "pid,args"], capture_output=True, text=True
            ).stdout
            found = [line for line in text.splitlines() if any(f in line for f in folders)]
            if not found:
                return []
            time.sleep(0.1)
        return found

    return listed


@linux
def test_a_deleted_cell_costs_only_its_own_exercise(master, notebook, tmp_path):
    def delete(cells):
        return [cell for cell in cells if "def times" not in cell["source"]]

    result, points = graded(master, hand_in(tmp_path, notebook, "anna", RIGHT, delete))
    assert points == {"add": 2, "times": 0, "both": 5}
    assert "exercise 'times' is missing" in result.remarks[0]


@linux
@pytest.mark.parametrize("bomb", ["fork bomb", "fork bomb that leaves home"])
def test_a_fork_bomb_ends_where_there_are_no_namespaces(
    master, notebook, tmp_path, monkeypatch, left_behind, bomb
):
    monkeypatch.setattr(kernel, "isolation", lambda: ())
    answers = RIGHT | {"add": HOSTILE[bomb][0]}
    _, points = graded(master, hand_in(tmp_path, notebook, "anna", answers))
    assert points == {"add": 0, "times": 3, "both": 5}
    assert not left_behind()


@pytest.mark.skipif(not isolation(), reason="no namespaces here, so no isolation from the network")
def test_there_is_no_network():
    connect = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=2)"
    with Kernel(LIMITS) as started:
        outcome = started.run(connect, 4)
    assert outcome.error == "OSError" and "unreachable" in outcome.message.lower(), outcome


def test_a_notebook_that_eats_its_time_stops(master, notebook, tmp_path):
    slow = {name: f"import time; time.sleep(3)\n{text}" for name, text in RIGHT.items()}
    limits = Limits(cell_seconds=10, total_seconds=6)
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", slow), limits)
    assert 0 < sum(points.values()) < 10
    assert "whole notebook" in result.marks[-1].outcome.message


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


# --- the whole class -----------------------------------------------------------------------


def test_a_class_of_thirty_gets_the_same_grades_twice(master_path, notebook, tmp_path, capfd):
    folder = tmp_path / "in"
    for number in range(26):
        answers = dict(list(RIGHT.items())[: number % 4])
        hand_in(folder, notebook, f"student{number:02}", answers)
    (folder / "zoe.ipynb").write_text("{")
    hand_in(folder, notebook, "=cmd()", RIGHT)
    hand_in(folder, notebook, "loop", RIGHT | {"times": "while True: pass"})
    hand_in(folder, notebook, "<i>x", RIGHT | {"add": "def add(a, b): return '<script>'"})
    tables = []
    for number in range(2):
        out = tmp_path / f"out{number}"
        arguments = ["--out", str(out), "--cell-seconds", "3", "--jobs", "3"]
        assert main(["classroom", "grade", str(master_path), str(folder), *arguments]) == 0
        tables.append((out / "grades.csv").read_bytes())
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].decode("utf-8-sig").splitlines()))
    assert len(rows) == 30
    by_name = {row["student"]: row for row in rows}
    assert [by_name[f"student{n:02}"]["points"] for n in range(4)] == ["0", "2", "5", "10"]
    assert by_name["'=cmd()"]["points"] == "10", "no formula reaches the spreadsheet"
    assert by_name["loop"]["points"] == "7" and by_name["zoe"]["points"] == "0"
    page = (out / "summary.html").read_text()
    assert (
        "30 submissions" in page
        and "<h1>Sums</h1>" in page
        and "<svg" in page
        and "zoe.ipynb" in page
    )
    assert len(list((out / "feedback").iterdir())) == 30
    texts = [page, *(path.read_text() for path in (out / "feedback").iterdir())]
    assert not any("add(2, 3) == 5" in text or "<script>" in text for text in texts)
    assert "Not readable, and therefore 0 points: zoe." in capfd.readouterr().out


def test_a_student_checks_alone(notebook, tmp_path, capsys):
    path = hand_in(tmp_path, notebook, "anna", {"add": "def add(a, b):\n    return 0"})
    assert main(["classroom", "check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "ok  add" in said and "times                    not done yet" in said
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


def test_each_student_gets_a_version_that_is_known_again(master_path, tmp_path):
    built = tmp_path / "built"
    names = ["anna", "Zoë"]
    arguments = ["--out", str(built), "--student-id", *names]
    assert main(["classroom", "build", str(master_path), *arguments]) == 0
    master = Master.read(master_path)
    found = collect(built, master.assignment, master.stubs)
    assert sorted(one.student for one in found) == sorted(names)
    assert not any(one.remarks for one in found), "each was built for the student who hands it in"
    (built / "anna").rename(built / "otto")
    found = {one.student: one for one in collect(built, master.assignment, master.stubs)}
    assert found["otto"].remarks == ["the notebook was built for 'anna'."]


def test_a_master_that_fails_says_so(notebook, tmp_path):
    notebook["cells"][2]["source"] = "base = 1 / 0"
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(notebook))
    with pytest.raises(UserError, match="A cell of the master itself failed"):
        graded(Master.read(path), hand_in(tmp_path / "in", notebook, "anna", RIGHT))


def test_the_package_is_found_wherever_the_grader_runs():
    with Kernel(LIMITS) as started:
        outcome = started.run("import trm_lite; from pathlib import Path; Path('x').touch()", 20)
    assert outcome.ok, outcome
    assert not Path("x").exists(), "cells work in a folder of their own"


def test_trouble_with_one_submission_costs_no_other(master, notebook, tmp_path, monkeypatch):
    hand_in(tmp_path / "in", notebook, "anna", RIGHT)
    hand_in(tmp_path / "in", notebook, "bo", RIGHT)
    whole = grading.grade

    def stumbles(master, submission, *rest):
        if submission.student == "anna":
            raise OSError("too many open files")
        return whole(master, submission, *rest)

    monkeypatch.setattr(grading, "grade", stumbles)
    handed_in = collect(tmp_path / "in", master.assignment, master.stubs)
    anna, bo = grading.grade_all(master, handed_in, LIMITS, jobs=1)
    assert bo.points == 10 and anna.points == 0 and "too many open files" in anna.remarks[0]


def test_what_is_graded_before_an_interruption_is_kept(
    master_path, notebook, tmp_path, monkeypatch, capsys
):
    hand_in(tmp_path / "in", notebook, "anna", RIGHT)
    hand_in(tmp_path / "in", notebook, "bo", RIGHT)
    whole = grading.grade

    def interrupted(master, submission, *rest):
        if submission.student == "bo":
            raise KeyboardInterrupt
        return whole(master, submission, *rest)

    monkeypatch.setattr(grading, "grade", interrupted)
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
    handed_in = collect(tmp_path / "in", master.assignment, master.stubs)
    anna, ottilie = grading.grade_all(master, handed_in, LIMITS, jobs=1, by_student=True)
    assert anna.points == 2 and not anna.remarks
    assert ottilie.points == 0 and "right for 'anna'" in ottilie.remarks[0]


def test_no_secret_of_the_grader_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("LMS_TOKEN", "secret")
    with Kernel(LIMITS) as started:
        outcome = started.run("import os; assert 'secret' not in str(os.environ)", 10)
    assert outcome.ok


def test_pages_of_different_students_are_different_files():
    names = ["anna", "an na", "an_na", "../anna", "..", "Zoë", "=x"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names) and files[0] == "anna"
    assert not any("/" in file or file.startswith(".") for file in files)


def test_a_histogram_counts_in_whole_points():
    drawn = histogram([0.0, 1.5, 17.0, 18.0], most=18)
    starts = [int(text) for text in re.findall(r'font-size="11">([^<]*)<', drawn)]
    assert starts == list(range(0, 18, 2))
    counts = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
    assert counts == ["2", *[""] * 7, "2"]
