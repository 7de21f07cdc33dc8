"""Run the whole course, lesson after lesson, and leave a page that shows how it went."""

import json
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from trm_lite.classroom.lessons import NOTEBOOKS, check_profile
from trm_lite.classroom.web import render
from trm_lite.common.device import cpu_name
from trm_lite.common.errors import UserError, nearest
from trm_lite.common.files import write_atomically

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
    went, lessons = [], find_lessons(names)
    pages = {path.stem for path in (*lessons, *folder.glob("*.html"))}
    for path in lessons:
        print(f"{path.stem}, profile {profile}:", flush=True)
        went.append(run_lesson(path, folder, profile, pages))
        write_atomically(folder / "index.html", summary_page(went, profile))
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


def run_lesson(path: Path, folder: Path, profile: str, pages: Collection[str] = ()) -> Ran:
    """Execute one notebook with a progress bar, and write it into `folder` as a page too.

    Links to the lessons named in `pages` lead to their pages in that folder.
    """
    import papermill

    from trm_lite.classroom.lesson_page import lesson_page

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
    write_atomically(target.with_suffix(".html"), lesson_page(target, path.parent, pages))
    return Ran(path.stem, seconds, max(waits), problem)


def summary_page(went: Sequence[Ran], profile: str) -> bytes:
    """A table of what was run, as HTML."""
    return render("course.html", went=went, profile=profile, processor=cpu_name())
