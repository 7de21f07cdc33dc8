"""Read what students handed in: who they are, and their answers.

A file that cannot be read is reported by name and does not affect other students.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from trm_lite.classroom.answers import Answers, gather
from trm_lite.classroom.assignment import Assignment
from trm_lite.classroom.layouts import Document, Entry, entries, read_regular, safe_name
from trm_lite.common.errors import UserError

MOST_PARTS = 5_000_000  # commas and brackets in a notebook; more would cost too much memory


@dataclass
class Submission:
    """The work that one student handed in."""

    student: str  # the student's name
    file: str = ""  # name of the notebook
    code: dict[str, str] = field(default_factory=dict)  # code of each exercise
    words: dict[str, str] = field(default_factory=dict)  # answer to each question
    remarks: list[str] = field(default_factory=list)  # what the grader should know
    readable: bool = True
    id: str = ""  # the participant's number on the learning platform
    entry: str = ""  # name of the file or folder, if several have the same student's name
    done: int = 0  # how many exercises are no longer as they were handed out

    @property
    def label(self) -> str:
        """A name that no other submission has."""
        return self.entry or self.student


def collect(place: Path, assignment: Assignment, handed: Assignment) -> list[Submission]:
    """Find all submissions in a folder or zip, one for each student, sorted by name.

    `layouts` says which layouts are understood. Raises UserError if there is nothing.

    Args:
        place: the folder or zip.
        assignment: the master.
        handed: what the students were given.
    """
    by_student: dict[str, list[tuple[Entry, list[Submission]]]] = {}
    for entry in entries(place):
        read = [_read(entry.student, document, assignment, handed)
                for document in _candidates(entry.documents)]  # fmt: skip
        # An online text lies beside the files of the same number; é can be one sign or two.
        by_student.setdefault(entry.id or entry.student, []).append((entry, read))
    if not by_student:
        raise UserError(f"{place} is empty; put a notebook or a folder of each student into it.")
    found = [_best(own, assignment) for own in by_student.values()]
    _tell_apart(found, [own[0][0].name for own in by_student.values()])
    return sorted(found, key=lambda one: (one.student, one.label))


def _candidates(documents: list[Document]) -> list[Document]:
    """The notebooks among some files, or else all of them."""
    return [document for document in documents if document.is_notebook] or documents


def _best(own: list[tuple[Entry, list[Submission]]], assignment: Assignment) -> Submission:
    """The most complete of the notebooks that a student handed in."""
    entry = own[0][0]
    read = [submission for _, several in own for submission in several]
    if not read:
        return _unreadable(entry.student, f"there is no notebook in {entry.name}.", entry.id)
    best = max(read, key=lambda one: (one.done, len(one.code), assignment.name in one.file))
    fitting = [one for one in read if one.code]
    if len(fitting) > 1:
        best.remarks.append(f"{len(fitting)} notebooks were handed in; {best.file} was graded.")
    best.id = entry.id
    return best


def _tell_apart(found: list[Submission], names: list[str]) -> None:
    """Let students of one name be called like their files or folders."""
    count = Counter(submission.student.casefold() for submission in found)
    for submission, name in zip(found, names, strict=True):
        if count[submission.student.casefold()] > 1:
            submission.entry = name
            submission.remarks.append(
                f"several submissions are by '{submission.student}': two students, or one twice?"
            )


def _unreadable(student: str, remark: str, number: str = "") -> Submission:
    return Submission(student, remarks=[remark], readable=False, id=number)


def read_submission(path: Path, assignment: Assignment, handed: Assignment) -> Submission:
    """Read one student's notebook, named like the student. Problems become remarks.

    Args:
        path: the notebook.
        assignment: the master, or what the student was given.
        handed: what the student was given.
    """
    name = safe_name(path.name)
    document = Document(name, lambda: read_regular(path))
    return _read(safe_name(path.stem), document, assignment, handed)


def _read(
    student: str, document: Document, assignment: Assignment, handed: Assignment
) -> Submission:
    try:
        cells = _cells(document.read(), document.name)
    except UserError as error:
        return _unreadable(student, str(error))
    answers: Answers = gather(cells, assignment, handed)
    remarks = list(answers.remarks)
    if answers.built_for and answers.built_for.casefold() != student.casefold():
        remarks.insert(0, f"the notebook was built for '{answers.built_for}'.")
    return Submission(
        student, document.name, answers.code, answers.words, remarks, done=answers.done
    )


def _cells(content: bytes, name: str) -> list[dict]:
    """The raw cells in a notebook's file. Raises UserError if it is none."""
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_PARTS:
        raise UserError(f"{name} has too many parts for a notebook; clear its outputs.")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is not a notebook, or cut off (not JSON).") from error
    try:
        cells = notebook.get("cells") or notebook["worksheets"][0]["cells"]
        return [cell for cell in cells if isinstance(cell, dict)]
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise UserError(f"{name} has no cells; it is not a notebook.") from error
