"""The report: runs beside the paper's figures, and what is not comparable apart."""

import dataclasses
import json

import matplotlib.pyplot as plt
import pytest

from trm_lite.common import UserError
from trm_lite.experiments import get_preset, paper
from trm_lite.experiments import report as reports
from trm_lite.training import replace
from trm_lite.viewing import style


def exam_of(run, seed, value, name="sudoku-extreme-mlp", *, best=None, more=None, **changes):
    """A run folder that says it reached `value`."""
    run.mkdir()
    preset = replace(get_preset(name), seed=seed, **changes)
    (run / "preset.json").write_text(json.dumps(dataclasses.asdict(preset)))
    around = {"device": "a card", "torch": "2", "commit": "abc"}
    around["look"] = {"step": preset.recipe.steps}
    for weights, reached in (("last", value), ("best", best)):
        if reached is not None:
            exact = {"value": reached, "low": reached - 0.1, "high": reached + 0.1, "count": 500}
            exam = {"exact": exact, "circumstances": around} | (more or {})
            (run / f"test-{weights}.json").write_text(json.dumps(exam))
    return run


def rows_of(text, name):
    return [line for line in text.splitlines() if line.startswith(f"| {name} ")]


def test_seeds_become_one_line_of_the_report(tmp_path):
    runs = [exam_of(tmp_path / str(seed), seed, value) for seed, value in enumerate((0.8, 0.9))]
    runs.append(exam_of(tmp_path / "hrm", 0, 0.5, "sudoku-extreme-hrm", best=0.54))
    lines = reports.collect(runs)
    run = {line["preset"]: line for line in lines if line["measured"] is not None}
    assert list(run) == ["sudoku-extreme-hrm", "sudoku-extreme-mlp"]
    trm, hrm = run["sudoku-extreme-mlp"], run["sudoku-extreme-hrm"]
    assert trm["measured"] == pytest.approx(85.0)
    assert (trm["low"], trm["high"]) == pytest.approx((80.0, 90.0))
    assert (hrm["low"], hrm["high"]) == pytest.approx((40.0, 60.0))
    text = reports.as_markdown(lines)
    assert rows_of(text, "sudoku-extreme-mlp") == [
        "| sudoku-extreme-mlp | 5,028,866 | 85.0 [80.0, 90.0] |  | 0, 1 | 87.4 | -2.4 |"
    ]
    assert (
        "| 50.0 [40.0, 60.0] | 54.0 | 0 | 55.0 | -5.0 |" in rows_of(text, "sudoku-extreme-hrm")[0]
    )
    assert "65,104 optimiser steps, a card, commit abc" in text
    # One table of the paper, whole; what was not run has the paper's figure alone.
    assert {line["table"] for line in lines} == {"Sudoku-Extreme, ablations (tables 1 and 2)"}
    assert len(lines) == len(paper.ABLATIONS)
    assert rows_of(text, "sudoku-extreme-att")[0].endswith("|  |  |  | 74.7 |  |")


def test_changed_runs_stand_apart_and_have_no_gap(tmp_path):
    runs = [
        exam_of(tmp_path / "own", 0, 0.8),
        exam_of(tmp_path / "elsewhere", 1, 0.9, folder="elsewhere"),
        exam_of(tmp_path / "others", 1, 0.9, folder="made", more={"benchmark": "made-here"}),
        exam_of(tmp_path / "few", 1, 0.7, folder="few", more={"drawn": {"train": 100}}),
        exam_of(tmp_path / "small", 0, 0.1, hidden_size=64, batch_size=8),
        exam_of(tmp_path / "stopped", 2, 0.2),
    ]
    stopped = json.loads((runs[-1] / "test-last.json").read_text())
    stopped["circumstances"]["look"]["step"] = 1_000
    (runs[-1] / "test-last.json").write_text(json.dumps(stopped))
    text = reports.as_markdown(reports.collect(runs))
    own, others, few, small, stopped = rows_of(text, "sudoku-extreme-mlp")
    assert "| 85.0 [80.0, 90.0] |  | 0, 1 | 87.4 | -2.4 |" in own
    assert "(changed)" in small and small.endswith("| 10.0 [0.0, 20.0] |  | 0 |  |  |")
    assert "(changed)" in stopped and stopped.endswith("| 2 |  |  |")
    assert others.endswith("| 1 |  |  |") and "changed: benchmark made-here" in text
    assert few.endswith("| 1 |  |  |") and "changed: train 100" in text
    assert "changed: hidden_size 64, batch_size 8" in text
    assert "changed: tested at step 1,000" in text


def test_every_benchmark_has_its_table_and_its_picture(tmp_path):
    path = {"shortest_path": {"value": 0.9, "low": 0.8, "high": 0.95, "count": 500}}
    tasks = {"pass_at": {}}
    runs = [
        exam_of(tmp_path / "maze", 0, 0.8, "maze-hard", more=path),
        exam_of(tmp_path / "arc", 0, 0.4, "arc-agi-1", more=tasks, num_puzzles=876_000),
        exam_of(tmp_path / "fewer", 0, 0.4, "arc-agi-1", more=tasks, num_puzzles=700_000),
        exam_of(tmp_path / "mini", 0, 0.9, "sudoku-6x6"),
    ]
    lines = reports.collect(runs)
    titles = ["Maze-Hard (table 4)", "ARC-AGI-1, pass@2 (table 5)", "Other presets"]
    assert list(reports.by_table(lines)) == titles
    text = reports.as_markdown(lines)
    assert [text.index(title) for title in titles] == sorted(text.index(t) for t in titles)
    assert "| 80.0 [70.0, 90.0] |  | 90.0 | 0 | 85.3 | -5.3 |" in rows_of(text, "maze-hard")[0]
    assert text.count("any valid answer") == 1
    assert "arc-agi-1: 500 test tasks" in text and "maze-hard: 500 test puzzles" in text
    ours, fewer = rows_of(text, "arc-agi-1")
    assert ours.endswith("| 44.6 | -4.6 |") and fewer.endswith("|  |  |")
    assert rows_of(text, "sudoku-6x6")[0].endswith("|  | 0 |")  # no figure of the paper's
    style.use_style()
    figure = reports.beside_the_paper(lines)
    assert [ax.get_title(loc="left") for ax in figure.axes] == titles
    assert "arc-agi-1 (changed)" in [t.get_text() for t in figure.axes[1].get_yticklabels()]
    plt.close(figure)


def test_what_cannot_be_reported(tmp_path):
    with pytest.raises(UserError, match="is no run; name the folders of runs"):
        reports.collect([tmp_path])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "preset.json").touch()
    with pytest.raises(UserError, match="has not been tested yet"):
        reports.collect([tmp_path / "new"])
    with pytest.raises(UserError, match="Name the folders"):
        reports.collect([])
    runs = [exam_of(tmp_path / name, 0, 0.5) for name in ("run", "again")]
    with pytest.raises(UserError, match="again and another run are both seed 0 of"):
        reports.collect(runs)
    (tmp_path / "run" / "test-last.json").write_text("[]")
    with pytest.raises(UserError, match="damaged"):
        reports.collect([tmp_path / "run"])
