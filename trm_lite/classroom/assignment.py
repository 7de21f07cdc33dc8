"""Read a master notebook with its exercises and checks, and make the student version from it.

An *exercise* is a code cell for the student to fill in. Its *check* is the locked cell below it
with the tests, and has the exercise's name with "-check" at the end. A *question* is answered in
words and marked by a person. All other code cells are *given*. nbgrader's cell metadata tells
which cell is what.
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
# The line with the student's name, in the cell tagged "parameters".
STUDENT_LINE = re.compile(r'^student: str = ".*?"', re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A cell of a master, or of the student version."""

    role: Role
    name: str  # nbgrader's grade_id, or "" without one
    source: str  # its text
    points: float = 0.0  # what a check gives
    seconds: float | None = None  # its own time limit, if it has one
    tags: tuple[str, ...] = ()

    @property
    def exercise(self) -> str:
        """The name of the exercise that a check belongs to."""
        return self.name.removesuffix("-check")

    @property
    def defines(self) -> set[str]:
        """The names of functions and classes that the cell defines at its top level."""
        return top_level_names(self.source)

    @property
    def binds(self) -> set[str]:
        """All names that the cell defines at its top level, variables and imports too."""
        return bound_names(self.source)


@dataclass(frozen=True)
class Assignment:
    """An assignment: all cells of its master notebook."""

    name: str  # name of the file, without ending
    cells: list[Cell]

    @property
    def title(self) -> str:
        """The first heading, or the name of the file if there is none."""
        text = "\n".join(cell.source for cell in self.cells if cell.role == "text")
        found = re.search(r"^# (.+)$", text, re.MULTILINE)
        return found[1].strip() if found else self.name

    @property
    def exercises(self) -> list[Cell]:
        """The cells to fill in."""
        return [cell for cell in self.cells if cell.role == "exercise"]

    @property
    def checks(self) -> list[Cell]:
        """The cells with tests."""
        return [cell for cell in self.cells if cell.role == "check"]

    @property
    def questions(self) -> list[Cell]:
        """The cells to answer in words."""
        return [cell for cell in self.cells if cell.role == "question"]

    @property
    def points(self) -> float:
        """The points of all checks together; a person gives those of questions."""
        return sum(check.points for check in self.checks)

    @property
    def varies(self) -> bool:
        """Whether each student can get a version with their own numbers."""
        return any(
            "parameters" in cell.tags and STUDENT_LINE.search(cell.source) for cell in self.cells
        )


