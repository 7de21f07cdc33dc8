"""From raw data to the report, for every benchmark at full size shrunk by overrides alone."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.data import BuiltData
from trm_lite.evaluation import scoring as evaluation
from trm_lite.experiments import PRESETS, get_preset, paper
from trm_lite.experiments import report as reports
from trm_lite.puzzles import hard_mazes, maze, sudoku
from trm_lite.training import (
    ExamOptions,
    Trainer,
    exam_text,
    examine_run,
    fit_to_data,
    replace,
    trainer_for,
)
from trm_lite.training.exam import load

SHRUNK = ["--hidden-size", "32", "--batch-size", "2", "--steps", "20", "--eval-every", "10",
          "--multiple-of", "32", "--validation", "2", "--max-steps", "4", "--num-heads", "2",
          "--no-bfloat16"]  # fmt: skip
FULL = [
    benchmark.name + suffix
    for benchmark in paper.BENCHMARKS
    for suffix in (
        ("-mlp", "-att", "-hrm", "-direct")
        if benchmark == paper.SUDOKU
        else ("", "-mlp", "-hrm", "-direct")
    )
]

KILLED = ("sudoku-extreme-mlp", "maze-hard", "arc-agi-1", "arc-agi-2-hrm")  # as processes


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The four benchmarks, built by the command line from small raw files."""
    there = tmp_path_factory.mktemp("data")
    puzzles, solutions = sudoku.generate(24, 9, seed=5, minimal=False, blanks=30)
    boards, paths = hard_mazes.generate(20, 30, seed=5)
    for name, characters, questions, answers in (
        ("sudoku-extreme", ".123456789", puzzles, solutions),
        ("maze-hard", maze.CHARACTERS, boards, paths),
    ):
        rows = [
            ",".join(("", *("".join(characters[c] for c in cells) for cells in pair), "1"))
            for pair in zip(questions, answers, strict=True)
        ]
        (there / f"{name}-raw").mkdir()
        for split, part in (("train", rows[:12]), ("test", rows[12:])):
            text = "\n".join(("source,question,answer,rating", *part))
            (there / f"{name}-raw" / f"{split}.csv").write_text(text)
    rng = np.random.default_rng(0)
    for split in ("training", "evaluation"):
        (there / "arc-raw" / split).mkdir(parents=True)
        for number in range(3):
            pair = lambda: dict(  # noqa: E731
                zip(("input", "output"), rng.integers(0, 10, (2, 4, 4)).tolist(), strict=True)
            )
            task = {"train": [pair(), pair()], "test": [pair()]}
            path = there / "arc-raw" / split / f"{split[0]}{number}.json"
            path.write_text(json.dumps(task))
    options = {
        "sudoku-extreme": ["--train", "10", "--validation", "2"],
        "maze-hard": ["--validation", "2"],
        "arc-agi-1": ["--augment", "3"],
        "arc-agi-2": ["--augment", "3"],
    }
    for name, more in options.items():
        raw = there / ("arc-raw" if name.startswith("arc") else f"{name}-raw")
        command = ["data", name, "--from", str(raw), "--out", str(there / name), *more]
        assert main(command) == 0
    return there


def folder_of(name, folders):
    return folders / PRESETS[name].data.name


@pytest.mark.parametrize("name", KILLED)
def test_data_train_kill_resume_evaluate_report(name, folders, tmp_path, capsys):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "trm_lite", *shrunk(name, folders, run)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    patience = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        assert child.poll() is None and time.monotonic() < patience, child.stdout.read()
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)  # after the look at step 10
    assert child.wait() in (0, 130)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Going on from step" in done.stdout and "[95 % interval]" in done.stdout
    assert_reported(name, run, capsys)


@pytest.mark.parametrize("name", [name for name in FULL if name not in KILLED])
def test_the_others_too_within_one_process(name, folders, tmp_path, capsys, monkeypatch):
    command, look = shrunk(name, folders, tmp_path / "run", 4), Trainer.look

    def look_and_be_stopped(trainer, loss):
        seen = look(trainer, loss)
        signal.raise_signal(signal.SIGTERM)
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "look", look_and_be_stopped)
        assert main(command) == 130
    assert main(command) == 0
    assert "Going on from step 2 " in capsys.readouterr().out
    assert_reported(name, tmp_path / "run", capsys, 4)


