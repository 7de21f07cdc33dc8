"""The microscope does what its controls say, and tells what goes wrong in place."""

import asyncio
import base64
import re
import threading
import time
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from shared_settings import SMALL

from trm_lite.common import UserError
from trm_lite.nets import DirectConfig, HRMConfig, TRMConfig, build_network, save_weights
from trm_lite.puzzles import maze, sudoku
from trm_lite.viewing import Microscope, Trace, microscope, style, trace, widgets
from trm_lite.viewing.board_buttons import BoardView, Look, looks
from trm_lite.viewing.microscope import NOTHING, WHAT_IF

PUZZLES, SOLUTIONS = sudoku.generate(2, 6, seed=5)


pytestmark = pytest.mark.usefixtures("close_figures")


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    maze_sizes = SMALL | {"vocab_size": 6, "seq_len": 25}
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
    return [cell.description for cell in scope.views.children[board].children[1].children]


def classes(scope, cell: int, board: int = 0) -> set[str]:
    return set(scope.views.children[board].children[1].children[cell]._dom_classes)


def digits(board: np.ndarray) -> list[str]:
    return [str(digit or "") for digit in board]


def click(scope, cell: int) -> None:
    scope.views.children[0].children[1].children[cell].click()


# --- how cells look ------------------------------------------------------------------------------


def test_cells_look_as_the_trace_says():
    blanks = np.flatnonzero(PUZZLES[0] == 0)
    boards = np.stack([SOLUTIONS[0]] * 2)
    boards[0, blanks[0]] = boards[0, blanks[0]] % 6 + 1
    sure = np.ones((2, 36))
    sure[0, blanks[0]] = 0.3
    thought = Trace(PUZZLES[0], boards, sure, np.zeros(2), SOLUTIONS[0])
    first, second = looks(thought, 1, cell=3), looks(thought, 2, other=thought.first(1))
    assert [look.text for look in first] == digits(boards[0])
    wrong = first[blanks[0]].classes
    assert {"wrong", "against", "sure1"} <= wrong and "changed" not in wrong
    assert second[blanks[0]].classes == {"changed", "differs"}
    assert "chosen" in first[3].classes and "chosen" not in second[3].classes
    clue = np.flatnonzero(PUZZLES[0])[0]
    assert second[clue].classes == {"clue"}
    assert [look.text for look in looks(thought, 0)] == digits(PUZZLES[0])


def test_mazes_look_like_mazes():
    mazes, answers = maze.generate(1, 5, seed=0)
    missing = answers.copy()
    cell = np.flatnonzero(answers[0] == maze.PATH)[0]
    missing[0, cell] = maze.OPEN
    thought = Trace(mazes[0], missing, np.ones((1, 25)), np.zeros(1), answers[0], puzzle_name="maze")
    found = looks(thought, 1)
    assert found[cell].text == "×" and found[cell].classes == {"wrong"}
    walls = ["wall" in look.classes for look in found]
    assert walls == (mazes[0] == maze.WALL).tolist()
    path = ["path" in look.classes for look in found]
    assert path == (missing[0] == maze.PATH).tolist()
    assert {"S", "G"} <= {look.text for look in found}


def test_only_cells_that_look_different_are_sent():
    view = BoardView(4, "maze", print)
    sent = []
    for i, cell in enumerate(view.children):
        cell.observe(lambda change, i=i: sent.append(i), names="description")
    view.show([Look("", frozenset())] * 4)
    view.show([Look("", frozenset()), Look("S", frozenset()), *[Look("", frozenset())] * 2])
    assert sent == [1]


# --- the controls --------------------------------------------------------------------------------


def test_the_slider_moves_through_a_thought_that_is_recorded_once(scope, models, monkeypatch):
    expected = trace(models["TRM"], PUZZLES[0], 3)
    forbidden = pytest.fail
    monkeypatch.setattr(microscope, "trace", lambda *_, **__: forbidden("thought again"))
    monkeypatch.setattr(microscope, "to_png", lambda *_: forbidden("drew again"))
    assert scope.slider.max == 3
    markers = set()
    for frame in (2, 3, 1):
        scope.slider.value = frame
        assert texts(scope) == digits(expected.boards[frame - 1])
        assert f"step {frame}:" in scope.caption.value
        markers.add(re.search(r"left: calc\(([\d.]+)%", scope.marker.value)[1])
    assert len(markers) == 3
    scope.slider.value = 0
    assert texts(scope) == digits(PUZZLES[0]) and "display: none" in scope.marker.value


def test_play_is_linked_to_the_slider_and_the_speed(scope):
    assert scope.link.source == (scope.play, "value")
    assert scope.link.target == (scope.slider, "value")
    assert scope.play.max == 3
    scope.speed.label = "fast"
    assert scope.play.interval == microscope.SPEEDS["fast"]


@pytest.mark.parametrize(("grain", "frames"), [("recursion", 6), ("application", 18)])
def test_the_grain(scope, grain, frames):
    scope.grain.value = grain
    assert scope.slider.max == frames == len(scope.thoughts["TRM"])
    scope.slider.value = frames
    assert "step 3, recursion 2" in scope.caption.value


def test_steps_noise_and_seed(scope, models):
    scope.steps.value = 5
    assert scope.slider.max == 5
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
    assert scope.digit.options == ("path", "open")
    assert "Only Sudokus" in scope.yours.children[0].value
    scope.model.value = "direct"  # no z, one grain like another
    assert scope.puzzle.options == ("a", "b") and not scope.message.value


