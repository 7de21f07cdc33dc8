"""The commands `trm-lite classroom build | variant | check | grade | figures | slides`."""

import json
import os
import re
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from trm_lite.classroom.assignment import read_master, student_version
from trm_lite.classroom.kernel import Limits, warnings
from trm_lite.cli.options import run_command
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.common.tables import columns

NO_NAME = re.compile(r'[/\\:*?"<>|]')  # characters that some system forbids in a folder's name
NOT_VARIED = "has no numbers that vary by student"


def build(
    masters: Positional[tuple[Path, ...]],
    out: Path = Path("release"),
    student_id: tuple[str, ...] = (),
) -> int:
    """Make the student versions of assignments: no solutions, hidden tests or outputs.

    Args:
        masters: Master notebooks, or a folder of them.
        out: Folder to write into. The masters themselves are never overwritten.
        student_id: Make a version for each of these students, with their own numbers, in
            OUT/STUDENT/.
    """
    from trm_lite.classroom.web import counted

    paths = [found for path in masters for found in
             (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])]  # fmt: skip
    if not paths:
        raise UserError("Name a master notebook, or a folder of them.")
    if len({student_id_.lower() for student_id_ in student_id}) < len(student_id):
        raise UserError(
            "A student is named twice, as upper and lower case are the same; name each once.",
            "student_id",
        )
    for student in student_id:
        if NO_NAME.search(student) or not student.strip(" ."):
            raise UserError(f"A folder cannot be called '{student}'; give the student another id.")
    read = [(path, *read_master(path)) for path in paths]
    for path, assignment, _ in read:
        if student_id and not assignment.varies:
            raise UserError(f"{path} {NOT_VARIED}; build one version for all.", "student_id")
    for path, assignment, notebook in read:
        for student in student_id or ("",):
            target = out / student / path.name
            if target.resolve() == path.resolve():
                raise UserError(f"{target} is the master; choose another folder.", "out")
            made = student_version(notebook, student)
            write_atomically(
                target, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode()
            )
            exercises = counted(len(assignment.exercises), "exercise")
            print(f"{target}: {exercises}, {counted(assignment.points, 'point')}")
    return 0


def variant(masters: Positional[tuple[Path, ...]], secret: str, out: Path = Path("private")) -> int:
    """Make private masters: other names for what students write, and other numbers to find.

    Solutions of the public assignments do not fit them as they are. Each is tried on its own
    solutions, and must give all points. Use the private masters like the public ones.

    Args:
        masters: Master notebooks.
        secret: Any text of yours. Equal texts give equal variants.
        out: Folder to write into.
    """
    from trm_lite.classroom.grading import grade as graded
    from trm_lite.classroom.master import Master
    from trm_lite.classroom.submissions import read_submission
    from trm_lite.classroom.variants import private_variant

    for path in masters:
        _, notebook = read_master(path)
        target = out / path.name
        if target.resolve() == path.resolve():
            raise UserError(f"{target} is the public master; choose another folder.", "out")
        made = private_variant(notebook, secret)
        write_atomically(target, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())
        master = Master.read(target)
        solved = read_submission(target, master.assignment, master.handed)
        points = graded(master, solved, Limits()).points
        if points != master.assignment.points:
            raise UserError(
                f"The solutions in {target} earn {points:g} points, not all; try another secret.",
                "secret",
            )
        print(f"{target}: its solutions earn all {points:g} points")
    return 0


def check(notebook: Positional[Path], seconds: float = 120.0, memory_gb: float = 2.0) -> int:
    """Run the visible checks of your own notebook in a fresh kernel.

    The exit status is 1 if a check fails.

    Args:
        notebook: The assignment that you are working on; save it first.
        seconds: Time limit of a cell.
        memory_gb: Memory limit.
    """
    from trm_lite.classroom.grading import own_check
    from trm_lite.classroom.pages import verdict

    result = own_check(notebook, Limits(cell_seconds=seconds, memory_gb=memory_gb))
    print(
        columns(
            ("ok" if mark.outcome.ok else "--", mark.exercise, verdict(mark))
            for mark in result.marks
        )
    )
    for remark in result.remarks:
        print(f"Note: {remark}")
    most = sum(mark.most for mark in result.marks)
    print(f"{result.points:g} of {most:g} points by the visible checks; handing in runs more.")
    if result.points < most:
        print("An exercise that builds on one without points is then run with our solution of it.")
    return 0 if result.points == most else 1


