"""The masters go through the real nbgrader: generate, autograde, feedback.

nbgrader lives in an environment of its own, named by TRM_LITE_NBGRADER (its command);
`make test-nbgrader` makes one. Its kernels run in this environment, so that it needs no PyTorch.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trm_lite.classroom.assignment import read_master

FOLDER = Path(__file__).parents[2] / "notebooks" / "assignments"
MASTERS = sorted(FOLDER.glob("a*.ipynb"))
NBGRADER = os.environ.get("TRM_LITE_NBGRADER")

pytestmark = pytest.mark.skipif(
    not NBGRADER, reason="TRM_LITE_NBGRADER names no nbgrader; make test-nbgrader installs one"
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with all masters as sources, and a kernel spec for this environment."""
    folder = tmp_path_factory.mktemp("course")
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    (folder / "nbgrader_config.py").write_text((FOLDER / "nbgrader_config.py").read_text())
    for path in MASTERS:
        source = folder / "source" / path.stem
        source.mkdir(parents=True)
        (source / path.name).write_text(path.read_text())
    return folder


def nbgrader(course, *arguments):
    """Run an nbgrader command in the course; its log if it succeeded."""
    environment = os.environ | {
        "JUPYTER_PATH": str(course / "jupyter"),
        "PATH": f"{Path(NBGRADER).parent}{os.pathsep}{os.environ['PATH']}",  # it calls alembic
        "PYTHONPATH": "",
        "TRM_LITE_PROFILE": "smoke",
        "OMP_NUM_THREADS": "1",
    }
    repository = str(FOLDER.parent.parent)
    # Only the kernel needs the package: its interpreter finds it by a setting of its own.
    spec = course / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel = json.loads(spec.read_text()) | {"env": {"PYTHONPATH": repository}}
    spec.write_text(json.dumps(kernel))
    done = subprocess.run(
        [NBGRADER, *arguments], cwd=course, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def submit(course, student, path, notebook):
    folder = course / "submitted" / student / path.stem
    folder.mkdir(parents=True)
    (folder / path.name).write_text(json.dumps(notebook))


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_a_master_goes_the_whole_way(course, path):
    assignment, master = read_master(path)
    nbgrader(course, "generate_assignment", path.stem, "--create")
    released = json.loads((course / "release" / path.stem / path.name).read_text())
    text = json.dumps(released)
    assert "BEGIN SOLUTION" not in text and "HIDDEN" not in text
    assert text.count("is waiting for your code") >= len(assignment.exercises)
    submit(course, "idle", path, released)
    # A student who solved everything: the released notebook with the solutions in its cells.
    solutions = {
        cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in master["cells"]
    }
    exercises = {cell.name for cell in assignment.exercises}
    solved = json.loads(text)
    for cell in solved["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in exercises:
            cell["source"] = solutions[name]["source"]
    submit(course, "able", path, solved)
    nbgrader(course, "autograde", path.stem)
    nbgrader(course, "generate_feedback", path.stem)
    nbgrader(course, "export", "--to", "grades.csv")
    rows = (course / "grades.csv").read_text().splitlines()
    columns = rows[0].split(",")
    scores = {}
    for row in rows[1:]:
        values = dict(zip(columns, row.split(","), strict=True))
        if values["assignment"] == path.stem:
            scores[values["student_id"]] = float(values["raw_score"])
    assert scores == {"able": assignment.points, "idle": 0.0}
    page = (course / "feedback" / "able" / path.stem / f"{path.stem}.html").read_text()
    assert re.search(path.stem, page)
