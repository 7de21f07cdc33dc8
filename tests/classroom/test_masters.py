"""The assignments: solutions score everything, stubs nothing, and wrong solutions lose points."""

import ast
import csv
import json
import re
import sys
from pathlib import Path

import pytest
from children import FORKS, Worker
from classroom.sums import HOSTILE
from classroom.wrong_solutions import WRONG

from trm_lite import evaluation
from trm_lite.classroom import kernel, seed_of
from trm_lite.classroom.assignment import (
    HIDDEN,
    SOLUTION,
    read_master,
    set_student,
    source_of,
    student_version,
)
from trm_lite.classroom.grading import NOT_GRADED, grade
from trm_lite.classroom.kernel import Limits
from trm_lite.classroom.master import Master
from trm_lite.classroom.submissions import read_submission
from trm_lite.cli.main import main

FOLDER = Path(__file__).parents[2] / "notebooks" / "assignments"
MASTERS = sorted(FOLDER.glob("a*.ipynb"))
LIMITS = Limits(cell_seconds=120, total_seconds=600, memory_gb=2.0)

by_master = pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def in_seconds(monkeypatch):
    monkeypatch.setenv("TRM_LITE_PROFILE", "smoke")


@pytest.fixture
def warm(monkeypatch):
    """Kernels that have imported PyTorch already; how they are shut in is tested elsewhere."""
    if FORKS:
        monkeypatch.setattr(kernel, "isolation", tuple)
        monkeypatch.setattr(kernel.subprocess, "Popen", Worker)


def graded(path, submission_path, student=""):
    master = Master.read(path)
    read = read_submission(submission_path, master.assignment, master.handed)
    return grade(master, read, LIMITS, student)


@by_master
@pytest.mark.usefixtures("warm")
def test_the_solutions_score_everything(path):
    result = graded(path, path)
    assert all(mark.outcome.ok for mark in result.marks), [m.outcome for m in result.marks]
    assert result.points == read_master(path)[0].points and not result.remarks


@by_master
@pytest.mark.usefixtures("warm")
def test_the_untouched_version_scores_nothing_and_fails_only_at_exercises(path, tmp_path):
    untouched = tmp_path / path.name
    untouched.write_text(json.dumps(student_version(read_master(path)[1])))
    result = graded(path, untouched)
    assert result.points == 0 and not result.remarks
    assert {mark.outcome.error for mark in result.marks} == {"NotImplementedError"}
    # Top to bottom without the grader, given cells run through.
    space = {"__name__": "__main__"}
    for cell in read_master(untouched)[0].cells:
        if cell.role == "check":
            with pytest.raises(NotImplementedError, match="is waiting for your code"):
                exec(cell.source, space)
        elif cell.role in ("given", "exercise"):
            exec(cell.source, space)


@by_master
def test_the_student_version_keeps_the_secrets(path):
    assignment, notebook = read_master(path)
    text = "\n".join(source_of(cell) for cell in student_version(notebook)["cells"])
    assert "BEGIN" not in text and "HIDDEN" not in text
    regions = [re.compile(f"{begin}\n(.*?){end}", re.DOTALL) for begin, end in (SOLUTION, HIDDEN)]
    for cell in assignment.cells:
        for region in regions:
            for secret in region.findall(cell.source):
                assert secret.strip() not in text
                for line in map(str.strip, secret.splitlines()):
                    assert not line.startswith("assert") or line not in text, line


@by_master
def test_everything_a_lecturer_needs_stands_in_it(path):
    assignment, notebook = read_master(path)
    assert assignment.exercises and assignment.questions, "code and words"
    text = "\n".join(source_of(cell) for cell in notebook["cells"])
    points = [
        int(found) for found in re.findall(r"^## Exercise .*\((\d+) points", text, re.MULTILINE)
    ]
    marked = [*assignment.checks, *assignment.questions]
    assert sum(points) == sum(cell.points for cell in marked), "headings say what is given"
    assert len(
        re.findall(r"^## Exercise .*points, [●○]{3}, \d+ minutes", text, re.MULTILINE)
    ) == len(points)
    for check in assignment.checks:
        assert HIDDEN[0] in check.source and "assert" in check.source.split(HIDDEN[0])[0]
        for node in ast.walk(ast.parse(check.source)):
            assert not isinstance(node, ast.Assert) or node.msg, (
                f"{check.name}: this test says nothing: {ast.unparse(node)}"
            )
    for exercise in assignment.exercises:
        assert exercise.source.startswith(f"# exercise: {exercise.name}\n")
    above = ""
    for cell in assignment.cells:
        if cell.role == "exercise":
            assert "<details><summary>Hint" in above, f"{cell.name} has no hint"
        above = above + cell.source if cell.role in ("text", "given") else ""


