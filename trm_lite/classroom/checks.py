"""Checks as they are sent to a student's process: in parts, with probes, and telling no secret.

The process that runs a check is the student's own, so that its word counts for little. A check
therefore carries *probes*: asserts that fail, at random places, each with a random word. Only a
process that really ran the check, and in which failing asserts raise errors, can name the words.
Hidden tests are sent when the visible ones have passed, and from then on the process chooses no
words that a student reads.
"""

import ast
import builtins
import re
import secrets
from typing import NamedTuple

from trm_lite.classroom.assignment import HIDDEN
from trm_lite.classroom.kernel import STOPPED, Outcome

PROBES = 2  # besides the one at the end
# Outcomes whose words are the grader's own.
OURS = {*STOPPED, "Time", "Tampering", "Missing"}
UNSEEN = "in a test that you cannot see."
NUMBER = r"[-+0-9.,%e ]{0,12}"  # what a hidden test may tell of the values that it saw
# Names that solutions to exercises never use, and attempts at manipulating the tests often do.
UNUSUAL = {
    "__import__", "__builtins__", "_getframe", "_current_frames", "atexit", "builtins", "co_consts",
    "ctypes", "currentframe", "eval", "exec", "f_back", "f_globals", "f_locals", "gc", "inspect",
    "get_ipython", "importlib", "linecache", "mmap", "multiprocessing", "os", "pty", "setprofile",
    "settrace", "signal", "socket", "subprocess", "sys", "threading",
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__instancecheck__",
    "__class__", "__getattribute__", "__subclasses__", "__globals__", "__code__", "__traceback__",
    "__torch_function__", "IPython", "open", "pathlib", "shutil", "unlink", "write_bytes",
    "write_text",
}  # fmt: skip


class Part(NamedTuple):
    """A part of a check that is run in one go."""

    source: str
    hidden: bool  # whether it, or a part before it, is hidden


def parts(source: str, hidden: bool = False) -> list[Part]:
    """The parts of a check, cut where hidden tests begin and end.

    Args:
        source: the check.
        hidden: whether all of it is hidden.
    """
    lines: list[list[str]] = [[]]
    for line in source.split("\n"):
        if any(marker in line for marker in HIDDEN):
            lines.append([])
        else:
            lines[-1].append(line)
    cut = ["\n".join(part) for part in lines]
    try:
        for part in cut:
            ast.parse(part)
    except SyntaxError:  # a marker within a statement
        cut = ["", "\n".join(cut)]
    # Parts alternate, and what comes after the first hidden one could repeat it.
    return [Part(part, hidden or number > 0) for number, part in enumerate(cut) if part.strip()]


def with_probes(source: str) -> tuple[str, str, tuple[str, ...]]:
    """A part with probes, the name under which they gather their words, and the words.

    What its asserts compare goes through a guard, a function called like that name and "_guard".
    """
    name = f"_{secrets.token_hex(8)}"
    tree = _Guarding(f"{name}_guard").visit(ast.parse(source))
    places = [*sorted(secrets.randbelow(len(tree.body)) for _ in range(PROBES)), len(tree.body)]
    words = [secrets.token_hex(8) for _ in places]
    for place, word in reversed(list(zip(places, words, strict=True))):
        tree.body[place:place] = _probe(name, word)
    return ast.unparse(ast.fix_missing_locations(tree)), name, tuple(words)


class _Guarding(ast.NodeTransformer):
    """Passes whatever an assert compares, or hands to a function, through the guard."""

    def __init__(self, guard: str):
        self.guard = guard
        self.inside = False

    def _guarded(self, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Constant | ast.Starred | ast.GeneratorExp):
            return value
        return ast.Call(ast.Name(self.guard, ast.Load()), [value], [])

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        self.inside = True
        node.test = self._guarded(self.visit(node.test))
        self.inside = False
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        self.generic_visit(node)
        if self.inside:
            node.left = self._guarded(node.left)
            node.comparators = [self._guarded(value) for value in node.comparators]
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if self.inside:
            node.args = [self._guarded(value) for value in node.args]
        return node


def _probe(name: str, word: str) -> list[ast.stmt]:
    value = secrets.token_hex(secrets.randbelow(6) + 2)
    return ast.parse(
        f"try:\n    assert len({value!r}) == {len(value) + 1}, {word!r}\n"
        f"except AssertionError as {name}_:\n    {name}.append(str({name}_))"
    ).body


def told(outcome: Outcome, part: Part) -> Outcome:
    """The outcome of a failed part, in words that a student may read."""
    if not part.hidden or outcome.error in OURS:
        return outcome
    if outcome.error == "AssertionError":
        return outcome._replace(message=_own_words(outcome.message, part.source))
    known = isinstance(getattr(builtins, outcome.error, None), type)
    return outcome._replace(error=outcome.error if known else "Exception", message=UNSEEN)


def _own_words(message: str, source: str) -> str:
    """`message` if it is one that the asserts of `source` give, and no other text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.msg and _fits(message, node.msg):
            return message
    return f"failed {UNSEEN}"


def _fits(message: str, node: ast.expr) -> bool:
    """Whether a message is what `node` says, with nothing but numbers filled in."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    pattern = "".join(
        re.escape(str(value.value)) if isinstance(value, ast.Constant) else NUMBER
        for value in values
    )
    return re.fullmatch(pattern, message) is not None


def unusual(code: str) -> list[str]:
    """What a student's code names that no solution needs, sorted."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = set()
    for node in ast.walk(tree):
        for name in _named(node):
            found |= UNUSUAL & {name, *name.split(".")}
    return sorted(found)


def _named(node: ast.AST) -> list[str]:
    """The names in a node: variables, attributes, imports, functions, and texts that are names."""
    texts = [getattr(node, key, None) for key in ("id", "attr", "name", "module", "value")]
    return [text for text in texts if isinstance(text, str)]
