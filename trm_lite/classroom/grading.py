"""Grade submissions: run a student's exercises inside the master, and count the points."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trm_lite.classroom.assignment import (
    SOLUTION,
    Assignment,
    Cell,
    read_notebook,
    set_student,
)
from trm_lite.classroom.checks import Part, parts, told, unusual, with_probes
from trm_lite.classroom.kernel import TAMPERING, Kernel, Kind, Limits, Outcome
from trm_lite.classroom.master import Master, MasterError
from trm_lite.classroom.submissions import Submission, read_submission

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
    copied: list[str] = field(default_factory=list)  # remarks from comparing with other students
    final: bool = True  # whether grading again would give the same

    @property
    def points(self) -> float:
        """The points of all exercises together."""
        return sum(mark.points for mark in self.marks)


class _Run:
    """Runs the cells of one submission in a kernel, and starts a new one if a cell ends it."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.deadline = time.monotonic() + limits.total_seconds
        self.done: list[tuple] = []  # cells to repeat in a new kernel
        self.kernel = Kernel(limits)

    def cell(
        self,
        source: str,
        seconds: float | None = None,
        kind: Kind = "given",
        defines: tuple[str, ...] = (),
    ) -> Outcome:
        """Run a cell, and remember it for a new kernel. The arguments are those of `Kernel.run`."""
        outcome = self._within_limits(
            seconds, lambda limit: self.kernel.run(source, limit, kind, defines)
        )
        if outcome.ok:
            self.done.append((source, self.limits.cell_seconds, kind, defines))
        return outcome

    def check(self, part: Part, seconds: float | None, first: bool) -> Outcome:
        """Run a part of a check; it counts only if its probes bear witness."""
        source, name, words = with_probes(part.source)
        outcome = self._within_limits(
            seconds, lambda limit: self.kernel.check(source, limit, name, first)
        )
        if outcome.ok and outcome.proof != words:
            self.kernel.kill()
            return TAMPERING._replace(message="The code switched the tests off.")
        return outcome if outcome.ok else told(outcome, part)

    def _within_limits(self, seconds: float | None, run: Callable[[float], Outcome]) -> Outcome:
        left = self.deadline - time.monotonic()
        if left <= 0:
            limit = f"The whole notebook ran for longer than {self.limits.total_seconds:g} s."
            return Outcome(False, "Time", limit)
        if not self.kernel.alive:
            self.kernel.close()
            self.kernel = Kernel(self.limits)
            for earlier in self.done:
                self.kernel.run(*earlier)
        return run(min(seconds or self.limits.cell_seconds, left))

    def forget(self, source: str) -> None:
        """Do not repeat a cell in a new kernel."""
        self.done = [cell for cell in self.done if cell[0] != source]


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
        why = "No exercise was found."
        if not submission.readable:
            why = " ".join(submission.remarks) or "The file cannot be read."
        result.marks = no_marks(assignment, why)
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
                points = cell.points if outcome.ok else 0
                result.marks.append(Mark(cell.exercise, points, cell.points, outcome))
                if not outcome.ok:
                    _follow_up(run, assignment, submission, cell.exercise)
    finally:
        run.kernel.close()
    result.remarks += _suspicions(master, result)
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
        about = (one for one in submission.remarks if f"the cell of exercise '{cell.name}'" in one)
        return Outcome(False, "Missing", next(about, f"The cell of '{cell.name}' is not there."))
    return run.cell(source, cell.seconds, "answer", tuple(cell.binds))


def _check(run: _Run, cell: Cell, master: Master, result: Result) -> Outcome:
    chain = parts(cell.source)
    if test := master.private.get(cell.exercise):
        chain += parts(test, hidden=True)
    outcome, replaced = Outcome(True), {}
    for number, part in enumerate(chain):
        outcome = run.check(part, cell.seconds, first=number == 0)
        replaced |= dict.fromkeys(outcome.replaced)
        if not outcome.ok:
            break
    if replaced:
        names = ", ".join(list(replaced)[:5])
        result.remarks.append(
            f"exercise '{cell.exercise}' was tested with the originals of what had been "
            f"replaced: {names}."
        )
    return outcome


def _suspicions(master: Master, result: Result) -> list[str]:
    """What a person should look at: attempts at tampering, and names that solutions never use."""
    remarks = []
    own = {cell.name: unusual(cell.source) for cell in master.assignment.exercises}
    for mark in result.marks:
        if mark.outcome.error == "Tampering":
            remarks.append(
                f"exercise '{mark.exercise}': {mark.outcome.message} Tampering? Look at its cell."
            )
        names = unusual(result.submission.code.get(mark.exercise, ""))
        names = [name for name in names if name not in own[mark.exercise]]
        if names:
            remarks.append(
                f"exercise '{mark.exercise}' uses {', '.join(names[:6])}, which solutions never "
                "do; look at its cell."
            )
    return remarks


def _follow_up(run: _Run, assignment: Assignment, submission: Submission, name: str) -> None:
    """Run the master's solution of an exercise that failed, in place of the student's code."""
    run.forget(submission.code.get(name, ""))
    solution = next(cell for cell in assignment.exercises if cell.name == name)
    if SOLUTION[0] in solution.source:
        run.cell(solution.source, solution.seconds)


def no_marks(assignment: Assignment, why: str) -> list[Mark]:
    """Marks without a point, for a submission that cannot be run."""
    outcome = Outcome(False, "Missing", why)
    return [Mark(check.exercise, 0, check.points, outcome) for check in assignment.checks]


def own_check(path: Path, limits: Limits) -> Result:
    """Run the visible checks of a student's own notebook, for `trm-lite classroom check`.

    The answers are put together and run as for `grade`, within the cells that were handed out.
    """
    notebook = read_notebook(path)
    master = Master.of_student(path, notebook)
    note = notebook["metadata"].get("trm_lite")
    student = note.get("student", "") if isinstance(note, dict) else ""
    submission = read_submission(path, master.assignment, master.handed)
    submission.remarks = [one for one in submission.remarks if "was built for" not in one]
    return grade(master, submission, limits, student if isinstance(student, str) else "")
