"""A master notebook: its exercises and checks, and the student version made from it.

An *exercise* is a code cell for the student, a *check* the locked cell with the tests below it,
called like the exercise with "-check" behind; a *question* is answered in words and marked by a
person. Everything else in code is *given*. Which is which stands in nbgrader's cell metadata.
"""

import ast
import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trm_lite.common.errors import UserError

Role = Literal["given", "exercise", "check", "question", "text"]

SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
SCHEME = ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ===")
ANSWER_STUB = "*Your answer, in your own words.*"
STUDENT_LINE = re.compile(r'^student: str = ".*?"', re.MULTILINE)  # in the cell tagged parameters


@dataclass(frozen=True)
class Cell:
    """A cell of a master, or of the student version."""

    role: Role
    name: str  # nbgrader's grade_id, "" if it has none
    source: str
    points: float = 0.0
    seconds: float | None = None  # time limit of its own
    tags: tuple[str, ...] = ()

    @property
    def exercise(self) -> str:
        """The exercise that a check belongs to."""
        return self.name.removesuffix("-check")

    @property
    def defines(self) -> set[str]:
        """Functions and classes at the top level."""
        return top_level_names(self.source)


@dataclass(frozen=True)
class Assignment:
    """What is to be done, and for how many points."""

    name: str
    cells: list[Cell]

    @property
    def title(self) -> str:
        """The first heading, or else the name of the file."""
        text = "\n".join(cell.source for cell in self.cells if cell.role == "text")
        found = re.search(r"^# (.+)$", text, re.MULTILINE)
        return found[1].strip() if found else self.name

    @property
    def exercises(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.role == "exercise"]

    @property
    def checks(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.role == "check"]

    @property
    def questions(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.role == "question"]

    @property
    def points(self) -> float:
        """Points that the checks give; questions are marked by a person."""
        return sum(check.points for check in self.checks)

    @property
    def varies(self) -> bool:
        """Whether each student can have numbers of their own."""
        return any(
            "parameters" in cell.tags and STUDENT_LINE.search(cell.source) for cell in self.cells
        )


def top_level_names(source: str) -> set[str]:
    """Functions and classes that `source` defines at its top level; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def source_of(cell: dict) -> str:
    """The text of a cell, which a file may hold in one string or in lines."""
    text = cell.get("source", cell.get("input", ""))
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def read_master(path: Path) -> tuple[Assignment, dict]:
    """The assignment in a notebook, and the notebook; UserError where it contradicts itself."""
    try:
        notebook = json.loads(path.read_text("utf-8"))
        cells = [_read_cell(raw) for raw in notebook["cells"]]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a notebook with assignments; check the path.") from error
    assignment = Assignment(path.stem, cells)
    names = [cell.name for cell in cells if cell.name]
    exercises = {cell.name for cell in assignment.exercises}
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two cells are called '{name}'; names must differ.")
    for check in assignment.checks:
        if check.exercise not in exercises:
            raise UserError(
                f"{path}: the check '{check.name}' has no exercise '{check.exercise}'; "
                "a check is called like its exercise, with '-check' behind."
            )
    missing = exercises - {check.exercise for check in assignment.checks}
    if missing:
        raise UserError(
            f"{path}: exercise '{min(missing)}' has no check; add '{min(missing)}-check'."
        )
    return assignment, notebook


def _read_cell(raw: dict) -> Cell:
    metadata = raw.get("metadata", {})
    marks, own = metadata.get("nbgrader", {}), metadata.get("trm_lite", {})
    grade, solution = marks.get("grade", False), marks.get("solution", False)
    if raw["cell_type"] != "code":
        role = "question" if grade or marks.get("task") else "text"
    elif grade and solution:
        role = "question"
    elif grade:
        role = "check"
    else:
        role = "exercise" if solution else "given"
    return Cell(
        role,
        marks.get("grade_id", "") if role != "given" else "",
        source_of(raw),
        points=float(marks.get("points", 0)),
        seconds=own.get("seconds"),
        tags=tuple(metadata.get("tags", ())),
    )


def student_version(notebook: dict, student: str = "") -> dict:
    """The notebook without solutions, hidden tests, mark schemes and outputs, for `student`."""
    made = copy.deepcopy(notebook)
    for raw in made["cells"]:
        name = raw.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        stub = ANSWER_STUB
        if raw["cell_type"] == "code":
            stub = f'raise NotImplementedError("Exercise {name!r} is waiting for your code.")'
            raw["outputs"], raw["execution_count"] = [], None
        text = replace_region(source_of(raw), *SOLUTION, stub)
        text = replace_region(replace_region(text, *HIDDEN, None), *SCHEME, None).rstrip()
        if "parameters" in raw.get("metadata", {}).get("tags", ()):
            text = set_student(text, student)
        raw["source"] = text
    made["metadata"]["trm_lite"] = {"student": student}
    return made


def set_student(source: str, student: str) -> str:
    """`source` of the cell of parameters with the name of a student in it."""
    return STUDENT_LINE.sub(
        lambda _: f"student: str = {json.dumps(student, ensure_ascii=False)}", source
    )


def replace_region(source: str, begin: str, end: str, stub: str | None) -> str:
    """`source` with every region from a line with `begin` to one with `end` replaced by `stub`."""
    kept, inside = [], False
    for line in source.split("\n"):
        if begin in line:
            if inside:
                raise UserError(f"'{begin}' stands twice before '{end}'; close the first one.")
            inside = True
            if stub is not None:
                kept.append(line[: len(line) - len(line.lstrip())] + stub)
        elif end in line:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise UserError(f"'{begin}' is not closed; add a line '{end}'.")
    return "\n".join(kept)
