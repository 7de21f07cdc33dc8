"""What came out, for people: a CSV for the learning platform, pages for students and lecturer."""

import csv
import io
import math
import re
import zlib
from collections import Counter
from html import escape
from pathlib import Path

from trm_lite.classroom.assignment import Assignment
from trm_lite.classroom.grading import Mark, Result, as_json
from trm_lite.common.files import write_atomically

STYLE = """<meta charset="utf-8"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.4rem .6rem;text-align:left;
border-bottom:1px solid #ddd;vertical-align:top}pre{background:#f6f6f6;padding:.8rem;
overflow-x:auto}.passed{color:#0072b2}.failed,.not-done{color:#b34700}
summary{cursor:pointer}</style>"""


def number(value: float) -> str:
    return f"{value:g}"


def as_csv(assignment: Assignment, results: list[Result]) -> str:
    """One line per student; nothing in it depends on the time of day or the speed of a machine."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    checks = assignment.checks
    rows.writerow(["student", "id", "points", "out of", "percent", *(c.exercise for c in checks),
                   *(f"{q.name} (by hand)" for q in assignment.questions), "remarks"])  # fmt: skip
    for result in results:
        percent = 100 * result.points / assignment.points
        points = {mark.exercise: number(mark.points) for mark in result.marks}
        rows.writerow([
            _not_a_formula(result.submission.label), result.submission.id, number(result.points),
            number(assignment.points), f"{percent:.1f}",
            *(points[check.exercise] for check in checks),
            *("" for _ in assignment.questions), _not_a_formula(" ".join(result.remarks)),
        ])  # fmt: skip
    return text.getvalue()


def _not_a_formula(text: str) -> str:
    """A spreadsheet would compute text that begins so; a name from outside must not."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def feedback(assignment: Assignment, result: Result) -> str:
    """The page for one student: points, messages and their own code, but no hidden test."""
    submission = result.submission
    parts = [
        f"<h1>{escape(assignment.title)}</h1><p><b>{escape(submission.label)}</b>: "
        f"{number(result.points)} of {number(assignment.points)} points",
        ". Answers in words are marked by a person" if assignment.questions else "",
        ".</p>",
        *(f"<p>Note: {escape(remark)}</p>" for remark in result.remarks),
        "<table><tr><th>exercise</th><th>points</th><th>what happened</th></tr>",
    ]
    for mark in result.marks:
        parts.append(
            f"<tr><td>{escape(mark.exercise)}</td><td>{number(mark.points)} of {number(mark.most)}"
            f'</td><td class="{mark.status.replace(" ", "-")}">{escape(verdict(mark))}</td></tr>'
        )
    parts.append("</table>")
    for mark in result.marks:
        code = submission.code.get(mark.exercise)
        if code is not None:
            parts.append(f"<details><summary>Your cell for {escape(mark.exercise)}</summary>"
                         f"<pre>{escape(code[:20_000])}</pre></details>")  # fmt: skip
    for question in assignment.questions:
        words = submission.words.get(question.name, "(nothing was handed in)")
        parts.append(f"<h2>{escape(question.name)} ({number(question.points)} points, by hand)</h2>"
                     f"<pre>{escape(words[:20_000])}</pre>")  # fmt: skip
    return _page(f"{assignment.name}: {submission.label}", "".join(parts))


def verdict(mark: Mark) -> str:
    """One sentence on an exercise."""
    outcome = mark.outcome
    if outcome.ok:
        return "passed"
    if outcome.error == "NotImplementedError":
        return "not done yet"
    own = ("Time", "Memory", "Processes", "Died", "Missing", "Tampering", "AssertionError")
    name = "" if outcome.error in own and outcome.message else f"{outcome.error}: "
    line = f" (line {outcome.line} of your cell)" if outcome.line else ""
    return f"{name}{outcome.message}{line}"


