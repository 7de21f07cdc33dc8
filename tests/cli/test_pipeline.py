"""From raw data to the report, for every benchmark at full size shrunk by overrides alone."""

import dataclasses
import json
import math
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from children import start_command
from torch import nn

from trm_lite.cli.main import main
from trm_lite.data import BuiltData
from trm_lite.evaluation.voting import votes_for
from trm_lite.experiments import PRESETS, get_preset, paper
from trm_lite.puzzles import hard_mazes, maze, sudoku
from trm_lite.training import (
    Trainer,
    fit_to_data,
    replace,
    trainer_for,
)

SHRUNK = ["--hidden-size", "32", "--batch-size", "2", "--multiple-of", "32", "--validation", "2",
          "--num-heads", "2", "--expansion", "1", "--no-bfloat16"]  # fmt: skip
SHALLOW = {
    "TRM": ["--T", "1", "--n", "1", "--max-steps", "2"],
    "HRM": ["--T", "1", "--n", "1", "--max-steps", "2", "--H-layers", "1", "--L-layers", "1"],
    "Direct": ["--num-layers", "2"],
}
FULL = [
    benchmark.name + suffix
    for benchmark in paper.BENCHMARKS
    for suffix in (
        ("-mlp", "-att", "-hrm", "-direct")
        if benchmark == paper.SUDOKU
        else ("", "-mlp", "-hrm", "-direct")
    )
]
KILLED = ("sudoku-extreme-mlp", "arc-agi-1")  # as processes; the others within this one


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
    command = shrunk(name, folders, run)
    (child,) = start_command(tmp_path, 1, *command)
    patience = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        assert child.is_alive() and time.monotonic() < patience, (tmp_path / "said-0").read_text()
        time.sleep(0.02)
    child.terminate()  # after the look at step 10
    child.join()
    assert child.exitcode in (0, 130)
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Going on from step" in said and "[95 % interval]" in said
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
    said = capsys.readouterr().out
    assert "Going on from step 2 " in said and "[95 % interval]" in said
    assert_reported(name, tmp_path / "run", capsys, 4)


def shrunk(name, folders, run, steps=20):
    """The command that trains a preset, shrunk, in the folder `run`; it looks twice."""
    small = [*SHRUNK, *SHALLOW[PRESETS[name].model.network], "--device", "cpu"]
    small += ["--folder", str(folder_of(name, folders))]
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
    assert ("any_valid" in exam) != name.startswith("arc")
    capsys.readouterr()
    picture = run / "report.png"
    assert main(["report", str(run), "--picture", str(picture)]) == 0
    table = capsys.readouterr().out
    assert f"| {name} (changed) |" in table and "hidden_size 32" in table
    figure = next(figures[name] for figures in paper.tables().values() if name in figures)
    (own,) = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    assert own.endswith(f"|  | {figure} |  |")  # not run, so no gap
    assert picture.stat().st_size > 5_000


LAYERS = ("num_layers", "H_layers", "L_layers")
# What a training step at full size does not depend on, but for how often it repeats itself, the
# size of two tables, and the name of the puzzle.
UNALIKE = ("T", "n", *LAYERS, "vocab_size", "num_puzzles", "puzzle")


def depth_of(preset):
    return getattr(preset.model, "effective_depth", 0)


def step_of(preset):
    """What decides how a training step computes."""
    model = {k: v for k, v in dataclasses.asdict(preset.model).items() if k not in UNALIKE}
    recipe = preset.recipe
    return repr((model, recipe.act, recipe.loss, recipe.bfloat16))


# Of presets whose steps are alike, the deepest.
AT_FULL_SIZE = {
    step_of(preset): name
    for name, preset in sorted(PRESETS.items(), key=lambda item: depth_of(item[1]))
    if isinstance(preset.data, BuiltData)
}


