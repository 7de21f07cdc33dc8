"""Puzzles of your own as data: from a file that makes them, and from a CSV file."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from own_files import CSV, OWN, own

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import BuiltData, PuzzleSet, SudokuData
from trm_lite.data.benchmarks.options import FromCsv
from trm_lite.data.csv_puzzles import build_csv
from trm_lite.data.dataset import Splits
from trm_lite.data.own import build_made
from trm_lite.data.settings import PuzzleData
from trm_lite.evaluation import evaluate
from trm_lite.nets import TRMConfig, build_network
from trm_lite.puzzles import Puzzle
from trm_lite.training import Preset, Trainer


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))


SIZES = {"train": 20, "validation": 5, "test": 8}


def boards(split):
    return list(zip(split.inputs.numpy(), split.labels.numpy(), strict=True))


def pairs(split):
    return {tuple(part.tobytes() for part in pair) for pair in boards(split)}


@pytest.mark.parametrize("name", OWN)
def test_examples_are_made_once_without_copies_in_two_splits(name, monkeypatch):
    data = dataclasses.replace(PuzzleData.of(OWN[name]), **SIZES)
    splits = data.build()
    assert [len(split) for split in splits] == list(SIZES.values())
    everything = [pairs(split) for split in splits]
    assert len(set().union(*everything)) == sum(SIZES.values())
    questions = [{q for q, _ in part} for part in everything]
    assert not questions[0] & questions[2]
    assert splits.train.puzzle is data.puzzle and bool(splits.train.augment) == bool(
        data.puzzle.augment
    )
    monkeypatch.setattr("trm_lite.data.own._make", None)  # would fail if it were called
    assert torch.equal(data.build().test.inputs, splits.test.inputs)


def test_families_stay_in_one_split_and_too_few_are_told():
    numbers = Puzzle(
        "numbers", "_0123456789", (1, 2),
        make=lambda count, rng: (made := rng.integers(1, 11, (count, 2)), made),
        family=lambda question, answer: int(question[0]),
    )  # fmt: skip
    splits = build_made(numbers, "0", SIZES, seed=0)
    first = [set(split.inputs[:, 0].tolist()) for split in splits]
    assert not first[0] & first[1] and not first[0] & first[2] and not first[1] & first[2]
    with pytest.raises(
        UserError, match=r"gave only \d+ examples .* and 205 are asked for; there are \d+ families"
    ):
        build_made(numbers, "0", SIZES | {"train": 192}, seed=0)
    with pytest.raises(UserError, match="no function make"):
        build_made(dataclasses.replace(numbers, make=None), "0", SIZES, seed=0)
    with pytest.raises(UserError, match="at least 1 example"):
        build_made(numbers, "0", SIZES | {"test": 0}, seed=0)


def test_tokens_above_255_come_through():
    many = Puzzle(
        "many", "_" + "".join(map(chr, range(200, 600))), (1, 2),
        make=lambda count, rng: (made := rng.integers(250, 400, (count, 2)), made),
    )  # fmt: skip
    train = build_made(many, "0", SIZES, seed=0).train
    assert train.inputs.dtype == torch.int16 and train.labels.max() > 255


# --- CSV ------------------------------------------------------------------------------------------


def built(tmp_path, text=None, name="mine", **options):
    path = CSV
    if text is not None:
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
    folder = tmp_path / name
    assert build_csv(path, folder, FromCsv(**options))
    about = json.loads((folder / "about.json").read_text())
    return BuiltData(name, str(folder), about["vocab_size"], about["seq_len"]), about


def test_answers_of_different_lengths_end_with_a_graded_token(tmp_path):
    data, about = built(tmp_path, test=8, validation=4)
    assert about["tokens"] == "_3579$" and about["shape"] == [1, 6] and about["end"] == "$"
    splits = data.build()
    assert [len(split) for split in splits] == [26, 4, 8]
    puzzle = splits.train.puzzle
    for question, answer in boards(splits.train):
        asked, said = puzzle.decode(question), puzzle.decode(answer)
        assert said == "".join(sorted(asked))
        graded = int((answer != 0).sum())
        assert graded == min(len(said) + 1, 6)  # the end token counts, padding does not
        assert graded == 6 or puzzle.tokens[answer[graded - 1]] == "$"
    assert not build_csv(CSV, data.path, FromCsv(test=8, validation=4))  # there already
    with pytest.raises(UserError, match="built from different rows"):
        build_csv(CSV, data.path, FromCsv(test=9))


def test_equal_lengths_need_no_end_and_may_have_rows(tmp_path):
    text = "question,answer,rating\n" + "".join(f".{i}{i}.,1{i}{i}1,{i}\n" for i in range(2, 10))
    data, about = built(tmp_path, text, shape=(2, 2), validation=1, test=2)
    assert about["end"] == "" and about["blanks"] == "." and about["shape"] == [2, 2]
    train = data.build().train
    asked = [train.puzzle.decode(question) for question in train.inputs.numpy()]
    assert train.ratings.tolist() == [float(text[1]) for text in asked]
    with pytest.raises(PuzzleError, match="3 rows and 2 columns have 6"):
        built(tmp_path, text, "other", shape=(3, 2))


def test_copies_go_and_equal_questions_stay_together(tmp_path):
    lines = ["question,answer,split", "ab,ba,train", "ab,ba,train", "cd,dc,train", "cd,xx,test"]
    lines += [f"a{c},{c}a,train" for c in "efghijk"] + ["zz,zz,val"]
    data, about = built(tmp_path, "\n".join(lines))
    said = " ".join(about["notes"])
    assert "1 copies" in said and "1 lines were left out, whose question stands in a later" in said
    splits = data.build()
    assert [len(split) for split in splits] == [8, 1, 1]
    asked = [{splits.train.puzzle.decode(q) for q in split.inputs.numpy()} for split in splits]
    assert asked[1:] == [{"zz"}, {"cd"}] and "cd" not in asked[0]


def test_a_line_of_training_and_test_is_one_of_the_test(tmp_path):
    lines = [f"a{c},{c}a,train" for c in "bcdefgh"] + ["ab,ba,test", "xy,yx,test", "zz,zz,val"]
    data, about = built(tmp_path, "\n".join(["question,answer,split", *lines]))
    assert [len(split) for split in data.build()] == [6, 1, 2]
    assert "1 lines were left out" in " ".join(about["notes"])


def test_boards_over_several_lines_of_a_cell(tmp_path):
    rows = [f'"{a}.\n.{b}","{a}{b}\n{b}{a}"' for a in "123" for b in "456"]
    data, about = built(tmp_path, "\n".join(["question,answer", *rows]), shape=(2, 2))
    assert about["tokens"] == "_.123456" and len(data.build().train) == 7


def test_any_character_may_be_used(tmp_path):
    every = "_~¤█$;|¶"
    rows = [f"{c}{every},{every[:n]}" for n, c in enumerate("abcdefgh", start=1)]
    _, about = built(
        tmp_path, "\n".join(["question,answer", *(f'"{r}"' if ";" not in r else r for r in rows)])
    )
    assert about["tokens"][0] not in every and about["end"] not in every + about["tokens"][0]


def test_what_augment_does_wrong_in_training_is_told():
    puzzle = own("takuzu")
    pairs = tuple(map(np.asarray, puzzle.make(8, np.random.default_rng(0))))

    def late(questions, answers, generator):
        return questions, answers + 9

    wrong = PuzzleSet.of(dataclasses.replace(puzzle, augment=late), *pairs)
    with pytest.raises(
        PuzzleError, match=r"augment .* returned answers\[0\] with token 1\d at row 1"
    ):
        wrong.batch(slice(4), torch.Generator())
    broken = dataclasses.replace(puzzle, augment=lambda q, a, g: 1 // 0)
    with pytest.raises(PuzzleError, match=r"augment .* failed in line .*ZeroDivisionError"):
        PuzzleSet.of(broken, *pairs).batch(slice(4), torch.Generator())


def test_a_table_as_a_spreadsheet_writes_it(tmp_path):
    lines = ["Input;Target;Subset", *(f"a{c};{c}a;train" for c in "bcdefgh"), '"a;x";"x;a";test']
    _, about = built(tmp_path, "\ufeff" + "\r\n".join(lines) + "\r\n")
    assert about["tokens"] == "_;abcdefghx$"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("question,Answer,answer\na,b,c\n", "line 1: two columns are called 'answer'; rename one"),
        ("question,reply\na,b\n", "no column 'answer', but 'question', 'reply'; call one of them"),
        ("question,answer,split\na,b,train\nc,d,val\n", "No line is of the split 'test'"),
        ("question,answer\n", "holds no puzzles"),
        ("question,answer\na,b\n,b\n", "line 3: the question is empty"),
        ("question,answer\na,b,c\n", "line 2: there are 3 fields, but 2 in"),
        ("question,answer,split\na,b,exam\n", "line 2: the split is 'exam'"),
        ("question,answer,rating\na,b,hard\n", "line 2: the rating 'hard' is no number"),
        ("question,answer\na,b\n", "nothing to train on"),
        ('question,answer\na,b\n"c,d\n', "line 3: this is not proper CSV"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_told(text, words, tmp_path):
    with pytest.raises(UserError, match=words):
        built(tmp_path, text)
    assert not (tmp_path / "mine").exists()


def test_a_folder_called_like_a_known_puzzle_is_its_own(tmp_path):
    text = "question,answer\n" + "".join(f"{i},{i}\n" for i in range(10, 40))
    for name in ("maze", "sudoku-6x6"):
        puzzle = built(tmp_path, text, name)[0].puzzle
        assert puzzle.breaks is None and puzzle.tokens[1:] == "0123456789"


def test_a_row_of_padding_is_refused():
    def make(count, rng):
        return rng.integers(1, 3, (count, 4)), np.zeros((count, 4), int)

    with pytest.raises(PuzzleError, match=r"answers\[0\] is token 0 in all cells"):
        build_made(Puzzle("nothing", "_ab", (1, 4), make=make), "0", SIZES, seed=0)


def test_examples_that_are_no_boards_of_their_puzzle_are_refused():
    puzzle = own("takuzu")
    questions, answers = map(np.asarray, puzzle.make(6, np.random.default_rng(0)))
    for wrong, words in (
        ((questions[:, :9], answers), r"Questions of shape \(6, 9\) are no 6 boards"),
        ((questions[:4], answers), r"Answers of shape \(6, 16\) are no 4 boards"),
        ((questions + 9, answers), r"Questions hold token 1\d, but the tokens .* 0 to 3"),
        ((questions, answers * 0), r"answers\[0\] is token 0 in all cells"),
    ):
        with pytest.raises(PuzzleError, match=words):
            PuzzleSet.of(puzzle, *wrong)


@pytest.mark.parametrize(("tokens", "shape"), [("_.0123", (2, 9)), ("_.01", (4, 4))])
def test_a_network_for_other_boards_is_told(tokens, shape):
    """Neither the trainer nor the test ends in an error of torch."""
    model = build_network(TRMConfig(6, 16, hidden_size=16, multiple_of=16, T=1, n=1))
    other = Puzzle("other", tokens, shape)
    boards = np.full((3, other.length), 2, np.uint8)
    others = PuzzleSet.of(other, boards, boards)
    preset = Preset("small", "", SudokuData(4), model.config)
    words = "This network reads boards of 16 cells of .* these puzzles have"
    with pytest.raises(UserError, match=words):
        evaluate(model, others, steps=1)
    with pytest.raises(UserError, match=words):
        Trainer(preset, splits=Splits(others, others, others), device="cpu")
    with pytest.raises(UserError, match="no puzzles to answer"):
        evaluate(model, others.first(0), steps=1)


def test_own_has_the_files():
    assert set(OWN) == {"queens", "reversal", "takuzu"} and own("takuzu").breaks is not None
    assert all(len(path.read_text().splitlines()) <= 46 for path in (*OWN.values(), CSV))
