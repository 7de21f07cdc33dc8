"""Run somebody else's cells in a fresh Jupyter kernel, within limits.

- Time: a cell is interrupted, and the kernel is ended if the cell does not stop.
- Memory and processes: the operating system refuses more (`launch`), and a watchdog ends kernels
  that get more nevertheless.
- Network: none, where Linux permits. The kernel then has its own namespace, in which none of its
  processes can outlive it.

This protects against accidents and simple tampering. It is not a sandbox: files can be read.
"""

import contextlib
import os
import queue
import re
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
from typing import NamedTuple

from trm_lite.common.errors import UserError

START_SECONDS = 60  # how long a kernel may take to start on a busy machine
PATIENCE_SECONDS = 3  # how long an interrupted cell may take to stop
WATCH_SECONDS = 0.1  # how often the watchdog looks


@dataclass(frozen=True)
class Limits:
    """The limits of a submission. Raises UserError for impossible ones."""

    cell_seconds: float = 60.0  # time limit of a cell
    total_seconds: float = 600.0  # time limit of the whole notebook
    memory_gb: float = 2.0  # gigabytes of data; PyTorch itself takes 0.25
    processes: int = 32  # most processes at the same time

    def __post_init__(self):
        if min(self.cell_seconds, self.total_seconds) <= 0 or self.memory_gb < 0.5:
            raise UserError("Time limits must be above 0, and the memory limit at least 0.5 GB.")


class Outcome(NamedTuple):
    """The result of running a cell."""

    ok: bool  # whether it ran to its end without an error
    error: str = ""  # name of the exception, or "Time", "Memory", "Processes", "Died"
    message: str = ""  # what went wrong
    line: int | None = None  # line of the cell that raised the exception


LEFT_BEHIND = "The cell left processes running; end what you start."
# The environment variables that a kernel may see.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH",
             "TRM_LITE_CACHE", "TRM_LITE_PROFILE")  # fmt: skip

# IPython's own exit() returns normally, and ends the kernel a little later, during another cell.
NO_EXIT = """def exit(*_):
    raise SystemExit("exit() ends the notebook; leave it out")
quit = exit"""
STOPPED = {
    "Memory": "The cell took more memory than is allowed, and was stopped.",
    "Processes": "The cell started more processes than are allowed, and was stopped.",
    "Died": "The cell ended Python itself (exit, a crash, or too much memory).",
}


@cache
def isolation() -> tuple[str, ...]:
    """The beginning of a kernel's command that takes its network away; () if that is impossible."""
    if not shutil.which("unshare"):
        return ()
    spaces = ("--net", "--pid", "--fork", "--kill-child")
    for prefix in (("unshare", *spaces), ("unshare", "--map-root-user", *spaces)):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return ()