@pytest.mark.parametrize("name", sorted(AT_FULL_SIZE.values()))
def test_every_network_thinks_and_learns_at_full_size(name, folders, monkeypatch):
    """Forward and backward at batch 1, with a small table of puzzles and few repetitions."""
    # A uniform distribution as wide is drawn in a tenth of the time.
    monkeypatch.setattr(
        nn.init, "trunc_normal_", lambda t, std, **_: nn.init.uniform_(t, -1.7 * std, 1.7 * std)
    )
    model = get_preset(name).model
    few = {part: 1 for part in ("T", "n", "loops", "loops_with_gradient") if hasattr(model, part)}
    few |= {part: min(2, getattr(model, part)) for part in LAYERS if hasattr(model, part)}
    preset = replace(get_preset(name), folder=str(folder_of(name, folders)), batch_size=1, **few)
    preset = fit_to_data(preset)
    trainer = trainer_for(preset, device="cpu", progress=False)
    loss = trainer.supervise(trainer.next_batch(0))
    assert torch.isfinite(loss.total)
    gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    # The norm of all of them is finite only if each number in them is.
    assert 0 < nn.utils.get_total_norm(gradients) < math.inf


def test_two_processes_vote_like_one(folders, tmp_path):
    small = [*SHRUNK, *SHALLOW["TRM"], "--folder", str(folders / "arc-agi-1"), "--device", "cpu",
             "--steps", "4", "--out", str(tmp_path)]  # fmt: skip
    assert main(["train", "arc-agi-1", *small]) == 0
    alone = (tmp_path / "submission.json").read_text()
    (tmp_path / "submission.json").unlink()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "trm_lite", "evaluate", str(tmp_path), "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "submission.json").read_text() == alone
    assert done.stdout.count("K = 2 ") == 1


def test_tasks_without_known_answers_are_answered_and_not_scored(folders, tmp_path, capsys):
    raw, run = tmp_path / "raw", tmp_path / "run"
    shutil.copytree(folders / "arc-raw", raw)
    for path in (raw / "evaluation").iterdir():
        task = json.loads(path.read_text())
        del task["test"][0]["output"]
        path.write_text(json.dumps(task))
    built = ["data", "arc-agi-1", "--from", str(raw), "--out", str(tmp_path / "data")]
    assert main([*built, "--augment", "2"]) == 0
    assert "3 of 3 pairs to be solved come without an output" in capsys.readouterr().out
    small = [*SHRUNK, *SHALLOW["TRM"], "--folder", str(tmp_path / "data"), "--device", "cpu"]
    command = ["train", "arc-agi-1", *small, "--steps", "2", "--eval-every", "2"]
    assert main([*command, "--out", str(run)]) == 0
    (run / "submission.json").unlink()
    assert main(["evaluate", str(run), "--device", "cpu"]) == 0
    said = f"no answer to the 3 tasks is known; the predictions are in {run / 'submission.json'}"
    assert capsys.readouterr().out.count(said) == 2
    submission = json.loads((run / "submission.json").read_text())
    assert sorted(submission) == ["e0", "e1", "e2"]
    assert all(set(test) == {"attempt_1", "attempt_2"} for (test,) in submission.values())
    votes = json.loads((run / "votes.json").read_text())
    assert votes["e0"][0]["candidates"][0]["right"] is None
    assert not (run / "test-last.json").exists()
    assert main(["report", str(run)]) == 2
    assert "answers are not known" in capsys.readouterr().err
    # With one answer known, that one is scored, and the look of training is at it.
    pair = {"input": [[1, 2]], "output": [[2, 1]]}
    (raw / "evaluation" / "e1.json").write_text(json.dumps({"train": [pair], "test": [pair]}))
    assert main([*built[:-1], str(tmp_path / "some"), "--augment", "2"]) == 0
    about = json.loads((tmp_path / "some" / "about.json").read_text())
    splits = BuiltData("arc-agi-1", str(tmp_path / "some"), vocab_size=12, seq_len=900).build()
    assert about["unanswered"] == 2 and len(splits.test) == 9
    assert len(splits.validation) == 3 and splits.validation.labels.any(1).all()
    votes = votes_for(tmp_path / "some")
    assert votes.unanswered() == 2 and votes.pass_at((2,))[2][::3] == (0, 1)


def test_only_a_whole_vote_is_kept_and_best_beside_last(folders, tmp_path):
    small = [*SHRUNK, "--folder", str(folders / "arc-agi-1"), "--device", "cpu", "--T", "1",
             "--n", "1", "--max-steps", "4", "--steps", "4", "--eval-every", "4",
             "--out", str(tmp_path)]  # fmt: skip
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
