"""Runs as the kernel's process: shuts itself in, and then runs the cells that the grader sends.

A request and its reply are a line of JSON each. Three kinds of cells are told apart: "given" ones
of the master, a student's "answer", and a "check". A check runs in a copy of the notebook's names
in which everything that came with the master, and Python's own names, are as they were before the
student's code ran.
"""

import builtins
import functools
import json
import linecache
import os
import re
import signal
import sys
import threading
import types

from trm_lite.classroom import sandbox

# Modules whose functions and classes are put back before a check.
WATCHED = {"builtins", "contextlib", "copy", "functools", "itertools", "json", "math", "numpy",
           "operator", "os", "random", "re", "statistics", "torch", "trm_lite"}  # fmt: skip
MOST_MESSAGE = 2000  # characters of an error that are reported
JUPYTER = re.compile(r"^\s*[%!]|=\s*[%!]|\?\s*$|\bget_ipython\b", re.MULTILINE)
TOOLS = 6  # sys.monitoring knows so many
HEAP_TYPE = 1 << 9  # the flag of classes that are not built in
MOST_GUARDED = 1000  # elements of a list that a guard looks at
# Methods by which an object decides what others find when they compare it.
DECIDING = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__",
            "__contains__", "__torch_function__", "__array_ufunc__", "__array_function__",
            "__rsub__", "__rtruediv__", "__abs__", "__getattr__", "__getattribute__")  # fmt: skip


class Tampering(Exception):
    """What a student's code does to a check so that it passes."""


class Originals:
    """The functions and classes of watched modules as they were at first."""

    def __init__(self):
        self.kept = []
        classes = {}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in WATCHED and isinstance(module, types.ModuleType):
                self._keep(name, module)
                if name in ("torch", "torch.nn") or name.startswith("trm_lite"):
                    classes |= {one: f"{name}.{one.__name__}" for one in vars(module).values()
                                if isinstance(one, type) and one.__flags__ & HEAP_TYPE}  # fmt: skip
        for one, name in classes.items():
            self._keep(name, one)

    def _keep(self, name: str, owner) -> None:
        self.kept.append((name, owner, {key: it for key, it in vars(owner).items()
                                        if callable(it) or isinstance(it, property)}))  # fmt: skip

    def put_back(self) -> list[str]:
        """Undo every replacement; returns the names of what had been replaced."""
        replaced = []
        for name, owner, members in self.kept:
            present = vars(owner)
            for key, original in members.items():
                if not _same(present.get(key), original):
                    try:
                        setattr(owner, key, original)
                    except (AttributeError, TypeError):
                        continue
                    replaced.append(f"{name}.{key}")
        return replaced


def _same(present, original) -> bool:
    """Whether a function is still the original, or was wrapped by its own library."""
    if present is original:
        return True
    code = getattr(present, "__code__", None)
    wrapped = getattr(present, "__wrapped__", None) is original
    return wrapped and code is not None and not code.co_filename.startswith("<")


