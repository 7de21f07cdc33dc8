"""Puzzles from outside: what is read, what is refused and in which words."""

import json

import numpy as np
import pytest
import torch

from trm_lite.cli import solve
from trm_lite.cli.main import main
from trm_lite.evaluation import read_puzzles, solve_boards
from trm_lite.evaluation.solving import MAX_STEPS
from trm_lite.nets import WEIGHTS_FOLDER, shipped_weights, weights
from trm_lite.puzzles import sudoku
from trm_lite.viewing import trace

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
    unsolvable = LINES[0].replace(".", "x", 1)
    ambiguous = "." * 36
    good, bad = read_puzzles("\n".join([LINES[0], twice, unsolvable, ambiguous, "123", LINES[1]]))
    assert [line for line, _ in good] == [1, 6]
    assert [problem.line for problem in bad] == [2, 3, 4, 5]
    words = [problem.problem for problem in bad]
    assert "Row 1 holds two 1s" in words[0]
    assert "'x'" in words[1]
    assert "more than one solution" in words[2]
    assert "has 3" in words[3]


def test_solved_is_checked_never_assumed(at_once):
    echo = at_once(lambda inputs: inputs)  # says of every board that it is its own solution
    solved = solve_boards(echo, np.stack([PUZZLES[0], SOLUTIONS[0]]))
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
    puzzles, solutions = sudoku.generate(12, 6, seed=5)
    once = solve_boards(at_once(whimsical), puzzles)
    assert not all(said.solved for said in once) and calls == [12]
    solved = solve_boards(at_once(whimsical), puzzles, tries=100)
    for said, before, puzzle, solution in zip(solved, once, puzzles, solutions, strict=True):
        assert said.solved and (said.solution == solution).all() and (said.puzzle == puzzle).all()
        assert said.steps == said.tries and (said.tries == 1) == before.solved
    assert calls[1] == 12 and calls[2] < 12, "only those that are not solved are tried again"


needs_weights = pytest.mark.skipif(
    not (WEIGHTS_FOLDER / "sudoku-6x6.safetensors").exists(), reason="no weights are shipped yet"
)


@needs_weights
def test_the_shipped_weights_solve_fresh_puzzles():
    puzzles, solutions = sudoku.generate(200, 6, seed=987)
    solved = solve_boards(shipped_weights(6)[0], puzzles)
    right = [s.solved and (s.solution == t).all() for s, t in zip(solved, solutions, strict=True)]
    assert np.mean(right) >= 0.98


@needs_weights
def test_each_size_has_its_solver(tmp_path, monkeypatch, capsys):
    used, shipped = [], weights.shipped
    monkeypatch.setattr(solve, "shipped", lambda name: used.append(name) or shipped(name))
    easy = sudoku.generate(1, 9, seed=3, minimal=False, blanks=40)[0][0]
    (tmp_path / "puzzles").write_text(f"{LINES[0]}\n{sudoku.to_line(easy)}")
    assert main(["solve", str(tmp_path / "puzzles"), "--device", "cpu"]) == 0
    assert used == list(solve.BEST_WEIGHTS.values())
    assert "2 of 2 solved" in capsys.readouterr().out
    (tmp_path / "small").write_text(sudoku.to_line(sudoku.generate(1, 4, seed=3)[0][0]))
    assert main(["solve", str(tmp_path / "small")]) == 2
    assert "no weights for 4x4 Sudokus, only for 6x6 and 9x9" in capsys.readouterr().err


@needs_weights
def test_command_line_json(tmp_path, capsys):
    path = tmp_path / "puzzles.txt"
    path.write_text("\n".join([*LINES, "oops"]))
    assert main(["solve", str(path), "--json", "--device", "cpu"]) == 2
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["puzzle"] for row in rows] == LINES
    assert set(rows[0]) == {"puzzle", "solution", "solved", "steps", "tries", "confidence"}
    assert "line 6" in err and len(err.splitlines()) == 1


@needs_weights
def test_command_line_picture(tmp_path):
    (tmp_path / "puzzle.txt").write_text(LINES[0])
    picture = tmp_path / "thought.png"
    assert main(["solve", str(tmp_path / "puzzle.txt"), "--picture", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "sudoku-6x7"], "no preset 'sudoku-6x7'; did you mean sudoku-6x6"),
        (["train"], "Say which preset"),
        (["demo", "--device", "cuda"], "no device 'cuda'"),
        (["demo", "--device", "warp"], "'warp' is no device"),
        (["solve", "{empty}"], "holds no puzzle"),
        (["solve", "{binary}"], "no text file"),
        (["solve", "{missing}"], "cannot be read"),
        (["solve", "{good}", "--weights", "{missing}"], "no weights file"),
        (["solve", "{good}", "--weights", "{binary}"], "not a whole safetensors file"),
        (["evaluate", "{missing}"], "no weights file"),
        (["evaluate", "{folder}"], "holds no last.safetensors"),
        (["train", "sudoku-6x6", "--kinds", "odd", "--out", "{folder}"], "no kind of 6x6 Sudoku"),
        (["solve", "{good}", "--picture", "{missing}/x.png"], "could not be written"),
        (["train", "sudoku-6x6", "--seq-len", "9", "--out", "{folder}"], "make the two agree"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_and_status_2(
    arguments, words, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    (tmp_path / "good").write_text(LINES[0])
    names = ("empty", "binary", "missing", "good")
    paths = {name: str(tmp_path / name) for name in names} | {"folder": str(tmp_path)}
    assert main([argument.format(**paths) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert err.startswith("trm-lite: ") and len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


@needs_weights
@pytest.mark.parametrize("ending", ["gif", "apng", "webp"])
def test_command_line_animation(tmp_path, ending):
    from PIL import Image

    (tmp_path / "puzzle.txt").write_text(LINES[0])
    picture = tmp_path / f"thought.{ending}"
    assert main(["solve", str(tmp_path / "puzzle.txt"), "--picture", str(picture)]) == 0
    thought = trace(shipped_weights(6)[0], PUZZLES[0], MAX_STEPS)
    with Image.open(picture) as frames:
        assert frames.n_frames == thought.settled + 2  # the puzzle, every step, one more
        first = np.asarray(frames.convert("RGB"))
        frames.seek(frames.n_frames - 1)
        assert (np.asarray(frames.convert("RGB")) != first).any()
    assert picture.stat().st_size < 2_000_000


@needs_weights
def test_an_animation_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "puzzle.txt").write_text(LINES[0])
    picture = str(tmp_path / "nowhere" / "thought.gif")
    assert main(["solve", str(tmp_path / "puzzle.txt"), "--picture", picture]) == 2
    assert "could not be written" in capsys.readouterr().err
