"""The command line answers: puzzles with solutions, mistakes with one sentence."""

import json

import numpy as np
import pytest
import torch

from trm_lite.cli import solve
from trm_lite.cli.main import main
from trm_lite.evaluation.solving import MAX_STEPS
from trm_lite.nets import WEIGHTS_FOLDER, shipped_weights, weights
from trm_lite.puzzles import sudoku
from trm_lite.viewing import trace

PUZZLES, SOLUTIONS = sudoku.generate(5, 6, seed=1)
LINES = [sudoku.to_line(puzzle) for puzzle in PUZZLES]
needs_weights = pytest.mark.skipif(
    not (WEIGHTS_FOLDER / "sudoku-6x6.safetensors").exists(), reason="no weights are shipped yet"
)


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
def test_a_board_of_another_size_stops_none(tmp_path, capsys):
    path, tiny = tmp_path / "mixed", sudoku.to_line(sudoku.generate(1, 4, seed=3)[0][0])
    path.write_bytes(f"{tiny}\n{LINES[0]}\n{tiny}\n{LINES[1]}".encode("utf-16"))
    weights = ("--weights", str(WEIGHTS_FOLDER / "sudoku-6x6.safetensors"))
    for options, words in (((), "no weights for 4x4"), (weights, "of 36 cells, but this one has")):
        assert main(["solve", str(path), "--json", "--device", "cpu", *options]) == 2
        out, err = capsys.readouterr()
        assert [json.loads(line)["puzzle"] for line in out.splitlines()] == LINES[:2]
        assert [
            f"line {line}: " in told for line, told in zip((1, 3), err.splitlines(), strict=True)
        ]
        assert err.count(words) == 2


def test_thousands_of_problems_are_not_told_one_by_one(tmp_path, capsys):
    (tmp_path / "novel").write_text("It was a dark and stormy night.\n" * 3_000)
    assert main(["solve", str(tmp_path / "novel"), "--device", "cpu"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == solve.MOST_PROBLEMS + 2 and "2,980 more lines" in told[-2]
    assert told[-1] == solve.NO_SUDOKU


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
        (["solve", "--choose", "residual", "--tries", "1"], "single attempt"),
        (["train", "sudoku-6x7"], "no preset 'sudoku-6x7'; did you mean sudoku-6x6"),
        (["train"], "Say which preset"),
        (["train", "sudoku-6x6", "--test", "0"], "no puzzles for the exam"),
        (["demo", "--device", "cuda"], "no device 'cuda'"),
        (["demo", "--device", "warp"], "no device 'warp'"),
        (["solve", "{empty}"], "holds no puzzle"),
        (["solve", "{binary}"], "not a text file"),
        (["solve", "{missing}"], "cannot be read"),
        (["solve", "{good}", "--weights", "{missing}"], "no weights file"),
        (["solve", "{good}", "--weights", "{binary}"], "is a pickle that PyTorch did not write"),
        (["evaluate", "{missing}"], "no weights file"),
        (["evaluate", "{folder}"], "holds no last.safetensors"),
        (["solve", "{good}", "--weights", "{folder}"], "holds no last.safetensors"),
        (["train", "sudoku-6x6", "--kinds", "odd", "--out", "{folder}"], "no kind 'odd' of 6x6"),
        (["solve", "{good}", "--picture", "{missing}/x.png"], "could not be written"),
        (
            ["train", "sudoku-6x6", "--seq-len", "9", "--out", "{folder}"],
            "give the network the sizes of the puzzles",
        ),
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
    thought = trace(shipped_weights(6)[0], sudoku.to_tokens(PUZZLES[0]), MAX_STEPS)
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


def test_a_network_that_answers_at_once_takes_one_step(tmp_path, capsys):
    path = tmp_path / "boards.txt"
    path.write_text(sudoku.to_line(sudoku.generate(1, 6, seed=4)[0][0]))
    weights = str(WEIGHTS_FOLDER / "sudoku-6x6-direct.safetensors")
    main(["solve", str(path), "--weights", weights, "--tries", "2", "--json", "--device", "cpu"])
    said = json.loads(capsys.readouterr().out)
    assert (said["steps"], said["tries"]) == (2, 2)
