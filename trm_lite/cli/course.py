"""The command `trm-lite course`: run the lessons."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


def course(
    lessons: Positional[tuple[str, ...]] = (),
    profile: Annotated[Literal["smoke", "mini", "full"], arg(aliases=["-p"])] = "mini",
    out: Path = Path("runs/course"),
) -> int:
    """Run the lessons, and write a page with the results: OUT/index.html.

    Args:
        lessons: Numbers of lessons, for example: 00 07. All if none.
        profile: smoke takes seconds per lesson, mini minutes on a CPU, full needs a GPU.
        out: Folder for the executed notebooks.
    """
    from trm_lite.classroom.course import run_course

    went = run_course(out, profile, lessons)
    failed = [ran.lesson for ran in went if ran.problem]
    print(
        f"{len(went) - len(failed)} of {len(went)} lessons ran to their end; see {out}/index.html"
    )
    return 1 if failed else 0
