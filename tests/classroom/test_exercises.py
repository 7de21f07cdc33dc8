"""Exercises inside the lessons: what their check says, whatever a reader wrote."""

import numpy as np
import pytest
import torch

from trm_lite.classroom import check


def waiting(x):
    raise NotImplementedError


CASES = [
    (lambda x: 2 * x, ((2, 4), (3, 6)), "Right."),
    (lambda x: 2 * x, ((2, 4), (3, 7)), "Not yet: of 3 you make 6, and 7 is right."),
    (lambda x: x + torch.tensor(1e-4), ((torch.ones(2), torch.ones(2)),), "Right."),
    (lambda x: x, ((torch.eye(2), torch.ones(2, 2)),), "at [0, 1], and 1 is right."),
    (lambda x: x[None], ((np.ones(2), np.ones(2)),), "the shape (1, 2), and (2,) is right."),
    (lambda a, b: a / b, ((1, 0, 0),), "Not yet: of (1, 0) it makes a ZeroDivisionError"),
    (lambda x: "four", ((2, 4),), "you make 'four', which is no number"),
    (lambda x: None, ((2, 4),), "Not done yet."),
    (waiting, ((2, 4),), "Not done yet."),
    (..., (42,), "Not done yet."),
    (41, (42,), "Not yet: you make 41, and 42 is right."),
    (42.0001, (42,), "Right."),
    (float("nan"), (42,), "you make nan"),
    ("half-turn", ("half-turn",), "Right."),
    ("quarter", ("half-turn",), "you make 'quarter', and 'half-turn' is right."),
    (torch.ones(2, requires_grad=True), (np.ones(2),), "Right."),
    (torch.ones(2), (1,), "you make the shape (2,), and () is right."),
]


@pytest.mark.parametrize(("answer", "cases", "said"), CASES)
def test_a_check_says_what_is_wrong_and_never_stops(answer, cases, said, capsys):
    check(answer, *cases)
    line = capsys.readouterr().out
    assert said in line and line.count("\n") == 1
