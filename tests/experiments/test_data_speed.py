"""The bench: who takes part, and the loops that the builders are held against."""

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from trm_lite.experiments import contenders
from trm_lite.experiments import data_speed as bench_data
from trm_lite.experiments import speed as bench
from trm_lite.puzzles import arc, sudoku


def test_the_loops_do_what_the_builders_do():
    boards, solutions = sudoku.generate(5, 9, seed=1)
    lines = bench_data.csv_lines(boards, solutions)
    assert bench_data.read(lines) == 5
    for row, board, solution in zip(
        bench_data.loop_over_rows(lines), boards, solutions, strict=True
    ):
        assert (row[0].ravel() == board).all() and (row[1].ravel() == solution).all()

    twins = np.array(bench_data.loop_over_twins(boards[0], solutions[0], 20))  # (20, 2, 81)
    questions, answers = (sudoku.from_tokens(twins[:, side]) for side in (0, 1))
    assert (sudoku.solve(questions).boards == answers).all()
    assert len(np.unique(questions, axis=0)) == 20

    task = bench_data.some_task()
    guises = bench_data.loop_over_guises(task, 10)
    inputs, labels = bench_data.arc_augmentations(task, 9)  # and the original
    assert np.shape(guises) == (10, 4, 2, arc.CELLS) and inputs.shape == labels.shape
    for tokens in (*np.array(guises)[:, :, 0].reshape(-1, arc.CELLS), *inputs[1]):
        assert (tokens >= arc.BLACK).sum() == 12 * 14


def test_a_share_is_a_part(tiny):
    assert 0 < bench_data.batch_share(tiny, steps=2, batches=2) < 1


def test_the_peer_does_as_much_work_as_we_do(tiny):
    pytest.importorskip(
        contenders.PEER,
        reason="tiny-recursive-model, which the bench tries if it is installed, is not",
    )
    work = {}
    for what in ("here", contenders.PEER):
        step = bench.build(bench.System(what, "float32", False), tiny)
        step()
        with FlopCounterMode(display=False) as counter:
            step()
        work[what] = counter.get_total_flops()
    assert work[contenders.PEER] == pytest.approx(work["here"], rel=0.02)


@pytest.mark.parametrize("quick", [True, False], ids=["bfloat16", "float32"])
def test_the_bench_leaves_out_a_format_in_which_the_processor_crawls(quick, monkeypatch):
    monkeypatch.setattr(bench, "prefers_bfloat16", lambda device: quick)
    taking_part = bench.systems(all_cores=2)
    assert taking_part[0] == ("textbook", "float32", False, 1)  # what all others are held against
    assert len(set(taking_part)) == len(taking_part)
    formats = {system.format for system in taking_part}
    assert formats == ({"bfloat16", "float32"} if quick else {"float32"})
    best = "bfloat16" if quick else "float32"
    assert {("textbook", best, True, 1), ("here", best, True, 1), ("here", best, True, 2)} < set(
        taking_part
    )
