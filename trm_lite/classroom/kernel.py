"""Run somebody else's cells in a fresh process, within limits.

- Time: a cell is interrupted, and the kernel is ended if the cell does not stop.
- Memory, processes, disk: the operating system refuses more (`sandbox`), and a watchdog ends
  kernels that get more nevertheless.
- Network and files: on Linux the kernel has no network, and sees Python and the course alone,
  read-only. It has its own namespaces, in which none of its processes can outlive it.
"""

import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from trm_lite.classroom.assignment import plain
from trm_lite.common.errors import UserError
from trm_lite.common.files import ASSETS, PACKAGE, cache_folder

START_SECONDS = 60  # how long a kernel may take to start on a busy machine
PATIENCE_SECONDS = 3  # how long an interrupted cell may take to stop
WATCH_SECONDS = 0.1  # how often the watchdog looks
MOST_REPLY = 100_000  # bytes; no honest reply is as long

Kind = Literal["given", "answer"]


@dataclass(frozen=True)
class Limits:
    """The limits of a submission. Raises UserError for impossible ones."""

    cell_seconds: float = 60.0  # time limit of a cell
    total_seconds: float = 600.0  # time limit of the whole notebook
    memory_gb: float = 2.0  # gigabytes of data; PyTorch itself takes 0.25
    processes: int = 32  # most processes at the same time
    disk_gb: float = 0.5  # gigabytes in files, shared memory included

    def __post_init__(self):
        if min(self.cell_seconds, self.total_seconds) <= 0 or self.memory_gb < 0.5:
            raise UserError("Time limits must be above 0, and the memory limit at least 0.5 GB.")


class Outcome(NamedTuple):
    """The result of running a cell."""

    ok: bool  # whether it ran to its end without an error
    error: str = ""  # name of the exception, or one of STOPPED and TAMPERING
    message: str = ""  # what went wrong
    line: int | None = None  # line of the student's cell that raised the exception
    proof: tuple[str, ...] = ()  # what the probes of a check gathered
    replaced: tuple[str, ...] = ()  # functions that the student's code had replaced


LEFT_BEHIND = "The cell left processes running; end what you start."
TAMPERING = Outcome(False, "Tampering", "The code wrote into the grader's own channel.")
# The environment variables that a kernel may see.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "TRM_LITE_PROFILE")
MARK = "TRM_LITE_KERNEL"  # by this variable a kernel's processes are recognised
STOPPED = {
    "Memory": "The cell took more memory than is allowed, and was stopped.",
    "Processes": "The cell started more processes than are allowed, and was stopped.",
    "Died": "The cell ended Python itself (exit, a crash, or too much memory).",
}


@cache
def isolation() -> tuple[str, ...]:
    """The beginning of a kernel's command that gives it namespaces; () if that is impossible."""
    if not shutil.which("unshare"):
        return ()
    spaces = ("--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child")
    for prefix in (("unshare", *spaces), ("unshare", "--map-root-user", *spaces)):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return ()


def warnings() -> list[str]:
    """What a lecturer should know before students' code runs on this machine, in sentences."""
    with Kernel(Limits()) as kernel:
        holds = kernel.holds
    missing = [what for what, there in (
        ("it can use the network, and outlive its kernel", bool(isolation())),
        ("it can read and change your files", "files" in holds),
        ("no quota holds for its files and shared memory", "calls" in holds and "files" in holds),
    ) if not there]  # fmt: skip
    said = []
    if missing:
        said.append(
            f"WARNING: students' code cannot be shut in here: {'; '.join(missing)}. "
            "Use a container (see the lecturers' guide) unless you trust the submissions."
        )
    if sys.platform != "win32" and os.geteuid() == 0:
        said.append("WARNING: you are root; another account is safer for running students' code.")
    return said


