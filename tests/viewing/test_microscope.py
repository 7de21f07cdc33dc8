"""The microscope does what its controls say, and tells what goes wrong in place."""

import threading
import time

import numpy as np
import pytest
import torch
from shared_settings import SMALL

from trm_lite.common import UserError
from trm_lite.nets import DirectConfig, HRMConfig, TRMConfig, build_network, save_weights
from trm_lite.puzzles import get_puzzle, maze, sudoku
from trm_lite.viewing import Microscope, Trace, looks, microscope, trace
from trm_lite.viewing.microscope import NOTHING, WHAT_IF

PUZZLES, SOLUTIONS = map(sudoku.to_tokens, sudoku.generate(2, 6, seed=5))
SIX = get_puzzle("sudoku-6x6")


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    maze_sizes = SMALL | {"vocab_size": 6, "seq_len": 25, "puzzle": "maze-5x5"}
    configs = {
        "TRM": TRMConfig(**SMALL, T=2, n=2),
        "HRM": HRMConfig(**SMALL, mixing="mlp", H_layers=1, L_layers=1),
        "direct": DirectConfig(**SMALL, mixing="mlp", num_layers=1),
        "maze": TRMConfig(**maze_sizes, T=1, n=1),
    }
    return {name: build_network(config).eval() for name, config in configs.items()}


@pytest.fixture
def scope(models):
    puzzles = {"a": PUZZLES[0], "b": PUZZLES[1], "walk": maze.generate(1, 5, seed=0)[0][0]}
    return Microscope(models, puzzles, steps=3)


def texts(scope, board: int = 0) -> list[str]:
    """What is written on a board in the frame that is shown."""
    return scope.view.runs[board]["texts"][scope.view.frame]


def marked(scope, name: str, board: int = 0) -> list[bool]:
    """Which cells of a board bear a mark in the frame that is shown."""
    return has(np.array(scope.view.runs[board]["marks"][scope.view.frame]), name).tolist()


def has(marks: np.ndarray, name: str) -> np.ndarray:
    return (marks >> list(looks.MARKS).index(name)) & 1 == 1


def caption(scope, board: int = 0) -> str:
    return scope.view.runs[board]["captions"][scope.view.frame]


def digits(board: np.ndarray) -> list[str]:
    return [SIX.tokens[token].strip("_.") for token in board]


# --- how cells look ------------------------------------------------------------------------------


def test_cells_look_as_the_trace_says():
    blanks = np.flatnonzero(PUZZLES[0] == sudoku.BLANK)
    boards = np.stack([SOLUTIONS[0]] * 2)
    boards[0, blanks[0]] = (boards[0, blanks[0]] - 1) % 6 + 2
    sure = np.ones((2, 36))
    sure[0, blanks[0]] = 0.3
    thought = Trace(PUZZLES[0], boards, sure, np.zeros(2), SOLUTIONS[0], puzzle=SIX)
    found = looks.marks(thought, thought.first(1))
    by_name = {name: has(found, name) for name in looks.MARKS}  # (3, 36) each
    assert (by_name["clue"] == (PUZZLES[0] != sudoku.BLANK)).all()
    for name in ("wrong", "against", "sure1", "changed", "differs"):
        frame = 2 if name in ("changed", "differs") else 1
        assert by_name[name][frame, blanks[0]], name
        assert not by_name[name][3 - frame, blanks[0]], name
    assert not found[0, blanks].any()  # nothing to be said of the puzzle itself
    written = looks.texts(thought).tolist()
    assert written == [digits(PUZZLES[0]), digits(boards[0]), digits(boards[1])]
    unknown = Trace(PUZZLES[0], boards, sure, np.zeros(2), puzzle=SIX)
    assert not has(looks.marks(unknown), "wrong").any()
    assert has(looks.marks(unknown), "against").any()


def test_mazes_look_like_mazes():
    mazes, answers = maze.generate(1, 5, seed=0)
    missing = answers.copy()
    cell = np.flatnonzero(answers[0] == maze.PATH)[0]
    missing[0, cell] = maze.OPEN
    thought = Trace(
        mazes[0], missing, np.ones((1, 25)), np.zeros(1), answers[0], puzzle=get_puzzle("maze-5x5")
    )
    found, written = looks.marks(thought)[1], looks.texts(thought)[1]
    assert written[cell] == "×" and has(found, "wrong").tolist() == (np.arange(25) == cell).tolist()
    assert looks.paints(thought) == [mazes[0].tolist(), missing[0].tolist()]
    assert {"S", "G"} <= set(written)


