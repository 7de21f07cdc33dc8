"""Every puzzle can be watched through its own drawing, and what is not graded is never wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from own_files import OWN, own

from trm_lite.common import UserError
from trm_lite.data import PuzzleSet
from trm_lite.evaluation import evaluate
from trm_lite.nets import TRMConfig, build_network, load_weights, save_weights, shipped
from trm_lite.puzzles import Puzzle, get_puzzle
from trm_lite.viewing import Microscope, Trace, boards, plots, probes, record, terminal, trace
from trm_lite.viewing import thought_plots as dynamics
from trm_lite.viewing.animation import animate
from trm_lite.viewing.microscope import WHAT_IF
from trm_lite.viewing.traces import load_traces, save_traces

MANY = Puzzle("many", "_" + "".join(map(chr, range(200, 600))), (1, 4))
pytestmark = pytest.mark.usefixtures("close_figures")


def network(puzzle):
    torch.manual_seed(0)
    sizes = {"vocab_size": puzzle.vocab_size, "seq_len": puzzle.length, "hidden_size": 16}
    config = TRMConfig(**sizes, multiple_of=16, T=1, n=1, prefix_len=1, puzzle=puzzle.name)
    model = build_network(config).eval()
    model.puzzle = puzzle
    return model


@pytest.fixture(params=OWN)
def puzzle(request):
    return own(request.param)


@pytest.fixture
def examples(puzzle):
    return puzzle.make(3, np.random.default_rng(0))


def test_a_thought_is_drawn_in_every_way(puzzle, examples, tmp_path):
    model = network(puzzle)
    thought = record(model, examples[0], solutions=examples[1], steps=2, probabilities=True)[0]
    for figure in (
        plots.contact_sheet(thought, rules=True),
        plots.frame(thought, 2),
        dynamics.confidence_map(thought),
        dynamics.cell_story(thought, 1),
        dynamics.side_by_side({"a": thought, "b": thought}),
        dynamics.influence_board(
            probes.influence(model, examples[0][0], 1)[0, 0, 0], 1, thought, 1
        ),
    ):
        figure.canvas.draw()
    assert "step 2: " in terminal.thinking(thought)
    if puzzle.name == "queens":
        animate(thought, tmp_path / "queens.gif", dpi=40)
        assert (tmp_path / "queens.gif").stat().st_size > 1000
    save_traces([thought], tmp_path / "thought.npz")
    (again,) = load_traces(tmp_path / "thought.npz")
    assert again.puzzle.tokens == puzzle.tokens and (again.boards == thought.boards).all()


def test_the_microscope_edits_forces_follows_and_compares(puzzle, examples):
    models = {"one": network(puzzle), "another": network(puzzle), "6x6": network(
        get_puzzle("sudoku-6x6"))}  # fmt: skip
    scope = Microscope(models, {"first": np.stack([examples[0][0], examples[1][0]])}, steps=2)
    assert not scope.message.text and scope.view.columns == puzzle.columns
    assert scope.second.options == ("nothing", WHAT_IF, "another")  # not the one for Sudoku
    thought = scope.thoughts["one"]
    assert (thought.solution == examples[1][0]).all()
    shown = [boards.character(puzzle, token) for token in examples[0][0]]
    assert scope.view.runs[0]["texts"][0] == shown  # characters, no numbers of tokens
    clues = [mark & 1 == 1 for mark in scope.view.runs[0]["marks"][0]]
    assert clues == puzzle.given(examples[0][0]).tolist()
    scope.choose(2)
    assert puzzle.place(2) in scope.view.curves
    scope.view.frame = 1
    value = scope.digit.options[-1][1]
    scope.digit.value = value
    scope.force.click()
    assert scope.thoughts[WHAT_IF].boards[0][2] == value and not scope.message.text
    scope.second.value = "another"
    assert [run["title"] for run in scope.view.runs] == ["one", "another"]
    letter = next(c for c in puzzle.tokens[1:] if c not in puzzle.blanks + puzzle.end)
    scope.editor.type(1, letter)
    assert scope.thoughts["one"].question[1] == puzzle.tokens.index(letter)
    scope.editor.type(1, "%")
    assert "Row 1, column 2 holds “%”" in scope.editor.message.text


def test_what_is_not_graded_is_never_wrong():
    """The traces and the evaluation of the same answers agree."""
    puzzle = own("reversal")
    questions, labels = puzzle.make(20, np.random.default_rng(1))
    model = network(puzzle)
    said = record(model, questions, solutions=labels, steps=1)
    final = np.stack([thought.boards[-1] for thought in said])
    known = np.where((labels != 0) & (np.arange(20)[:, None] < 12), final, labels)
    sets = [torch.from_numpy(part) for part in (questions, known)]
    exact = evaluate(
        model, PuzzleSet(*sets, torch.zeros(20).long(), puzzle=puzzle), steps=1
    ).correct[-1]
    thoughts = record(model, questions, solutions=known, steps=1)
    assert [thought.solved for thought in thoughts] == exact.tolist()
    assert exact[:12].all() and not exact[12:].all()
    assert (final[:12] != known[:12]).any()  # padding, which the network does not write
    assert not thoughts[0].changed().any() and (thoughts[0].shown[0] == known[0]).all()


def test_another_valid_answer_is_not_wrong():
    puzzle = own("queens")
    question, one = (part[0] for part in puzzle.make(1, np.random.default_rng(3)))
    question = np.full_like(question, 1)
    other = one.reshape(6, 6)[:, ::-1].reshape(36)
    shown = np.stack([other, one])
    thought = Trace(question, shown, np.ones(shown.shape), np.zeros(2), one, puzzle=puzzle)
    assert (other != one).any() and thought.faults()[0].any()
    assert boards.verdict(thought, 1) == "another valid answer" and thought.first(1).solved
    assert boards.verdict(thought, 2) == "solved"


def test_the_drawing_of_a_puzzle_is_used_and_its_mistakes_are_told():
    puzzle = own("queens")
    question, answer = (part[0] for part in puzzle.make(1, np.random.default_rng(0)))
    wrong = np.zeros(36, bool)
    wrong[np.flatnonzero(answer == 3)[0]] = True
    _, ax = plt.subplots()
    boards.draw_board(ax, puzzle, answer, question, wrong=wrong)
    (dots,) = ax.collections
    assert len(dots.get_offsets()) == 6 and len(np.unique(dots.get_facecolors(), axis=0)) == 2
    with pytest.raises(UserError, match=r"draw of the puzzle 'bad' failed in line \d+ .*Zero"):
        boards.draw_board(ax, Puzzle("bad", "_a", (1, 1), draw=lambda *_: 1 / 0), np.ones(1, int))


def test_tokens_above_255_are_kept():
    model = network(MANY)
    with torch.no_grad():
        model.head.weight[:300] = 0
        model.head.weight[300] = 100 * model.head.weight[301:].abs().max()
    questions = np.full((2, 4), 299, MANY.dtype)
    thought = trace(model, questions[0], 1)
    high = {int(token) for token in thought.boards[0]}
    assert max(high) > 255 and thought.boards.dtype == np.int16
    sets = [torch.from_numpy(questions)] * 2
    seen = evaluate(
        model, PuzzleSet(*sets, torch.zeros(2).long(), puzzle=MANY), steps=1, keep_answers=True
    )
    assert (seen.answers.numpy() == thought.boards[0]).all()


def test_small_arc_is_traced_and_its_right_colour_is_called_right():
    model, _ = shipped("mini-arc")
    right = np.full(36, 4, np.uint8)
    thought = trace(model, right, 2, solutions=right, probabilities=True)
    assert thought.puzzle.name == "arc-6x6"
    thought.probabilities[:] = np.linspace(0, 0.1, 12)
    thought.probabilities[..., 4] = 0.9
    curves = dynamics.likeliest(thought, 0)
    assert [token for token, _, is_right in curves if is_right] == [4]
    labels = [line.get_label() for line in dynamics.cell_story(thought, 0).axes[0].lines]
    assert [label for label in labels if "right" in label] == ["colour 2 (right)"]


def test_weights_tell_their_puzzle_without_executing_anything(tmp_path):
    puzzle = own("reversal")
    stranger = Puzzle("never-seen", puzzle.tokens, puzzle.shape, end="$")
    save_weights(network(stranger), tmp_path / "w.safetensors", {})
    model, _ = load_weights(tmp_path / "w.safetensors")
    assert model.puzzle == stranger and model.puzzle.decode(np.array([2, 1])) == "a"
    assert len(trace(model, puzzle.encode("ab"), 1)) == 1


def test_a_network_without_a_puzzle_or_with_another_says_so():
    model = network(own("takuzu"))
    model.puzzle = own("queens")
    with pytest.raises(UserError, match=r"'queens' has 36 cells .* reads 16 cells"):
        trace(model, np.ones(16, np.uint8))
    nameless = build_network(TRMConfig(4, 16, 16, multiple_of=16, T=1, n=1)).eval()
    with pytest.raises(UserError, match="does not say which puzzle"):
        trace(nameless, np.ones(16, np.uint8))


def test_the_legend_of_an_own_drawing_says_what_it_labels():
    def draw(ax, tokens, marks):
        ax.plot([0, 1], [0, 1], label="a queen")
        ax.plot(marks.wrong.nonzero()[0])  # without a label

    puzzle = replace(own("queens"), draw=draw)
    thought = replace(
        trace(network(own("queens")), *puzzle.make(1, np.random.default_rng(0))[0], steps=2),
        puzzle=puzzle,
    )
    (legend,) = plots.contact_sheet(thought).legends
    assert [text.get_text() for text in legend.get_texts()] == ["a queen"]
    thought = replace(thought, puzzle=replace(puzzle, draw=lambda ax, tokens, marks: None))
    assert not plots.contact_sheet(thought).legends


def test_wrong_arguments_are_one_sentence(puzzle, examples, tmp_path):
    model = network(puzzle)
    with pytest.raises(UserError, match="3 questions and 1 solutions"):
        record(model, examples[0], solutions=examples[1][:1], steps=1)
    with pytest.raises(UserError, match="takes models and puzzles by name"):
        Microscope(model, examples[0][0])
    animate(trace(model, examples[0][0], steps=1), str(tmp_path / "thought.gif"), dpi=30)
    assert (tmp_path / "thought.gif").exists()