def shrunk(name, folders, run, steps=20):
    """The command that trains a preset, shrunk, in the folder `run`; it looks twice."""
    small = [*SHRUNK, "--folder", str(folder_of(name, folders)), "--device", "cpu"]
    if PRESETS[name].model.network == "TRM":
        small += ["--T", "1", "--n", "1"]
    elif name.endswith("-direct"):
        small.remove("--max-steps")
        small.remove("4")
    small += ["--steps", str(steps), "--eval-every", str(steps // 2)]
    return ["train", name, *small, "--out", str(run)]


def assert_reported(name, run, capsys, steps=20):
    """The run has looked twice, was tested, and stands in a report."""
    looks = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [look["step"] for look in looks] == [steps // 2, steps]
    exam = json.loads((run / "test-last.json").read_text())
    assert exam["circumstances"]["look"]["step"] == steps
    assert exam["benchmark"] == PRESETS[name].data.name
    assert exam["drawn"] == ({"train": 10} if name.startswith("sudoku") else {})
    if name.startswith("arc"):
        assert len(json.loads((run / "submission.json").read_text())) == 3
        assert exam["pass_at"]["2"]["count"] == 3
    assert ("shortest_path" in exam) == name.startswith("maze-hard")
    capsys.readouterr()
    picture = run / "report.png"
    assert main(["report", str(run), "--picture", str(picture)]) == 0
    table = capsys.readouterr().out
    assert f"| {name} (changed) |" in table and "hidden_size 32" in table
    figure = next(figures[name] for figures in paper.tables().values() if name in figures)
    (own,) = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    assert own.endswith(f"|  | {figure} |  |")  # not run, so no gap
    assert picture.stat().st_size > 5_000


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if isinstance(p.data, BuiltData)])
def test_every_network_thinks_and_learns_at_full_size(name, folders):
    """Forward and backward at batch 1; only the table of puzzles is as small as the data."""
    preset = replace(get_preset(name), folder=str(folder_of(name, folders)), batch_size=1)
    preset = fit_to_data(preset)
    trainer = trainer_for(preset, device="cpu", progress=False)
    loss = trainer.supervise(trainer.next_batch(0))
    assert torch.isfinite(loss.total)
    gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


def test_two_processes_vote_like_one(folders, tmp_path):
    small = [*SHRUNK, "--folder", str(folders / "arc-agi-1"), "--device", "cpu", "--T", "1",
             "--n", "1", "--steps", "4", "--out", str(tmp_path)]  # fmt: skip
    assert main(["train", "arc-agi-1", *small]) == 0
    alone = (tmp_path / "submission.json").read_text()
    (tmp_path / "submission.json").unlink()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "trm_lite", "evaluate", str(tmp_path), "--steps", "4"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "submission.json").read_text() == alone
    assert done.stdout.count("K = 2 ") == 1


