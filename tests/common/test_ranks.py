"""Several processes: which slots are whose, and how they ask each other."""

import numpy as np
import pytest
import torch

from trm_lite.common import UserError, ranks
from trm_lite.common.ranks import Ranks, Wishes


def test_processes_ask_each_other_by_the_clock(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(ranks.time, "monotonic", lambda: clock[0])

    def asked(step_seconds, count):
        """At which of `count` steps of so many seconds they ask."""
        both = Ranks(0, 2)
        steps = []
        monkeypatch.setattr(
            Ranks, "gather_objects", lambda _, said: steps.append(step) or [said, (0.0, True)]
        )
        wishes = Wishes(both)
        for step in range(count):
            answer = wishes.agreed(False)
            assert answer == [step in steps]  # the other one wishes it, and is heard when asked
            clock[0] += step_seconds
        return steps

    assert asked(5.0, 6) == [0, 2, 3, 4, 5]
    steps = asked(0.1, 200)
    assert (
        steps[:4] == [0, 2, 6, 14] and 19 <= max(np.diff(steps)) <= 21
    )  # 20 steps are two seconds


def test_slots_that_do_not_divide_are_refused():
    assert Ranks(1, 4).rows(8) == slice(2, 4)
    with pytest.raises(UserError, match="cannot be divided equally among 3"):
        Ranks(0, 3).rows(8)


def test_two_processes_on_one_gpu_are_one_sentence(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"has 1 GPU for 2 processes, .* one process for each GPU"):
        ranks.join(torch.device("cuda"))
