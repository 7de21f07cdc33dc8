"""Scoring: attempts in other guises and with noise, and where a text goes wrong."""

import torch

from trm_lite.data import IGNORE
from trm_lite.evaluation import first_mistake
from trm_lite.evaluation import scoring as evaluation
from trm_lite.puzzles import sudoku
from trm_lite.training import Trainer


def test_a_guise_is_the_same_puzzle_for_whoever_knows_the_answer(tiny_splits, at_once):
    def solver(inputs):  # finds the answer of every board, in whatever guise
        seen.append(inputs)
        boards = sudoku.solve(sudoku.from_tokens(inputs.numpy())).boards
        return torch.from_numpy(sudoku.to_tokens(boards)).long()

    seen, model = [], at_once(solver)
    for guises, seed in ((False, 0), (True, 0), (True, 0), (True, 8)):
        known = evaluation.evaluate(model, tiny_splits.test, steps=1, guises=guises, seed=seed)
        assert known.correct.all()
    plain, first, again, other = seen
    assert torch.equal(first, again)
    assert (first != plain).any(1).all() and (first != other).any(1).all()


def test_of_several_attempts_the_most_confident_counts():
    right = torch.tensor([[[True, False]], [[False, True]]])  # (A = 2, S = 1, N = 2)
    halt = torch.tensor([[[3.0, 1.0]], [[2.0, 0.5]]])  # the first believes more, both times
    answers = torch.tensor([[[1], [2]], [[3], [4]]])
    attempts = [
        evaluation.Evaluation(*parts)
        for parts in zip(right, right.float(), halt, answers, strict=True)
    ]
    chosen = evaluation.Evaluation.most_confident(attempts)
    assert chosen.correct.tolist() == [[True, False]] and chosen.halt_logits.tolist() == [[3, 1]]
    halt[1, 0, 1] = 1.5
    chosen = evaluation.Evaluation.most_confident(attempts)
    assert chosen.correct.tolist() == [[True, True]] and chosen.cells.tolist() == [[1, 1]]
    assert chosen.answers.tolist() == [[1], [4]]


def test_noise_starts_every_puzzle_elsewhere_and_by_its_seed(tiny, tiny_splits):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()  # a fresh halting head says the same of everything
    model, puzzles = trainer.model, tiny_splits.test

    def halts(**start):
        return evaluation.evaluate(model, puzzles, steps=1, **start).halt_logits[0]

    together, alone = halts(noise=1.0), halts(noise=1.0, batch_size=3)
    torch.testing.assert_close(together, alone)
    assert (halts(noise=1.0, seed=8) != together).all() and (halts() != together).all()


def test_first_mistake():
    right = torch.tensor([[1, 2, 3]] * 4)
    right[3, 0] = IGNORE
    written = torch.tensor([[1, 2, 3], [1, 9, 9], [9, 2, 3], [9, 2, 9]])
    assert first_mistake(written, right).tolist() == [3, 1, 0, 2]
