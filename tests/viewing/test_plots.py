"""Pictures hold what was measured; widgets do what their buttons say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets import Widget
from matplotlib.colors import to_hex
from shared_settings import SMALL

from trm_lite.evaluation import Evaluation
from trm_lite.nets import TRM, TRMConfig
from trm_lite.puzzles import get_puzzle, sudoku
from trm_lite.viewing import Trace, boards, plots, style, terminal, trace, widgets

PUZZLES, SOLUTIONS = map(sudoku.to_tokens, sudoku.generate(3, 6, seed=5))
SIX = get_puzzle("sudoku-6x6")
PUZZLE, SOLUTION = PUZZLES[0], SOLUTIONS[0]


pytestmark = pytest.mark.usefixtures("close_figures")


def other(tokens):
    """Another digit than each of these tokens."""
    return (tokens - 1) % 6 + 2


@pytest.fixture
def thought():
    """A thought that is wrong in two cells, then in one, then right."""
    blanks = np.flatnonzero(PUZZLE == sudoku.BLANK)
    boards = np.stack([SOLUTION] * 4)
    boards[0, blanks[:2]] = other(boards[0, blanks[:2]])
    boards[1, blanks[0]] = boards[0, blanks[0]]
    halt = np.array([0.0, 0.1, 0.9, 1.0])
    return Trace(PUZZLE, boards, np.full(boards.shape, 0.5), halt, SOLUTION, puzzle=SIX)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return TRM(TRMConfig(**SMALL, T=1, n=1)).eval()


def test_a_board_shows_digits_clues_faults_and_changes(thought):
    _, ax = plt.subplots()
    boards.draw_step(ax, thought, 2)
    texts = [text.get_text() for text in ax.texts]
    assert texts == [str(token - 1) for token in thought.boards[1]]
    colours = [text.get_color() for text in ax.texts]
    assert [c == style.WRONG for c in colours] == thought.faults()[1].tolist()
    assert [c == style.INK for c in colours] == (PUZZLE != sudoku.BLANK).tolist()
    papers = [to_hex(paper) for paper in ax.images[0].get_array().reshape(-1, 3)]
    changed = thought.boards[1] != thought.boards[0]
    assert [paper == style.CHANGED for paper in papers] == changed.tolist()
    assert ax.get_title(loc="center") == "step 2: 1 wrong"
    assert not any(part.get_in_layout() for part in (*ax.texts, *ax.lines)), "costs time"


def test_a_contact_sheet_has_one_board_per_step_and_the_puzzle(thought):
    axes = [ax for ax in plots.contact_sheet(thought).axes if ax.get_visible()]
    titles = [ax.get_title(loc="center") for ax in axes]
    assert titles == [
        "puzzle", "step 1: 2 wrong", "step 2: 1 wrong", "step 3: solved", "step 4: solved",
    ]  # fmt: skip


def test_a_frame_marks_its_step_on_both_curves(thought):
    axes = plots.frame(thought, 3).axes
    wrong, halt = axes[-2:]
    assert wrong.lines[0].get_ydata().tolist() == [2, 1, 0, 0]
    assert halt.lines[0].get_ydata().tolist() == [0.0, 0.1, 0.9, 1.0]
    assert [ax.lines[1].get_xdata()[0] for ax in (wrong, halt)] == [3, 3]
    assert "done" in halt.get_ylabel() and halt.get_xlabel() == "supervision step"


def test_exact_match_by_step_is_drawn_with_its_interval():
    correct = torch.tensor([[True, False, False, False], [True, True, True, False]])
    evaluation = Evaluation(correct, correct.float(), *(torch.zeros(2, 4),) * 4)
    ax = plots.exact_by_step({"TRM": evaluation}).axes[0]
    assert ax.lines[0].get_ydata().tolist() == [0.25, 0.75]
    low, high = evaluation.exact(1).low, evaluation.exact(1).high
    ys = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert ys.min() == pytest.approx(low) and ys.max() == pytest.approx(evaluation.exact(2).high)
    assert 0.04 < low < 0.06 and 0.69 < high < 0.71  # Wilson's interval of 1 in 4


def test_survival_counts_boards_without_a_mistake():
    ax = plots.survival({"writer": torch.tensor([0, 2, 2, 4])}, length=4).axes[0]
    alive = ax.lines[-1].get_ydata().tolist()
    assert alive == [1.0, 0.75, 0.75, 0.25, 0.25]


def test_without_a_known_solution_only_rules_can_be_broken():
    several = PUZZLE.copy()
    several[:] = sudoku.BLANK
    board = np.full((1, 36), 2, np.uint8)
    thought = Trace(several, board, np.ones((1, 36)), np.zeros(1), puzzle=SIX)
    assert boards.verdict(thought, 1) == "36 break a rule"
    clue = several.copy()
    clue[0] = SOLUTION[0]
    changed = Trace(clue, other(SOLUTION)[None], np.ones((1, 36)), np.zeros(1), puzzle=SIX)
    assert changed.faults()[0].tolist() == [True] + [False] * 35


def test_until_settled_cuts_the_tail_only(thought):
    short = thought.until_settled()
    assert len(short) == 4 and (short.boards[-1] == SOLUTION).all()
    still = Trace(
        PUZZLE, np.stack([SOLUTION] * 9), np.ones((9, 36)), np.ones(9), SOLUTION, puzzle=SIX
    )
    assert len(still.until_settled()) == 2


def test_a_trace_is_what_the_model_says(model):
    from trm_lite.thinking import think

    recorded = trace(model, PUZZLE, steps=3)
    inputs = torch.from_numpy(PUZZLE[None]).long()
    for step, thought in enumerate(think(model, inputs, steps=3)):
        assert (recorded.boards[step] == thought.logits[0].argmax(-1).numpy()).all()
        assert recorded.halt[step] == thought.halt_logit.sigmoid().item()
    assert (recorded.solution == SOLUTION).all()


def test_the_terminal_shows_the_same_board_without_colours(thought):
    text = terminal.thinking(thought, width=80)
    assert "puzzle" in text and "step 1: 2 wrong" in text and "step 3: none wrong" in text
    assert text.count("!") == 3  # two wrong cells, then one
    assert max(map(len, text.splitlines())) <= 80


def test_a_thought_is_watched_frame_by_frame(thought):
    panel = widgets.watch(thought)
    (view,) = panel.children
    assert view.frames == 4 and view.frame == 0 and not view.pickable
    (run,) = view.runs
    assert run["texts"][1] == [str(token - 1) for token in thought.boards[0]]
    assert run["captions"][3] == "step 3: solved · believes it is done: 90%"
    assert "interactive" in repr(panel)


def test_the_editor_says_at_once_what_is_wrong():
    edits = []
    editor = widgets.BoardEditor(SIX, PUZZLE, edits.append)
    assert "exactly one solution" in editor.message.text and editor.message.tone == "good"
    assert (edits[-1] == PUZZLE).all()
    clue = int(np.flatnonzero(PUZZLE > sudoku.BLANK)[0])
    peer = next(i for i in range(36) if i // 6 == clue // 6 and PUZZLE[i] == sudoku.BLANK)
    editor.type(peer, str(PUZZLE[clue] - 1))
    assert "holds two" in editor.message.text and editor.message.tone == "bad"
    assert editor.grid.broken == SIX.conflicts(editor.board[None])[0].tolist()
    assert any(editor.grid.broken)
    editor.type(peer, "x")
    assert "holds “x”" in editor.message.text
    count = len(edits)
    editor.type(peer, "7")
    assert "type one of 1 2 3 4 5 6" in editor.message.text and len(edits) == count
    for nothing in (".", "0", " "):
        editor.type(peer, nothing)
        assert (editor.board == PUZZLE).all() and "exactly one" in editor.message.text
    editor.type(clue, "")
    assert "more than one solution" in editor.message.text


def test_a_board_is_pasted_in_any_format():
    edits = []
    editor = widgets.BoardEditor(SIX, PUZZLE, edits.append)
    board = sudoku.generate(1, 6, seed=8)[0][0]
    expected, rows = sudoku.to_tokens(board), board.reshape(6, 6).tolist()
    for text in (sudoku.render(board), f"{sudoku.to_line(board)} 1.2\r\n", str(rows)):
        editor.set(PUZZLE)
        editor.type(7, text)
        assert (editor.board == expected).all() and (edits[-1] == expected).all()
        assert "exactly one solution" in editor.message.text
    count = len(edits)
    for text, words in (
        ("123", "this line has 3"),
        ("." * 81, "room for a Sudoku of 6x6, but what was pasted is 9x9"),
        ("<b>", "looks like HTML"),
        (f"{sudoku.to_line(board)}\n{SIX.decode(PUZZLE)}", "holds 2 Sudokus"),
    ):
        editor.type(7, text)
        assert words in editor.message.text and editor.message.tone == "bad"
        assert (editor.board == expected).all() and len(edits) == count


def test_the_playground_thinks_about_what_is_typed(model):
    playground = widgets.Playground(model, {"a": PUZZLES[0], "b": PUZZLES[1]}, steps=2)
    assert (playground.thought.question == PUZZLES[0]).all()
    playground.choice.value = "b"
    assert (playground.thought.question == PUZZLES[1]).all()
    before = playground.view.runs
    cell = int(np.flatnonzero(PUZZLES[1] > sudoku.BLANK)[0])
    playground.editor.type(cell, "")
    assert playground.thought.question[cell] == sudoku.BLANK
    assert playground.view.runs != before and playground.view.runs[0]["texts"][0][cell] == ""


def test_one_edit_is_answered_with_few_messages(model, monkeypatch):
    """Not cell by cell: each part of the panel is sent once at most."""
    playground = widgets.Playground(model, {"a": PUZZLES[0]}, steps=2)
    sent = []
    monkeypatch.setattr(Widget, "send_state", lambda self, key=None: sent.append(self))
    playground.editor.type(int(np.flatnonzero(PUZZLES[0] > sudoku.BLANK)[0]), "")
    editor = playground.editor
    assert sent == [editor.grid, editor.message, playground.view]
