"""Run the whole course, lesson after lesson, and leave a page that shows how it went."""

import html
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trm_lite.classroom.lessons import check_profile
from trm_lite.common.device import cpu_name
from trm_lite.common.errors import UserError, nearest
from trm_lite.common.files import write_atomically

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


# What a reader is told about seconds, by the most that they may be.
SPOKEN = {
    15: "a few seconds",
    45: "half a minute",
    75: "one minute",
    105: "a minute and a half",
    150: "two minutes",
    210: "three minutes",
    270: "four minutes",
    330: "five minutes",
    390: "six minutes",
}


class Ran(NamedTuple):
    """How a lesson went."""

    lesson: str
    seconds: float
    longest_wait: float  # seconds of the slowest cell
    problem: str  # empty if there was none


def spoken(seconds: float) -> str:
    """A time of computing as lessons and README state it: "two minutes"."""
    return next(
        (words for most, words in SPOKEN.items() if seconds <= most), "seven minutes or more"
    )


def find_lessons(names: Sequence[str] = ()) -> list[Path]:
    """The notebooks of the lessons whose names begin with one of `names`; all of them if none."""
    every = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not every:
        raise UserError(f"There are no lessons in {NOTEBOOKS}; run this in a clone of the course.")
    for name in names:
        if not any(path.stem.startswith(name) for path in every):
            hint = nearest(name, [path.stem for path in every], "the numbers are 00, 01, ...")
            raise UserError(f"There is no lesson '{name}'; {hint}")
    return [path for path in every if not names or path.stem.startswith(tuple(names))]


def run_course(folder: Path, profile: str, names: Sequence[str] = ()) -> list[Ran]:
    """Execute lessons into `folder`, each also as a web page, and an index.html of all.

    A lesson that fails is reported, and the others go on.
    """
    check_profile(profile)
    folder.mkdir(parents=True, exist_ok=True)
    went = []
    for path in find_lessons(names):
        print(f"{path.stem}, profile {profile}:", flush=True)
        went.append(run_lesson(path, folder, profile))
        write_atomically(folder / "index.html", summary_page(went, profile).encode())
        write_atomically(folder / "times.json", times_record(went, profile).encode())
    return went


def times_record(went: Sequence[Ran], profile: str) -> str:
    """Seconds of the lessons that ran to their end, and of the slowest cell of each, as JSON."""
    times = {
        ran.lesson: {
            "seconds": round(ran.seconds),
            "longest_wait": round(ran.longest_wait),
            "processor": cpu_name(),
        }
        for ran in went
        if not ran.problem
    }
    return json.dumps({"profile": profile, "lessons": times}, indent=1) + "\n"


def run_lesson(path: Path, folder: Path, profile: str) -> Ran:
    """Execute one notebook with a progress bar."""
    try:
        import papermill
        from nbconvert import HTMLExporter
    except ImportError as error:
        raise UserError(f"{error.name} is missing; run: pip install -r requirements.txt") from error
    target = folder / path.name
    started, problem, waits = time.monotonic(), "", [0.0]
    try:
        executed = papermill.execute_notebook(
            str(path),
            str(target),
            {"profile": profile},
            cwd=str(path.parent),
            kernel_name="python3",
            progress_bar={"desc": path.stem, "unit": "cell"},
        )
        waits += [cell.metadata.papermill.duration or 0.0 for cell in executed.cells]
    except papermill.PapermillExecutionError as error:
        problem = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
        print(f"  {problem}")
    seconds = time.monotonic() - started
    page, _ = HTMLExporter().from_filename(str(target))
    write_atomically(target.with_suffix(".html"), page.encode())
    return Ran(path.stem, seconds, max(waits), problem)


def summary_page(went: Sequence[Ran], profile: str) -> str:
    """A table of what was run, as HTML."""
    rows = "".join(
        f'<tr><td><a href="{ran.lesson}.html">{html.escape(ran.lesson)}</a></td>'
        f"<td>{ran.seconds:.0f} s</td><td>{ran.longest_wait:.0f} s</td>"
        f"<td>{html.escape(ran.problem) or 'ran to its end'}</td></tr>"
        for ran in went
    )
    total = sum(ran.seconds for ran in went)
    return (
        "<!doctype html><meta charset='utf-8'><title>The course</title>"
        "<style>body{font:16px sans-serif;max-width:50em;margin:2em auto}"
        "td,th{padding:.3em 1em .3em 0;text-align:left}</style>"
        f"<h1>The course, profile {profile}</h1>"
        f"<table><tr><th>lesson<th>time<th>slowest cell<th></tr>{rows}"
        f"</table><p>{total / 60:.1f} minutes in all on {html.escape(cpu_name())}.</p>"
    )
