"""A trace changes no number, and says what an untraced run says."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from shared_settings import SMALL

from trm_lite.common import UserError
from trm_lite.nets import (
    Autoregressive,
    AutoregressiveConfig,
    DirectConfig,
    HRMConfig,
    Thought,
    TRMConfig,
    build_network,
)
from trm_lite.nets.configs import URMConfig
from trm_lite.puzzles import get_puzzle, maze, sudoku
from trm_lite.thinking import seeded, think
from trm_lite.viewing import Push, Trace, record, trace
from trm_lite.viewing.traces import load_traces, save_traces

PUZZLES, SOLUTIONS = map(sudoku.to_tokens, sudoku.generate(3, 6, seed=5))
SIX = get_puzzle("sudoku-6x6")
ATTENTION = {"mixing": "attention", "num_heads": 2}
CONFIGS = {
    "TRM": TRMConfig(**SMALL, T=2, n=3),
    "attention": TRMConfig(**SMALL, **ATTENTION, T=2, n=2),
    "two nets": TRMConfig(**SMALL, T=2, n=2, shared_net=False),
    "single": TRMConfig(**SMALL, T=2, n=2, num_latents=0),
    "multi-scale": TRMConfig(**SMALL, T=2, n=3, num_latents=3),
    "HRM": HRMConfig(**SMALL, **ATTENTION, H_layers=1, L_layers=2),
    "direct": DirectConfig(**SMALL, mixing="mlp", num_layers=1, loops=3),
    "EqR": TRMConfig(**SMALL, T=2, n=3, random_start=True, damping=0.05, noise=0.1),
    "URM": URMConfig(**SMALL, num_heads=2, num_layers=1, loops=4, loops_with_gradient=2),
}
APPLICATIONS = {"TRM": 8, "attention": 6, "two nets": 6, "single": 6, "multi-scale": 8, "HRM": 6,
                "direct": 3, "EqR": 8, "URM": 4}  # fmt: skip


def build(name: str):
    torch.manual_seed(0)
    return build_network(CONFIGS[name]).eval()


def repeatable(model, inputs) -> list[Thought]:
    with seeded(model, 0):
        return list(think(model, inputs, steps=3))


@pytest.fixture(params=CONFIGS)
def name(request):
    return request.param


@pytest.mark.parametrize("grain", ["step", "recursion", "application"])
def test_traced_and_untraced_runs_are_equal_bit_for_bit(name, grain):
    model, inputs = build(name), torch.from_numpy(PUZZLES).long()
    untraced = repeatable(model, inputs)
    traces = record(model, PUZZLES, steps=3, grain=grain, latents="whole", probabilities=True)
    last = {int(place[0]): f for f, place in enumerate(traces[0].places)}  # frames that end a step
    for step, thought in enumerate(untraced, start=1):
        chances = thought.logits.softmax(-1)
        for b, recorded in enumerate(traces):
            frame = last[step]
            assert (recorded.y[frame] == thought.latents.y[b].flatten().numpy()).all()
            if thought.latents.z.numel():
                assert (recorded.z[frame] == thought.latents.z[b].flatten().numpy()).all()
            assert (recorded.confidence[frame] == chances[b].max(-1).values.numpy()).all()
            assert recorded.halt[frame] == thought.halt_logit[b].sigmoid().item()
            assert (recorded.boards[frame] == thought.logits[b].argmax(-1).numpy()).all()
            assert (recorded.probabilities[frame] == chances[b].half().numpy()).all()
    # And afterwards the model is as it was: no hook is left behind.
    assert all(not part._forward_hooks for part in model.modules())
    again = repeatable(model, inputs)
    assert torch.equal(again[-1].logits, untraced[-1].logits)


def test_every_application_is_a_frame(name):
    model = build(name)
    frames = {g: len(trace(model, PUZZLES[0], 2, grain=g)) for g in ("step", "recursion")}
    recursions = getattr(CONFIGS[name], "loops", None) or CONFIGS[name].T
    assert frames == {"step": 2, "recursion": 2 * recursions}
    assert len(trace(model, PUZZLES[0], 2, grain="application")) == 2 * APPLICATIONS[name]


def test_only_what_an_application_updates_changes():
    recorded = trace(build("TRM"), PUZZLES[0], 2, grain="application", latents="whole")
    thinks = [recorded.label(f + 1).endswith("answer") for f in range(16)]
    assert thinks == [False, False, False, True] * 4
    assert recorded.label(1) == "step 1, recursion 1, think 1"
    assert ((recorded.y_residual > 0) == thinks).all()
    assert ((recorded.z_residual > 0) == ~np.array(thinks)).all()


def test_what_is_seen_in_the_middle_of_a_step_is_the_state_there():
    for name in ("TRM", "two nets", "single", "multi-scale"):
        model, inputs = build(name), torch.from_numpy(PUZZLES[:1]).long()
        x = model.embed(inputs)
        with torch.inference_mode():
            start = model.initial_latents(1)
            once = model.think(x, *start, 0)
            twice = model.think(x, *once, 1)
            recursion = model.full_recursion(x, *start)
        seen = trace(model, PUZZLES[0], 1, grain="application", latents="whole")
        for frame, state in ((0, once), (1, twice), (CONFIGS[name].n, recursion)):
            assert (seen.y[frame] == state.y.flatten().numpy()).all()
            assert name == "single" or (seen.z[frame] == state.z.flatten().numpy()).all()


def test_residual_cosine_and_entropy_are_what_they_are_called():
    model = build("HRM")
    recorded = trace(model, PUZZLES[0], 4, latents="whole", probabilities=True)
    change = recorded.z[2] - recorded.z[1]
    assert recorded.z_residual[2] == pytest.approx(np.sqrt((change**2).mean()), rel=1e-5)
    start = model.initial_latents(1).y.flatten().numpy()
    first = np.sqrt(((recorded.y[0] - start) ** 2).mean())
    assert recorded.y_residual[0] == pytest.approx(first, rel=1e-5)
    y = recorded.y
    cosine = y[0] @ y[3] / np.linalg.norm(y[0]) / np.linalg.norm(y[3])
    assert recorded.y_cosine[0] == pytest.approx(cosine, rel=1e-5)
    assert recorded.y_cosine[-1] == pytest.approx(1)
    p = recorded.probabilities.astype(float)
    assert np.allclose(recorded.entropy, -(p * np.log2(p)).sum(-1), atol=2e-2)
    assert recorded.entropy.max() <= math.log2(8)


def test_projected_latents_keep_distances_and_little_memory():
    model = build("TRM")
    whole = record(model, PUZZLES, steps=3, latents="whole")
    small = record(model, PUZZLES, steps=3, latents="projected")
    assert small[0].z.shape == (3, 128) and whole[0].z.shape == (3, 37 * 16)
    far = [np.linalg.norm(traces[0].z[0] - traces[1].z[2]) for traces in (whole, small)]
    assert far[1] == pytest.approx(far[0], rel=0.3)


def test_too_much_memory_is_refused_before_thinking():
    with pytest.raises(UserError, match=r"would take .* MiB.*fewer puzzles.*coarser grain"):
        record(build("TRM"), PUZZLES, latents="whole", limit=10_000)


def test_batches_are_joined_in_order():
    model = build("TRM")
    one_by_one = record(model, PUZZLES, steps=2, batch_size=1)
    for recorded, puzzle, solution in zip(one_by_one, PUZZLES, SOLUTIONS, strict=True):
        assert (recorded.question == puzzle).all() and (recorded.solution == solution).all()
        alone = trace(model, puzzle, 2)
        assert (recorded.halt == alone.halt).all() and (recorded.boards == alone.boards).all()


def test_noise_is_seeded_by_row_and_starts_in_z():
    model = build("TRM")
    many = np.tile(PUZZLES[:1], (3, 1))
    noisy = record(model, many, steps=2, noise=0.5, seed=7, latents="whole")
    later = record(model, many[:1], steps=2, noise=0.5, seed=8, latents="whole")
    assert np.allclose(later[0].z, noisy[1].z, atol=1e-5)
    assert not np.allclose(noisy[0].z, noisy[1].z)
    still = record(model, many, steps=2, noise=0.0, seed=7)
    assert (still[0].halt == trace(model, PUZZLES[0], 2).halt).all()


def test_a_push_is_seen_at_once_and_only_at_its_cell():
    model = build("TRM")
    plain = trace(model, PUZZLES[0], 3)
    other = (int(plain.boards[0][4]) - 1) % 6 + 2
    pushed = trace(model, PUZZLES[0], 3, push=Push(1, 4, other))
    assert pushed.boards[0][4] == other
    assert (np.delete(pushed.boards[0], 4) == np.delete(plain.boards[0], 4)).all()
    assert pushed.z_residual[1] != plain.z_residual[1]  # and it is thought on from there
    with pytest.raises(UserError, match="outside this trace"):
        trace(model, PUZZLES[0], 3, push=Push(4, 0, 1))


def test_mazes_and_arc_are_read_by_their_own_rules():
    mazes, answers = maze.generate(2, 5, seed=0)
    walker = build_network(
        TRMConfig(**SMALL | {"vocab_size": 6, "seq_len": 25, "puzzle": "maze-5x5"}, T=1, n=1)
    ).eval()
    recorded = record(walker, mazes, steps=2)[1]
    assert recorded.puzzle.name == "maze-5x5" and (recorded.solution == answers[1]).all()
    right = dataclasses.replace(recorded, boards=answers[1][None], question=mazes[1])
    assert not right.rule_breaks().any() and right.solved
    broken = answers[1].copy()
    broken[np.flatnonzero(mazes[1] == maze.WALL)[0]] = maze.PATH
    wrong = dataclasses.replace(right, boards=broken[None])
    assert wrong.rule_breaks().sum() == 1 and not wrong.solved
    config = TRMConfig(12, 900, 16, num_heads=1, mixing="attention", multiple_of=16, T=1, n=1,
                       prefix_len=1, puzzle="arc-30x30")  # fmt: skip
    painted = record(build_network(config).eval(), np.ones((1, 900), np.uint8), steps=1)[0]
    assert (
        painted.puzzle.name == "arc-30x30"
        and painted.solution is None
        and not painted.faults().any()
    )


def test_a_network_that_writes_token_by_token_has_no_latents_to_show():
    torch.manual_seed(0)
    writer = Autoregressive(AutoregressiveConfig(8, 36, 16, 2, multiple_of=16, num_layers=1)).eval()
    with pytest.raises(UserError, match="token by token"):
        trace(writer, PUZZLES[0], 1)


def test_a_model_without_a_halting_head_has_no_belief():
    model = build("TRM")
    with_head = model.read
    model.read = lambda latents: Thought(*with_head(latents)[:2], None, None)
    recorded = trace(model, PUZZLES[0], 2, grain="recursion")
    assert np.isnan(recorded.halt).all() and len(recorded) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"questions": np.zeros((1, 81), np.uint8)}, "36 cells, not of 81"),
        ({"questions": np.zeros((0, 36), np.uint8)}, "at least one"),
        ({"questions": sudoku.from_tokens(PUZZLES)}, "tokens 1 to 7, but one has 0"),
        ({"push": Push(1, 0, 8)}, "tokens 1 to 7, but one has 8"),
        ({"steps": 0}, "at least 1 supervision step"),
        ({"grain": "layer"}, "no grain 'layer'"),
    ],
)
def test_bad_requests_are_answered_in_words(change, words):
    options = {"questions": PUZZLES, "steps": 1} | change
    with pytest.raises(UserError, match=words):
        record(build("TRM"), **options)


def test_an_empty_trace_and_one_of_another_size_are_refused():
    nothing = np.zeros((0, 36), np.uint8)
    with pytest.raises(UserError, match="empty"):
        Trace(PUZZLES[0], nothing, nothing, nothing[:, 0], puzzle=SIX)
    board = np.zeros((1, 81), np.uint8)
    with pytest.raises(UserError, match=r"boards of 81 cells.*36"):
        Trace(PUZZLES[0], board, board, board[:, 0], puzzle=SIX)


def test_traces_survive_the_disk(tmp_path):
    path = tmp_path / "thoughts.npz"
    two = np.stack(
        [PUZZLES[0], np.full(36, sudoku.BLANK, np.uint8)]
    )  # the second has no unique solution
    traces = record(build("TRM"), two, steps=2, grain="recursion", latents="projected")
    save_traces(traces, path)
    for old, new in zip(traces, load_traces(path), strict=True):
        for field in dataclasses.fields(Trace):
            before, after = getattr(old, field.name), getattr(new, field.name)
            if isinstance(before, np.ndarray):
                assert before.dtype == after.dtype and np.array_equal(before, after)
            else:
                assert before == after
    assert new.solution is None and new.label(2) == "step 1, recursion 2"


def test_files_that_hold_no_traces_are_named(tmp_path):
    with pytest.raises(UserError, match="no trace to save"):
        save_traces([], tmp_path / "x.npz")
    with pytest.raises(UserError, match="There is no traces file"):
        load_traces(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"PK rubbish")
    with pytest.raises(UserError, match="holds no traces"):
        load_traces(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", about="{}")
    with pytest.raises(UserError, match="holds no traces"):
        load_traces(tmp_path / "y.npz")
    traces = record(build("TRM"), PUZZLES[:2], steps=2)
    with pytest.raises(UserError, match="same length"):
        save_traces([traces[0], traces[1].first(1)], tmp_path / "z.npz")
