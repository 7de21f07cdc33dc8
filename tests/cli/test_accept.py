"""The acceptance run: all of it on a CPU in tiny sizes, and what it says when a bar is not kept."""

import json

import pytest
import torch.multiprocessing as processes
from children import FORKS

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.experiments.acceptance import Check, accept
from trm_lite.experiments.acceptance_checks import SECTIONS
from trm_lite.training.learner import Learner
from trm_lite.training.trainer import Trainer


def test_all_of_it_runs_on_a_cpu(tmp_path, capsys, monkeypatch):
    if FORKS:  # from a process that has imported PyTorch already
        start = processes.start_processes

        def forked(*arguments, **options):
            return start(*arguments, **options | {"start_method": "forkserver"})

        monkeypatch.setattr(processes, "start_processes", forked)
    out = tmp_path / "report.json"
    assert main(["accept", "--device", "cpu", "--tiny", "--out", str(out)]) == 0
    report, said = json.loads(out.read_text()), capsys.readouterr().out
    assert report["ok"] and report["tiny"] and list(report["sections"]) == list(SECTIONS)
    checks = [check for part in report["sections"].values() for check in part["checks"]]
    assert len(checks) >= 17 and all(check["ok"] for check in checks)
    assert said.count("  ok ") == len(checks) and "10 of 10 sections are well" in said


def test_a_fault_in_the_trainer_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Learner, "load_slots", lambda self, state: None)
    words = ["accept", "--device", "cpu", "--tiny", "--only", "resuming"]
    assert main([*words, "--out", str(tmp_path / "report.json")]) == 1
    assert "FAILED weights, stopped once" in capsys.readouterr().out


def test_an_interruption_in_a_training_is_no_failure(monkeypatch, capsys):
    monkeypatch.setattr(Trainer, "train", lambda self: False)
    words = ["accept", "--device", "cpu", "--tiny", "--only", "learning"]
    assert main(words) == 130
    assert capsys.readouterr().err.strip() == "trm-lite: interrupted."


def test_what_fails_does_not_stop_the_rest(tmp_path):
    def broken(site):
        raise ValueError("a fault")

    sections = {
        "slow": lambda site: [Check("seconds", 3.0, 2.0)],
        "broken": broken,
        "fine": lambda site: [Check("share", 0.99, 0.98, least=True), Check("told only", 5.0)],
    }
    said = []
    options = {"device": "cpu", "say": said.append, "out": tmp_path / "report.json"}
    report = accept(sections, list, **options)
    assert [part["ok"] for part in report["sections"].values()] == [False, False, True]
    assert not report["ok"] and "broken, 0.0 s: FAILED, ValueError: a fault" in said
    assert "  FAILED seconds: 3, at most 2" in said
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert accept(sections, list, only=("fine",), **options)["ok"]
    late = accept(sections, list, seconds=-1, **options)["sections"]
    assert late["fine"] == {"skipped": "no time was left"}
    with pytest.raises(UserError, match="did you mean fine"):
        accept(sections, list, only=("fien",), **options)
