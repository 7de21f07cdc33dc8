"""Puzzles of your own from the command line, without editing the package."""

import json
import shutil

import pytest
import torch
from own_files import CSV, OWN
from safetensors.torch import load_file

from trm_lite.cli.main import main

SMALL = ["--hidden-size", "16", "--multiple-of", "16", "--batch-size", "8", "--steps", "4",
         "--eval-every", "2", "--max-steps", "2", "--device", "cpu"]  # fmt: skip
FEW = ["--train", "24", "--validation", "6", "--test", "9"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the puzzle files, the data of the CSV file, and runs of both."""
    home = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("TRM_LITE_CACHE", str(home / "cache"))
        for path in (*OWN.values(), CSV):
            shutil.copy(path, home)
        assert main(["data", "sort.csv", "--out", "data/sort", "--test", "8"]) == 0
        assert main(["train", "data/sort", *SMALL]) == 0
        assert main(["train", "takuzu.py", *SMALL, *FEW]) == 0
        yield home


@pytest.fixture
def elsewhere(home, tmp_path, monkeypatch):
    """Another folder to work from."""
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(capsys, *command):
    """The exit status, and what a command prints."""
    capsys.readouterr()
    status = main(list(map(str, command)))
    told = capsys.readouterr()
    return status, told.out + told.err


def test_a_run_keeps_its_puzzle_and_works_from_any_folder(home, elsewhere, capsys):
    run = home / "runs" / "takuzu-seed0"
    assert (run / "puzzle.py").read_bytes() == OWN["takuzu"].read_bytes()
    status, said = answer(capsys, "evaluate", run, "--steps", 2, "--json")
    exam = json.loads(said)
    assert status == 0 and exam["any_valid"]["count"] == exam["exact"]["count"] == 9
    assert exam["any_valid"]["value"] >= exam["exact"]["value"]
    status, said = answer(capsys, "evaluate", home / "runs" / "sort-seed0", "--steps", 2, "--json")
    assert status == 0 and json.loads(said)["exact"]["count"] == 8 and "any_valid" not in said


def test_a_network_that_answers_at_once_is_tested_after_one_step(home, elsewhere, capsys):
    """Unless another number is asked for; the report tells what the last test said."""
    size = [*SMALL[: SMALL.index("--max-steps")], "--device", "cpu", "--out", elsewhere / "run"]
    assert answer(capsys, "train", home / "data" / "sort", "--row", "direct", *size)[0] == 0
    steps = []
    for asked in ([], ["--steps", 3]):
        exam = answer(capsys, "evaluate", elsewhere / "run", *asked, "--json")[1]
        steps.append(len(json.loads(exam)["exact_by_step"]))
    assert steps == [1, 3]


def test_a_moved_run_finds_its_puzzle(home, elsewhere, capsys):
    shutil.copytree(home / "runs" / "takuzu-seed0", elsewhere / "mine")
    (elsewhere / "mine" / "preset.json").write_text(
        (elsewhere / "mine" / "preset.json").read_text().replace(str(home), "/nowhere")
    )
    assert answer(capsys, "evaluate", "mine", "--steps", 2)[0] == 0


def test_moved_data_are_asked_for(home, elsewhere, capsys):
    run = elsewhere / "run"
    shutil.copytree(home / "runs" / "sort-seed0", run)
    for name in ("preset.json", "last.safetensors"):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content.replace(b"data/sort", b"data/gone"))
    status, said = answer(capsys, "evaluate", run, "--steps", 2)
    assert status == 2 and "which is gone; name the folder" in said and "--preset" in said
    moved = ("--preset", home / "data" / "sort")
    assert answer(capsys, "evaluate", run, "--steps", 2, *moved)[0] == 0


def test_weights_alone_execute_nothing(home, elsewhere, capsys):
    weights = home / "runs" / "takuzu-seed0" / "last.safetensors"
    status, said = answer(capsys, "evaluate", weights)
    assert status == 2 and "executed only if you name it" in said and "--puzzle" in said
    command = ("evaluate", weights, "--puzzle", home / "takuzu.py", "--steps", 2)
    status, said = answer(capsys, *command)
    assert status == 0 and "any valid answer" in said


def test_boards_are_solved_and_checked(home, elsewhere, capsys):
    weights = home / "runs" / "takuzu-seed0" / "last.safetensors"
    (elsewhere / "boards.txt").write_text(".1.0\n0..1\n....\n1..0\n\n.1.00..1....1..0\n0.2\n")
    command = ("solve", "boards.txt", "--weights", weights, "--puzzle", home / "takuzu.py")
    options = ("--max-steps", 2, "--tries", 2, "--device", "cpu")
    status, said = answer(capsys, *command, *options, "--json")
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert status == 2 and [row["puzzle"] for row in rows] == [".1.00..1....1..0"] * 2
    assert all(row["solved"] is False and row["tries"] == 2 for row in rows)
    assert "line 7: A board of 'takuzu' has 16 characters, or 4 lines of 4" in said
    status, said = answer(capsys, *command, *options, "--picture", "thought.png")
    assert "NOT solved" in said and (elsewhere / "thought.png").exists()


def test_text_is_solved_by_what_the_weights_say(home, elsewhere, capsys):
    weights = home / "runs" / "sort-seed0" / "last.safetensors"
    (elsewhere / "words.txt").write_text("793\n35\nx\n")
    status, said = answer(capsys, "solve", "words.txt", "--weights", weights, "--device", "cpu")
    assert status == 2 and said.count("answered after") == 2
    assert "position 1 holds 'x'" in said


def test_answers_of_a_table_are_held_against_the_networks(home, elsewhere, capsys):
    """Where no rule is known; a run folder does for weights."""
    command = ("--weights", home / "runs" / "sort-seed0", "--device", "cpu")
    words = ("793", "35", "9", "5577", "737373")
    (elsewhere / "words.txt").write_text("\n".join(words))
    said = answer(capsys, "solve", "words.txt", *command, "--json")[1]
    found = [json.loads(line)["solution"] for line in said.splitlines() if line[0] == "{"]
    table = [f"{word},{text}" for word, text in zip(words, found, strict=True) if text]
    (elsewhere / "right.csv").write_text("\n".join(("question,answer", *table, table[0])))
    (elsewhere / "wrong.csv").write_text("\n".join(("question,answer", *table, "793,3")))
    status, said = answer(capsys, "solve", "right.csv", *command)
    assert status == 0 and f"right.csv: {len(table) + 1} of {len(table) + 1} solved" in said
    status, said = answer(capsys, "solve", "wrong.csv", *command)
    assert status == 1 and f"wrong.csv: {len(table)} of {len(table) + 1} solved" in said
    assert "NOT solved (the file has another answer)" in said


def test_a_board_of_a_table_may_have_its_rows_on_lines(home, elsewhere, capsys):
    (elsewhere / "t.csv").write_text('question,answer\n".1.0\n0..1\n....\n1..0",x\n')
    command = ("--weights", home / "runs" / "takuzu-seed0", "--max-steps", 1, "--json")
    said = answer(capsys, "solve", "t.csv", *command)[1]
    assert json.loads(said.splitlines()[0])["puzzle"] == ".1.00..1....1..0"


def test_an_empty_answer_of_a_table_says_nothing(home, elsewhere, capsys):
    (elsewhere / "t.csv").write_text("question,answer\n793,\n")
    command = ("--weights", home / "runs" / "sort-seed0", "--device", "cpu")
    status, said = answer(capsys, "solve", "t.csv", *command)
    assert status == 0 and "answered after" in said


def test_a_folder_called_like_a_puzzle_of_the_course(home, elsewhere, capsys):
    out = ("--out", elsewhere / "sudoku-6x6")
    assert answer(capsys, "data", home / "sort.csv", *out)[0] == 0
    assert answer(capsys, "train", elsewhere / "sudoku-6x6", *SMALL, "--no-exam")[0] == 0
    (elsewhere / "words.txt").write_text("793\n")
    command = ("--weights", "runs/my-sudoku-6x6-seed0", "--device", "cpu")
    assert "answered after" in answer(capsys, "solve", "words.txt", *command)[1]


def test_a_run_folder_solves_by_the_rules_in_it(home, elsewhere, capsys):
    (elsewhere / "boards.txt").write_text(".1.00..1....1..0\n")
    run = home / "runs" / "takuzu-seed0"
    status, said = answer(capsys, "solve", "boards.txt", "--weights", run, "--max-steps", 1)
    assert status == 1 and "NOT solved (breaks a rule or a clue)" in said
    shutil.copytree(run, elsewhere / "mine", ignore=shutil.ignore_patterns("puzzle.py"))
    status, said = answer(capsys, "solve", "boards.txt", "--weights", "mine")
    assert status == 2 and "has lost its puzzle file" in said and "--puzzle" in said


def test_plan_compare_and_report(home, elsewhere, capsys):
    for own in (home / "takuzu.py", home / "data" / "sort"):
        status, said = answer(capsys, "plan", own, "--gpu", "L4")
        assert status == 0 and "1,500 of 32 slots" in said
        command = ("compare", "--base", own, "--rows", "trm", "direct", "--seeds", 1, "--steps", 1)
        out = ("--out", elsewhere / own.stem, "--ship", elsewhere, "--no-equal-compute")
        small = ("--test", 4, "--hidden-size", 16)
        status, said = answer(capsys, *command, *small, *out)
        assert status == 0 and "direct" in said and "At equal compute" not in said
        results = json.loads((elsewhere / own.stem / "results.json").read_text())
        assert results["base"]["model"]["hidden_size"] == 16
        assert ("any valid" in said) == (own.suffix == ".py")  # where the rules are known
        shipped = (elsewhere / f"{own.stem}-direct.safetensors").read_bytes()
        table = (elsewhere / own.stem / "results.json").read_text()
        assert str(home) not in table and str(home).encode() not in shipped
    changed = [part if part != 1 else 2 for part in command[:-1]] + [2]  # two steps, two seeds
    status, said = answer(capsys, *changed, "--test", 4, *out)
    assert status == 2 and "holds the result of another experiment" in said
    runs = (home / "runs" / "takuzu-seed0", home / "runs" / "sort-seed0")
    status, said = answer(capsys, "report", *runs)
    assert status == 0 and "| takuzu (changed) |" in said and "| sort (changed) |" in said
    assert "any valid answer" in said and "train 24" in said and "file" not in said
    assert "paper, %" not in said  # of puzzles of one's own there are no figures in it


def test_the_same_command_goes_on_and_a_changed_file_does_not(home, elsewhere, capsys):
    out = ("--out", home / "runs" / "takuzu-seed0")
    status, said = answer(capsys, "train", home / "takuzu.py", *SMALL, *FEW, *out, "--no-exam")
    assert status == 0 and "Going on from step 4" in said
    (elsewhere / "takuzu.py").write_text((home / "takuzu.py").read_text() + "\n")
    status, said = answer(capsys, "train", "takuzu.py", *SMALL, *FEW, *out)
    assert status == 2 and "holds another run, with sha256" in said


def test_the_halting_head_learns_validity(home, elsewhere, capsys):
    """From the same start, the target of the halting head is all that differs."""
    queens, weights = home / "queens.py", []
    for target in ("exact", "valid"):
        command = ("train", queens, *SMALL, *FEW, "--halt-on", target, "--out", elsewhere / target)
        assert answer(capsys, *command, "--no-exam")[0] == 0
        weights.append(load_file(elsewhere / target / "last.safetensors"))
    looks = (elsewhere / "valid" / "metrics.jsonl").read_text().splitlines()
    assert all("any_valid" in json.loads(look) for look in looks)
    status, said = answer(capsys, "train", home / "reversal.py", *SMALL, "--halt-on", "valid")
    assert status == 2 and "No rules are known" in said and "--halt-on" in said
    assert torch.equal(weights[0]["y_init"], weights[1]["y_init"])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("train", "nothing.py"), "nothing.py cannot be read"),
        (("train", "{home}/sort.csv"), "make data of it first, with 'trm-lite data"),
        (("plan", "{home}/takuzu"), "takuzu.py"),
        (("train", "{home}/takuzu.py", "--row", "dirct"), "did you mean direct"),
        (("train", "{home}/takuzu.py", "--row", "tokens-scratch"), "step by step"),
        (("train", "{home}/takuzu.py", "--seq-len", "9"), "sizes of the puzzles"),
        (("data", "nothing.csv"), "nothing.csv cannot be read"),
        (("data", "{home}/sort.csv", "--min-rating", "3"), "means nothing for FILE.csv"),
        (("data", "{home}/sort.csv", "--out", "{home}/data/sort"), "from different rows"),
        (("data", "{home}/sort.csv", "--train", "999"), "999 different questions are asked for"),
        (("train", "{home}/runs/sort-seed0"), "is a run; name the puzzle file or the data folder"),
        (("train", "{home}/nowhere/data"), "There is no data folder"),
        (("train", "{home}/sort.txt"), "There is no data folder"),
        (("train", "{home}/data"), "is no data folder; build one"),
        (
            ("train", "{home}/takuzu.py", "--out", "{home}/data/sort"),
            "holds puzzles; choose another",
        ),
        (("data", "{home}/takuzu.py"), "makes its own data; run: trm-lite train"),
        (("data", "{home}/sort.csv", "--out", "{home}/runs"), "is no data folder; choose another"),
        (("report", "{home}/runs"), "is no run; name the folders of runs"),
        (("evaluate", "{home}/runs/takuzu-seed0", "--tries", "2"), "that have the field symmetry"),
        (("evaluate", "{home}/data/sort"), "holds puzzles and not a network; train one with"),
        (("report", "{home}/data/sort"), "holds puzzles and not a run; run: trm-lite train"),
        (("solve", "{home}/sort.csv", "--puzzle", "{home}/takuzu.py"), "Say which network solves"),
        (("evaluate", "{home}/runs/takuzu-seed0", "--bands"), "Nothing tells how hard"),
    ],
)
def test_mistakes_are_one_sentence(command, words, home, elsewhere, capsys):
    status, said = answer(capsys, *(part.format(home=home) for part in command))
    assert status == 2 and words in said and said.count("\n") == 1
