"""What came out, for people: a CSV for the learning platform, pages for students and lecturer."""

import csv
import io
import itertools
import math
import re
import statistics
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trm_lite.classroom.assignment import Assignment
from trm_lite.classroom.checks import OURS
from trm_lite.classroom.grading import Mark, Result
from trm_lite.classroom.web import number, render
from trm_lite.common.files import write_atomically

MOST_SHOWN = 20_000  # characters of an answer on a page
LONGEST_NAME = 50  # characters of a page's file name, which most systems limit to 255 bytes
BARS = 10  # of the histogram, at most


def as_csv(assignment: Assignment, results: list[Result]) -> str:
    """One line per student; nothing in it depends on the time of day or the speed of a machine."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    checks = assignment.checks
    rows.writerow(["student", "id", "points", "out of", "percent", *(c.exercise for c in checks),
                   *(f"{q.name} (by hand)" for q in assignment.questions), "remarks"])  # fmt: skip
    for result in results:
        remarks = " ".join([*result.remarks, *result.copied])
        percent = 100 * result.points / assignment.points
        points = {mark.exercise: number(mark.points) for mark in result.marks}
        rows.writerow([
            _not_a_formula(result.submission.label), result.submission.id, number(result.points),
            number(assignment.points), f"{percent:.1f}",
            *(points[check.exercise] for check in checks),
            *("" for _ in assignment.questions), _not_a_formula(remarks),
        ])  # fmt: skip
    return text.getvalue()


def _not_a_formula(text: str) -> str:
    """One line that no spreadsheet computes, as it would text that begins with one of "=+-@"."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def feedback(assignment: Assignment, result: Result) -> bytes:
    """The page for one student: points, messages and their own code, but no hidden test."""
    return render(
        "feedback.html",
        assignment=assignment,
        result=result,
        submission=result.submission,
        verdict=verdict,
        most=MOST_SHOWN,
    )


def verdict(mark: Mark) -> str:
    """One sentence on an exercise."""
    outcome = mark.outcome
    if outcome.ok:
        return "passed"
    if outcome.error == "NotImplementedError":
        return "not done yet"
    name = (
        ""
        if outcome.error in {*OURS, "AssertionError"} and outcome.message
        else f"{outcome.error}: "
    )
    line = f" (line {outcome.line} of your cell)" if outcome.line else ""
    return f"{name}{outcome.message}{line}"


def summary(assignment: Assignment, results: list[Result]) -> bytes:
    """The lecturer's page: histogram, exercises with their most frequent failure, remarks."""
    points = [result.points for result in results]
    return render(
        "summary.html",
        assignment=assignment,
        results=results,
        median=statistics.median(points),
        bars=histogram(points, assignment.points),
        exercises=[
            _of_exercise(check.exercise, [result.marks[position] for result in results])
            for position, check in enumerate(assignment.checks)
        ],
        file_name=file_name,
    )


def _of_exercise(name: str, marks: list[Mark]) -> dict:
    """How the class did in an exercise."""
    failures = Counter(verdict(mark) for mark in marks if mark.status == "failed")
    failure, times = min(failures.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return {
        "name": name,
        "passed": sum(mark.outcome.ok for mark in marks),
        "not_done": sum(mark.status == "not done" for mark in marks),
        "failure": failure,
        "failures": times,
    }


class Bar(NamedTuple):
    """How many students reached `low` points or more, and less than `high`."""

    low: int
    high: int
    students: int


def histogram(points: Sequence[float], most: float) -> list[Bar]:
    """At most ten bars between whole numbers of points; the last one includes `high`."""
    width = next(
        factor * 10**power
        for power in itertools.count()
        for factor in (1, 2, 5)
        if factor * 10**power * BARS >= most
    )
    end = max(1, math.ceil(most))
    edges = [*range(0, end, width), end]
    students, _ = np.histogram(np.round(points, 6), edges)  # a sum of fractions errs
    pairs = itertools.pairwise(edges)
    return [Bar(*pair, count) for pair, count in zip(pairs, students.tolist(), strict=True)]


def file_name(student: str) -> str:
    """A student's name as the name of a file anywhere; different for different names."""
    plain = re.sub(r"[^\w.-]+", "_", student).strip("._")[:LONGEST_NAME]
    number = zlib.crc32(student.encode(errors="surrogatepass"))
    return plain if plain == student and plain.isascii() else f"{plain}-{number:08x}"


def write_table(assignment: Assignment, results: list[Result], out: Path) -> None:
    """grades.csv in the folder `out`."""
    write_atomically(out / "grades.csv", as_csv(assignment, results).encode("utf-8-sig", "replace"))


def write_pages(assignment: Assignment, results: list[Result], out: Path) -> None:
    """summary.html and feedback/STUDENT.html in the folder `out`."""
    write_atomically(out / "summary.html", summary(assignment, results))
    for result in results:
        page = out / "feedback" / f"{file_name(result.submission.label)}.html"
        write_atomically(page, feedback(assignment, result))
