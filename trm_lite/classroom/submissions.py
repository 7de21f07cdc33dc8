"""Find students' submissions in a folder, and the exercise cells in them.

Notebooks come back renamed, reordered, without cell ids, with megabytes of output, or broken. An
exercise cell is found by its name in the metadata, or else by the comment `# exercise: NAME`, or
else by the functions that it defines. A file that cannot be read is reported by name and does not
affect other students.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from trm_lite.classroom.assignment import STUDENT_LINE, Assignment, source_of, top_level_names
from trm_lite.common.errors import UserError

LARGEST = 200_000_000  # bytes; larger notebooks are not read
NAMED = re.compile(r"^\s*#\s*exercise:\s*([\w-]+)", re.MULTILINE)
MOODLE = re.compile(r"_(?P<id>\d+)_assignsubmission_.*$")


@dataclass
class Submission:
    """The work that one student handed in."""

    student: str  # the student's name
    path: Path | None  # the notebook
    code: dict[str, str] = field(default_factory=dict)  # code of each exercise
    words: dict[str, str] = field(default_factory=dict)  # answer to each question
    remarks: list[str] = field(default_factory=list)  # what the grader should know
    readable: bool = True
    id: str = ""  # the participant's number, if Moodle added one to the name
    entry: str = ""  # name of the file or folder, if several have the same student's name

    @property
    def label(self) -> str:
        """A name that no other submission has."""
        return self.entry or self.student


def collect(folder: Path, assignment: Assignment, stubs: dict[str, str]) -> list[Submission]:
    """Find all submissions in a folder, sorted by name.

    Each student has a notebook there, or a folder with a notebook. nbgrader's
    STUDENT/ASSIGNMENT/*.ipynb and Moodle's NAME_123_assignsubmission_file are understood. Raises
    UserError if the folder is empty or does not exist.

    Args:
        folder: the folder.
        assignment: what the students were given.
        stubs: source of each exercise cell before it is filled in, by name.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} of submissions; check the path.")
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    found = [_of_entry(entry, assignment, stubs) for entry in entries]
    if not found:
        raise UserError(f"{folder} is empty; put a notebook or a folder of each student into it.")
    names = Counter(submission.student.lower() for submission in found)
    for entry, submission in zip(entries, found, strict=True):
        if names[submission.student.lower()] > 1:
            submission.entry = entry.name
            submission.remarks.append(
                f"several submissions are by '{submission.student}': two students, or one twice?"
            )
    return found


def _of_entry(entry: Path, assignment: Assignment, stubs) -> Submission:
    name = entry.name if entry.is_dir() else entry.stem
    moodle, student = MOODLE.search(name), MOODLE.sub("", name)
    if entry.is_dir():
        found = _of_folder(student, entry, assignment, stubs)
    elif entry.suffix == ".ipynb":
        found = read_submission(student, entry, assignment, stubs)
    else:
        found = _unreadable(student, entry, f"{entry.name} is not a notebook (.ipynb).")
    found.id = moodle["id"] if moodle else ""
    return found


def _of_folder(student: str, folder: Path, assignment: Assignment, stubs) -> Submission:
    files = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    ]
    if not files:
        return _unreadable(student, folder, f"there is no notebook in the folder {folder.name}.")
    read = [read_submission(student, path, assignment, stubs) for path in files]
    best = max(read, key=lambda one: (len(one.code), one.path.stem == assignment.name))
    fitting = sum(bool(one.code) for one in read)
    if fitting > 1:
        best.remarks.append(f"{fitting} notebooks were handed in; {best.path.name} was graded.")
    return best


def _unreadable(student: str, path: Path | None, remark: str) -> Submission:
    return Submission(student, path, remarks=[remark], readable=False)


def read_submission(
    student: str, path: Path, assignment: Assignment, stubs: dict[str, str]
) -> Submission:
    """Read one student's notebook. Problems become remarks, and never raise an error.

    Args:
        student: the student's name.
        path: the notebook.
        assignment: what the students were given.
        stubs: see `collect`.
    """
    try:
        if path.stat().st_size > LARGEST:
            return _unreadable(student, path, f"{path.name} is larger than {LARGEST:,} bytes.")
        notebook = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        return _unreadable(student, path, f"{path.name} cannot be read: {error.strerror}.")
    except (ValueError, RecursionError):
        return _unreadable(student, path, f"{path.name} is not a notebook, or cut off (not JSON).")
    submission = Submission(student, path)
    try:
        cells = notebook.get("cells") or notebook["worksheets"][0]["cells"]
        cells = [cell for cell in cells if isinstance(cell, dict)]
    except (AttributeError, KeyError, IndexError, TypeError):
        return _unreadable(student, path, f"{path.name} has no cells; it is not a notebook.")
    for cell in cells:
        _take(cell, submission, assignment, stubs)
    for exercise in assignment.exercises:
        if exercise.name not in submission.code:
            submission.remarks.append(f"the cell of exercise '{exercise.name}' is missing.")
    return submission


def _take(cell: dict, submission: Submission, assignment: Assignment, stubs) -> None:
    """Add a raw cell to a submission, if it is an exercise or the answer to a question."""
    text = source_of(cell)
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    given_name = marks.get("grade_id") if isinstance(marks, dict) else None
    if given_name in {question.name for question in assignment.questions}:
        submission.words[given_name] = text
        return
    if cell.get("cell_type") != "code":
        return
    if match := STUDENT_LINE.search(text):
        built_for = match[0].split('"')[1]
        if built_for and built_for.lower() != submission.student.lower():
            submission.remarks.append(f"the notebook was built for '{built_for}'.")
    name = exercise_name(text, given_name, assignment)
    if name is None:
        return
    if name in submission.code and submission.code[name].strip() != text.strip():
        submission.remarks.append(f"exercise '{name}' is there twice; the last was graded.")
        if text.strip() == stubs.get(name, "").strip():
            return  # an untouched copy does not replace an answer
    submission.code[name] = text


def exercise_name(text: str, given_name, assignment: Assignment) -> str | None:
    """The name of the exercise that a code cell answers, or None.

    Args:
        text: source of the cell.
        given_name: nbgrader's name of the cell, if it has one.
        assignment: what the students were given.
    """
    names = {exercise.name for exercise in assignment.exercises}
    if given_name in names:
        return given_name
    if (match := NAMED.search(text)) and match[1] in names:
        return match[1]
    if isinstance(given_name, str) and given_name:
        return None  # a check, or another cell of the master
    defined = top_level_names(text)
    for exercise in assignment.exercises:
        if exercise.defines and exercise.defines <= defined:
            return exercise.name
    return None