def grade(
    master: Positional[Path],
    submissions: Positional[Path],
    out: Path = Path("graded"),
    hidden: Path | None = None,
    by_student: bool = False,
    again: bool = False,
    jobs: int = max(1, (os.cpu_count() or 2) // 2),
    cell_seconds: float = 60.0,
    seconds: float = 600.0,
    memory_gb: float = 2.0,
) -> int:
    """Grade submissions: grades.csv, summary.html, and a page for each student.

    Results in OUT that still hold are kept, so a run that was interrupted goes on.

    Args:
        master: The master notebook.
        submissions: A folder or zip with a notebook (STUDENT.ipynb), or a folder, for each student.
        out: Folder to write into.
        hidden: A folder of private tests, called EXERCISE.py.
        by_student: Each student had their own version (build --student-id).
        again: Grade everybody again, those too whose results still hold.
        jobs: Submissions to grade at the same time.
        cell_seconds: Time limit of a cell, unless the master sets another.
        seconds: Time limit of a submission.
        memory_gb: Memory limit of a submission.
    """
    from trm_lite.classroom.master import Master
    from trm_lite.classroom.pages import write_pages
    from trm_lite.classroom.submissions import collect

    read = Master.read(master, hidden)
    if by_student and not read.assignment.varies:
        raise UserError(f"{master} {NOT_VARIED}; grade it for all alike.", "by_student")
    handed_in = collect(submissions, read.assignment, read.handed)
    limits = Limits(cell_seconds, seconds, memory_gb)
    for warning in warnings():
        print(warning)
    results = _graded_with_a_bar(read, handed_in, limits, jobs, by_student, again, out)
    interrupted = len(results) < len(handed_in)
    if interrupted and not results:
        return 130
    write_pages(read.assignment, results, out)
    unread = [one.label for one in handed_in if not one.readable]
    if unread:
        print(f"Not readable, and therefore 0 points: {', '.join(unread)}.")
    print(f"{len(results)} graded: {out / 'summary.html'}, {out / 'grades.csv'}")
    if interrupted:
        print(f"Interrupted: the other {len(handed_in) - len(results)} are not in it; "
              "the same command goes on.")  # fmt: skip
    return 130 if interrupted else 0


def _graded_with_a_bar(
    read, handed_in: list, limits: Limits, jobs: int, by_student: bool, again: bool, out: Path
) -> list:
    """Grade with a progress bar; returns the results by name, after Ctrl-C the finished ones.

    The table and the results are written after each submission.
    """
    from tqdm import tqdm

    from trm_lite.classroom.pages import write_table
    from trm_lite.classroom.whole_class import as_json, earlier, grade_all, keys

    by_label = keys(read, handed_in, limits, by_student)
    stored = out / "results.json"
    known = {} if again else earlier(stored, read, handed_in, by_label)
    if known:
        print(f"{len(known)} of {len(handed_in)} were graded before and have not changed since; "
              "--again grades them, too.")  # fmt: skip
    finished = list(known.values())

    def write(results: list) -> list:
        results = sorted(results, key=lambda one: one.submission.label)
        write_table(read.assignment, results, out)
        write_atomically(stored, as_json(results, by_label).encode())
        return results

    with tqdm(total=len(handed_in), initial=len(known), unit="submission") as bar:

        def done(result) -> None:
            finished.append(result)
            write(finished)
            bar.set_postfix_str(result.submission.label[:20])
            bar.update()

        try:
            graded = grade_all(
                read, handed_in, limits, jobs=jobs, by_student=by_student, known=known, done=done
            )
        except KeyboardInterrupt:
            graded = finished
    return write(graded) if graded else []


def figures(
    notebooks: Positional[tuple[Path, ...]] = (),
    out: Path = Path("figures"),
    format: Literal["png", "svg"] = "png",
    profile: str = "mini",
) -> int:
    """Export every figure of the course, ready for slides.

    Args:
        notebooks: Lessons, by default all in notebooks/.
        out: Folder to write into, with an index.html that shows all figures.
        format: png uses the stored pictures; svg runs the lessons again, which takes minutes.
        profile: Profile of that run, smoke or mini.
    """
    from trm_lite.classroom.figures import export
    from trm_lite.classroom.web import counted

    count = export(notebooks, out, format=format, profile=profile)
    print(f"{counted(count, 'figure')}: {out / 'index.html'}")
    return 0


def slides(
    lessons: Positional[tuple[str, ...]] = (), out: Path = Path("slides"), reveal: str = ""
) -> int:
    """Make a deck of slides from each lesson: headings, pictures, questions; the words are notes.

    A deck is a single HTML file. Press S for the notes, and add ?print-pdf to its address to print.

    Args:
        lessons: Numbers of lessons, for example: 00 07. All if none.
        out: Folder to write into.
        reveal: Address or folder of reveal.js; by default decks load it from the network.
    """
    from trm_lite.classroom.slides import make_decks
    from trm_lite.classroom.web import counted

    print(f"{counted(len(make_decks(out, lessons, reveal)), 'deck')} in {out}")
    return 0


def classroom(arguments: list[str]) -> int:
    """Assignments: build, check and grade them; export figures, and make slides."""
    names = ("build", "variant", "check", "grade", "figures", "slides")
    commands = {name: f"classroom:{name}" for name in names}
    about = "Hand out, check and grade assignments; export figures, and make slides."
    return run_command(commands, arguments, "trm-lite classroom", about)
