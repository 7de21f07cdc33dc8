"""Put a student's answers together from the cells of a notebook, for `check` and `grade` alike.

Notebooks come back renamed, reordered, without cell ids, or with cells that were split, copied,
or turned into text. An exercise cell is found by its name in the metadata, or else by the comment
`# exercise: NAME`, or else by the functions that it defines. Its code is the cells of that name,
and before them those of the student's own cells that define what it uses: functions, classes,
imports and constants.
"""

import ast
import re
import unicodedata
from dataclasses import dataclass, field

from trm_lite.classroom.assignment import (
    STUDENT_LINE,
    Assignment,
    Cell,
    bound_names,
    parsed,
    source_of,
    top_level_names,
)

MOST_CODE = 200_000  # characters of a cell
MOST_OWN = 200  # cells of the student's own that are looked at
MOST_PIECES = 20  # of an exercise
NAMED = re.compile(r"^[ \t]*#[ \t]*exercise:[ \t]*([\w-]+)", re.MULTILINE)
WORD = re.compile(r"[^\W\d]\w*")


@dataclass
class Answers:
    """What a student wrote."""

    code: dict[str, str] = field(default_factory=dict)  # code of each exercise
    words: dict[str, str] = field(default_factory=dict)  # answer to each question
    remarks: list[str] = field(default_factory=list)  # what student and grader should know
    built_for: str = ""  # the student for whose numbers the notebook was made
    done: int = 0  # how many exercises are no longer as they were handed out


def gather(cells: list[dict], assignment: Assignment, handed: Assignment) -> Answers:
    """The answers in raw cells.

    Args:
        cells: the cells of the student's notebook.
        assignment: the master, or what the student was given.
        handed: what the student was given.
    """
    gathering = _Gathering(assignment, handed)
    for cell in cells:
        gathering.take(cell)
    return gathering.finished()