def test_the_legend_names_what_can_be_seen():
    thought = trace(build_network(TRMConfig(**SMALL, T=1, n=1)).eval(), PUZZLES[0], 2)
    words = [words for _, _, words, _ in looks.legend(thought, two=True, pickable=True)]
    assert {"clue", "wrong", "breaks a rule", "boards differ", "followed"} <= set(words)
    samples = [(classes, text) for classes, text, _, _ in looks.legend(thought)]
    assert len(set(samples)) == len(samples)


# --- the controls --------------------------------------------------------------------------------


def test_the_slider_moves_through_a_thought_that_is_recorded_once(scope, models, monkeypatch):
    expected = trace(models["TRM"], PUZZLES[0], 3)
    forbidden = pytest.fail
    monkeypatch.setattr(microscope, "think", lambda *_, **__: forbidden("thought again"))
    assert scope.view.frames == 3
    for frame in (2, 3, 1):
        scope.view.frame = frame
        assert texts(scope) == digits(expected.boards[frame - 1])
        assert f"step {frame}:" in caption(scope)
    scope.view.frame = 0
    assert texts(scope) == digits(PUZZLES[0]) and "the puzzle" in caption(scope)


def test_a_change_keeps_the_frame_or_ends_at_the_last(scope):
    scope.view.frame = 3
    scope.seed.value = 1
    assert scope.view.frame == 3
    scope.steps.value = 2
    assert scope.view.frame == scope.view.frames == 2


@pytest.mark.parametrize(("grain", "frames"), [("recursion", 6), ("application", 18)])
def test_the_grain(scope, grain, frames):
    scope.grain.value = grain
    assert scope.view.frames == frames == len(scope.thoughts["TRM"])
    scope.view.frame = frames
    assert "step 3, recursion 2" in caption(scope)


def test_steps_noise_and_seed(scope, models):
    scope.steps.value = 5
    assert scope.view.frames == 5
    still = scope.thoughts["TRM"].z_residual
    scope.noise.value = 1.0
    noisy = scope.thoughts["TRM"].z_residual
    assert not np.allclose(still, noisy)
    scope.seed.value = 4
    expected = trace(models["TRM"], PUZZLES[0], 5, noise=1.0, seed=4)
    assert (scope.thoughts["TRM"].z_residual == expected.z_residual).all()


def test_models_puzzles_and_what_fits_them(scope, models):
    assert scope.puzzle.options == ("a", "b")
    scope.puzzle.value = "b"
    scope.model.value = "HRM"
    assert scope.puzzle.value == "b"  # it fits both
    expected = trace(models["HRM"], PUZZLES[1], 3)
    assert (scope.thoughts["HRM"].boards == expected.boards).all()
    scope.model.value = "maze"
    assert scope.puzzle.options == ("walk",) and len(texts(scope)) == 25
    assert [word for word, _ in scope.digit.options] == ["wall", "S", "G", "path", "open"]
    assert scope.editor.grid.columns == 5 and "exactly one solution" in scope.editor.message.text
    scope.model.value = "direct"  # no z, one grain like another
    assert scope.puzzle.options == ("a", "b") and not scope.message.text


def test_two_runs_in_lockstep(scope, models):
    scope.second.value = "HRM"
    assert list(scope.thoughts) == ["TRM", "HRM"]
    other = trace(models["HRM"], PUZZLES[0], 3)
    scope.view.frame = 2
    assert texts(scope, 1) == digits(other.boards[1])
    differ = scope.thoughts["TRM"].boards[1] != other.boards[1]
    assert marked(scope, "differs") == differ.tolist()
    assert [run["title"] for run in scope.view.runs] == ["TRM", "HRM"]
    assert caption(scope, 1).startswith("HRM: step 2")
    scope.second.value = NOTHING
    assert len(scope.view.runs) == 1


def test_a_cell_is_followed(scope):
    before = scope.view.curves
    scope.choose(8)
    assert scope.cell == scope.view.chosen == 8
    assert "row 2, column 3" in caption(scope) and scope.view.curves != before
    scope.choose(8)
    assert scope.cell is None and scope.view.chosen == -1 and scope.view.curves == before


def test_what_is_typed_and_picked_in_the_browser_is_heard(scope):
    scope.view._handle_custom_msg({"pick": 4}, [])
    assert scope.cell == 4
    editor, blank = scope.editor, int(np.flatnonzero(PUZZLES[0] == sudoku.BLANK)[0])
    editor.grid._handle_custom_msg({"cell": blank, "text": "x", "edit": 7}, [])
    assert editor.grid.heard == 7 and editor.grid.texts[blank] == "x"


