"""Hostile notebooks: they earn nothing, they are named, and they harm neither machine nor class."""

import contextlib
import os
import socket

import pytest
from classroom.hostile import CHEATING, HARMFUL
from classroom.sums import graded, hand_in, linux

from trm_lite.classroom.kernel import Kernel, Limits

LIMITS = Limits(cell_seconds=2, total_seconds=30, memory_gb=0.5, processes=8, disk_gb=0.02)
# An error ends these attempts; a person needs no remark.
PLAIN = {"leaves when tested", "ends politely when tested"}


@linux
@pytest.mark.parametrize("what", CHEATING)
def test_cheating_earns_nothing_and_is_named(master, master_path, notebook, tmp_path, what):
    before = master.fingerprint()
    answers = {"add": CHEATING[what].replace("MASTER", repr(str(master_path)))}
    result, points = graded(master, hand_in(tmp_path, notebook, "eve", answers), LIMITS)
    assert points == {"add": 0, "times": 0, "both": 0}, [mark.outcome for mark in result.marks]
    assert "exercise 'add'" in " ".join(result.remarks) or what in PLAIN
    assert master.fingerprint() == before


@pytest.fixture(scope="module")
def kernel():
    with Kernel(LIMITS) as one:
        yield one


@linux
@pytest.mark.parametrize("what", HARMFUL)
def test_harm_is_an_error(kernel, monkeypatch, tmp_path, what):
    if "files" not in kernel.holds:
        pytest.skip("no root folder of its own here")
    monkeypatch.setenv("LMS_TOKEN", "secret")
    with contextlib.ExitStack() as open_sockets:
        for address in ("\0trm-lite-test", str(tmp_path / "s")):
            listening = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(address)
            listening.listen()
        target = tmp_path / "target"
        target.write_text("")
        names = {"SOCKET": tmp_path / "s", "TARGET": target, "GRADER": os.getpid()}
        source = HARMFUL[what]
        for name, value in names.items():
            source = source.replace(name, repr(value if name == "GRADER" else str(value)))
        if not kernel.alive:
            kernel.__init__(LIMITS)
        outcome = kernel.run(source, 2, "answer")
    assert not outcome.ok and outcome.error and target.exists()
    assert len(outcome.message) <= 2000 and outcome.message.encode() is not None
