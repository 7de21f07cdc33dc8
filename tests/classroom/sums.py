"""A small assignment that stands in for the real ones, and what students make of it."""

import json
import sys

import pytest

from trm_lite.classroom.assignment import student_version
from trm_lite.classroom.grading import grade
from trm_lite.classroom.kernel import Limits
from trm_lite.classroom.submissions import read_submission

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
    result = grade(master, read_submission(path, master.assignment, master.handed), limits)
    return result, {mark.exercise: mark.points for mark in result.marks}


# Whoever is first to notice: the grader, or the cell, which the system gives no more processes.
TOO_MANY = ("Processes", "BlockingIOError")
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
    "fork bomb": ("import os\nwhile True: os.fork()", TOO_MANY),
    "fork bomb that leaves home": (
        "import os\nwhile True:\n    if os.fork() == 0: os.setsid()", TOO_MANY),
    "syntax": ("def add(a, b:", "SyntaxError"),
    "asks": ("input('name? ')", "EOFError"),
    "floods": ("while True: print('x' * 100_000)", None),
    "tampers": ("import IPython\nget_ipython().run_cell_async = None", None),
    "silences": (
        "def add(a, b): return 1\nfrom IPython.core.interactiveshell import InteractiveShell as S\n"
        "async def quiet(self, code, result=False, **k): return False\nS.run_code = quiet", None),
}  # fmt: skip