def test_two_runs_in_lockstep(scope, models):
    scope.second.value = "HRM"
    assert list(scope.thoughts) == ["TRM", "HRM"]
    other = trace(models["HRM"], PUZZLES[0], 3)
    scope.slider.value = 2
    assert texts(scope, 1) == digits(other.boards[1])
    differ = scope.thoughts["TRM"].boards[1] != other.boards[1]
    assert ["trm-differs" in classes(scope, i) for i in range(36)] == differ.tolist()
    assert [box.children[0].value for box in scope.views.children] == ["<b>TRM</b>", "<b>HRM</b>"]
    scope.second.value = NOTHING
    assert len(scope.views.children) == 1


def test_the_marker_stands_on_its_frame(scope):
    """In the picture as it is sent, whatever the style says about margins."""
    style.use_style()
    scope.slider.value = 2
    click(scope, 3)
    picture = plt.imread(
        BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", scope.curves.value)[1]))
    )
    share = float(re.search(r"left: calc\(([\d.]+)%", scope.marker.value)[1]) / 100
    assert picture.shape[:2] == (504, 468)  # the whole figure of 5.2 x 5.6 inches
    assert share == pytest.approx(0.17 + 0.62 * (2 - 0.5) / 3, abs=1e-3)


def test_a_click_follows_a_cell(scope):
    before = scope.curves.value
    click(scope, 8)
    assert scope.cell == 8 and "trm-chosen" in classes(scope, 8)
    assert "row 2, column 3" in scope.caption.value and scope.curves.value != before
    click(scope, 8)
    assert scope.cell is None and "trm-chosen" not in classes(scope, 8)


def test_what_if(scope):
    scope.second.value = WHAT_IF
    assert "What if?" in scope.message.value and list(scope.thoughts) == ["TRM"]
    scope.force.click()
    assert "Choose the cell" in scope.message.value
    assert scope.digit.options == tuple("123456") and scope.digit.value == "1"
    click(scope, 4)
    scope.slider.value = 2
    shown = scope.thoughts["TRM"].boards[1][4]
    scope.digit.value = str(shown % 6 + 1)
    scope.force.click()
    assert list(scope.thoughts) == ["TRM", WHAT_IF] and not scope.message.value
    assert scope.push == (2, 4, shown % 6 + 1)
    assert texts(scope, 1)[4] == str(shown % 6 + 1)
    assert "trm-differs" in classes(scope, 4, 1)


def test_a_puzzle_that_is_typed_in_is_thought_about(scope, models):
    editor = scope.yours.children[0]
    clue = int(np.flatnonzero(PUZZLES[0])[0])
    peer = next(i for i in range(36) if i // 6 == clue // 6 and not PUZZLES[0][i])
    editor.cells[peer].value = str(PUZZLES[0][clue])
    assert "holds two" in editor.message.value  # told at once, and thought about all the same
    board = PUZZLES[0].copy()
    board[peer] = board[clue]
    expected = trace(models["TRM"], board, 3)
    assert (scope.thoughts["TRM"].boards == expected.boards).all()
    assert scope.thoughts["TRM"].solution is None and "against" in str(classes(scope, peer))
    editor.cells[peer].value = "<b>"
    assert "&lt;b&gt;" in editor.message.value
    editor.cells[peer].value = ""
    assert "exactly one solution" in editor.message.value
    assert (scope.thoughts["TRM"].puzzle == PUZZLES[0]).all()


def test_a_checkpoint_from_a_file(scope, models, tmp_path):
    save_weights(models["HRM"], tmp_path / "mine.safetensors", {"step": 1})
    scope.file.value = str(tmp_path / "mine.safetensors")
    assert scope.model.value == "mine" and list(scope.thoughts) == ["mine"]
    scope.file.value = str(tmp_path / "none.safetensors")
    assert "There is no weights file" in scope.message.value
    scope.slider.value = 2
    assert list(scope.thoughts) == ["mine"] and "step 2" in scope.caption.value


# --- what goes wrong -----------------------------------------------------------------------------


def test_what_goes_wrong_is_said_in_place_and_the_rest_goes_on(scope, monkeypatch):
    del scope.puzzles["walk"]
    scope.model.value = "maze"
    assert "reads boards of 25 cells" in scope.message.value
    scope.model.value = "TRM"
    assert not scope.message.value
    monkeypatch.setattr(microscope, "trace", lambda *_, **__: 1 / 0)
    scope.steps.value = 4
    assert "ZeroDivisionError: division by zero" in scope.message.value
    assert "Traceback" in scope.message.value and "in think" in scope.message.value
    monkeypatch.undo()
    scope.steps.value = 5
    assert not scope.message.value and scope.slider.max == 5


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
    assert "no such puzzle" in only.message.value
    arc = build_network(TRMConfig(12, 900, 16, multiple_of=16, T=1, n=1, prefix_len=1)).eval()
    large = Microscope({"ARC": arc}, {"task": np.ones(900, np.uint8)}, steps=1)
    assert "900 cells are too many to click" in large.message.value


def test_a_player_tells_what_goes_wrong_and_draws_ahead_in_idle_time():
    drawn = []

    def draw(step):
        if step == 2:
            raise UserError("Nothing to see in frame 2.")
        drawn.append(step)
        return plt.figure(figsize=(1, 1))

    async def idle():
        player = widgets.Player(draw, 5)
        assert drawn == [0]
        await asyncio.sleep(0.5)
        return player

    player = asyncio.run(idle())
    assert drawn == [0, 1] and "frame 2" in player.message.value
    player.slider.value = 3
    assert drawn == [0, 1, 3] and not player.message.value
    player.slider.value = 2
    assert "Nothing to see in frame 2." in player.message.value