class _Gathering:
    """The cells of a notebook, sorted by what they are."""

    def __init__(self, assignment: Assignment, handed: Assignment):
        self.assignment = assignment
        self.stubs = {cell.name: cell for cell in handed.cells if cell.name}
        self.exercises = [exercise.name for exercise in assignment.exercises]
        self.known = {cell.source.strip() for cell in handed.cells}
        self.stub_texts = {self.stubs[name].source.strip() for name in self.exercises
                           if name in self.stubs}  # fmt: skip
        self.given_names = set().union(*(cell.binds for cell in handed.cells
                                         if cell.role == "given"))  # fmt: skip
        self.answers = Answers()
        self.texts: dict[str, list[str]] = {}  # the cells of each exercise
        self.own: list[str] = []  # the student's own cells
        self.other_types: dict[str, str] = {}  # exercises in cells that are no code
        self.open = ""  # the exercise above, as long as its cell is not complete

    def take(self, cell: dict) -> None:
        """Sort a cell in."""
        text, kind = source_of(cell), cell.get("cell_type")
        name = _given_name(cell)
        if name in self._names("question"):
            if name not in self.answers.words or text.strip() not in self.known:
                self.answers.words[name] = text
        elif kind != "code" and "input" not in cell:
            self._take_text(name, text, str(kind))
        elif len(text) > MOST_CODE:
            self.answers.remarks.append(
                f"a cell of {len(text):,} characters was left out; {MOST_CODE:,} are the most."
            )
        else:
            self._take_code(name, text)

    def _names(self, role: str) -> set[str]:
        return {cell.name for cell in self.assignment.cells if cell.role == role}

    def _take_text(self, name: str, text: str, kind: str) -> None:
        match = NAMED.match(text.lstrip())
        name = name or (match[1] if match else "")
        if name in self.exercises:
            self.other_types[name] = kind[:20]

    def _take_code(self, given_name: str, text: str) -> None:
        if match := STUDENT_LINE.search(text):
            self.answers.built_for = match[0].split('"')[1]
            return
        # The rest of a cell that was split may have lost the name.
        name = self._exercise(given_name, text)
        if given_name in self._names("check") or text.strip() in self.known - self.stub_texts:
            self.open = ""
        elif name or self.open:
            self._add(name or self.open, text)
        elif len(self.own) < MOST_OWN:
            self.own.append(text)

    def _add(self, name: str, text: str) -> None:
        pieces = self.texts.setdefault(name, [])
        if len(pieces) < MOST_PIECES:
            pieces.append(text)
        self.open = "" if self._complete(name) or len(pieces) == MOST_PIECES else name

    def _exercise(self, given_name: str, text: str) -> str:
        """The name of the exercise that a code cell answers, or ""."""
        if given_name in self.exercises:
            return given_name
        if (match := NAMED.search(text)) and match[1] in self.exercises:
            return match[1]
        if given_name in self.stubs:
            return ""  # a check, or another cell of the master
        defined = top_level_names(text)
        return next((name for name in self.exercises
                     if self._asked(name) and self._asked(name) <= defined), "")  # fmt: skip

    def _asked(self, name: str) -> set[str]:
        """The functions and classes that an exercise asks for."""
        return self.stubs[name].defines if name in self.stubs else set()

    def _complete(self, name: str) -> bool:
        return self._asked(name) <= top_level_names("\n".join(self.texts[name]))

    def finished(self) -> Answers:
        """The answers, with remarks on what is unusual."""
        helpers = self._helpers()
        for name in self.exercises:
            if name in self.texts:
                text = self._joined(name, self.texts[name])
                self.answers.done += not self._is_stub(name, text)
                self.answers.code[name] = _with_helpers(text, helpers)
            elif name in self.other_types:
                self.answers.remarks.append(
                    f"the cell of exercise '{name}' is a {self.other_types[name]} cell, so it is "
                    "not run; turn it back into a code cell."
                )
            else:
                self.answers.remarks.append(f"the cell of exercise '{name}' is missing.")
        self._note_uncollected()
        return self.answers

    def _is_stub(self, name: str, text: str) -> bool:
        return name in self.stubs and text.strip() == self.stubs[name].source.strip()

    def _joined(self, name: str, texts: list[str]) -> str:
        """One text of all cells of an exercise: parts are put together, the last copy counts."""
        different = list({text.strip(): text for text in texts}.values())
        written = [text for text in different if not self._is_stub(name, text)]
        if not written:
            return different[0]
        if len(written) < len(different):
            self.answers.remarks.append(
                f"exercise '{name}' is there twice; the copy that nobody worked on was left out."
            )
        asked = self._asked(name)
        whole = [text for text in written if asked and asked <= top_level_names(text)]
        if len(whole) > 1:
            self.answers.remarks.append(
                f"exercise '{name}' is there {len(whole)} times; the last was graded."
            )
        kept = [text for text in written if text not in whole[:-1]]
        if len(kept) > 1:
            self.answers.remarks.append(
                f"the cell of exercise '{name}' is in {len(kept)} parts; they were put together."
            )
        return "\n".join(kept)

    def _helpers(self) -> list[Cell]:
        """The student's own cells that only define something, and nothing that was given."""
        helpers = []
        for text in self.own:
            cell = Cell("given", "", text)
            changed = sorted(cell.binds & self.given_names - _imported(text))
            if changed:
                self.answers.remarks.append(
                    f"a given cell, with {', '.join(changed[:3])}, was changed; the original "
                    "counts."
                )
            elif _only_defines(text):
                helpers.append(cell)
        return helpers

    def _note_uncollected(self) -> None:
        """Name what the answers use although only cells that are not collected define it."""
        loose = {name for text in self.own if not _only_defines(text) for name in bound_names(text)}
        loose -= self.given_names
        for name, text in self.answers.code.items():
            used = sorted(loose & _free_names(text))
            if used:
                self.answers.remarks.append(
                    f"exercise '{name}' may use {', '.join(used[:3])} of another cell, which does "
                    "more than define things and is not collected."
                )


def _given_name(cell: dict) -> str:
    """nbgrader's name of a raw cell, "" without one."""
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else ""


def _used(text: str) -> set[str]:
    """The words in some code, comments and texts included."""
    return set(WORD.findall(unicodedata.normalize("NFKC", text)))


def _free_names(text: str) -> set[str]:
    """The names that some code reads and nowhere sets; none if it cannot be parsed."""
    read, own = set(), bound_names(text)
    for node in (found for statement in parsed(text) or () for found in ast.walk(statement)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
    return read - own


def _with_helpers(text: str, helpers: list[Cell]) -> str:
    """The text behind those helpers that it uses, or that they use, in their order."""
    words, needed = _used(text), set()
    words.add("*")  # of "from ... import *"
    while found := {
        number
        for number, helper in enumerate(helpers)
        if number not in needed and helper.binds & words
    }:
        needed |= found
        words |= set().union(*(_used(helpers[number].source) for number in found))
    return "\n\n".join([*(helpers[number].source for number in sorted(needed)), text])


def _imported(text: str) -> set[str]:
    """The names that a cell binds by importing."""
    imports = [node for node in parsed(text) or () if isinstance(node, ast.Import | ast.ImportFrom)]
    return bound_names("\n".join(map(ast.unparse, imports)))


def _only_defines(text: str) -> bool:
    """Whether a cell has only functions, classes, imports and constants."""
    statements = parsed(text)
    return bool(statements) and all(map(_is_definition, statements))


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
        try:
            ast.literal_eval(node.value or "None")
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False
        return True
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return isinstance(node, kinds)
