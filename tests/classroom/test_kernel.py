"""A kernel holds against every cell that students have handed in so far."""

import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from classroom.sums import HOSTILE, LIMITS, RIGHT, graded, hand_in, linux

from trm_lite.classroom import kernel
from trm_lite.classroom.kernel import Kernel, Limits, isolation

QUICK = replace(LIMITS, cell_seconds=2)


@linux
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_cell_costs_only_its_own_exercise(
    master, notebook, tmp_path, monkeypatch, left_behind, what
):
    source, error = HOSTILE[what]
    started = time.monotonic()
    monkeypatch.setattr(kernel, "PATIENCE_SECONDS", 1)
    answers = RIGHT | {"add": source}
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", answers), QUICK)
    assert points == {"add": 0, "times": 3, "both": 5}, [m.outcome for m in result.marks]
    if error:
        assert result.marks[0].outcome.error in (error if type(error) is tuple else (error,))
    assert time.monotonic() - started < 120
    assert not left_behind()


@pytest.fixture
def left_behind(monkeypatch):
    """Says which processes of this test's kernels still run, after a moment to end."""
    folders = []
    make = tempfile.mkdtemp

    def note(*arguments, **keywords):
        folders.append(make(*arguments, **keywords))
        return folders[-1]

    monkeypatch.setattr(kernel.tempfile, "mkdtemp", note)

    def listed():
        assert folders, "no kernel was started"
        for _ in range(50):
            text = subprocess.run(
                ["ps", "-ewwo", "pid,args"], capture_output=True, text=True
            ).stdout
            found = [line for line in text.splitlines() if any(f in line for f in folders)]
            if not found:
                return []
            time.sleep(0.1)
        return found

    return listed


@linux
@pytest.mark.parametrize("bomb", ["fork bomb", "fork bomb that leaves home"])
def test_a_fork_bomb_ends_where_there_are_no_namespaces(
    master, notebook, tmp_path, monkeypatch, left_behind, bomb
):
    monkeypatch.setattr(kernel, "isolation", lambda: ())
    answers = RIGHT | {"add": HOSTILE[bomb][0]}
    _, points = graded(master, hand_in(tmp_path, notebook, "anna", answers))
    assert points == {"add": 0, "times": 3, "both": 5}
    assert not left_behind()


@pytest.mark.skipif(not isolation(), reason="no namespaces here, so no isolation from the network")
def test_there_is_no_network():
    connect = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=2)"
    with Kernel(LIMITS) as started:
        outcome = started.run(connect, 4)
    assert outcome.error == "OSError" and "unreachable" in outcome.message.lower(), outcome


def test_a_notebook_that_eats_its_time_stops(master, notebook, tmp_path):
    slow = {name: f"import time; time.sleep(3)\n{text}" for name, text in RIGHT.items()}
    limits = Limits(cell_seconds=10, total_seconds=6)
    result, points = graded(master, hand_in(tmp_path, notebook, "anna", slow), limits)
    assert 0 < sum(points.values()) < 10
    assert "whole notebook" in result.marks[-1].outcome.message


def test_the_package_is_found_wherever_the_grader_runs():
    with Kernel(LIMITS) as started:
        outcome = started.run("import trm_lite; from pathlib import Path; Path('x').touch()", 20)
    assert outcome.ok, outcome
    assert not Path("x").exists(), "cells work in a folder of their own"


def test_no_secret_of_the_grader_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("LMS_TOKEN", "secret")
    with Kernel(LIMITS) as started:
        outcome = started.run("import os; assert 'secret' not in str(os.environ)", 10)
    assert outcome.ok


@linux
def test_cached_puzzles_are_seen_where_only_their_owner_may_open_the_folder(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    (cache / "puzzles.npz").write_text("here")
    monkeypatch.setenv("TRM_LITE_CACHE", str(cache))
    with Kernel(LIMITS) as one:
        read = "import os\nopen(os.environ['TRM_LITE_CACHE'] + '/puzzles.npz').read()"
        assert one.run(read, 5).ok
