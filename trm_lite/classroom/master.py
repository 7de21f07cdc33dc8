"""A master notebook with everything that grading needs: what students get, and private tests."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from trm_lite.classroom.assignment import (
    HIDDEN,
    SOLUTION,
    Assignment,
    assignment_of,
    handed_out,
    read_master,
    replace_region,
    student_version,
)
from trm_lite.common.errors import UserError
from trm_lite.common.files import PACKAGE


class MasterError(UserError):
    """The master itself does not run, so nothing can be graded with it."""


@dataclass(frozen=True)
class Master:
    """An assignment with everything that grading needs."""

    assignment: Assignment
    handed: Assignment  # what students get
    private: dict[str, str] = field(default_factory=dict)  # private tests, by exercise
    files: tuple[Path, ...] = ()  # the master's file and those of private tests

    @classmethod
    def read(cls, path: Path, hidden: Path | None = None) -> "Master":
        """Read a master notebook, and private tests from the folder `hidden` (EXERCISE.py).

        Raises UserError if `path` is not a master, and if no test belongs to it.
        """
        if path.is_dir():
            raise UserError(f"{path} is a folder; name one master notebook.")
        assignment, notebook = read_master(path)
        if not assignment.checks:
            raise UserError(f"{path} has no exercises with checks; is it an assignment?")
        if not any(SOLUTION[0] in cell.source for cell in assignment.cells):
            raise UserError(f"{path} is a student version; grade with the master.")
        private = _private_tests(hidden, assignment)
        tests = [hidden / f"{name}.py" for name in private] if hidden else []
        handed = assignment_of(path.stem, student_version(notebook))
        return cls(assignment, handed, private, (path, *tests))

    @classmethod
    def of_student(cls, path: Path, notebook: dict) -> "Master":
        """What a student can check with: the visible tests of the notebook handed out.

        Raises UserError if there is none.
        """
        given = handed_out(path, notebook)
        cells = [replace(cell, source=replace_region(cell.source, *HIDDEN, None))
                 for cell in given.cells]  # fmt: skip
        assignment = Assignment(given.name, cells)
        if not assignment.checks:
            raise UserError(f"{path} has no exercises with checks; is it an assignment?")
        # Without the note, the notebook does not tell how an exercise looked before.
        handed = [cell for cell in assignment.cells
                  if cell.role != "exercise" or "NotImplementedError" in cell.source]  # fmt: skip
        return cls(assignment, Assignment(given.name, handed))

    def fingerprint(self) -> str:
        """A hash of everything that decides a grade besides the submission: files and course."""
        code = (path for path in PACKAGE.rglob("*")
                if path.is_file() and "__pycache__" not in path.parts)  # fmt: skip
        whole = hashlib.sha256()
        for path in sorted({*code, *self.files}):
            whole.update(hashlib.sha256(path.read_bytes()).digest())
        return whole.hexdigest()


def _private_tests(folder: Path | None, assignment: Assignment) -> dict[str, str]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} of private tests; check the path.")
    known = {exercise.name for exercise in assignment.exercises}
    tests = {path.stem: _read_test(path) for path in sorted(folder.glob("*.py"))}
    if not tests.keys() & known:
        raise UserError(
            f"{folder} holds no private test for {assignment.name}; name the files like its "
            f"exercises, with the ending .py: {', '.join(sorted(known))}."
        )
    return {name: test for name, test in tests.items() if name in known}


def _read_test(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; save it again as UTF-8.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
