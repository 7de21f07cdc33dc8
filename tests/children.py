"""Processes of their own for tests, forked from one that has imported PyTorch already.

Starting Python and importing PyTorch takes seconds, a fork takes none. Windows has no fork.
"""

import math
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from shared_settings import TINY

FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if FORKS else "spawn")
if FORKS:
    CONTEXT.set_forkserver_preload(["tests.preloaded"])  # found from the root of the project


class Done(NamedTuple):
    """How a command ended in all its processes, and what they said."""

    returncode: int
    said: str


def start_command(folder: Path, processes: int, *words: str) -> list:
    """Start `trm-lite WORDS` in some processes at once, as torchrun would; returns them by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    children = []
    for rank in range(processes):
        ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes),
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
        environment = ranks if processes > 1 else {}
        output = folder / f"said-{rank}"
        child = CONTEXT.Process(target=_command, args=(words, output, environment))
        child.start()
        children.append(child)
    return children


def run_command(folder: Path, processes: int, *words: str) -> Done:
    """What `start_command` starts, once it has ended."""
    children = start_command(folder, processes, *words)
    for child in children:
        child.join()
    worst = max((child.exitcode for child in children), key=abs)
    outputs = [folder / f"said-{rank}" for rank in range(processes)]
    return Done(worst, "\n".join(output.read_text() for output in outputs))


def _command(words, output, environment):
    os.environ.update(environment)
    with open(output, "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    from trm_lite.cli.main import main

    sys.exit(main(list(words)))


class Worker:
    """A grading kernel's process, without namespaces; its methods are those of a `Popen`."""

    def __init__(self, command, *, cwd, env, **_):
        requests, to_worker = CONTEXT.Pipe(duplex=False)
        from_worker, replies = CONTEXT.Pipe(duplex=False)
        arguments = (command[-1], cwd, env, requests, replies)
        self._process = CONTEXT.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        self.pid = self._process.pid
        self.stdin = os.fdopen(os.dup(to_worker.fileno()), "wb")
        self.stdout = os.fdopen(os.dup(from_worker.fileno()), "rb")
        for end in (requests, to_worker, from_worker, replies):
            end.close()

    def wait(self, seconds: float) -> None:
        self._process.join(seconds)


def _work(settings, folder, environment, requests, replies):
    from trm_lite.classroom import worker

    os.setsid()
    os.dup2(requests.fileno(), 0)
    os.dup2(replies.fileno(), 1)
    for end in (requests, replies):
        end.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = [settings]
    worker.main()


class TinyRun:
    """A quick training of the preset `tiny`, in a process of its own; it saves after every step.

    It is there once it has taken and saved a few steps, so that there is something to go on from.
    """

    def __init__(self, folder: Path, steps: int, eval_every: int):
        saved = CONTEXT.Event()
        arguments = (folder, steps, eval_every, saved)
        self.process = CONTEXT.Process(target=_train, args=arguments)
        self.process.start()
        assert saved.wait(60)

    def send(self, how: signal.Signals) -> None:
        os.kill(self.process.pid, how)

    def wait(self) -> int:
        """0 if it came to its end, 3 if it was stopped, -N if signal N ended it."""
        self.process.join()
        return self.process.exitcode


def _train(folder, steps, eval_every, saved):
    from trm_lite.experiments import get_preset
    from trm_lite.training import Trainer, replace, saver

    class Telling(saver.Saver):
        def _write(self, state):
            cost = super()._write(state)
            if state["steps_done"] >= first + 3:
                saved.set()
            return cost

    Trainer._saver = lambda self: Telling(self.folder)
    saver.LEAST_SECONDS, saver.MOST_SHARE = 0, math.inf
    preset = replace(get_preset("sudoku-6x6"), **TINY, T=1, n=1, steps=steps, eval_every=eval_every)
    run = Trainer(preset, folder=folder, device="cpu", progress=False)
    first = run.steps_done
    finished = run.train()
    saved.set()
    sys.exit(0 if finished else 3)
