"""Benchmarks: built as the authors' code builds them, drawn fairly, refused in words."""

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from trm_lite.cli import data
from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.data import Batch, BuiltData
from trm_lite.data import sudokus as generated
from trm_lite.data.benchmarks import csv_files as rows
from trm_lite.data.benchmarks import maze_hard
from trm_lite.data.benchmarks.options import BENCHMARKS, unusual
from trm_lite.data.benchmarks.sudoku_extreme import official_symmetry
from trm_lite.data.folder import Arrays, new_folder, plain, read_split, write_split
from trm_lite.evaluation.scoring import keeps_rules
from trm_lite.experiments import PRESETS, get_preset
from trm_lite.nets import TRMConfig, build_network, save_weights
from trm_lite.puzzles import get_puzzle, maze, sudoku

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "datasets.json").read_text())
RAW = CASES["raw_rows"]
OFFICIAL = [name.removesuffix("/config") for name in CASES if name.endswith("/config")]
OFFICIAL = [name for name in OFFICIAL if name.startswith(tuple(RAW))]  # those from CSV files
REAL_MAZES = os.environ.get("TRM_LITE_MAZE_HARD")  # a folder with the public train.csv, test.csv
HEADER = ("source", "question", "answer", "rating")


def write_csv(path: Path, lines: list, header=HEADER) -> Path:
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def write_folder(folder: Path, train: list, test: list) -> str:
    write_csv(folder / "train.csv", train)
    write_csv(folder / "test.csv", test)
    return str(folder)


@pytest.fixture(scope="module")
def sudokus():
    """60 rows of easy Sudokus rated 0 to 59."""
    boards = zip(*sudoku.generate(60, 9, seed=5, minimal=False, blanks=30), strict=True)
    lines = [[sudoku.to_line(board) for board in pair] for pair in boards]
    return [["here", *pair, str(rating)] for rating, pair in enumerate(lines)]


@pytest.fixture
def source(sudokus, tmp_path):
    """40 rows to train on, 20 to test on."""
    return write_folder(tmp_path / "csv", sudokus[:40], sudokus[40:])


def built(name: str, folder: Path, *options) -> tuple[int, Path]:
    """Exit status of `trm-lite data`, and the folder."""
    return main(["data", name, "--out", str(folder), *map(str, options)]), folder


