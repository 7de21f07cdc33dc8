"""Networks that write learn answers, and the steps that lead to them."""

import dataclasses

import numpy as np
import pytest
import torch
from nets.networks import WRITER

from trm_lite.common import UserError
from trm_lite.data import Batch
from trm_lite.nets import Autoregressive
from trm_lite.puzzles import Puzzle, sudoku
from trm_lite.puzzles.sudoku.solver import found_in_round
from trm_lite.training import worked_out
from trm_lite.training.token_trainer import next_token_loss


@pytest.fixture(scope="module")
def boards():
    made, solutions = sudoku.generate(24, 6, seed=3)
    tokens = (torch.from_numpy(sudoku.to_tokens(b)).long() for b in (made, solutions))
    return Batch(*tokens, torch.zeros(24, dtype=torch.long))


def test_scratch_is_the_order_of_deduction(boards):
    config = dataclasses.replace(WRITER, scratch_len=73)
    scratch = worked_out(boards.inputs, boards.labels, config)
    for puzzle, solution, text in zip(boards.inputs, boards.labels, scratch, strict=True):
        end = text.tolist().index(config.end_token)
        assert not text[end + 1 :].any()
        cells, digits = text[:end:2] - config.vocab_size, text[1:end:2]
        assert torch.equal(solution[cells], digits)
        filled = puzzle.clone()
        filled[cells] = digits
        assert torch.equal(filled, solution) and len(set(cells.tolist())) == len(cells)
    # The first cell that is written follows from the clues alone.
    rounds = found_in_round(sudoku.from_tokens(boards.inputs.numpy()))
    first = scratch[:, 0] - config.vocab_size
    assert (rounds[np.arange(24), first] == np.where(rounds == 0, 99, rounds).min(1)).all()


def test_short_scratch_keeps_the_first_steps(boards):
    whole = worked_out(boards.inputs, boards.labels, dataclasses.replace(WRITER, scratch_len=73))
    short = worked_out(boards.inputs, boards.labels, dataclasses.replace(WRITER, scratch_len=7))
    assert torch.equal(short[:, :6], whole[:, :6]) and (short[:, 6] == WRITER.end_token).all()


def test_it_learns_to_write_a_few_answers_by_heart(boards):
    torch.manual_seed(0)
    model = Autoregressive(dataclasses.replace(WRITER, hidden_size=32))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    few = Batch(*(part[:4] for part in boards))
    for _ in range(120):
        optimizer.zero_grad()
        loss = next_token_loss(model, few)
        (loss.total / 4).backward()
        optimizer.step()
    assert loss.total / 4 < 0.2 and loss.correct.all()
    written = model.eval().write(few.inputs)
    assert (written.answer == few.labels).float().mean() > 0.95


def test_no_other_puzzle_is_worked_out_by_the_rules_of_sudoku(boards):
    config = dataclasses.replace(WRITER, scratch_len=7)
    latin = Puzzle("latin", "_.123456", (6, 6), ".")
    with pytest.raises(UserError, match="No solver works out 'latin' step by step"):
        worked_out(boards.inputs, boards.labels, config, latin)