def parsed(source: str) -> list[ast.stmt] | None:
    """The statements of some Python code; None if it cannot be parsed."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def top_level_names(source: str) -> set[str]:
    """The names of functions and classes that Python code defines at its top level.

    There are none if the code cannot be parsed.
    """
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in parsed(source) or () if isinstance(node, kinds)}


def bound_names(source: str) -> set[str]:
    """All names that Python code defines at its top level, none if it cannot be parsed."""
    names = top_level_names(source)
    for node in parsed(source) or ():
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {one.asname or one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {one.id for one in ast.walk(node)
                      if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}  # fmt: skip
    return names


def source_of(cell: dict) -> str:
    """The text of a raw cell, which notebooks store as one string or as a list of lines."""
    text = cell.get("source", cell.get("input", ""))
    return plain("".join(map(str, text)) if isinstance(text, list) else str(text))


def plain(text: str) -> str:
    """`text` without half emoji (lone surrogates), which no file can hold."""
    return text.encode(errors="replace").decode()


def assignment_of(name: str, notebook: dict) -> Assignment:
    """The assignment called `name` in a raw notebook."""
    return Assignment(name, [_read_cell(raw) for raw in notebook["cells"]])


def read_notebook(path: Path) -> dict:
    """A raw notebook with cells. Raises UserError if the file is none or cannot be read."""
    try:
        notebook = json.loads(path.read_text("utf-8-sig"))
        for raw in notebook["cells"]:
            _read_cell(raw)
        return notebook
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is not a notebook with assignments; check the path.") from error


def read_master(path: Path) -> tuple[Assignment, dict]:
    """Read a master; returns the assignment and the raw notebook.

    Raises UserError if the file cannot be read, if names are repeated, and if exercises and checks
    do not belong together.
    """
    notebook = read_notebook(path)
    assignment = assignment_of(path.stem, notebook)
    for name in (cell.name for cell in assignment.cells):
        if not isinstance(name, str):
            raise UserError(f"{path}: the name of a cell is {name!r}; give it one of letters.")
    names = [cell.name for cell in assignment.cells if cell.name]
    exercises = {cell.name for cell in assignment.exercises}
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two cells are called '{name}'; give them different names.")
    for check in assignment.checks:
        if check.exercise not in exercises:
            raise UserError(
                f"{path}: the check '{check.name}' has no exercise '{check.exercise}'; "
                "name a check like its exercise, with '-check' at the end."
            )
    missing = exercises - {check.exercise for check in assignment.checks}
    if missing:
        raise UserError(
            f"{path}: exercise '{min(missing)}' has no check; add '{min(missing)}-check'."
        )
    return assignment, notebook


def handed_out(path: Path, notebook: dict) -> Assignment:
    """What a student was given, from the notebook that it became.

    That is noted in the notebook. Where the note is lost, the notebook's own cells have to do.
    """
    note = notebook.get("metadata", {}).get("trm_lite")
    try:
        return assignment_of(path.stem, note)
    except (KeyError, TypeError, AttributeError, ValueError):
        pass
    cells: list[Cell] = []
    for raw in notebook["cells"]:
        cell = _read_cell(raw)
        marks = raw.get("metadata", {}).get("nbgrader", {})
        if cell.role == "text" and marks.get("solution"):  # an exercise that was turned into text
            cell = _read_cell(raw | {"cell_type": "code"})
        if not cell.name or cell.name not in {earlier.name for earlier in cells}:
            cells.append(cell)
    exercises = {cell.name for cell in cells if cell.role == "exercise"}
    checked = {cell.exercise for cell in cells if cell.role == "check"}
    # A check without its exercise, or the other way round, cannot be run.
    return Assignment(path.stem, [
        cell for cell in cells
        if cell.role not in ("exercise", "check") or cell.exercise in exercises & checked
    ])  # fmt: skip


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
    """The raw notebook for students: no solutions, hidden tests, mark schemes or outputs.

    With a `student`, it gets that student's own numbers.
    """
    try:
        made = copy.deepcopy(notebook)
    except RecursionError as error:
        raise UserError("The notebook is nested too deeply; save it again in Jupyter.") from error
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
    # What `check` runs, whatever the student makes of these cells.
    cells = [{key: raw[key] for key in ("cell_type", "metadata", "source") if key in raw}
             for raw in made["cells"] if raw["cell_type"] == "code"]  # fmt: skip
    about = made.get("metadata")
    made["metadata"] = (about if isinstance(about, dict) else {}) | {
        "trm_lite": {"student": student, "cells": cells}
    }
    return made


def set_student(source: str, student: str) -> str:
    """The `source` of the parameters cell, with the name of a student filled in."""
    return STUDENT_LINE.sub(
        lambda _: f"student: str = {json.dumps(student, ensure_ascii=False)}", source
    )


def replace_region(source: str, begin: str, end: str, stub: str | None) -> str:
    """Replace every marked region of some code. Raises UserError if a marker has no partner.

    Args:
        source: the code.
        begin: text of the line with which a region begins.
        end: text of the line with which it ends.
        stub: line to put in its place, at the same indentation; None puts nothing there.
    """
    kept, inside = [], False
    for line in source.split("\n"):
        if begin in line:
            if inside:
                raise UserError(f"'{begin}' comes twice before '{end}'; close the first one.")
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
