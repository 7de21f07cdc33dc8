"""Puzzles from outside: what is read, what is refused, and that solved is checked."""

import time

import numpy as np
import pytest
import torch

from trm_lite.evaluation import read_puzzles, solve_boards
from trm_lite.nets import WEIGHTS_FOLDER, TRMConfig, build_network, shipped_weights
from trm_lite.puzzles import sudoku

PUZZLES, SOLUTIONS = sudoku.generate(5, 6, seed=1)
LINES = [sudoku.to_line(puzzle) for puzzle in PUZZLES]


def test_one_puzzle_per_line_with_blank_lines_between():
    good, bad = read_puzzles(f"{LINES[0]}\n\n  {LINES[1].replace('.', '0')}  \r\n")
    assert [line for line, _ in good] == [1, 3] and not bad
    assert (good[1][1] == PUZZLES[1]).all()


def test_one_puzzle_over_several_lines_and_csv():
    good, bad = read_puzzles(sudoku.render(PUZZLES[0]))
    assert len(good) == 1 and (good[0][1] == PUZZLES[0]).all() and not bad
    text = f"source,question,answer,rating\nme,{LINES[0]},x,3\nme,{LINES[1]},y,4\n"
    good, bad = read_puzzles(text)
    assert [line for line, _ in good] == [2, 3] and not bad


def test_bad_lines_are_named_and_good_ones_kept():
    twice = "11" + "." * 34
    misspelt = LINES[0].replace(".", "k", 1)
    ambiguous = "." * 36
    good, bad = read_puzzles("\n".join([LINES[0], twice, misspelt, ambiguous, "123", LINES[1]]))
    assert [line for line, _ in good] == [1, 6]
    assert [problem.line for problem in bad] == [2, 3, 4, 5]
    words = [problem.problem for problem in bad]
    assert "Row 1 holds two 1s" in words[0]
    assert "'k'" in words[1]
    assert "more than one solution" in words[2]
    assert "has 3" in words[3]


def test_a_contradiction_that_is_hidden_deep_is_given_up():
    deep = ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4........."
    started = time.process_time()
    good, bad = read_puzzles(f"{deep}\n{LINES[0]}")
    assert time.process_time() - started < 3  # a whole search takes ten seconds or more
    assert [line for line, _ in good] == [2]
    assert [line for line, _ in bad] == [1] and "still open after 50,000 guesses" in bad[0].problem


def test_solved_is_checked_never_assumed(at_once):
    echo = at_once(lambda inputs: inputs)  # says of every board that it is its own solution
    solved = solve_boards(echo, sudoku.to_tokens(np.stack([PUZZLES[0], SOLUTIONS[0]])))
    assert [s.solved for s in solved] == [False, True]
    assert solved[0].confidence > 0.99


def test_a_wrong_answer_is_followed_by_another_guise(at_once):
    def whimsical(inputs):  # solves boards whose first clue is a 3, copies the others
        calls.append(len(inputs))
        said = inputs.clone()
        for row, tokens in enumerate(inputs):
            if tokens[tokens > 1][0] == 3 + 1:
                board = sudoku.solve_one(sudoku.from_tokens(tokens.numpy()))
                said[row] = torch.from_numpy(sudoku.to_tokens(board))
        return said

    calls = []
    puzzles, solutions = map(sudoku.to_tokens, sudoku.generate(12, 6, seed=5))
    once = solve_boards(at_once(whimsical), puzzles)
    assert not all(said.solved for said in once) and calls == [12]
    solved = solve_boards(at_once(whimsical), puzzles, tries=100)
    for said, before, puzzle, solution in zip(solved, once, puzzles, solutions, strict=True):
        assert said.solved and (said.solution == solution).all() and (said.question == puzzle).all()
        assert said.steps == said.tries and (said.tries == 1) == before.solved
    assert calls[1] == 12 and calls[2] < 12, "only those that are not solved are tried again"


needs_weights = pytest.mark.skipif(
    not (WEIGHTS_FOLDER / "sudoku-6x6.safetensors").exists(), reason="no weights are shipped yet"
)


@needs_weights
def test_the_shipped_weights_solve_fresh_puzzles():
    puzzles, solutions = map(sudoku.to_tokens, sudoku.generate(200, 6, seed=987))
    solved = solve_boards(shipped_weights(6)[0], puzzles)
    right = [s.solved and (s.solution == t).all() for s, t in zip(solved, solutions, strict=True)]
    assert np.mean(right) >= 0.98


def test_an_answer_is_chosen_without_the_rules():
    torch.manual_seed(0)
    config = TRMConfig(
        8, 36, hidden_size=16, multiple_of=8, T=1, n=1, random_start=True, puzzle="sudoku-6x6"
    )
    model = build_network(config).eval()
    asked = sudoku.to_tokens(PUZZLES)
    options = {"max_steps": 3, "tries": 4, "choose": "residual"}
    first, again, other = (solve_boards(model, asked, **options, seed=seed) for seed in (0, 0, 9))
    assert [said.to_json() for said in first] == [said.to_json() for said in again]
    assert any((a.solution != b.solution).any() for a, b in zip(first, other, strict=True))
    assert {(said.steps, said.tries) for said in first} == {(12, 4)}
    rules = solve_boards(model, asked, max_steps=3, tries=2)
    assert {said.tries for said in rules} == {2}


def test_guises_of_a_choice_are_turned_back(at_once):
    """A network that always knows the answer solves every board in every guise."""

    def solver(inputs):
        boards = sudoku.solve(sudoku.from_tokens(inputs.numpy())).boards
        return torch.from_numpy(sudoku.to_tokens(boards)).long()

    said = solve_boards(
        at_once(solver), sudoku.to_tokens(PUZZLES), max_steps=1, tries=3, choose="majority"
    )
    assert all(one.solved for one in said)
