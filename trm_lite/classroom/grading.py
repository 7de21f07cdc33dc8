"""Grade submissions: run a student's exercises inside the master, and count the points."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from trm_lite.classroom.assignment import (
    HIDDEN,
    SOLUTION,
    Assignment,
    Cell,
    read_master,
    replace_region,
    set_student,
    source_of,
    student_version,
)
from trm_lite.classroom.kernel import Kernel, Limits, Outcome
from trm_lite.classroom.submissions import Submission
from trm_lite.common.errors import UserError


class MasterError(UserError):
    """The master itself does not run, so nothing can be graded with it."""


NOT_GRADED = "not-graded"  # tag of given cells that only show something, and are skipped


@dataclass
class Mark:
    """The result of one exercise."""

    exercise: str  # its name
    points: float  # points given
    most: float  # points possible
    outcome: Outcome  # how its cell and its check ran

    @property
    def status(self) -> str:
        """The result in a word: "passed", "not done" or "failed"."""
        if self.outcome.ok:
            return "passed"
        return "not done" if self.outcome.error == "NotImplementedError" else "failed"


@dataclass
class Result:
    """A graded submission."""

    submission: Submission
    marks: list[Mark]  # one per exercise
    seconds: float = 0.0  # how long grading took
    remarks: list[str] = field(default_factory=list)  # what the grader should know

    @property
    def points(self) -> float:
        """The points of all exercises together."""
        return sum(mark.points for mark in self.marks)


@dataclass(frozen=True)
class Master:
    """An assignment with everything that grading needs."""

    assignment: Assignment
    stubs: dict[str, str]  # source of the exercise cells as students get them, by name
    private: dict[str, str] = field(default_factory=dict)  # private tests, by exercise

    @classmethod
    def read(cls, path: Path, hidden: Path | None = None) -> "Master":
        """Read a master notebook, and private tests from the folder `hidden` (EXERCISE.py).

        Raises UserError if `path` is not a master, and if no test belongs to it.
        """
        if path.is_dir():
            raise UserError(f"{path} is a folder; name one master notebook.")
        assignment, notebook = read_master(path)
        if not assignment.checks:
            raise UserError(f"{path} has no exercises with checks; is it an assignment?")
        if not any(SOLUTION[0] in cell.source for cell in assignment.cells):
            raise UserError(f"{path} is a student version; grade with the master.")
        names = [raw.get("metadata", {}).get("nbgrader", {}).get("grade_id")
                 for raw in notebook["cells"]]  # fmt: skip
        stripped = student_version(notebook)["cells"]
        stubs = {name: source_of(raw) for name, raw in zip(names, stripped, strict=True) if name}
        return cls(assignment, stubs, _private_tests(hidden, assignment))


def _private_tests(folder: Path | None, assignment: Assignment) -> dict[str, str]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} of private tests; check the path.")
    known = {exercise.name for exercise in assignment.exercises}
    tests = {path.stem: _read_test(path) for path in sorted(folder.glob("*.py"))}
    if not tests.keys() & known:
        raise UserError(
            f"{folder} holds no private test for {assignment.name}; name the files like its "
            f"exercises, with the ending .py: {', '.join(sorted(known))}."
        )
    return {name: test for name, test in tests.items() if name in known}


def _read_test(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; save it again as UTF-8.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


class _Run:
    """Runs the cells of one submission in a kernel, and starts a new one if a cell ends it."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.deadline = time.monotonic() + limits.total_seconds
        self.done: list[str] = []  # cells to repeat in a new kernel
        self.kernel = Kernel(limits)

    def cell(self, source: str, seconds: float | None = None, keep: bool = True) -> Outcome:
        """Run a cell.

        Args:
            source: the code.
            seconds: its time limit; that of the submission if None.
            keep: repeat it in a new kernel, because later cells may need what it defines.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            limit = f"The whole notebook ran for longer than {self.limits.total_seconds:g} s."
            return Outcome(False, "Time", limit)
        if not self.kernel.alive:
            self.kernel.close()
            self.kernel = Kernel(self.limits)
            for earlier in self.done:
                self.kernel.run(earlier, self.limits.cell_seconds)
        limit = min(seconds or self.limits.cell_seconds, left)
        outcome = self.kernel.run(source, limit)
        if outcome.ok and keep:
            self.done.append(source)
        return outcome

    def notices_failure(self) -> bool:
        """Whether a test that must fail does fail. If not, the student's code disabled tests."""
        word = secrets.token_hex(8)
        return not self.cell(f"assert len({word!r}) == 0, {word!r}", keep=False).ok


