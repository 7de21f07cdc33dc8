"""ARC's vote: as the authors' evaluator counts it, and a network that takes part in it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from trm_lite.common import UserError
from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.options import ArcDrawing
from trm_lite.data.folder import read_split
from trm_lite.evaluation import Votes
from trm_lite.evaluation.voting import PASS_KS, evaluate_arc, votes_for
from trm_lite.nets import TRMConfig, build_network
from trm_lite.puzzles import arc

GOLDEN = Path(__file__).parents[1] / "golden"
VOTED = np.load(GOLDEN / "arc_evaluator.npz")
ABOUT = json.loads((GOLDEN / "arc_evaluator.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_kaggle):
    """The benchmark that the golden predictions belong to."""
    path = tmp_path_factory.mktemp("arc")
    for subset in ("training", "evaluation"):
        write_kaggle(path / "raw", subset)
    drawing = ArcDrawing(source=path / "raw", augmentations=3, official_order=True)
    build_arc("arc-agi-1", path / "built", drawing)
    return path / "built"


def cast(votes: Votes, *, second: bool = False, without: str | None = None) -> Votes:
    """Add golden predictions as the authors' loader brings them: eight at a time, padded."""
    rows = [row for row, (task, *_) in enumerate(ABOUT["note"]["rows"]) if task != without]
    kind = "_second" if second else ""
    for start in range(0, len(rows), 8):
        batch = rows[start : start + 8]
        missing = 8 - len(batch)
        votes.add(
            *(
                np.pad(VOTED[name][batch], [(0, missing)] + [(0, 0)] * (VOTED[name].ndim - 1))
                for name in (
                    "puzzle_identifiers", "inputs", f"preds{kind}", f"q_halt_logits{kind}",
                )
            )
        )  # fmt: skip
    return votes


def agree(votes: Votes, golden: dict, attempts: int = 2) -> None:
    metrics = golden["metrics"]
    ks = [int(name.removeprefix("ARC/pass@")) for name in metrics]
    assert {f"ARC/pass@{k}": share.value for k, share in votes.pass_at(ks).items()} == metrics
    assert votes.submission(attempts) == golden["submission"]


def test_the_authors_count(folder):
    test = read_split(folder / "test")
    assert np.array_equal(test.inputs, VOTED["inputs"])
    assert np.array_equal(test.labels, VOTED["labels"])
    votes = cast(votes_for(folder))
    agree(votes, ABOUT["pass1"])
    assert tuple(votes.pass_at()) == PASS_KS
    for place, golden in ABOUT["pass1_candidates_in_first_seen_order"].items():
        task, test = place.split("/")
        pair = votes.tests[task][int(test)]
        candidates = votes.candidates[task, (pair.input.shape, pair.input.tobytes())].values()
        assert [
            {
                "grid_shape": list(candidate.grid.shape),
                "votes": candidate.votes,
                "mean_q": candidate.confidence,
                "correct": np.array_equal(candidate.grid, pair.output),
            }
            for candidate in candidates
        ] == golden


def test_votes_accumulate_or_not(folder):
    votes = cast(cast(votes_for(folder)), second=True)
    agree(votes, ABOUT["pass2_aggregated_voting_true"])
    votes.clear()
    agree(
        cast(votes, second=True),
        ABOUT["pass2_only_aggregated_voting_false_K3"],
        attempts=3,
    )


def test_a_task_that_nobody_answered(folder):
    golden = ABOUT["puzzle_without_predictions"]
    missing = next(task for task, entries in golden["submission"].items() if not entries)
    votes = cast(votes_for(folder), without=missing)
    agree(votes, golden)
    assert votes.ranked(missing, 0) == []
    assert votes.account(missing) == f"Task {missing}, test input 1 of 1: 0 votes for 0 grids"


def test_a_test_input_that_nobody_answered_keeps_its_place(folder):
    votes = votes_for(folder)
    row = ABOUT["note"]["rows"].index(["6ea4a07e", 1, 0])
    votes.add(*(VOTED[name][row : row + 1] for name in (
        "puzzle_identifiers", "inputs", "preds", "q_halt_logits"
    )))  # fmt: skip
    first, second = votes.submission()["6ea4a07e"]
    assert first == {"attempt_1": [], "attempt_2": []}
    assert second["attempt_1"] == votes.tests["6ea4a07e"][1].output.tolist()
    assert votes.ranks()["6ea4a07e"] == [None, 0]
    assert votes.pass_at((1,))[1].value == pytest.approx(1 / 6)


def test_the_interval_is_over_tasks(folder):
    share = cast(votes_for(folder)).pass_at()[2]
    assert share.count == 3
    assert 0 < share.low < share.value < share.high < 1


