"""Answering in slots: the same answers for a fraction of the work."""

from collections import deque

import numpy as np
import pytest
import torch

from trm_lite.common.errors import UserError
from trm_lite.data import sudoku_set
from trm_lite.evaluation import evaluate, solve_boards
from trm_lite.evaluation.halting import evaluate_halting
from trm_lite.evaluation.solving import HALT_ABOVE
from trm_lite.nets import WEIGHTS_FOLDER, shipped_weights
from trm_lite.puzzles import sudoku
from trm_lite.thinking import Asked, answer, in_slots
from trm_lite.training.exam import examine_run
from trm_lite.training.exam_options import ExamOptions
from trm_lite.training.exam_report import exam_text


@pytest.fixture(scope="module")
def model():
    return shipped_weights(6)[0]


@pytest.fixture(scope="module")
def puzzles():
    return sudoku_set(*sudoku.generate(64, 6, seed=31))


@pytest.fixture
def rows(model):
    """How many puzzles were in the network at each supervision step."""
    counts: list[int] = []
    handle = model.register_forward_pre_hook(lambda net, seen: counts.append(len(seen[1])))
    yield counts
    handle.remove()


def test_the_answers_are_those_of_the_step_at_which_each_halts(model, puzzles, rows):
    everything = evaluate(model, puzzles, rules=True)
    rows.clear()
    quick = evaluate_halting(model, puzzles, slots=16)
    right, mean_steps = everything.when_halting()
    assert quick.exact() == right and quick.when_halting() == (right, mean_steps)
    assert quick.exact(1) == everything.exact(1)
    assert torch.equal(quick.valid, everything.valid_when_halting)
    assert sum(rows) == round(mean_steps * len(puzzles)), "no step is taken after halting"


def test_a_finished_puzzle_gives_its_place_to_the_next_one(model, puzzles, rows):
    inputs = puzzles.batch(slice(None)).inputs
    said = answer(model, inputs, halt_above=HALT_ABOVE, max_steps=64)
    assert sum(rows) == said.steps.sum() and max(rows) == len(inputs)
    rows.clear()
    queue = deque(Asked(*asked) for asked in enumerate(inputs))
    ends = {}
    for moment in in_slots(model, queue, halt_above=HALT_ABOVE, slots=16, max_steps=64):
        waiting = bool(queue)
        ended = moment.halted
        ends |= zip(moment.tickets[ended].tolist(), moment.steps[ended].tolist(), strict=True)
        assert len(moment.tickets) == 16 or not waiting, "no slot is empty while a puzzle waits"
    assert [ends[row] for row in range(len(inputs))] == said.steps.tolist()
    assert max(rows) == 16


def test_an_answer_does_not_depend_on_the_other_questions(at_once):
    def stubborn(inputs):  # never right, but every guise gets an answer of its own
        return inputs.clamp(max=1) + 1

    questions = sudoku.to_tokens(sudoku.generate(6, 6, seed=5)[0])
    network = at_once(stubborn)
    together = solve_boards(network, questions, tries=4)
    alone = solve_boards(network, questions[:1], tries=4)
    assert together[0].to_json() == alone[0].to_json() and together[0].tries == 4
    assert np.array_equal(together[0].question, questions[0])


def test_an_exam_in_slots_says_so():
    path, count = WEIGHTS_FOLDER / "sudoku-6x6.safetensors", 10
    whole, quick = (
        examine_run(path, ExamOptions(halt=halt, kinds=("minimal",), count=count), device="cpu")
        for halt in (False, True)
    )
    assert quick["when_halting"] == whole["when_halting"]
    assert quick["exact"]["value"] == whole["when_halting"]["value"]
    assert "halts by itself" in exam_text(quick) and "halts by itself" not in exam_text(whole)
    with pytest.raises(UserError, match="tried once"):
        ExamOptions(halt=True, tries=2)