class Kernel:
    """A process in a temporary folder. Call `run`, and `close` at the end, or use `with`.

    Raises UserError if it does not start.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.stopped = ""  # why the watchdog ended it, if it did
        self.alive = True
        self.folder = tempfile.mkdtemp(prefix="trm-")
        os.chmod(self.folder, 0o711)  # root's kernels take another user number
        for name, mode in (("root", 0o700), ("work", 0o777)):
            (Path(self.folder) / name).mkdir()
            (Path(self.folder) / name).chmod(mode)
        command = [*isolation(), sys.executable, "-P", "-m", "trm_lite.classroom.worker"]
        self.process = subprocess.Popen(
            [*command, json.dumps(self._settings())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(self.folder) / "work",
            env=_environment(self.folder),
            start_new_session=True,
        )
        try:
            self.replies: queue.Queue[dict | None] = queue.Queue(8)
            threading.Thread(target=self._listen, daemon=True).start()
            threading.Thread(target=self._watch, daemon=True).start()
            self.holds = self._wait_until_ready()  # what of the sandbox works here
            self.size = len(self._family())
        except BaseException:
            self.close()
            raise

    def _settings(self) -> dict:
        """What `sandbox.enter` is told."""
        cached = cache_folder()
        visible = [PACKAGE, ASSETS, sys.prefix, sys.base_prefix]
        return {
            "folder": os.path.realpath(Path(self.folder) / "root"),
            "visible": [os.path.abspath(path) for path in visible],
            "cache": os.path.abspath(cached) if cached.is_dir() else "",
            "namespaces": bool(isolation()),
            "memory_gb": self.limits.memory_gb,
            "disk_gb": self.limits.disk_gb,
            "processes": self.limits.processes + _threads_of_this_user(),
        }

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _wait_until_ready(self) -> tuple[str, ...]:
        reply = self._next(time.monotonic() + START_SECONDS)
        if reply is None:
            raise UserError(
                f"A kernel did not start within {START_SECONDS} s; "
                "grade fewer at a time, or free some memory.",
                "jobs",
            )
        return tuple(reply.get("holds", ()))

    def run(
        self, source: str, seconds: float, kind: Kind = "given", defines: tuple[str, ...] = ()
    ) -> Outcome:
        """Run a cell. Whatever it does, this raises no error.

        If the cell ended the kernel, it is no longer `alive`.

        Args:
            source: the code.
            seconds: its time limit.
            kind: whether it is one of the master's cells or a student's answer.
            defines: names that the answer may define anew, although given cells defined them.
        """
        return self._ask(seconds, kind=kind, source=source, defines=defines)

    def check(self, source: str, seconds: float, proof: str, first: bool) -> Outcome:
        """Run a part of a check; its outcome has what the probes gathered.

        Args:
            source: the code.
            seconds: its time limit.
            proof: the name under which the probes gather.
            first: whether it begins a check, with a fresh copy of the notebook's names.
        """
        return self._ask(seconds, kind="check", source=source, proof=proof, first=first)

    def _ask(self, seconds: float, **request) -> Outcome:
        if not self.alive:
            return Outcome(False, "Died", STOPPED["Died"])
        outcome = self._outcome(request | {"id": secrets.token_hex(16)}, seconds)
        if self.alive and outcome.error in ("MemoryError", "Tampering"):
            self.kill()  # the memory is needed, and nothing more can be believed
        if self.alive and len(self._family()) > self.size:
            self.kill()  # a forked copy of the kernel could answer in its place
            return Outcome(False, "Processes", LEFT_BEHIND)
        return outcome

    def _outcome(self, request: dict, seconds: float) -> Outcome:
        content = json.dumps(request).encode() + b"\n"
        threading.Thread(target=self._send, args=(content,), daemon=True).start()
        reply = self._next(time.monotonic() + seconds)
        if reply is None and self.alive:
            self._interrupt()
            timeout = f"The cell ran for longer than {seconds:g} s, and was stopped."
            if self._next(time.monotonic() + PATIENCE_SECONDS) is None:
                self.kill()
            return Outcome(False, "Time", timeout)
        if reply is None:
            why = self.stopped or "Died"
            return TAMPERING if why == "Tampering" else Outcome(False, why, STOPPED[why])
        return _read(reply) if reply.get("id") == request["id"] else TAMPERING

    def _send(self, content: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # the kernel has ended
            self.process.stdin.write(content)
            self.process.stdin.flush()

    def _listen(self) -> None:
        """Put the kernel's replies into the queue, and None when it has ended."""
        reply: dict | None = {}
        while reply is not None:
            line = self.process.stdout.readline(MOST_REPLY)
            reply = _decoded(line) if line else None
            if line and reply is None:
                self._stop("Tampering")
            while self.alive or reply is None:
                with contextlib.suppress(queue.Full):
                    self.replies.put(reply, timeout=1)
                    break
                if not self.alive:
                    return

    def _next(self, deadline: float) -> dict | None:
        """The next reply, or None if the time is up or the kernel has ended."""
        with contextlib.suppress(queue.Empty):
            reply = self.replies.get(timeout=max(0.0, deadline - time.monotonic()))
            if reply is None:
                self.alive = False
            return reply
        return None

    def _interrupt(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.killpg(self.process.pid, signal.SIGINT)

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        self.kill()

    def kill(self) -> None:
        """End the kernel and all processes that it started, including those started meanwhile."""
        self.alive = False
        family = self._family()
        for _ in range(100):
            for process in family:
                with contextlib.suppress(Exception):
                    process.kill()
            # Where there are namespaces, ending the first process of one ends all of it.
            family = [] if isolation() else self._strays()
            if not family:
                break
            time.sleep(0.02)
        with contextlib.suppress(OSError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _family(self) -> list:
        """The kernel's process and all of its descendants."""
        import psutil

        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _strays(self) -> list:
        """Processes of the kernel that still run, recognised by their environment.

        A process whose parent has ended is no longer among the descendants.
        """
        import psutil

        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.folder:
                    found.append(process)
        return found

    def _watch(self) -> None:
        """End the kernel when its processes use too much memory, or become too many."""
        import psutil

        most = self.limits.memory_gb * 1.5 * 2**30
        while self.alive:
            family = self._family()
            memory = 0
            for process in family[: self.limits.processes]:
                with contextlib.suppress(psutil.Error):
                    memory += process.memory_info().rss
            many = len(family) > self.limits.processes
            if many or memory > most:
                self._stop("Processes" if many else "Memory")
            time.sleep(WATCH_SECONDS)

    def close(self) -> None:
        """End the kernel, and remove its folder."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)


def _decoded(line: bytes) -> dict | None:
    """A reply, or None if it is none."""
    with contextlib.suppress(ValueError, RecursionError):
        reply = json.loads(line)
        return reply if isinstance(reply, dict) else None
    return None


def _read(reply: dict) -> Outcome:
    """The outcome that a reply tells, whatever the student's code made of it."""

    def texts(name: str) -> tuple[str, ...]:
        found = reply.get(name)
        return tuple(str(one)[:200] for one in found[:50]) if isinstance(found, list) else ()

    line = reply.get("line")
    return Outcome(
        reply.get("ok") is True,
        plain(str(reply.get("error", "")))[:80],
        plain(str(reply.get("message", "")))[:2000],
        line if isinstance(line, int) and 0 < line < 10**6 else None,
        texts("proof"),
        texts("replaced"),
    )


def _threads_of_this_user() -> int:
    """How many threads this user has, because the limit of processes counts them all; root: 0."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return 0
    import psutil

    return sum(
        process.info["num_threads"] or 0
        for process in psutil.process_iter(["uids", "num_threads"])
        if process.info["uids"] and process.info["uids"].real == os.getuid()
    )


def _environment(folder: str) -> dict[str, str]:
    """The environment variables of a kernel, without those of the grader that may be secret."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    work = str(Path(folder) / "work")
    return {
        "TRM_LITE_PROFILE": "smoke",  # keeps demonstrations short
        **kept,
        MARK: folder,
        "HOME": work,
        "TMPDIR": work,
        "TEMP": work,
        "TRM_LITE_CACHE": str(cache_folder()),
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
