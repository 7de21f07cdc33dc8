"""Pictures of a moving thought hold what the traces hold."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from shared_settings import SMALL

from trm_lite.common import UserError
from trm_lite.evaluation import Evaluation
from trm_lite.nets import HRMConfig, TRMConfig, build_network
from trm_lite.puzzles import arc, get_puzzle, maze, sudoku
from trm_lite.thinking import think
from trm_lite.viewing import Trace, boards, plots, probes, record
from trm_lite.viewing import thought_plots as dynamics
from trm_lite.viewing.style import CHANGED, RIGHT, WRONG

PUZZLES, SOLUTIONS = map(sudoku.to_tokens, sudoku.generate(4, 6, seed=5))


pytestmark = pytest.mark.usefixtures("close_figures")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_network(TRMConfig(**SMALL, T=1, n=2)).eval()


@pytest.fixture(scope="module")
def hrm():
    torch.manual_seed(0)
    shape = {"mixing": "attention", "num_heads": 2, "H_layers": 1, "L_layers": 1}
    return build_network(HRMConfig(**SMALL, **shape)).eval()


@pytest.fixture(scope="module")
def recorded(model):
    return record(model, PUZZLES, steps=5, latents="whole", probabilities=True)


@pytest.fixture(scope="module")
def mixed(recorded):
    """The same traces, of which the first two end with the right board."""
    ends = [np.vstack((t.boards[:-1], t.solution)) for t in recorded]
    return [
        dataclasses.replace(t, boards=end) if i < 2 else t
        for i, (t, end) in enumerate(zip(recorded, ends, strict=True))
    ]


def colour(artist) -> str:
    return to_hex(artist.get_color())


def test_boards_mark_what_breaks_a_rule(recorded):
    _, ax = plt.subplots()
    boards.draw_step(ax, recorded[0], 2, rules=True)
    (marks,) = [line for line in ax.lines if line.get_label() == "against a rule"]
    rows, columns = np.divmod(np.flatnonzero(recorded[0].rule_breaks()[1]), 6)
    assert (marks.get_xdata() == columns + 0.5).all() and len(columns) > 0
    assert (marks.get_ydata() == rows + 0.5).all()


def test_a_maze_shows_its_path_growing():
    mazes, answers = maze.generate(1, 5, seed=0)
    puzzle, answer = mazes[0], answers[0]
    path = np.flatnonzero(answer == maze.PATH)
    short = answer.copy()
    short[path[0]] = maze.OPEN
    sure = np.ones((2, 25))
    walk = Trace(puzzle, np.stack([short, answer]), sure, np.zeros(2), answer,
                 puzzle=get_puzzle("maze-5x5"))  # fmt: skip
    figure = plots.contact_sheet(walk)
    first, second, third = [ax for ax in figure.axes if ax.get_visible()]
    blue = [
        (ax.images[0].get_array().reshape(25, 3) * 255).round().astype(int)
        for ax in (second, third)
    ]
    is_path = [(paint == [0, 0x72, 0xB2]).all(1) for paint in blue]
    assert [p.sum() for p in is_path] == [len(path) - 1, len(path)]
    assert (np.flatnonzero(is_path[1]) == path).all()
    labels = [[line.get_label() for line in ax.lines] for ax in (second, third)]
    assert labels == [["wrong"], ["changed"]]
    assert (second.lines[0].get_xdata(), second.lines[0].get_ydata()) == (path[0] % 5, path[0] // 5)
    assert sorted(text.get_text() for text in first.texts) == ["G", "S"]
    assert third.get_title(loc="center") == "step 2: solved"
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["wall", "path"]


def test_an_arc_grid_forms_on_the_part_of_the_canvas_in_use():
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3)
    right = arc.to_tokens(grid)
    guess = right.copy()
    guess[1] = 2  # black instead of blue
    sheet = Trace(
        right,
        np.stack([guess, right]),
        np.ones((2, 900)),
        np.zeros(2),
        right,
        puzzle=get_puzzle("arc-30x30"),
    )
    _, middle, last = [ax for ax in plots.contact_sheet(sheet).axes if ax.get_visible()]
    assert last.images[0].get_array().shape == (3, 4, 3)  # with the row and column of ends
    painted = [to_hex(pixel) for pixel in last.images[0].get_array()[0, :3]]
    assert painted == list(sheet.puzzle.colours[2:5])
    assert middle.lines[0].get_label() == "wrong" and colour(last.lines[0]) != WRONG
    assert to_hex(last.lines[0].get_markeredgecolor()) == CHANGED
    unknown = dataclasses.replace(sheet, solution=None)
    assert boards.verdict(unknown, 2) == "1 changed"


def test_confidence_over_time_has_a_row_per_open_cell(recorded):
    trace = recorded[0]
    ax = dynamics.confidence_map(trace).axes[0]
    cells = np.flatnonzero(trace.question == sudoku.BLANK)
    shown = ax.images[0].get_array()
    assert shown.shape == (len(cells), 5)
    assert np.allclose(np.sort(shown[:, 2]), np.sort(trace.confidence[2, cells]))
    assert len(ax.lines[0].get_xdata()) == trace.faults()[:, cells].sum()
    last_change = [np.flatnonzero(np.r_[True, trace.changed()[1:, c]]).max() for c in cells]
    first_row = cells[np.argmin(last_change)]
    assert (shown[0] == trace.confidence[:, first_row]).all()
    full = dataclasses.replace(trace, question=trace.solution)
    with pytest.raises(UserError, match="no open cell"):
        dynamics.confidence_map(full)


def test_the_story_of_a_cell(recorded):
    trace, cell = recorded[0], 7
    ax = dynamics.cell_story(trace, cell).axes[0]
    assert ax.get_title(loc="left") == "row 2, column 2" and len(ax.lines) == 5
    (right,) = [line for line in ax.lines if "right" in line.get_label()]
    assert right.get_label() == f"{trace.solution[cell] - 1} (right)"
    token = trace.solution[cell]
    assert (right.get_ydata() == trace.probabilities[:, cell, token]).all()
    with pytest.raises(UserError, match="no cell 36"):
        dynamics.cell_story(trace, 36)
    with pytest.raises(UserError, match="probabilities=True"):
        dynamics.cell_story(dataclasses.replace(trace, probabilities=None), 0)


def test_networks_stand_side_by_side_on_one_puzzle(recorded, hrm):
    other = record(hrm, PUZZLES[:1], steps=5)[0]
    figure = dynamics.side_by_side({"TRM": recorded[0], "HRM": other})
    titles = [ax.get_title(loc="center").split(":")[0] for ax in figure.axes]
    assert titles == ["step 1", "step 2", "step 4", "step 5"] * 2
    names = [text.get_text() for ax in figure.axes for text in ax.texts if len(text.get_text()) > 1]
    assert names == ["TRM", "HRM"]
    digits = [text.get_text() for text in figure.axes[5].texts]
    assert digits == [str(t - 1) for t in other.boards[1] if t > sudoku.BLANK]
    with pytest.raises(UserError, match="different puzzles"):
        dynamics.side_by_side({"a": recorded[0], "b": recorded[1]})
    with pytest.raises(UserError, match="5 frames in common"):
        dynamics.side_by_side({"a": recorded[0]}, [6])
    with pytest.raises(UserError, match="no trace"):
        dynamics.side_by_side({})


def test_entropy_and_errors_by_name(recorded):
    top, bottom = dynamics.entropy_and_errors({"a": recorded[0], "b": recorded[1]}).axes
    is_open = PUZZLES[0] == sudoku.BLANK
    assert np.allclose(top.lines[0].get_ydata(), recorded[0].entropy[:, is_open].mean(1))
    assert (bottom.lines[1].get_ydata() == recorded[1].faults().sum(1)).all()
    assert [line.get_label() for line in top.lines] == ["a", "b"]
    assert "bits" in top.get_ylabel() and bottom.get_xlabel() == "supervision step"


def test_residuals_are_split_by_outcome_on_a_log_scale(mixed):
    y_ax, z_ax = dynamics.residuals(mixed).axes
    assert y_ax.get_yscale() == "log" and z_ax.get_title(loc="left") == "change of z"
    solved, failed = z_ax.lines
    assert [solved.get_label(), failed.get_label()] == ["solved (2)", "not solved (2)"]
    assert [colour(solved), colour(failed)] == [RIGHT, WRONG]
    expected = np.median([t.z_residual for t in mixed[2:]], axis=0)
    assert np.allclose(failed.get_ydata(), expected)
    without_z = [dataclasses.replace(t, z_residual=t.z_residual * np.nan) for t in mixed]
    assert len(dynamics.residuals(without_z).axes) == 1  # direct prediction has no z
    with pytest.raises(UserError, match="no trace"):
        dynamics.residuals([])


def test_paths_lie_where_the_components_say(mixed):
    ax = dynamics.trajectories(mixed).axes[0]
    points = np.concatenate([t.z for t in mixed])
    centred = points - points.mean(0)
    variance, directions = np.linalg.eigh(centred.T @ centred)
    first = centred @ directions[:, -1]
    paths = [line for line in ax.lines if len(line.get_xdata()) == 5]
    drawn = np.concatenate([line.get_xdata() for line in paths])
    assert abs(np.corrcoef(drawn, first)[0, 1]) > 0.999
    assert drawn.std() == pytest.approx(first.std(), rel=1e-3)
    assert [colour(line) for line in paths] == [RIGHT, RIGHT, WRONG, WRONG]
    assert f"{variance[-1] / variance.sum():.0%}" in ax.get_xlabel()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["solved (2)", "not solved (2)"]
    with pytest.raises(UserError, match="no latents"):
        dynamics.trajectories([dataclasses.replace(mixed[0], z=None)])
    with pytest.raises(UserError, match="at least 3 frames"):
        dynamics.trajectories([mixed[0].first(2)])


def test_the_landscape_says_what_the_network_makes_of_a_state(model, recorded):
    noisy = record(model, np.tile(PUZZLES[:1], (3, 1)), steps=4, noise=1.0, latents="whole")
    where = probes.plane(noisy, "state")
    ground = probes.landscape(model, noisy, where, points=5)
    # By hand, at one point of the grid.
    state = where.mean + ground.across[1] * where.axes[0] + ground.up[3] * where.axes[1]
    y, z = torch.from_numpy(state).float().view(2, 1, 37, 16)
    inputs = torch.from_numpy(PUZZLES[:1]).long()
    said = model((y, z), inputs).logits[0].argmax(-1).numpy()
    assert ground.wrong[3, 1] == (said != SOLUTIONS[0]).sum() > 0
    ax = dynamics.trajectories(noisy, where=where, ground=ground).axes[0]
    assert (ax.collections[0].get_array().reshape(5, 5) == ground.wrong).all()
    with pytest.raises(UserError, match="plane of 'state'"):
        probes.landscape(model, recorded, probes.plane(recorded))
    small = record(model, PUZZLES[:1], steps=4, latents="projected")
    with pytest.raises(UserError, match="latents='whole'"):
        probes.landscape(model, small, probes.plane(small, "state"))


def test_convergence_ends_where_it_ends(mixed):
    ax = dynamics.convergence(mixed).axes[0]
    assert len(ax.lines) == 4 and ax.get_yscale() == "log"
    assert np.allclose(ax.lines[0].get_ydata(), 1 - mixed[0].z_cosine[:-1], atol=1e-6)
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["solved (2)", "not solved (2)"]


def test_belief_is_shown_by_outcome_and_against_the_truth():
    correct = torch.tensor([[True, False, False, False], [True, True, False, False]])
    logits = torch.tensor([[3.0, -3.0, -3.0, 1.0], [3.0, 3.0, -3.0, -3.0]])
    over, against = dynamics.halting(Evaluation(correct, correct.float(), *(logits,) * 4)).axes
    belief = torch.sigmoid(logits).numpy()
    assert np.allclose(over.lines[0].get_ydata(), [belief[0, 0], belief[1, :2].mean()])
    assert np.allclose(over.lines[1].get_ydata(), [belief[0, 1:].mean(), belief[1, 2:].mean()])
    offsets = against.collections[0].get_offsets()
    low, middle, high = torch.sigmoid(torch.tensor([-3.0, 1.0, 3.0])).tolist()
    assert np.allclose(offsets, [[low, 0.0], [middle, 0.0], [high, 1.0]], atol=1e-6)
    expected = (4 * low + middle + 3 * (1 - high)) / 8
    assert against.get_title(loc="left").endswith(f"{expected:.3f}")
    headless = Evaluation(correct, correct.float(), *(torch.full((2, 4), torch.nan),) * 4)
    with pytest.raises(UserError, match="no halting head"):
        dynamics.halting(headless)


def test_attention_weights_are_those_that_are_used(hrm):
    weights = probes.influence(hrm, PUZZLES[0], 2)
    assert weights.shape == (2, 2, 2, 37, 37)  # steps, blocks of f_H and f_L, heads
    assert np.allclose(weights.sum(-1), 1, atol=1e-5)
    attention = hrm.f_L.blocks[0].mixer
    kept = {}
    hook = attention.register_forward_hook(lambda _, args, out: kept.update(h=args[0]))
    inputs = torch.from_numpy(PUZZLES[:1]).long()
    before = [thought.logits for thought in think(hrm, inputs, steps=2)]
    hook.remove()
    h = kept["h"].clone()
    q, k, _ = attention.qkv(h).view(1, 37, 3, 2, 8).permute(2, 0, 3, 1, 4)
    turn = hrm.f_L.rotary
    by_hand = (turn(q) @ turn(k).mT / 8**0.5).softmax(-1)
    index = [name for name, part in hrm.named_modules() if hasattr(part, "qkv")].index(
        "f_L.blocks.0.mixer"
    )
    assert np.allclose(weights[1, index], by_hand[0].detach(), atol=1e-5)
    assert "mix" not in attention.__dict__  # and everything is as it was
    assert torch.equal(before[-1], [t.logits for t in think(hrm, inputs, steps=2)][-1])


def test_mixing_is_the_derivative_of_the_mixer(model):
    weights = probes.influence(model, PUZZLES[0], 1)
    assert weights.shape == (1, 2, 1, 37, 37) and np.allclose(weights.sum(-1), 1, atol=1e-5)
    mixer, kept = model.net.blocks[0].mixer, {}
    hook = mixer.register_forward_hook(lambda _, args, out: kept.update(h=args[0]))
    inputs = torch.from_numpy(PUZZLES[:1]).long()
    list(think(model, inputs, steps=1))
    hook.remove()
    h = kept["h"].mT.clone()  # (1, D, L)
    by_hand = torch.stack(
        [torch.autograd.functional.jacobian(mixer.swiglu, feature) for feature in h[0]]
    ).abs().mean(0)  # fmt: skip
    assert np.allclose(weights[0, 0, 0], by_hand / by_hand.sum(-1, keepdim=True), atol=1e-5)


def test_influence_on_the_board(model, recorded):
    weights = probes.influence(model, PUZZLES[0], 5)[-1, 0, 0]
    ax = dynamics.influence_board(weights, 8, recorded[0], 5).axes[0]
    assert np.allclose(ax.images[0].get_array().ravel(), weights[9, 1:])
    assert ax.patches[0].get_xy() == (1.5, 0.5)  # around row 2, column 3
    puzzle, shown = recorded[0].puzzle, recorded[0].boards[4]
    assert [t.get_text() for t in ax.texts] == [boards.character(puzzle, t) for t in shown]
    white = [t.get_color() == "white" for t in ax.texts]  # to be read on dark cells
    assert white == (weights[9, 1:] > 0.6 * weights[9, 1:].max()).tolist() and any(white)
    matrix = dynamics.influence_matrix(weights).axes[0]
    assert (matrix.images[0].get_array() == weights).all()
    with pytest.raises(UserError, match="do not fit"):
        dynamics.influence_board(weights[:20, :20], 8, recorded[0], 5)


def test_belief_is_shown_without_a_halting_head(recorded):
    headless = dataclasses.replace(recorded[0], halt=recorded[0].halt * np.nan)
    assert "no halting head" in [t.get_text() for t in plots.frame(headless, 1).axes[-1].texts]
