"""Maze-Hard: find the shortest path through 30x30 cells, and the one that is meant.

The public data set (sapientinc/maze-30x30-hard-1k on the Hugging Face Hub) holds 1,000 mazes to
learn from and 1,000 to be tested on, each rated by the cells of its path, S and G included. None
of them has a single shortest path; most have millions. The answer is always the one that a
breadth-first search from S finds when it looks down, left, right, up, in this order, and that is
what exact match demands of a network: report the share of valid shortest paths beside it.

The paper learns from each maze in its eight guises; the command of the authors' code leaves them
out. Beware: the answer to a turned or mirrored maze is a shortest path still, but seldom the one
that is meant. Of the 1,000 test mazes 905 keep it when mirrored left to right, and at most one
under each of the six others.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.data.benchmarks.csv_files import Notation, Rows
from trm_lite.data.benchmarks.drawing import (
    CsvBenchmark,
    MadeHere,
    build_from_csv,
    build_made_here,
    public_files,
)
from trm_lite.data.benchmarks.options import Drawing, Making
from trm_lite.data.folder import plain, write_split
from trm_lite.puzzles import hard_mazes, maze

FILES = public_files(
    "sapientinc/maze-30x30-hard-1k",
    "549754de3d67eebe57b6b22c7d226b9412d55b07",
    train="25f9e39b5aee16967da41ba63b2d1d75cf608c2360d8a1419d827f9859dbafa0",
    test="5120d52088fb3f8036e62e90103808a79ba58847d8601f9451f40991b0903a62",
)
# What the public files become, as bytes of the arrays; the tests compare.
BUILT_SHA256 = {
    "train/inputs": "bf1af5229de21225999d61a758d5d730d4e5092cda953c6329be52a9fbfba721",
    "train/labels": "87b8a768443c1161613933f3d421a633ebb2e28e5b2443d54779ecabe3934c88",
    "test/inputs": "7867d1c03c21521a4049921e2dd8a116db3afe517a023fa935e808a5cf08ed16",
    "test/labels": "c475af832610c8cd5b6cbdb55a8cae5c4d6656e8b5104cf46292b27f9729f43d",
}
SIZE = 30  # of the mazes made here, and of those in the public files
GENERATION = 1  # raise it when the mazes made here become others


def _problems(questions: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """What can be wrong with mazes, and where it is."""
    size = round(questions.shape[1] ** 0.5)
    single = [(questions == end).sum(1) == 1 for end in (maze.START, maze.GOAL)]
    unmarked = np.where(answers == maze.PATH, maze.OPEN, answers)
    return {
        "a maze must be square": np.full(len(questions), size * size != questions.shape[1]),
        "the question needs one S and one G": ~(single[0] & single[1]),
        "the question shows a path already": (questions == maze.PATH).any(1),
        "the answer is not the question with a path of 'o'": (unmarked != questions).any(1),
    }


NOTATION = Notation(
    values={character: cell for cell, character in enumerate(maze.CHARACTERS)},
    cells=None,
    problems=_problems,
)


def build_maze_hard(folder: Path, drawing: Drawing) -> bool:
    """Build Maze-Hard, which is downloaded (4 MB) unless there is a copy, of mazes of any size.

    `augmentations` are 0, or 7 to store each maze in its eight guises. The rest is as in
    `build_from_csv`.
    """
    check_guises(drawing.augmentations)
    return build_from_csv(folder, DRAWN, drawing)


def build_maze_made_here(folder: Path, making: Making) -> bool:
    """Make mazes like those of Maze-Hard, see `hard_mazes`. The rest is as `build_made_here`."""
    check_guises(making.augmentations)
    return build_made_here(folder, MADE, making)


def check_guises(augmentations: int) -> None:
    """UserError for a number of stored symmetries that mazes have not."""
    if augmentations not in (0, maze.GUISES - 1):
        raise UserError(
            f"A maze has {maze.GUISES - 1} other guises; store all of them, or none.",
            "augmentations",
        )


def _make(making: Making) -> dict[str, Rows]:
    """The splits, each from a seed of its own: one stays the same when another grows."""
    sizes = {"train": making.train, "validation": making.validation, "test": making.test}
    splits = {}
    with tqdm(total=sum(sizes.values()), desc="making mazes", unit="maze") as bar:
        for number, (name, count) in enumerate(sizes.items()):
            if count:
                seed = len(sizes) * making.seed + number
                mazes, answers = hard_mazes.generate(count, SIZE, seed=seed, progress=bar.update)
                splits[name] = Rows(mazes, answers, (answers >= maze.START).sum(1))
    return splits


def _write_splits(
    folder: Path, splits: dict[str, Rows], about: dict, _: np.random.RandomState | None
) -> None:
    """Write mazes as tokens, and complete `about`; no guise is drawn at random."""
    about["seq_len"] = splits["train"].questions.shape[1]
    about["puzzle"] = "maze-{0}x{0}".format(maze.size_of(splits["train"].questions))
    about["notes"] = []
    for name, rows in splits.items():
        boards, per_group = (rows.questions, rows.answers), 1
        if name == "train" and about["augmentations"]:
            boards, per_group = map(maze.in_all_guises, boards), maze.GUISES
        ratings = rows.known_ratings
        ratings = None if ratings is None else np.repeat(ratings, per_group)
        write_split(folder / name, plain(*boards, per_group), ratings)
        if "sources" in about:
            usual = int(follow_convention(rows.questions, rows.answers).sum())
            about["notes"].append(
                f"{usual:,} of {len(rows.answers):,} answers of {name} are the shortest path that "
                "looking down, left, right, up finds first"
            )


def follow_convention(mazes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Which `answers` (B, n*n) are the path that `maze.shortest_path` finds: (B,) booleans."""
    same = np.zeros(len(mazes), bool)
    for row, (question, answer) in enumerate(zip(mazes, answers, strict=True)):
        try:
            same[row] = np.array_equal(maze.shortest_path(question), answer)
        except PuzzleError:  # there is no way at all
            continue
    return same


SHAPE = {"vocab_size": len(maze.CHARACTERS)}  # of any length
RATING = {"rating": "cells on the path, S and G included"}
DRAWN = CsvBenchmark({"name": "maze-hard", **SHAPE, **RATING}, FILES, NOTATION, _write_splits)
MADE = MadeHere(
    {"name": "maze-hard-made-here", **SHAPE, **RATING, "generation": GENERATION},
    _make,
    _write_splits,
)