def refusal(capsys, *arguments) -> str:
    """The one sentence with which a command is refused."""
    assert main([*map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("trm-lite: ") and said.count("\n") == 1
    return said


def boards_of(folder: Path) -> list[np.ndarray]:
    arrays = read_split(folder)
    return [sudoku.from_tokens(part) for part in (arrays.inputs, arrays.labels)]


def ratings_of(folder: Path) -> list:
    return np.load(folder / "ratings.npy").tolist()


# --- as the authors' code -----------------------------------------------------------------


@pytest.mark.parametrize("case", OFFICIAL)
def test_the_official_order_gives_the_official_arrays(case, tmp_path):
    kind = case.split("_")[0]
    config = CASES[f"{case}/config"]
    options = ["--seed", config["np_random_seed"], "--official-order", "--validation", 0]
    if "min_difficulty" in config:
        options += ["--min-rating", config["min_difficulty"]]
    if kind == "sudoku":
        groups = CASES[f"{case}/train/dataset.json"]["total_groups"]
        options += ["--train", groups, "--augment", config["num_aug"]]
    else:
        options += ["--train", config["subsample_size"]] if "subsample_size" in config else []
        options += ["--augment", 7] if config.get("aug") else []
    name = {"sudoku": "sudoku-extreme", "maze": "maze-hard"}[kind]
    source = write_folder(tmp_path / "csv", RAW[kind]["train"], RAW[kind]["test"])
    status, folder = built(name, tmp_path / "built", "--from", source, *options)
    assert status == 0
    golden = np.load(GOLDEN / "datasets.npz")
    for split in ("train", "test"):
        arrays = read_split(folder / split)
        for field in Arrays._fields:
            assert np.array_equal(getattr(arrays, field), golden[f"{case}/{split}/{field}"]), field
        said = CASES[f"{case}/{split}/dataset.json"]
        about = json.loads((folder / "about.json").read_text())
        assert (about["vocab_size"], about["seq_len"]) == (said["vocab_size"], said["seq_len"])


def test_official_symmetries_transpose_half_of_the_boards():
    symmetry = official_symmetry(2_000, np.random.RandomState(0))
    rows = symmetry.cells[:, :9] // 9  # where the first row comes from
    along_a_column = (rows != rows[:, :1]).any(1).float().mean()
    assert abs(along_a_column - 0.5) < 0.03


@pytest.mark.skipif(not REAL_MAZES, reason="TRM_LITE_MAZE_HARD names no folder of public files")
def test_the_public_mazes(tmp_path):
    status, folder = built("maze-hard", tmp_path / "built", "--from", REAL_MAZES)
    assert status == 0
    about = json.loads((folder / "about.json").read_text())
    assert about["sources"] == {file.name: file.sha256 for file in maze_hard.FILES}
    assert [note[:14] for note in about["notes"]] == ["1,000 of 1,000"] * 2
    for name, expected in maze_hard.BUILT_SHA256.items():
        array = np.load(folder / f"{name}.npy")
        assert hashlib.sha256(array.tobytes()).hexdigest() == expected, name
    assert ratings_of(folder / "test") == (np.load(folder / "test/labels.npy") >= 3).sum(1).tolist()


# --- what is drawn ------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [7, 20_000])
def test_draws_are_reproducible_and_disjoint(source, sudokus, tmp_path, monkeypatch, piece):
    monkeypatch.setattr(rows, "PIECE", piece)
    options = ("--from", source, "--train", 12, "--validation", 9, "--min-rating", 10)
    _, folder = built("sudoku-extreme", tmp_path / "one", *options, "--seed", 1)
    train, validation, test = (
        ratings_of(folder / name) for name in ("train", "validation", "test")
    )
    assert test == list(range(40, 60))  # all of the file, in its order
    drawn = train + validation
    assert (len(train), len(validation)) == (12, 9) and len(set(drawn)) == 21
    assert min(drawn) >= 10 and max(drawn) < 40
    assert train[:6] == [10, 20, 38, 34, 35, 18]  # for all time
    for name in ("train", "validation", "test"):
        pairs = zip(*boards_of(folder / name), ratings_of(folder / name), strict=True)
        for puzzle, answer, rating in pairs:
            assert [sudoku.to_line(puzzle), sudoku.to_line(answer)] == sudokus[rating][1:3]
    _, other = built("sudoku-extreme", tmp_path / "other", *options, "--seed", 2)
    assert set(ratings_of(other / "train")) != set(train)
    _, more = built("sudoku-extreme", tmp_path / "more", *options[:-3], 5, "--seed", 1)
    assert len(ratings_of(more / "validation")) == 5


def test_one_file_gives_all_splits(sudokus, tmp_path):
    file = write_csv(tmp_path / "mine.csv", sudokus)
    options = ("--from", file, "--train", 30, "--validation", 10)
    status, folder = built("sudoku-extreme", tmp_path / "built", *options)
    ratings = [r for name in ("train", "validation", "test") for r in ratings_of(folder / name)]
    assert status == 0 and sorted(ratings) == list(range(60))
    assert list(json.loads((folder / "about.json").read_text())["sources"]) == ["mine.csv"]


def test_symmetries_are_stored_or_drawn(source, tmp_path):
    options = ("--from", source, "--train", 6, "--validation", 4)
    _, folder = built("sudoku-extreme", tmp_path / "stored", *options, "--augment", 5)
    _, bare = built("sudoku-extreme", tmp_path / "bare", *options)
    puzzles, solutions = boards_of(folder / "train")
    assert puzzles.shape == (36, 81) and sudoku.is_solution(puzzles, solutions).all()
    assert len(np.unique(puzzles, axis=0)) == 36
    assert np.array_equal(puzzles[::6], boards_of(bare / "train")[0])
    forms = [sudoku.canonical_form(*pair) for pair in zip(puzzles, solutions, strict=True)]
    assert len(set(forms)) == 6 and all(len(set(forms[i : i + 6])) == 1 for i in range(0, 36, 6))
    train = BuiltData(folder=str(folder)).build().train
    assert train.group_starts.tolist() == [0, 6, 12, 18, 24, 30, 36] and train.augment is None
    assert len(ratings_of(folder / "train")) == 36
    assert len(boards_of(folder / "validation")[0]) == 4  # no symmetries there
    assert BuiltData(folder=str(bare)).build().train.augment is not None
    generator = torch.Generator().manual_seed(0)
    assert BuiltData(folder=str(bare)).build().train.batch(slice(3), generator).inputs.max() == 10


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_as_other_programs_write_it(sudokus, tmp_path, encoding, end, separator):
    header = separator.join(("Difficulty", '"Puzzle"', "id", "Solutions"))
    rows = [
        separator.join((f"{int(rating) / 4}", f'"{puzzle}"', f"{rating}", answer))
        for _, puzzle, answer, rating in sudokus[:12]
    ]
    file = tmp_path / "mine.csv"
    file.write_bytes((end.join((header, *rows)) + end).encode(encoding))
    options = ("--from", file, "--train", 4, "--validation", 4)
    status, folder = built("sudoku-extreme", tmp_path / "built", *options)
    ratings = [r for name in ("train", "validation", "test") for r in ratings_of(folder / name)]
    assert status == 0 and sorted(ratings) == [number / 4 for number in range(12)]
    for puzzle, answer in zip(*boards_of(folder / "test"), strict=True):
        assert ["here", sudoku.to_line(puzzle), sudoku.to_line(answer)] in [s[:3] for s in sudokus]


@pytest.mark.parametrize("kind", ["txt", "csv", "json"])
def test_sudokus_without_answers_or_ratings_are_solved(sudokus, tmp_path, capsys, kind):
    boards = [row[1] for row in sudokus[:9]]
    file = tmp_path / "mine"
    text = {"txt": "# mine", "csv": "quizzes", "json": "["}[kind] + "\n"
    text += {"json": ",\n".join(map(json.dumps, boards)) + "]"}.get(kind, "\n".join(boards))
    file.write_text(text)
    options = ("--from", file, "--train", 4, "--validation", 3)
    status, folder = built("sudoku-extreme", tmp_path / "built", *options)
    said = capsys.readouterr().out
    assert status == 0 and "rating" not in said and not (folder / "test/ratings.npy").exists()
    answers = {row[1]: row[2] for row in sudokus}
    for name in ("train", "validation", "test"):
        for puzzle, answer in zip(*boards_of(folder / name), strict=True):
            assert answers[sudoku.to_line(puzzle)] == sudoku.to_line(answer)
    assert built("sudoku-extreme", folder, *options)[0] == 0
    file.write_text(f"{text}\n{boards[0][:-1]}" if kind != "json" else text[:-30])
    said = refusal(capsys, "data", "sudoku-extreme", "--out", tmp_path / "b", *options)
    assert "80" in said or "81" in said


@pytest.mark.parametrize("rating", ["1e22", str(10**22), "2.5"])
def test_ratings_of_any_size(sudokus, tmp_path, rating):
    lines = [[*row[:3], rating] for row in sudokus[:6]]
    file = write_csv(tmp_path / "mine.csv", lines)
    options = ("--from", file, "--train", 2, "--validation", 2, "--min-rating", 2)
    status, folder = built("sudoku-extreme", tmp_path / "built", *options)
    assert status == 0 and ratings_of(folder / "test") == [float(rating)] * 2


def test_mazes_keep_their_spaces_and_get_their_guises(tmp_path):
    lines = RAW["maze"]["train"]
    assert lines[3][1].startswith(" ") and lines[3][1].endswith(" ")
    source = write_folder(tmp_path / "csv", lines, lines)
    _, folder = built("maze-hard", tmp_path / "built", "--from", source, "--augment", 7)
    arrays = read_split(folder / "train")
    cells = arrays.labels.reshape(4, 8, 6, 6)
    read = ["".join(maze.CHARACTERS[c] for c in m) for m in cells[:, 0].reshape(4, 36)]
    assert read == [line[2] for line in lines]
    assert np.array_equal(cells[:, 1], np.rot90(cells[:, 0], 1, axes=(1, 2)))
    assert all(len(np.unique(group.reshape(8, -1), axis=0)) == 8 for group in cells)
    assert len(read_split(folder / "test").inputs) == 4


# --- made here ----------------------------------------------------------------------------


def test_sudokus_bred_here(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(generated, "EVOLUTION_ROUNDS", 2)
    options = ("--train", 6, "--validation", 2, "--test", 4)
    status, folder = built("sudoku-hard-made-here", tmp_path / "built", *options)
    said = capsys.readouterr().out
    assert status == 0 and "6 examples" in said and "rating" in said and "mean guesses" in said
    for name, size in (("train", 6), ("validation", 2), ("test", 4)):
        puzzles, solutions = boards_of(folder / name)
        assert len(puzzles) == size and sudoku.is_solution(puzzles, solutions).all()
        assert ratings_of(folder / name) == sudoku.rate(puzzles).guesses.tolist()
    data = BuiltData(folder=str(folder))
    assert data.puzzle.name == "sudoku-9x9" and len(data.build().validation) == 2


def test_mazes_made_here(tmp_path, capsys):
    options = ("--train", 3, "--validation", 1, "--test", 2, "--seed", 4)
    status, folder = built("maze-hard-made-here", tmp_path / "built", *options)
    assert status == 0 and "3 examples" in capsys.readouterr().out
    sets = BuiltData("maze-hard", str(folder), vocab_size=6, seq_len=900).build()
    for name, puzzles in sets._asdict().items():
        mazes, answers = (t.numpy() for t in (puzzles.inputs, puzzles.labels))
        assert maze_hard.follow_convention(mazes, answers).all()
        assert ratings_of(folder / name) == (answers >= maze.START).sum(1).tolist()
        assert min(ratings_of(folder / name)) >= 110
    _, more = built("maze-hard-made-here", tmp_path / "more", *options[:-3], 1, "--seed", 4)
    assert np.array_equal(read_split(more / "train").inputs, sets.train.inputs)


# --- what is refused ----------------------------------------------------------------------


def swapped(text: str, place: int, character: str) -> str:
    return text[:place] + character + text[place + 1 :]


QUESTION, ANSWER = 1, 2
BAD_ROWS = {
    "the question does not have 81 characters": lambda row: row.__setitem__(QUESTION, row[1][:-1]),
    "the answer does not have 81 characters": lambda row: row.__setitem__(ANSWER, row[2] + "1"),
    "the question holds a character": lambda row: row.__setitem__(
        QUESTION, swapped(row[1], 4, "é")
    ),
    "the answer holds a character": lambda row: row.__setitem__(ANSWER, swapped(row[2], 4, " ")),
    "the answer does not solve": lambda row: row.__setitem__(ANSWER, swapped(row[2], 4, ".")),
    "the rating is no number": lambda row: row.__setitem__(3, "hard"),
    "3 fields instead of 4": lambda row: row.pop(),
}


@pytest.mark.parametrize("words", BAD_ROWS)
@pytest.mark.parametrize("file", ["train.csv", "test.csv"])
def test_a_bad_row_is_named_by_its_line(source, sudokus, tmp_path, capsys, words, file):
    lines = [list(row) for row in (sudokus[:40] if file == "train.csv" else sudokus[40:])]
    BAD_ROWS[words](lines[11])
    write_csv(Path(source) / file, lines)
    options = ("--from", source, "--train", 5, "--validation", 5, "--out", tmp_path / "built")
    said = refusal(capsys, "data", "sudoku-extreme", *options)
    assert f"{file}, line 13: " in said and words in said
    assert not (tmp_path / "built").exists()


def test_an_answer_that_breaks_the_rules_is_no_solution(source, sudokus, tmp_path, capsys):
    lines = [list(row) for row in sudokus[:40]]
    blanks = [i for i, character in enumerate(lines[20][1]) if character == "."]
    a, b = blanks[0], next(i for i in blanks if lines[20][2][i] != lines[20][2][blanks[0]])
    answer = lines[20][2]
    lines[20][2] = swapped(swapped(answer, a, answer[b]), b, answer[a])  # complete, clues kept
    write_csv(Path(source) / "train.csv", lines)
    options = ("--from", source, "--out", tmp_path / "built")
    said = refusal(capsys, "data", "sudoku-extreme", *options)
    assert "line 22: the answer does not solve the question" in said


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        ("S  G ", "S  G ", "must be square"),
        ("S  S", "S  S", "one S and one G"),
        ("S oG", "S oG", "a path already"),
        ("S# G", "So G", "not the question with a path"),
        ("S  G", "S oG ", "the answer does not have 4"),
    ],
)
def test_bad_mazes(tmp_path, capsys, question, answer, words):
    file = write_csv(tmp_path / "m.csv", [["", question, answer, "3"]])
    said = refusal(capsys, "data", "maze-hard", "--from", file, "--out", tmp_path / "b")
    assert "m.csv, line 2: " in said and words in said


def test_files_that_are_none(tmp_path, capsys, sudokus):
    no_answer = write_csv(tmp_path / "a.csv", [["x", "y"]], header=("question", "rating"))
    unsolved = write_csv(tmp_path / "u.csv", [["." * 81, "2"]], header=("question", "rating"))
    damaged = tmp_path / "q.csv"
    damaged.write_text(f'"a,question\n{"." * 81}\n')
    nothing = write_csv(tmp_path / "b.csv", [])
    empty = tmp_path / "c.csv"
    empty.write_text("")
    few = write_csv(tmp_path / "d.csv", sudokus[:10])
    (tmp_path / "half").mkdir()
    write_csv(tmp_path / "half" / "train.csv", sudokus[:10])
    for file, words, *options in (
        (no_answer, "a.csv, line 2: the question does not have 81 characters"),
        (unsolved, "u.csv, line 2: the question does not have exactly one solution"),
        (damaged, "q.csv, line 1: this is not proper CSV"),
        (nothing, "no puzzles"),
        (empty, "c.csv holds no puzzles"),
        (few, "10 puzzles, too few for 1,000"),
        (few, "9 puzzles rated 1 or more, too few", "--train", 10, "--min-rating", 1),
        (few, "left to test on", "--train", 8, "--validation", 2),
        (few, "at least 1 puzzle", "--train", 0, "--validation", 0),
        (few, "needs a training and a test file", "--train", 8, "--official-order"),
        (tmp_path / "nowhere", "no file"),
        (tmp_path / "half", "no file"),
    ):
        command = ("data", "sudoku-extreme", "--from", file, "--out", tmp_path / "built")
        assert words in refusal(capsys, *command, *options)
    assert not [path for path in tmp_path.iterdir() if "built" in path.name]


@pytest.mark.parametrize(
    ("options", "mended_by"),
    [
        (("--train", 8, "--validation", 3), "--train, --validation"),
        (("--train", 8, "--validation", 2), "--train, --validation, --min-rating"),
        (("--train", 8, "--official-order"), "--from"),
        (("--train", 0, "--validation", 0), "--train"),
    ],
)
def test_a_refusal_names_the_options_that_mend_it(tmp_path, capsys, sudokus, options, mended_by):
    few = write_csv(tmp_path / "few.csv", sudokus[:10])
    command = ("data", "sudoku-extreme", "--from", few, "--out", tmp_path / "data" / "built")
    assert f": {mended_by}.)" in refusal(capsys, *command, *options)
    assert [path.name for path in tmp_path.iterdir()] == ["few.csv"]  # no empty folder data


def test_a_full_disk_leaves_nothing(source, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    options = ("--from", source, "--train", 5, "--validation", 5, "--out", tmp_path / "built")
    assert "No space left" in refusal(capsys, "data", "sudoku-extreme", *options)
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]


def test_a_folder_that_is_there(source, sudokus, tmp_path, capsys):
    folder = tmp_path / "built"
    options = ("--from", source, "--train", 5, "--validation", 5)
    assert built("sudoku-extreme", folder, *options)[0] == 0
    before = (folder / "train" / "inputs.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert built("sudoku-extreme", folder, *options)[0] == 0
    assert "is in" in (said := capsys.readouterr().out) and "already" in said
    assert (folder / "train" / "inputs.npy").stat().st_mtime_ns == before
    command = ("data", "sudoku-extreme", "--out", folder, *options)
    assert "built with seed 0, not 1" in refusal(capsys, *command, "--seed", 1)
    assert 'name "sudoku-extreme", not "maze' in refusal(capsys, "data", "maze-hard", *command[2:])
    write_csv(Path(source) / "test.csv", sudokus[41:])
    assert "from different sources" in refusal(capsys, *command)
    (folder / "about.json").write_text("[]")
    assert "is incomplete" in refusal(capsys, *command)


ABOUT_OF_EARLIER_FOLDERS = {
    "maze-hard": {
        "puzzle": "maze",
        "vocab_size": 6,
        "rating": "cells on the path, S and G included",
        "train": None,
        "validation": 0,
        "min_rating": None,
        "augmentations": 0,
        "seed": 0,
        "official_order": False,
        "sources": {file.name: file.sha256 for file in maze_hard.FILES},
        "seq_len": 900,
    },
    "sudoku-hard-made-here": {
        "puzzle": "sudoku",
        "vocab_size": 11,
        "seq_len": 81,
        "train": 1000,
        "validation": 200,
        "test": 1000,
        "augmentations": 0,
        "seed": 0,
        "rating": "mean guesses of trm_lite.puzzles.sudoku.rate",
        "generation": generated.GENERATION,
    },
    "arc-agi-2": {
        "puzzle": "arc",
        "vocab_size": 12,
        "seq_len": 900,
        "augmentations": 1000,
        "seed": 42,
        "official_order": False,
        "subsets": {"training": 1000, "evaluation": 120},
    },
}


@pytest.mark.parametrize("name", ABOUT_OF_EARLIER_FOLDERS)
def test_folders_of_earlier_versions_are_recognised(name, tmp_path, capsys):
    about = {"name": name} | ABOUT_OF_EARLIER_FOLDERS[name]
    (tmp_path / "about.json").write_text(json.dumps(about))
    assert built(name, tmp_path)[0] == 0
    assert f"{name} is in {tmp_path} already" in capsys.readouterr().out


def test_options_that_make_no_sense(tmp_path, capsys):
    out = ("--out", tmp_path / "built")
    said = refusal(capsys, "data", "maze-hrad", *out)
    assert "did you mean maze-hard" in said
    assert "there are sudoku-extreme, " in refusal(capsys, "data", "zzz", *out)
    said = refusal(capsys, "data", "maze-hard-made-here", "--min-rating", 3, *out)
    assert "--min-rating means nothing for maze-hard-made-here" in said and "--train" in said
    said = refusal(capsys, "data", "arc-agi-1", "--train", 3, *out)
    assert "--augment, --seed, --from, --official-order, --concept" in said
    said = refusal(capsys, "data", "maze-hard", "--seed", -1, *out)
    assert "The seed must be 0 to 4294967295, not -1. (Option: --seed.)" in said
    assert "7 other guises" in refusal(capsys, "data", "maze-hard", "--augment", 8, *out)
    said = refusal(capsys, "data", "maze-hard-made-here", "--test", 0, *out)
    assert "at least 1 puzzle to test on" in said and "(Option: --test.)" in said


def test_the_help_says_the_default_of_each_benchmark(capsys):
    with pytest.raises(SystemExit):
        main(["data", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert "Learn only from puzzles as hard as this." in said
    assert "(default: 200 for" not in said  # the first benchmark comes first
    assert "1000 for sudoku-extreme; 200 for sudoku-hard-made-here, maze-hard-made-here" in said
    assert "1000 for arc-agi-1, arc-agi-2" in said and "42 for arc-agi-1" in said


def test_what_is_unusual_about_a_folder():
    usual = {"name": "sudoku-extreme", "train": 1000, "min_rating": None, "validation": 3}
    assert unusual(usual) == {}
    assert unusual(usual | {"train": 200, "min_rating": 5}) == {
        "train": 200,
        "min_rating": 5,
    }
    assert unusual(usual | {"name": "maze-hard"}) == {"train": 1000}
    assert unusual({"name": "arc-agi-1"}) == unusual({}) == {}


# --- what comes next ----------------------------------------------------------------------


def write_tasks(folder: Path, *names: str) -> Path:
    """ARC tasks of two pairs each, a file for each task."""
    folder.mkdir(parents=True)
    for colour, name in enumerate(names):
        pairs = [[{"input": [[colour, part]], "output": [[part, colour]]}] for part in (5, 6)]
        content = json.dumps(dict(zip(("train", "test"), pairs, strict=True)))
        (folder / f"{name}.json").write_text(content)
    return folder


def test_arc_with_and_without_concept_arc(tmp_path, capsys):
    write_tasks(tmp_path / "raw" / "training", "a", "b")
    write_tasks(tmp_path / "raw" / "evaluation", "c")
    concept = write_tasks(tmp_path / "concept", "x", "y", "z")
    options = ("--from", tmp_path / "raw", "--augment", 2, "--official-order")
    status, folder = built("arc-agi-2", tmp_path / "built", *options, "--concept", concept)
    about = json.loads((folder / "about.json").read_text())
    assert status == 0 and about["subsets"] == {"training": 2, "evaluation": 1, "concept": 3}
    assert (about["augmentations"], about["seed"], about["official_order"]) == (2, 42, True)
    assert "19 puzzle identifiers" in capsys.readouterr().out
    assert built("arc-agi-2", folder, *options, "--concept", concept)[0] == 0
    assert "already" in capsys.readouterr().out
    command = ("data", "arc-agi-2", "--out", folder, *options)
    assert "built with ConceptARC" in refusal(capsys, *command)
    said = refusal(capsys, *command, "--concept", concept, "--augment", 4)
    assert "augmentations 2, not 4" in said and "(Option: --out.)" in said


def test_the_next_command_works(source, tmp_path, capsys):
    options = ("--from", source, "--train", 8, "--validation", 4)
    _, folder = built("sudoku-extreme", tmp_path / "built", *options)
    command = capsys.readouterr().out.split("Next: trm-lite ")[1].split()
    assert command[:2] == ["train", "sudoku-extreme-mlp"] and command[2:] == [
        "--folder",
        f"{folder}",
    ]
    shrunk = "--hidden-size 64 --num-heads 1 --T 1 --n 1 --batch-size 2 --steps 1 --no-bfloat16"
    assert main([*command, *shrunk.split(), "--out", str(tmp_path / "run")]) == 0


def test_the_next_command_for_mazes_of_another_size(tmp_path, capsys):
    source = write_folder(tmp_path / "csv", RAW["maze"]["train"], RAW["maze"]["test"])
    built("maze-hard", tmp_path / "built", "--from", source)
    names: dict = {}
    exec(capsys.readouterr().out.split("Next: ")[1], names)
    assert [len(split) for split in names["splits"]] == [4, 2, 2]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_presets(name):
    shape = {"sudoku": (11, 81), "maze": (6, 900), "arc": (12, 900)}[name.split("-")[0]]
    about = {"name": name, "vocab_size": shape[0], "seq_len": shape[1]}
    command = data.next_command(Path("data") / name, about)
    assert command.startswith("trm-lite train ") and ("made-here" in name) == (
        "--folder" in command
    )


def test_evaluation_tells_valid_paths_from_the_meant_one(tmp_path, capsys):
    mazes, answers = maze.generate(6, 5, seed=0)
    about = {"puzzle": "maze", "vocab_size": 6, "seq_len": 25}
    with new_folder(tmp_path / "mazes", about) as folder:
        for name in ("train", "test"):
            write_split(folder / name, plain(mazes, answers))
    data = BuiltData("mazes", str(tmp_path / "mazes"), vocab_size=6, seq_len=25)
    config = TRMConfig(vocab_size=6, seq_len=25, hidden_size=64, num_heads=1, T=1, n=1)
    preset = type(get_preset("sudoku-6x6"))("mazes", "", data, config)
    save_weights(build_network(config), tmp_path / "w.safetensors", {})
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setitem(PRESETS, "mazes", preset)
        command = ["evaluate", str(tmp_path / "w.safetensors"), "--preset", "mazes", "--steps", "2"]
        assert main(command) == 0
        assert "any shortest path 0.0 %" in " ".join(capsys.readouterr().out.split())
        assert main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["any_valid"]["count"] == 6
        assert "bands of difficulty" in refusal(capsys, *command, "--bands")
        assert "presets of generated Sudokus" in refusal(capsys, *command, "--kinds", "minimal")
    with pytest.raises(UserError):
        BuiltData("mazes", str(tmp_path / "nowhere")).puzzle  # noqa: B018


def test_any_shortest_path_counts():
    question = "S  \n   \n  G"
    answers = ("S  \no  \nooG", "Soo\n  o\n  G", "S  \no  \n oG", "S  \n   \n  G")
    detour = "S G\n   \n   ", "S G\no o\nooo"
    asked = np.stack([maze.parse(text) for text in (*[question] * 4, detour[0])])
    given = np.stack([maze.parse(text) for text in (*answers, detour[1])])
    labels = torch.full((5, 9), maze.WALL)  # no answer equals its label
    batch = Batch(torch.from_numpy(asked).long(), labels, torch.zeros(5))
    valid = keeps_rules(get_puzzle("maze-3x3"), batch, torch.from_numpy(given))
    assert valid.tolist() == [True, True, False, False, False]