def test_only_a_whole_vote_is_kept_and_best_beside_last(folders, tmp_path):
    small = [*SHRUNK, "--folder", str(folders / "arc-agi-1"), "--device", "cpu", "--T", "1",
             "--n", "1", "--steps", "4", "--eval-every", "4", "--out", str(tmp_path)]  # fmt: skip
    assert main(["train", "arc-agi-1", *small]) == 0
    kept = ("test-last.json", "submission.json", "votes.json")
    before = {name: (tmp_path / name).read_bytes() for name in kept}
    votes = json.loads(before["votes.json"])
    assert sorted(votes) == ["e0", "e1", "e2"]
    for (test,) in votes.values():
        assert test["votes"] == 4 and 1 <= test["grids"] <= 4  # the original and 3 augmentations
        assert len(test["candidates"]) == min(test["grids"], 3)
        assert 0 < test["candidates"][0]["confidence"] < 1
    command = ["evaluate", str(tmp_path), "--device", "cpu", "--steps", "2"]
    assert main([*command, "--count", "1"]) == 0
    assert main([*command, "--weights", "best"]) == 0
    assert {name: (tmp_path / name).read_bytes() for name in kept} == before
    for name in ("test-best.json", "submission-best.json", "votes-best.json"):
        assert (tmp_path / name).exists()


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
    path = {"shortest_path": {"value": 0.9}}
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
    assert text.count("any shortest path") == 1
    assert "arc-agi-1: 500 test tasks" in text and "maze-hard: 500 test puzzles" in text
    ours, fewer = rows_of(text, "arc-agi-1")
    assert ours.endswith("| 44.6 | -4.6 |") and fewer.endswith("|  |  |")
    assert rows_of(text, "sudoku-6x6")[0].endswith("| 0 |  |  |")
    figure = reports.beside_the_paper(lines)
    assert [ax.get_title(loc="left") for ax in figure.axes] == titles
    assert "arc-agi-1 (changed)" in [t.get_text() for t in figure.axes[1].get_yticklabels()]
    plt.close(figure)


def test_what_cannot_be_reported(tmp_path):
    with pytest.raises(UserError, match="was not tested yet"):
        reports.collect([tmp_path])
    with pytest.raises(UserError, match="Name the folders"):
        reports.collect([])
    runs = [exam_of(tmp_path / name, 0, 0.5) for name in ("run", "again")]
    with pytest.raises(UserError, match="again is seed 0 of 'sudoku-extreme-mlp', and so is"):
        reports.collect(runs)
    (tmp_path / "run" / "test-last.json").write_text("[]")
    with pytest.raises(UserError, match="damaged"):
        reports.collect([tmp_path / "run"])


def test_a_sample_can_be_examined(tiny, tiny_splits, tmp_path, monkeypatch):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    assert examine_run(tmp_path, ExamOptions(count=3), device="cpu")["puzzles"] == 3
    assert not (tmp_path / "test-last.json").exists()
    exam = examine_run(tmp_path, ExamOptions(bands=True), device="cpu")
    assert "8 test puzzles" in exam_text(exam) and "By difficulty" in exam_text(exam)
    assert os.path.exists(tmp_path / "test-last.json")
    with pytest.raises(UserError, match="at least 1"):
        examine_run(tmp_path, ExamOptions(count=0), device="cpu")


def test_raw_weights_can_be_examined(tiny, tiny_splits, tmp_path):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    for which, trained in (("raw", trainer.model), ("last", trainer.ema.module)):
        model, about = load(tmp_path, which)
        assert not model.training and about["look"]["step"] == tiny.recipe.steps
        for name, tensor in trained.state_dict().items():
            assert torch.equal(model.state_dict()[name], tensor), (which, name)
    assert not torch.equal(trainer.model.head.weight, trainer.ema.module.head.weight)
    assert examine_run(tmp_path, ExamOptions(weights="raw"), device="cpu")["weights"] == "raw"
    assert (tmp_path / "test-raw.json").exists() and not (tmp_path / "test-last.json").exists()
    with pytest.raises(UserError, match="name the run folder for the raw ones"):
        load(tmp_path / "last.safetensors", "raw")
    for damage in ("[]", "{", None):
        marker = tmp_path / "preset.json"
        marker.write_text(damage) if damage else marker.unlink()
        with pytest.raises(UserError, match=r"train it again|missing or damaged"):
            load(tmp_path, "raw")


