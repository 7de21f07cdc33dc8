"""Scoring: attempts in other guises and with noise, and where a text goes wrong."""

import math

import pytest
import torch

from trm_lite.data import IGNORE
from trm_lite.evaluation import breadth, first_mistake
from trm_lite.evaluation import scoring as evaluation
from trm_lite.nets import Latents
from trm_lite.puzzles import sudoku
from trm_lite.thinking import Noise
from trm_lite.training import Trainer, replace


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


def attempts_at_two_puzzles():
    """Three attempts of two steps at two puzzles; the numbers are chosen by hand."""
    A, S, N = 3, 2, 2
    correct = torch.zeros(A, S, N, dtype=torch.bool)
    correct[1, 1, 0] = correct[2, 1, 1] = True
    halt = torch.tensor([[3.0, 1.0], [2.0, 0.5], [1.0, 0.0]])[:, None].expand(A, S, N)
    logits = torch.tensor([[0.5, 0.2], [0.1, 0.3], [0.4, 0.9]])[:, None].expand(A, S, N)
    latents = torch.tensor([[0.5, 0.8], [0.7, 0.3], [0.4, 0.1]])[:, None].expand(A, S, N)
    prints = torch.tensor([[7, 8], [9, 5], [9, 5]])[:, None].expand(A, S, N)
    answers = torch.arange(A * N).view(A, N, 1)
    columns = (correct, correct.float(), halt, logits, latents, prints, answers)
    return [evaluation.Evaluation(*parts) for parts in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("by", "chosen"),
    [("halting", (0, 0)), ("residual", (1, 0)), ("latent", (2, 2)), ("majority", (1, 1))],
)
def test_one_of_several_attempts_counts(by, chosen):
    attempts = attempts_at_two_puzzles()
    best = evaluation.Evaluation.best_of(attempts, by)
    assert best.answers[:, 0].tolist() == [2 * chosen[0], 2 * chosen[1] + 1]
    assert best.correct[-1].tolist() == [chosen[0] == 1, chosen[1] == 2]
    assert evaluation.Evaluation.any_right(attempts).value == 1


def test_residuals_are_means_of_the_last_changes():
    changes = torch.tensor([9.0, 4.0, 2.0, 1.0])[:, None]  # the first one does not count
    assert breadth.residuals(changes, 2).flatten().tolist() == [math.inf, 4, 3, 1.5]
    assert breadth.residuals(changes, 0)[-1] == pytest.approx(7 / 3)
    before, after = torch.zeros(1, 2, 2), torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    assert breadth.logit_change(before, after) == 3  # the mean of 5 and 1
    still = Latents(torch.ones(1, 2, 1), torch.ones(1, 2, 1))
    moved = still._replace(z=torch.tensor([[[1.0], [5.0]]]))
    assert breadth.latent_change(still, moved) == 2  # the root of 16 / 4


def test_equal_answers_agree_in_whatever_guise(at_once, tiny_splits):
    def solver(inputs):
        boards = sudoku.solve(sudoku.from_tokens(inputs.numpy())).boards
        return torch.from_numpy(sudoku.to_tokens(boards)).long()

    plain, guise = (
        evaluation.evaluate(at_once(solver), tiny_splits.test, steps=1, guises=guises)
        for guises in (False, True)
    )
    assert torch.equal(plain.prints, guise.prints)
    assert len(plain.prints.unique()) == len(tiny_splits.test)


def test_noise_starts_every_puzzle_elsewhere_and_by_its_seed(tiny, tiny_splits):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()  # a fresh halting head says the same of everything
    model, puzzles = trainer.model, tiny_splits.test

    def halts(**start):
        return evaluation.evaluate(model, puzzles, steps=1, **start).halt_logits[0]

    together, alone = halts(noise=1.0), halts(noise=1.0, batch_size=3)
    torch.testing.assert_close(together, alone)
    assert (halts(noise=1.0, seed=8) != together).all() and (halts() != together).all()
    assert (halts(noise=1.0, noise_on="y") != together).all()


def test_noise_can_come_before_every_step():
    still = Latents(torch.zeros(2, 3, 4), torch.ones(2, 3, 4))
    first, every = (Noise(0.5, (7, 8), every_step=every) for every in (False, True))
    assert torch.equal(first.disturb(still, 1).z, every.disturb(still, 1).z)
    assert first.disturb(still, 2) is still
    steps = torch.stack([every.disturb(still, step).z for step in (1, 2, 3)]) - still.z
    assert len(steps.flatten().unique()) == steps.numel() and not every.disturb(still, 2).y.any()


def test_random_starts_repeat_by_their_seed_and_leave_the_training_alone(tiny, tiny_splits):
    preset = replace(tiny, random_start=True, noise=0.1)
    trainer = Trainer(preset, splits=tiny_splits, device="cpu", progress=False)
    trainer.train(4)
    before = trainer.model.generator.get_state()

    def halts(seed):
        seen = evaluation.evaluate(trainer.model, tiny_splits.test, steps=2, seed=seed)
        return seen.halt_logits

    first, again, other = halts(0), halts(0), halts(1)
    assert torch.equal(first, again) and (first != other).all()
    assert torch.equal(trainer.model.generator.get_state(), before)


def test_first_mistake():
    right = torch.tensor([[1, 2, 3]] * 4)
    right[3, 0] = IGNORE
    written = torch.tensor([[1, 2, 3], [1, 9, 9], [9, 2, 3], [9, 2, 9]])
    assert first_mistake(written, right).tolist() == [3, 1, 0, 2]