class Worker:
    """The names of a notebook, and how its cells are run."""

    def __init__(self):
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.space = vars(module)
        self.space["__builtins__"] = builtins
        self.builtins = dict(vars(builtins))
        self.given: dict[str, object] = {}  # what the master's cells defined
        self.scratch: dict[str, object] = {}  # the names of a check
        self.originals: Originals | None = None
        self.running = False
        self.count = 0

    def answer(self, request: dict) -> dict:
        """Run what a request asks for; its outcome as the grader's `Kernel` reads it."""
        self.running = True
        try:
            return self._run(request) | {"ok": True}
        except BaseException as error:
            return {"ok": False} | _described(error)
        finally:
            self.running = False

    def _run(self, request: dict) -> dict:
        kind, source = request["kind"], request["source"]
        if kind == "check":
            return self._check(source, request["proof"], request["first"])
        self.count += 1
        if kind == "answer" and self.originals is None:
            self.originals = Originals()
        for name in request["defines"] if kind == "answer" else ():
            self.given.pop(name, None)
        before = dict(self.space)
        exec(self._compiled(source, f"<{kind} {self.count}>"), self.space)
        if kind == "given":
            self.given |= {name: value for name, value in self.space.items()
                           if name not in before or before[name] is not value}  # fmt: skip
        return {}

    def _compiled(self, source: str, name: str):
        # So that inspect and error messages find the lines.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        if JUPYTER.search(source):
            source = self._without_magics(source)
        return compile(source, name, "exec")

    def _without_magics(self, source: str) -> str:
        """What IPython makes of a cell with magics (%...) or commands (!...)."""
        from IPython.core.inputtransformer2 import TransformerManager
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        silent = Config({"HistoryManager": {"enabled": False}})
        module = sys.modules["__main__"]
        shell = InteractiveShell.instance(config=silent, user_module=module, user_ns=self.space)
        self.space["get_ipython"] = shell.get_ipython
        return TransformerManager().transform_cell(source)

    def _check(self, source: str, proof: str, first: bool) -> dict:
        """Run (a part of) a check; replies with what its probes gathered under the name `proof`."""
        _stop_watching()
        replaced = self.originals.put_back() if self.originals else []
        if first:
            replaced += self._fresh_scratch()
        self.scratch["__builtins__"] = dict(self.builtins)
        self.scratch[proof] = found = []
        self.scratch[f"{proof}_guard"] = self._guard
        exec(compile(source, "<check>", "exec"), self.scratch)
        return {"proof": found, "replaced": replaced[:20]}

    def _guard(self, value, depth: int = 2):
        """The value, unless the student's own code decides what it is equal to."""
        if isinstance(value, list | tuple) and depth:
            for one in value[:MOST_GUARDED]:
                self._guard(one, depth - 1)
        kind = type(value)
        if kind.__flags__ & HEAP_TYPE and kind not in self.given.values():
            for name in DECIDING:
                code = getattr(getattr(kind, name, None), "__code__", None)
                if code is not None and code.co_filename.startswith("<"):
                    raise Tampering("The answer itself decides what it is equal to.")
        return value

    def _fresh_scratch(self) -> list[str]:
        """Copy the notebook's names for a check; returns those that the student had covered."""
        own = {name for name in self.space
               if name in self.builtins and name not in self.given and name[0] != "_"}  # fmt: skip
        covered = [
            name for name, value in self.given.items()
            if (callable(value) or isinstance(value, types.ModuleType))
            and self.space.get(name) is not value
        ]  # fmt: skip
        self.scratch = {name: value for name, value in self.space.items() if name not in own}
        self.scratch |= self.given
        return sorted([*own, *covered])


def _stop_watching() -> None:
    """End what could run the student's code in between the lines of a check."""
    sys.settrace(None)
    sys.setprofile(None)
    threading.settrace(None)
    threading.setprofile(None)
    if hasattr(sys, "monitoring"):
        for tool in range(TOOLS):
            if sys.monitoring.get_tool(tool):
                sys.monitoring.set_events(tool, 0)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _described(error: BaseException) -> dict:
    """An exception as the grader's `Kernel` reads it. Its text is the student's, if anything."""
    try:
        message = str(error)[:MOST_MESSAGE]
    except BaseException:
        message = "(its text cannot be shown)"
    line, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename.startswith("<answer"):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line, message = error.lineno, str(error.msg)[:MOST_MESSAGE]
    return {"error": type(error).__name__[:80], "message": message, "line": line}


def _interrupted(worker: Worker, *_) -> None:
    if worker.running:  # not while the worker itself reads or writes
        raise KeyboardInterrupt


def main() -> None:
    """Shut this process in as the command line says (JSON), and serve until the grader leaves."""
    settings = json.loads(sys.argv.pop(1))
    # Cells must not find the two pipes as standard input and output.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    holds = sandbox.enter(**settings)
    worker = Worker()
    signal.signal(signal.SIGINT, functools.partial(_interrupted, worker))
    dumps, loads, write = json.dumps, json.loads, os.write
    write(replies, dumps({"holds": holds}).encode() + b"\n")
    for line in requests:
        request = loads(line)
        number = request.pop("id")
        content = memoryview(dumps(worker.answer(request) | {"id": number}).encode() + b"\n")
        while content:
            content = content[write(replies, content) :]


if __name__ == "__main__":
    main()