def grade(master: Master, submission: Submission, limits: Limits, student: str = "") -> Result:
    """Grade one submission.

    The cells of the master run in their order, with the student's code in the exercise cells. If
    an exercise fails, the master's solution replaces it, so that later exercises do not suffer
    and a mistake costs points only once.

    Args:
        master: the assignment.
        submission: the student's work.
        limits: limits of time, memory and processes.
        student: name for the student's own numbers; "" for the numbers of the master.
    """
    started = time.perf_counter()
    assignment = master.assignment
    result = Result(submission, [], remarks=list(submission.remarks))
    if not submission.code:
        why = "The file cannot be read." if not submission.readable else "No exercise was found."
        result.marks = _nothing(assignment, why)
        return result
    run = _Run(limits)
    try:
        answers: dict[str, Outcome] = {}
        for cell in assignment.cells:
            if cell.role == "given" and NOT_GRADED not in cell.tags:
                _given(run, cell, student, result, untouched=not answers)
            elif cell.role == "exercise":
                answers[cell.name] = _exercise(run, cell, submission)
            elif cell.role == "check":
                outcome = answers[cell.exercise]
                if outcome.ok:
                    outcome = _check(run, cell, master, result)
                result.marks.append(
                    Mark(cell.exercise, cell.points if outcome.ok else 0, cell.points, outcome)
                )
                if not outcome.ok:
                    _follow_up(run, assignment, submission, cell.exercise)
    finally:
        run.kernel.close()
    result.seconds = time.perf_counter() - started
    return result


def _given(run: _Run, cell: Cell, student: str, result: Result, untouched: bool) -> None:
    source = set_student(cell.source, student) if "parameters" in cell.tags else cell.source
    outcome = run.cell(source, cell.seconds)
    if outcome.ok:
        return
    if untouched:
        raise _master_fails(cell, outcome)
    result.remarks.append(f"a given cell failed after this student's code {_what(cell, outcome)}")


def _master_fails(cell: Cell, outcome: Outcome) -> MasterError:
    what = _what(cell, outcome)
    mend = "give cells more seconds" if outcome.error == "Time" else "run it and fix it"
    options = ("cell_seconds",) if outcome.error == "Time" else ()
    return MasterError(f"A cell of the master itself failed {what} Please {mend}.", *options)


def _what(cell: Cell, outcome: Outcome) -> str:
    return f"({outcome.error}: {outcome.message[:200]}); it begins: {cell.source[:60]!r}."


def _exercise(run: _Run, cell: Cell, submission: Submission) -> Outcome:
    source = submission.code.get(cell.name)
    if source is None:
        return Outcome(False, "Missing", f"The cell of exercise '{cell.name}' is not there.")
    return run.cell(source, cell.seconds)


def _check(run: _Run, cell: Cell, master: Master, result: Result) -> Outcome:
    outcome = run.cell(cell.source, cell.seconds, keep=False)
    if outcome.ok and (test := master.private.get(cell.exercise)):
        outcome = run.cell(test, cell.seconds, keep=False)
    if outcome.ok and not run.notices_failure():
        result.remarks.append(f"after exercise '{cell.exercise}' tests no longer fail: tampering?")
        outcome = Outcome(False, "Tampering", "The code switched the tests off.")
        run.kernel.kill()
    return outcome._replace(line=None)  # students cannot see the line of a hidden check


def _follow_up(run: _Run, assignment: Assignment, submission: Submission, name: str) -> None:
    """Run the master's solution of an exercise that failed, in place of the student's code."""
    answer = submission.code.get(name)
    run.done = [source for source in run.done if source != answer]
    solution = next(cell for cell in assignment.exercises if cell.name == name)
    if SOLUTION[0] in solution.source:
        run.cell(solution.source, solution.seconds)


def _nothing(assignment: Assignment, why: str) -> list[Mark]:
    outcome = Outcome(False, "Missing", why)
    return [Mark(check.exercise, 0, check.points, outcome) for check in assignment.checks]


