"""Grade everybody: no submission stops the others, and an interrupted run goes on."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from trm_lite.classroom.assignment import plain
from trm_lite.classroom.grading import Mark, Result, grade, no_marks
from trm_lite.classroom.kernel import Limits, Outcome
from trm_lite.classroom.master import Master, MasterError
from trm_lite.classroom.submissions import Submission


def _grade_safely(
    master: Master, submission: Submission, limits: Limits, student: str, before: str
) -> Result:
    """The same as `grade`, but an unexpected error becomes a remark after a second attempt.

    Raises MasterError if the course's files are no longer what they were `before`.
    """
    result = None
    for _ in range(2):
        _stop_if_moved(master, submission, before)
        try:
            result = grade(master, submission, limits, student)
            break
        except MasterError:
            raise
        except Exception as error:
            problem = plain(f"could not be graded ({error}); grade it again, or by hand.")
    _stop_if_moved(master, submission, before)
    if result:
        return result
    marks = no_marks(master.assignment, "It could not be graded yet.")
    return Result(submission, marks, remarks=[*submission.remarks, problem], final=False)


def _stop_if_moved(master: Master, submission: Submission, before: str) -> None:
    try:
        same = master.fingerprint() == before
    except OSError:
        same = False
    if not same:
        raise MasterError(
            f"The course or the master changed while '{submission.label}' was graded, by its code "
            "or by you: look at both, and grade again."
        )


def try_private_tests(master: Master, limits: Limits) -> None:
    """Raise MasterError if a test fails on the master's own solutions, and so on everybody's."""
    solutions = {cell.name: cell.source for cell in master.assignment.exercises}
    for mark in grade(master, Submission("the master", code=solutions), limits).marks:
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
    known: Mapping[str, Result] | None = None,
    done: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Grade all submissions, several at a time; returns the results sorted by student.

    Raises MasterError if the master or a private test does not work, and if a file of the course
    or the master changes meanwhile.

    Args:
        master: the assignment.
        submissions: the students' work.
        limits: limits of each submission.
        jobs: submissions to grade at the same time.
        by_student: every student had a version with their own numbers.
        known: results of an earlier run, by the students' labels; they are not graded again.
        done: called with each new result.
    """
    results = list((known or {}).values())
    waiting = [one for one in submissions if one.label not in (known or {})]
    before = master.fingerprint()
    if master.private and waiting:
        try_private_tests(master, limits)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = [
            pool.submit(
                _grade_safely, master, one, limits, one.student if by_student else "", before
            )
            for one in waiting
        ]
        try:
            for future in as_completed(futures):
                results.append(future.result())
                done(results[-1])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    results = sorted(results, key=lambda result: result.submission.label)
    _note_copied_numbers(results) if by_student else None
    return results


def _note_copied_numbers(results: list[Result]) -> None:
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
                result.copied.append(
                    f"exercise '{mark.exercise}' holds the numbers that are right for '{owner}'."
                )


def _bare(code: str) -> str:
    """Code without comments and white space, for comparing."""
    lines = (line.split("#")[0] for line in code.splitlines())
    return "".join("".join(lines).split())


def keys(
    master: Master, submissions: Iterable[Submission], limits: Limits, by_student: bool
) -> dict[str, str]:
    """A hash for each student's label: of the answers, the master, the course and the limits.

    Results with the same hash are the same.
    """
    common = [master.fingerprint(), asdict(limits), by_student]
    return {
        one.label: hashlib.sha256(json.dumps([*common, asdict(one)]).encode()).hexdigest()
        for one in submissions
    }


def as_json(results: list[Result], by_label: Mapping[str, str]) -> str:
    """All results as JSON, for other programs and for a run that goes on.

    Args:
        results: the results.
        by_label: the hash of each result, as `keys` gives them.
    """
    return json.dumps([_as_dict(one, by_label) for one in results], indent=1, ensure_ascii=False)


def _as_dict(result: Result, by_label: Mapping[str, str]) -> dict:
    return {
        "student": result.submission.label,
        "id": result.submission.id,
        "points": result.points,
        "seconds": round(result.seconds, 2),
        "remarks": result.remarks,
        "copied": result.copied,
        "exercises": {
            mark.exercise: {
                "points": mark.points,
                "status": mark.status,
                "error": mark.outcome.error,
                "message": mark.outcome.message,
                "line": mark.outcome.line,
            }
            for mark in result.marks
        },
        "hash": by_label.get(result.submission.label, "") if result.final else "",
    }


def earlier(
    path: Path, master: Master, submissions: Iterable[Submission], by_label: Mapping[str, str]
) -> dict[str, Result]:
    """The results in a file of `as_json` that still hold, by the students' labels.

    Args:
        path: the file; without one, or with a damaged one, there are no results.
        master: the assignment.
        submissions: the students' work.
        by_label: the hash of each submission, as `keys` gives them.
    """
    try:
        stored = {one["hash"]: one for one in json.loads(path.read_bytes())}
        return {
            one.label: _from_dict(stored[by_label[one.label]], one, master)
            for one in submissions
            if by_label[one.label] in stored
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _from_dict(stored: dict, submission: Submission, master: Master) -> Result:
    marks = []
    for check in master.assignment.checks:
        one = stored["exercises"][check.exercise]
        outcome = Outcome(one["status"] == "passed", one["error"], one["message"], one["line"])
        marks.append(Mark(check.exercise, one["points"], check.points, outcome))
    return Result(submission, marks, stored["seconds"], stored["remarks"])