def test_the_board_to_type_into_unfolds(scope):
    assert scope.yours.layout.display == "none"
    scope.opener.value = True
    assert scope.yours.layout.display == "" and "close" in scope.opener.description
    scope.opener.value = False
    assert scope.yours.layout.display == "none"


def test_what_if(scope):
    scope.second.value = WHAT_IF
    assert "What if?" in scope.message.text and list(scope.thoughts) == ["TRM"]
    scope.force.click()
    assert "Choose the cell" in scope.message.text
    values = [(str(digit), digit + 1) for digit in range(1, 7)] + [("blank", sudoku.BLANK)]
    assert list(scope.digit.options) == values and scope.digit.value == 2
    scope.choose(4)
    scope.view.frame = 2
    shown = scope.thoughts["TRM"].boards[1][4]
    scope.digit.value = other = int((shown - 1) % 6 + 2)
    scope.force.click()
    assert list(scope.thoughts) == ["TRM", WHAT_IF] and not scope.message.text
    assert scope.push == (2, 4, other)
    assert texts(scope, 1)[4] == str(other - 1)
    assert marked(scope, "differs", 1)[4]


def test_a_puzzle_that_is_typed_in_is_thought_about(scope, models):
    editor = scope.yours.children[0]
    clue = int(np.flatnonzero(PUZZLES[0] > sudoku.BLANK)[0])
    peer = next(i for i in range(36) if i // 6 == clue // 6 and PUZZLES[0][i] == sudoku.BLANK)
    editor.type(peer, str(PUZZLES[0][clue] - 1))
    assert "holds two" in editor.message.text  # told at once, and thought about all the same
    board = PUZZLES[0].copy()
    board[peer] = board[clue]
    expected = trace(models["TRM"], board, 3)
    assert (scope.thoughts["TRM"].boards == expected.boards).all()
    assert scope.thoughts["TRM"].solution is None and marked(scope, "against")[peer]
    editor.type(peer, "<")
    assert "holds “<”" in editor.message.text
    editor.type(peer, "")
    assert "exactly one solution" in editor.message.text
    assert (scope.thoughts["TRM"].question == PUZZLES[0]).all()


def test_a_checkpoint_from_a_file(scope, models, tmp_path):
    save_weights(models["HRM"], tmp_path / "mine.safetensors", {"step": 1})
    scope.file.value = str(tmp_path / "mine.safetensors")
    assert scope.model.value == "mine" and list(scope.thoughts) == ["mine"]
    scope.file.value = str(tmp_path / "none.safetensors")
    assert "There is no weights file" in scope.message.text
    scope.view.frame = 2
    assert list(scope.thoughts) == ["mine"] and "step 2" in caption(scope)


# --- what goes wrong -----------------------------------------------------------------------------


def test_what_goes_wrong_is_said_in_place_and_the_rest_goes_on(scope, monkeypatch):
    del scope.puzzles["walk"]
    scope.model.value = "maze"
    assert "reads boards of 25 cells" in scope.message.text
    scope.model.value = "TRM"
    assert not scope.message.text
    monkeypatch.setattr(microscope, "think", lambda *_, **__: 1 / 0)
    scope.steps.value = 4
    assert "ZeroDivisionError: division by zero" in scope.message.text
    assert "Traceback" in scope.message.details and "in think" in scope.message.details
    monkeypatch.undo()
    scope.steps.value = 5
    assert not scope.message.text and scope.view.frames == 5


def test_callbacks_from_two_threads_take_turns(scope):
    # JupyterLab runs widgets' callbacks in threads; without turns a thought could wipe out
    # the message of an edit that came after it.
    inside, most = 0, []

    def work():
        nonlocal inside
        inside += 1
        most.append(inside)
        time.sleep(0.05)
        inside -= 1

    threads = [threading.Thread(target=message.guard(work)) for message in
               (scope.message, scope.editor.message, scope.message)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


def test_a_board_of_another_size_and_too_many_cells(models):
    with pytest.raises(UserError, match="at least one"):
        Microscope({}, {})
    only = Microscope({"TRM": models["TRM"]}, {"big": np.zeros(81, np.uint8)})
    assert "no such puzzle" in only.message.text
    config = TRMConfig(12, 900, 16, num_heads=1, mixing="attention", multiple_of=16, T=1, n=1,
                       prefix_len=1, puzzle="arc-30x30")  # fmt: skip
    arc = build_network(config).eval()
    large = Microscope({"ARC": arc}, {"task": np.ones(900, np.uint8)}, steps=1)
    assert "900 cells are too many to click" in large.message.text