def spaces(path, student="", last=""):
    """What is defined just before each exercise, in one pass through the master, up to `last`."""
    space, before = {"__name__": "__main__"}, {}
    for cell in read_master(path)[0].cells:
        if cell.role == "exercise":
            before[cell.name] = dict(space)
            if cell.name == last:
                break
        source = set_student(cell.source, student) if "parameters" in cell.tags else cell.source
        if cell.role in ("given", "exercise", "check") and NOT_GRADED not in cell.tags:
            exec(compile(source, cell.name or "given", "exec"), space)
    return before


def remembering(evaluate):
    """`evaluate`, which measures what it has measured before no second time."""
    known = {}

    def remembered(model, puzzles, **options):
        asked = (
            repr(model.config),
            puzzles.inputs.numpy().tobytes(),
            repr(sorted(options.items())),
        )
        if asked not in known:
            known[asked] = evaluate(model, puzzles, **options)
        return known[asked]

    return remembered


@by_master
def test_wrong_solutions_lose_the_points_for_their_reason(path, monkeypatch):
    # What is wrong is what students make of a measurement; the shipped network is always the same.
    monkeypatch.setattr(evaluation, "evaluate", remembering(evaluation.evaluate))
    assignment, _ = read_master(path)
    before = spaces(path, last=assignment.exercises[-1].name)
    checks = {check.exercise: check for check in assignment.checks}
    wrong = WRONG[path.stem]
    assert set(wrong) == set(checks), "each exercise has wrong solutions"
    for exercise in assignment.exercises:
        assert len(wrong[exercise.name]) >= 2
        for what, old, new in wrong[exercise.name]:
            assert exercise.source.count(old) == 1, f"{exercise.name}, {what}: edits nothing"
            space = dict(before[exercise.name])
            exec(exercise.source.replace(old, new), space)
            try:
                exec(checks[exercise.name].source, space)
            except AssertionError as error:
                assert str(error), f"{exercise.name}, {what}: the message says nothing"
                continue
            pytest.fail(f"{path.stem}, {exercise.name}: '{what}' passes")


@by_master
def test_each_student_has_a_number_of_their_own_and_a_copied_one_is_wrong(path):
    assignment, _ = read_master(path)
    assert assignment.varies
    own = [check for check in assignment.checks if "my_" in check.source]
    if not own and path.stem == "a5_investigation":
        pytest.skip("each student measures on puzzles of their own; no number is the right one")
    (check,) = own
    (exercise,) = [cell for cell in assignment.exercises if cell.name == check.exercise]
    (function,) = exercise.defines
    otto, zoe = (spaces(path, who, exercise.name)[exercise.name] for who in ("otto", "Zoë"))
    for space in (otto, zoe):
        exec(exercise.source, space)
        exec(check.source, space)  # the solution passes with any seed
    copied = zoe[function]()
    otto[function] = lambda: copied
    with pytest.raises(AssertionError):
        exec(check.source, otto)


def test_everybody_investigates_puzzles_of_their_own():
    path = FOLDER / "a5_investigation.ipynb"
    # The solution passes with any seed; one of them goes the whole way.
    lasts = {"": "interval", "otto": "interval", "Zoë": ""}
    seeds = {spaces(path, who, last)["interval"]["seed"] for who, last in lasts.items()}
    assert len(seeds) == 3 and min(seeds) >= 1_000_000, "none of them is a seed of a training"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.usefixtures("warm")
def test_the_same_work_on_assignment_1_gets_the_same_marks_twice(tmp_path):
    path, folder = FOLDER / "a1_direct.ipynb", tmp_path / "in"
    assignment, notebook = read_master(path)
    _, old, new = WRONG["a1_direct"]["exact-match"][0]
    solutions = {exercise.name: exercise.source for exercise in assignment.exercises}
    wrong = {"exact-match": solutions["exact-match"].replace(old, new)}
    attacks = {"chance": HOSTILE["exit"][0]}
    answers = dict.fromkeys(("dora", "dorothy"), solutions | wrong | attacks)
    folder.mkdir()
    for student, cells in answers.items():
        made = student_version(notebook)
        for cell in made["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = cells.get(name, source_of(cell))
        (folder / f"{student}.ipynb").write_text(json.dumps(made))
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--jobs", "2"]
    assert main(["classroom", "grade", str(path), str(folder), *arguments]) == 0
    dora, dorothy = csv.DictReader((out / "grades.csv").read_text("utf-8-sig").splitlines())
    assert dora | {"student": ""} == dorothy | {"student": ""}
    assert {name for name in solutions if dora[name] == "0"} == {*wrong, *attacks}


def test_the_seed_of_a_student_never_changes():
    assert [seed_of("anna"), seed_of(" Anna "), seed_of("")] == [726263, 726263, 0]
    assert seed_of("Zo\u00eb") == seed_of("Zoe\u0308")  # one sign, or two


@by_master
def test_the_guide_for_lecturers_names_the_right_points(path):
    assignment, _ = read_master(path)
    by_hand = sum(question.points for question in assignment.questions)
    guide = (FOLDER / "README.md").read_text()
    (row,) = [line for line in guide.splitlines() if f"({path.name})" in line and line[0] == "|"]
    assert f"| {assignment.points:g} | {by_hand:g} |" in row