def test_the_account_of_a_vote(folder):
    account = cast(votes_for(folder)).account("6ea4a07e", candidates=2, voters=1)
    names = [name for name in votes_for(folder).names if name.startswith("6ea4a07e")]
    lines = account.splitlines()
    assert lines[:6] == [
        "Task 6ea4a07e, test input 1 of 2: 4 votes for 3 grids",
        "  1. 2 votes, confidence 0.562, wrong",
        "     111",
        "     ...",
        "     11.",
        "       0.562  the original",
    ]
    assert "       and 1 more" in lines and "  and 1 other grid" in lines
    assert "  1. 4 votes, confidence 0.558, right" in lines
    everything = cast(votes_for(folder)).account("6ea4a07e")
    assert "     (empty)" in everything.splitlines()
    assert all(str(arc.parse_name(name)[1]) in everything for name in names)


def test_the_record_of_a_vote_is_bounded(folder, tmp_path):
    votes = cast(votes_for(folder))
    votes.write_records(tmp_path / "votes.json")
    records = json.loads((tmp_path / "votes.json").read_text())
    assert records == {task: votes.record(task) for task in votes.tests}
    first = votes.record("6ea4a07e", candidates=2, voters=1)[0]
    assert (first["votes"], first["grids"], len(first["candidates"])) == (4, 3, 2)
    winner = first["candidates"][0]
    assert (winner["votes"], winner["right"], winner["grid"][0]) == (2, False, [1, 1, 1])
    assert [voter["augmentation"] for voter in winner["voters"]] == ["the original"]
    assert round(winner["voters"][0]["belief"], 3) == 0.562


def test_a_submission_is_a_file(folder, tmp_path):
    votes = cast(votes_for(folder))
    votes.write_submission(tmp_path / "submission.json")
    assert json.loads((tmp_path / "submission.json").read_text()) == ABOUT["pass1"]["submission"]


def network(**changes):
    torch.manual_seed(0)
    config = dict(vocab_size=12, seq_len=900, hidden_size=8, num_heads=1, multiple_of=8, T=1, n=1,
                  mixing="attention", prefix_len=1, num_puzzles=25)  # fmt: skip
    return build_network(TRMConfig(**config | changes))


class Knowing(torch.nn.Module):
    """Answers by heart: the prediction of each row of the golden file, in order."""

    def __init__(self, wrong: int = 0):
        super().__init__()
        self.config = TRMConfig(vocab_size=12, seq_len=900, num_puzzles=25)
        self.draws = False
        self.device, self.wrong, self.seen = torch.device("cpu"), wrong, []

    def initial_latents(self, count):
        return None

    def forward(self, latents, inputs, puzzle_ids):
        from trm_lite.nets import Thought

        rows = [
            next(
                row
                for row in range(20)
                if VOTED["puzzle_identifiers"][row] == puzzle
                and np.array_equal(VOTED["inputs"][row], question)
            )
            for puzzle, question in zip(puzzle_ids.tolist(), inputs.numpy(), strict=True)
        ]
        self.seen += rows
        answers = torch.from_numpy(VOTED["preds"][rows]).long()
        logits = torch.nn.functional.one_hot(answers, 12).float()
        halt = torch.from_numpy(VOTED["q_halt_logits"][rows])
        return Thought(None, logits, halt, halt)


def test_a_network_votes(folder):
    model = Knowing()
    votes = evaluate_arc(model, folder, steps=1, batch_size=8)
    agree(votes, ABOUT["pass1"])
    assert model.seen == list(range(20))
    with_more = evaluate_arc(model, folder, steps=2, batch_size=3, votes=votes)
    assert with_more is votes
    assert votes.ranked("00576224", 0)[0].votes == 6
    model.seen = []
    evaluate_arc(model, folder, augmentations=1, steps=1)
    assert [ABOUT["note"]["rows"][row][2] for row in model.seen] == [0, 0, 1, 1, 0, 1, 0, 0, 1, 1]


def test_a_real_network_votes(folder):
    votes = evaluate_arc(network(), folder, augmentations=0, steps=2, batch_size=2)
    assert all(share.value == 0 for share in votes.pass_at().values())
    assert all(len(votes.ranked(task, 0)) == 1 for task in votes.tests)


def test_only_the_folder_that_it_was_trained_on(folder, tmp_path):
    with pytest.raises(UserError, match="25 puzzle identifiers, but the model has 12, 900 and 24"):
        evaluate_arc(network(num_puzzles=24), folder)
    with pytest.raises(UserError, match=r"no ARC data in .*; run: trm-lite data arc-agi-1"):
        votes_for(tmp_path)
    (tmp_path / "identifiers.json").write_text("[]")
    (tmp_path / "about.json").write_text('{"puzzle": "maze"}')
    with pytest.raises(UserError, match="holds maze"):
        votes_for(tmp_path)
    (tmp_path / "about.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        votes_for(tmp_path)
    with pytest.raises(UserError, match="no puzzle 25, because the identifiers end at 24"):
        votes_for(folder).add(np.array([25]), VOTED["inputs"][:1], VOTED["preds"][:1], [0.0])