def summary(assignment: Assignment, results: list[Result]) -> str:
    """The lecturer's page: histogram, exercises with their commonest failure, what to look at."""
    points = sorted(result.points for result in results)
    middle = points[len(points) // 2]
    parts = [
        f"<h1>{escape(assignment.title)}</h1><h2>{_count(results)}</h2>",
        f"<p>Median {number(middle)} of {number(assignment.points)} points.</p>",
        histogram(points, assignment.points),
        "<h2>Exercise by exercise</h2><table><tr><th>exercise</th><th>passed</th>"
        "<th>not done</th><th>commonest failure</th></tr>",
    ]
    for position, check in enumerate(assignment.checks):
        marks = [result.marks[position] for result in results]
        passed = sum(mark.outcome.ok for mark in marks)
        idle = sum(mark.status == "not done" for mark in marks)
        failures = Counter(verdict(mark) for mark in marks if mark.status == "failed")
        common = ""
        if failures:
            text, times = min(failures.items(), key=lambda item: (-item[1], item[0]))
            common = f"{times} x {text[:300]}"
        parts.append(f"<tr><td>{escape(check.exercise)}</td><td>{passed}</td><td>{idle}</td>"
                     f"<td>{escape(common)}</td></tr>")  # fmt: skip
    parts.append("</table>")
    noted = [(result.submission.label, remark) for result in results for remark in result.remarks]
    if noted:
        parts.append("<h2>To look at</h2><ul>")
        parts += (f"<li><b>{escape(who)}</b>: {escape(what)}</li>" for who, what in noted)
        parts.append("</ul>")
    parts.append("<h2>Students</h2><table>")
    for result in results:
        who = result.submission.label
        parts.append(f'<tr><td><a href="feedback/{file_name(who)}.html">{escape(who)}</a></td>'
                     f"<td>{number(result.points)}</td></tr>")  # fmt: skip
    return _page(f"{assignment.name}: summary", "".join(parts) + "</table>")


def _count(results: list[Result]) -> str:
    return "1 submission" if len(results) == 1 else f"{len(results)} submissions"


def histogram(points: list[float], most: float, bars: int = 10) -> str:
    """How many students reached how many points, as SVG; a bar holds a whole number of points.

    There are at most `bars` bars. The last one holds full marks too.
    """
    step = max(1, math.ceil(most / bars))
    counts = [0] * math.ceil(most / step)
    for value in points:
        counts[min(len(counts) - 1, int(value / step))] += 1
    tallest = max(counts)
    drawn = []
    for place, count in enumerate(counts):
        height = 120 * count / tallest
        drawn.append(
            f'<rect x="{20 + 50 * place}" y="{140 - height:.1f}" width="44" height="{height:.1f}" '
            f'fill="#0072b2"/><text x="{42 + 50 * place}" y="{134 - height:.1f}" font-size="12" '
            f'text-anchor="middle">{count or ""}</text><text x="{20 + 50 * place}" y="158" '
            f'font-size="11">{place * step}</text>'
        )
    opening = '<svg viewBox="0 0 540 165" role="img" aria-label="Histogram of points">'
    caption = "<p>Points, and how many students reached them.</p>"
    return f"{opening}{''.join(drawn)}</svg>{caption}"


def file_name(student: str) -> str:
    """A student's name as the name of a file anywhere; different for different names."""
    plain = re.sub(r"[^\w.-]+", "_", student).strip("._")
    return plain if plain == student else f"{plain}-{zlib.crc32(student.encode()):08x}"


def _page(title: str, body: str) -> str:
    return f'<!doctype html><html lang="en"><title>{escape(title)}</title>{STYLE}{body}</html>\n'


def write_all(assignment: Assignment, results: list[Result], out: Path) -> None:
    """grades.csv, results.json, summary.html and feedback/STUDENT.html in the folder `out`."""
    for result in results:
        page = out / "feedback" / f"{file_name(result.submission.label)}.html"
        write_atomically(page, feedback(assignment, result).encode())
    write_atomically(out / "grades.csv", as_csv(assignment, results).encode("utf-8-sig"))
    write_atomically(out / "results.json", as_json(results).encode())
    write_atomically(out / "summary.html", summary(assignment, results).encode())