def _grade_safely(master: Master, submission: Submission, limits: Limits, student: str) -> Result:
    """The same as `grade`, but an unexpected error becomes a remark after a second attempt."""
    for last in (False, True):
        try:
            return grade(master, submission, limits, student)
        except MasterError:
            raise
        except Exception as error:
            if last:
                remark = f"could not be graded ({error}); grade it again, or by hand."
                marks = _nothing(master.assignment, "It could not be graded yet.")
                return Result(submission, marks, remarks=[*submission.remarks, remark])
    raise AssertionError("unreachable")


def try_private_tests(master: Master, limits: Limits) -> None:
    """Raise MasterError if a test fails on the master's own solutions, and so on everybody's."""
    solutions = {cell.name: cell.source for cell in master.assignment.exercises}
    for mark in grade(master, Submission("the master", None, solutions), limits).marks:
        if not mark.outcome.ok:
            raise MasterError(
                f"The master's own solution of exercise '{mark.exercise}' fails its tests "
                f"({mark.outcome.error}: {mark.outcome.message[:200]}); fix the private test "
                f"{mark.exercise}.py or the check, or everybody loses its points."
            )


def grade_all(
    master: Master,
    submissions: Iterable[Submission],
    limits: Limits,
    *,
    jobs: int,
    by_student: bool = False,
    done: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Grade all submissions, several at a time; returns the results sorted by student.

    Raises MasterError if the master or a private test does not work.

    Args:
        master: the assignment.
        submissions: the students' work.
        limits: limits of each submission.
        jobs: submissions to grade at the same time.
        by_student: every student had a version with their own numbers.
        done: called with each result.
    """
    if master.private:
        try_private_tests(master, limits)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        waiting = [
            pool.submit(_grade_safely, master, one, limits, one.student if by_student else "")
            for one in submissions
        ]
        results = []
        try:
            for future in as_completed(waiting):
                results.append(future.result())
                done(results[-1])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    results = sorted(results, key=lambda result: result.submission.label)
    _note_copied_numbers(results, master) if by_student else None
    return results


def _note_copied_numbers(results: list[Result], master: Master) -> None:
    """Add a remark where a wrong answer is exactly the right one for another student's numbers."""
    right: dict[tuple[str, str], str] = {}
    for result in results:
        for mark in result.marks:
            code = result.submission.code.get(mark.exercise, "")
            if mark.outcome.ok:
                right[mark.exercise, _bare(code)] = result.submission.label
    for result in results:
        for mark in result.marks:
            code = result.submission.code.get(mark.exercise, "")
            owner = right.get((mark.exercise, _bare(code)))
            if not mark.outcome.ok and owner:
                result.remarks.append(
                    f"exercise '{mark.exercise}' holds the numbers that are right for '{owner}'."
                )


def _bare(code: str) -> str:
    """Code without comments and white space, for comparing."""
    lines = (line.split("#")[0] for line in code.splitlines())
    return "".join("".join(lines).split())


def own_check(path: Path, limits: Limits) -> Result:
    """Run the visible checks of a student's own notebook, for `trm-lite classroom check`."""
    assignment, notebook = read_master(path)
    if not assignment.checks:
        raise UserError(f"{path} has no exercises with checks; is it an assignment?")
    student = (notebook["metadata"].get("trm_lite") or {}).get("student", "")
    visible = [
        Cell(c.role, c.name, replace_region(c.source, *HIDDEN, None), c.points, c.seconds, c.tags)
        for c in assignment.cells
    ]
    assignment = Assignment(assignment.name, visible)
    code = {exercise.name: exercise.source for exercise in assignment.exercises}
    return grade(Master(assignment, {}), Submission(student, path, code), limits, student)


def as_json(results: list[Result]) -> str:
    """All results as JSON, for other programs."""
    return json.dumps(
        [
            {
                "student": result.submission.label,
                "id": result.submission.id,
                "points": result.points,
                "seconds": round(result.seconds, 2),
                "remarks": result.remarks,
                "exercises": {
                    mark.exercise: {
                        "points": mark.points,
                        "status": mark.status,
                        "error": mark.outcome.error,
                        "message": mark.outcome.message,
                    }
                    for mark in result.marks
                },
            }
            for result in results
        ],
        indent=1,
        ensure_ascii=False,
    )