class Kernel:
    """A kernel in its own temporary folder. Call `run`, and `close` at the end, or use `with`.

    Raises UserError if JupyterLab is missing, or if the kernel does not start.
    """

    def __init__(self, limits: Limits):
        try:
            from jupyter_client import KernelManager
        except ImportError as error:
            raise UserError(
                "Running notebooks needs JupyterLab: pip install jupyterlab."
            ) from error
        self.limits = limits
        self.stopped = ""  # why the watchdog ended it, if it did
        self.alive = True
        self.folder = tempfile.mkdtemp(prefix="trm-")
        # Unix sockets are files, so they work even if the kernel has no network.
        transport = "tcp" if sys.platform == "win32" else "ipc"
        manager = KernelManager(
            transport=transport, connection_file=str(Path(self.folder) / "k.json")
        )
        manager.kernel_spec.argv = [
            *isolation(), sys.executable, "-m", "trm_lite.classroom.launch",
            str(limits.memory_gb), str(limits.processes), "-f", "{connection_file}",
        ]  # fmt: skip
        self.manager = manager
        work = Path(self.folder) / "work"
        work.mkdir()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            manager.start_kernel(cwd=str(work), env=_environment(self.folder), **quiet)
            self.client = manager.client()
            self.client.start_channels(iopub=False, stdin=False, hb=False)
            threading.Thread(target=self._watch, daemon=True).start()
            self._wait_until_ready()
            self._execute(NO_EXIT, START_SECONDS)
            self.size = len(self._family())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _wait_until_ready(self) -> None:
        self.client.kernel_info()
        if self._reply(None, time.monotonic() + START_SECONDS) is None:
            raise UserError(
                f"A Jupyter kernel did not start within {START_SECONDS} s; "
                "grade fewer at a time, or free some memory.",
                "jobs",
            )

    def run(self, source: str, seconds: float) -> Outcome:
        """Run a cell for at most `seconds`. Whatever the cell does, this raises no error.

        If the cell ended the kernel, it is no longer `alive`.
        """
        outcome = self._execute(source, seconds)
        if self.alive and outcome.error == "MemoryError":
            self.kill()  # it would keep the memory that other cells need
        if self.alive and len(self._family()) > self.size:
            self.kill()  # a forked copy of the kernel could answer in its place
            return Outcome(False, "Processes", LEFT_BEHIND)
        return outcome

    def _execute(self, source: str, seconds: float) -> Outcome:
        if not self.alive:
            return Outcome(False, "Died", STOPPED["Died"])
        sent = self.client.execute(
            source, allow_stdin=False, store_history=False, stop_on_error=False
        )
        reply = self._reply(sent, time.monotonic() + seconds)
        if reply is None and self.alive:
            self._interrupt()
            timeout = f"The cell ran for longer than {seconds:g} s, and was stopped."
            if self._reply(sent, time.monotonic() + PATIENCE_SECONDS) is None:
                self.kill()
            return Outcome(False, "Time", timeout)
        if reply is None:
            why = self.stopped or "Died"
            return Outcome(False, why, STOPPED[why])
        if reply["status"] == "ok":
            return Outcome(True)
        return Outcome(
            False,
            reply.get("ename", "Error"),
            reply.get("evalue", "")[:2000],
            _line_in_cell(reply.get("traceback", [])),
        )

    def _reply(self, sent: str | None, deadline: float) -> dict | None:
        """The reply to the message `sent`, or None if the time is up or the kernel has ended."""
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                message = self.client.get_shell_msg(timeout=0.2)
                if sent is None or message["parent_header"].get("msg_id") == sent:
                    return message["content"]
                continue
            if not self._process_runs():
                self.alive = False
                return None
        return None

    def _process_runs(self) -> bool:
        provisioner = self.manager.provisioner
        process = provisioner and provisioner.process
        return bool(process) and process.poll() is None

    def _interrupt(self) -> None:
        with contextlib.suppress(Exception):
            self.manager.interrupt_kernel()

    def kill(self) -> None:
        """End the kernel and all processes that it started, including those started meanwhile."""
        self.alive = False
        family = self._family()  # ending the first one ends its whole namespace
        for _ in range(100):
            for process in family:
                with contextlib.suppress(Exception):
                    process.kill()
            family = self._strays()
            if not family:
                break
            time.sleep(0.02)
        with contextlib.suppress(Exception):
            os.killpg(self.manager.provisioner.pgid, signal.SIGKILL)

    def _family(self) -> list:
        """The kernel's process and all of its descendants."""
        import psutil

        provisioner = self.manager.provisioner
        process = provisioner and provisioner.process
        with contextlib.suppress(psutil.Error, AttributeError):
            first = psutil.Process(process.pid)
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
                if process.environ().get("IPYTHONDIR") == self.folder:
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
                self.stopped = "Processes" if many else "Memory"
                self.kill()
            time.sleep(WATCH_SECONDS)

    def close(self) -> None:
        """End the kernel, and remove its folder."""
        self.kill()
        with contextlib.suppress(Exception):
            self.client.stop_channels()
        with contextlib.suppress(Exception):
            self.manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            self.manager.cleanup_resources()
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment(folder: str) -> dict[str, str]:
    """The environment variables of a kernel, without those of the grader that may be secret."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))
    return {
        "TRM_LITE_PROFILE": "smoke",  # keeps demonstrations short
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "IPYTHONDIR": folder,  # so that no user's start-up files or history are used
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _line_in_cell(traceback: list[str]) -> int | None:
    """The line of the cell that raised an exception, found in IPython's coloured traceback."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(map(str, traceback)))
    lines = re.findall(r"Cell In\[\d+\], line (\d+)", plain)
    return int(lines[-1]) if lines else None