def test_an_exam_with_several_attempts(tiny, tiny_splits, tmp_path, monkeypatch):
    trainer = Trainer(tiny, folder=tmp_path, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()
    exam = examine_run(tmp_path, ExamOptions(steps=2, tries=3, noise=0.3), device="cpu")
    assert (exam["tries"], exam["noise"]) == (3, 0.3)
    assert "noise of 0.3\n  3 attempts; the halting head" in exam_text(exam)
    assert not (tmp_path / "test-last.json").exists(), "not the exam of the papers"
    asked = []

    def watched(*args, **options):
        asked.append((options["guises"], options["noise"]))
        return evaluation.evaluate(*args, **options)

    monkeypatch.setattr("trm_lite.training.exam.evaluate", watched)
    exam = examine_run(tmp_path, ExamOptions(steps=2, tries=3), device="cpu")
    assert asked == [(False, 0.0), (True, 0.0), (True, 0.0)]
    assert "3 attempts, the puzzle in another guise each" in exam_text(exam)
    assert exam["exact_by_try"][3] == exam["exact"] and list(exam["exact_by_try"]) == [1, 2, 3]
    with pytest.raises(UserError, match="at least 1"):
        examine_run(tmp_path, ExamOptions(tries=0), device="cpu")


def test_attempts_at_what_has_no_guises_need_noise(tmp_path):
    mazes = replace(get_preset("maze-7x7"), train=8, validation=8, test=8, steps=1)
    Trainer(mazes, folder=tmp_path, device="cpu", progress=False).train()
    with pytest.raises(UserError, match="make attempts differ by noise"):
        examine_run(tmp_path, ExamOptions(tries=2), device="cpu")
    assert examine_run(tmp_path, ExamOptions(tries=2, noise=0.3), device="cpu")["tries"] == 2


def test_a_guise_is_the_same_puzzle_for_whoever_knows_the_answer(tiny_splits, at_once):
    def solver(inputs):  # finds the answer of every board, in whatever guise
        seen.append(inputs)
        boards = sudoku.solve(sudoku.from_tokens(inputs.numpy())).boards
        return torch.from_numpy(sudoku.to_tokens(boards)).long()

    seen, model = [], at_once(solver)
    for guises, seed in ((False, 0), (True, 0), (True, 0), (True, 8)):
        known = evaluation.evaluate(model, tiny_splits.test, steps=1, guises=guises, seed=seed)
        assert known.correct.all()
    plain, first, again, other = seen
    assert torch.equal(first, again)
    assert (first != plain).any(1).all() and (first != other).any(1).all()


def test_of_several_attempts_the_most_confident_counts():
    right = torch.tensor([[[True, False]], [[False, True]]])  # (A = 2, S = 1, N = 2)
    halt = torch.tensor([[[3.0, 1.0]], [[2.0, 0.5]]])  # the first believes more, both times
    answers = torch.tensor([[[1], [2]], [[3], [4]]])
    attempts = [
        evaluation.Evaluation(*parts)
        for parts in zip(right, right.float(), halt, answers, strict=True)
    ]
    chosen = evaluation.Evaluation.most_confident(attempts)
    assert chosen.correct.tolist() == [[True, False]] and chosen.halt_logits.tolist() == [[3, 1]]
    halt[1, 0, 1] = 1.5
    chosen = evaluation.Evaluation.most_confident(attempts)
    assert chosen.correct.tolist() == [[True, True]] and chosen.cells.tolist() == [[1, 1]]
    assert chosen.answers.tolist() == [[1], [4]]


def test_noise_starts_every_puzzle_elsewhere_and_by_its_seed(tiny, tiny_splits):
    trainer = Trainer(tiny, splits=tiny_splits, device="cpu", progress=False)
    trainer.train()  # a fresh halting head says the same of everything
    model, puzzles = trainer.model, tiny_splits.test

    def halts(**start):
        return evaluation.evaluate(model, puzzles, steps=1, **start).halt_logits[0]

    together, alone = halts(noise=1.0), halts(noise=1.0, batch_size=3)
    torch.testing.assert_close(together, alone)
    assert (halts(noise=1.0, seed=8) != together).all() and (halts() != together).all()


def test_the_exam_computes_as_the_looks_of_training_do(tiny, tiny_splits, tmp_path, monkeypatch):
    asked = []

    def precision(_, bfloat16):
        asked.append(bfloat16)
        return nullcontext()

    for bfloat16 in (True, False):
        folder = tmp_path / str(bfloat16)
        preset = replace(tiny, bfloat16=bfloat16)
        Trainer(preset, folder=folder, splits=tiny_splits, device="cpu", progress=False).train()
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "precision", precision)
            examine_run(folder, device="cpu")
    assert asked == [True, False]
