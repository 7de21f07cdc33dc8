"""Benchmarks as folders of memory-mapped arrays, which `trm-lite data` builds.

    about.json               which benchmark it is, and the settings that it was built with
    identifiers.json         the name of every puzzle identifier (ARC)
    train/, test/, ...       a split each, as five arrays under the names of the authors' code:
        inputs.npy, labels.npy      (N, L) tokens, one row per example; uint8 if they fit
        puzzle_identifiers.npy      (P,) int32, one per puzzle
        puzzle_indices.npy          (P + 1,) int32, the first example of each puzzle, then N
        group_indices.npy           (G + 1,) int32, the first puzzle of each group, then P
        ratings.npy                 (N,) how hard each example is, where that is known

about.json has "symmetric" true where an example under a symmetry of its puzzle is as good.

A folder appears only when it is complete.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.files import unfinished_folder
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.known import from_description, get_puzzle, name_of_earlier
from trm_lite.puzzles.loading import check_graded

CHECKED = 1000  # examples of each split that are looked at when it is read


class Arrays(NamedTuple):
    """A split as it is stored on disk; see the head of this file."""

    inputs: np.ndarray  # (N, L)
    labels: np.ndarray  # (N, L)
    puzzle_identifiers: np.ndarray  # (P,)
    puzzle_indices: np.ndarray  # (P + 1,)
    group_indices: np.ndarray  # (G + 1,)


def plain(inputs: np.ndarray, labels: np.ndarray, per_group: int = 1) -> Arrays:
    """A split in which every example is a puzzle of its own, with identifier 0.

    Args:
        inputs: (N, L) tokens.
        labels: (N, L) tokens.
        per_group: how many consecutive puzzles form a group.
    """
    count = len(inputs)
    starts = np.arange(count + 1, dtype=np.int32)
    return Arrays(inputs, labels, np.zeros(count, np.int32), starts, starts[::per_group])


def read_about(folder: Path) -> dict:
    """The description of itself that a data folder holds, in the words of this version.

    Raises OSError if it is not there, and ValueError, KeyError or TypeError if it is damaged.
    """
    about = json.loads((folder / "about.json").read_text())
    earlier = "seq_len" in about and "tokens" not in about
    named = name_of_earlier(about["puzzle"], about["seq_len"]) if earlier else about["puzzle"]
    if named != about["puzzle"]:
        about |= {"puzzle": named, "symmetric": about["puzzle"] == "sudoku"}
    return about


def puzzle_in(about: dict) -> Puzzle:
    """The puzzle of a data folder that describes itself so."""
    if "tokens" in about:
        return from_description(about | {"name": about["puzzle"]})
    return get_puzzle(about["puzzle"])


def is_built(folder: Path, about: dict) -> bool:
    """Whether `folder` exists and was built with the settings `about`.

    Settings that `about` leaves out are not compared. Raises UserError if the folder exists but
    was built with other settings, or is incomplete.
    """
    if not folder.exists():
        return False
    if not any((folder / name).exists() for name in ("about.json", "train", "test")):
        raise UserError(f"{folder} exists and is no data folder; choose another one.", "out")
    advice = "delete it, or choose another folder."
    try:
        there = read_about(folder)
        differing = [key for key in about if there.get(key) != about[key]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} exists, but is incomplete; {advice}", "out") from error
    if differing:
        key, wanted = differing[0], about[differing[0]]
        other = (
            f"from different {key}"
            if isinstance(wanted, dict)
            else f"with {key} {json.dumps(there.get(key))}, not {json.dumps(wanted)}"
        )
        raise UserError(f"{folder} was built {other}; {advice}", "out")
    return True


@contextmanager
def new_folder(folder: Path, about: dict) -> Iterator[Path]:
    """Yield a temporary folder to fill, which becomes `folder` only if nothing goes wrong.

    `about` is written into it. Raises UserError if `folder` exists already, or cannot be written.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; delete it, or choose another folder.", "out")
    with unfinished_folder(folder) as unfinished:
        yield unfinished
        (unfinished / "about.json").write_text(json.dumps(about, indent=1) + "\n")
        unfinished.rename(folder)


def write_split(folder: Path, arrays: Arrays, ratings: np.ndarray | None = None) -> None:
    """Write a split into a new folder, with the difficulty `ratings` (N,) if there are any."""
    folder.mkdir()
    for name, array in arrays._asdict().items():
        np.save(folder / f"{name}.npy", array)
    if ratings is not None:
        np.save(folder / "ratings.npy", ratings)


@contextmanager
def append_to_split(
    folder: Path,
    cells: int,
    *,
    puzzle_identifiers: np.ndarray,
    puzzle_indices: np.ndarray,
    group_indices: np.ndarray,
) -> Iterator[Callable[[np.ndarray, np.ndarray], None]]:
    """Write a split that is too large for memory, piece by piece.

    Yields a function that appends inputs and labels, (n, cells) uint8 each. Raises ValueError if
    in the end there are not as many examples as `puzzle_indices` announces.

    Args:
        folder: the new folder of the split.
        cells: cells of a puzzle, L.
        puzzle_identifiers: see the head of this file, as for the other two.
        puzzle_indices: it also tells how many examples there will be.
        group_indices: where the groups begin.
    """
    small = (puzzle_identifiers, puzzle_indices, group_indices)
    write_split(folder, Arrays(*[np.zeros((0, cells), np.uint8)] * 2, *small))
    shape = (int(puzzle_indices[-1]), cells)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    written = 0
    with (folder / "inputs.npy").open("wb") as inputs, (folder / "labels.npy").open("wb") as labels:
        for file in (inputs, labels):
            np.lib.format.write_array_header_1_0(file, header)

        # Plain writes, because a full disk raises an error here. In a memory map it would kill
        # the process.
        def append(some_inputs: np.ndarray, some_labels: np.ndarray) -> None:
            nonlocal written
            for file, rows in ((inputs, some_inputs), (labels, some_labels)):
                file.write(np.ascontiguousarray(rows, np.uint8))
            written += len(some_inputs)

        yield append
    if written != shape[0]:
        raise ValueError(f"{written} examples were appended to {folder}, not {shape[0]}")


def read_split(folder: Path) -> Arrays:
    """Read a split, memory-mapped.

    Raises UserError if a file is missing or truncated, or if the arrays do not fit together.
    """
    try:
        arrays = Arrays(
            *(np.load(folder / f"{name}.npy", mmap_mode="c") for name in Arrays._fields)
        )
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{folder} is damaged ({error}); delete it and build it again.") from error
    inputs, labels, identifiers, puzzles, groups = arrays
    if not (
        inputs.ndim == 2
        and inputs.shape == labels.shape
        and len(puzzles) == len(identifiers) + 1
        and (puzzles[0], puzzles[-1]) == (0, len(inputs))
        and (groups[0], groups[-1]) == (0, len(identifiers))
    ):
        raise UserError(
            f"The arrays in {folder} do not fit together; delete it and build it again."
        )
    return arrays


def build_splits(path: Path, about: dict, symmetries: bool, validation: int) -> Splits:
    """The splits in a folder, memory-mapped, with the settings of `BuiltData`.

    Args:
        path: the folder.
        about: its about.json.
        symmetries: show each example under a random symmetry, unless some are stored.
        validation: rows of the test split to validate on, if there is no validation split; rows
            of the training split if the answers to the test are not known.
    """
    puzzle = puzzle_in(about)
    drawn = symmetries and about.get("symmetric", False) and not about.get("augmentations", 0)
    augment = puzzle.augment if drawn else None
    train, test = (_puzzle_set(path / name, puzzle, augment) for name in ("train", "test"))
    if not about.get("unanswered"):
        for part in (train, test):
            check_graded(f"The labels in {path}", part.first(CHECKED).labels.numpy())
    if (path / "validation").exists():
        return Splits(train, _puzzle_set(path / "validation", puzzle, augment), test)
    source, rows = test, np.arange(len(test))
    if about.get("unanswered"):  # of ARC: what has no answer cannot be validated on
        rows = np.flatnonzero(test.labels.any(1).numpy())
        if not len(rows):
            source, rows = train, np.arange(len(train))
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:validation]]
    return Splits(train, source.at(torch.from_numpy(np.sort(rows))), test)


def _puzzle_set(folder: Path, puzzle: Puzzle, augment: Callable | None) -> PuzzleSet:
    arrays, rated = read_split(folder), folder / "ratings.npy"
    _check_some(folder, puzzle, arrays)
    examples = np.diff(arrays.puzzle_indices)
    return PuzzleSet(
        torch.from_numpy(arrays.inputs),
        torch.from_numpy(arrays.labels),
        torch.from_numpy(np.repeat(arrays.puzzle_identifiers, examples)),
        augment,
        torch.from_numpy(arrays.puzzle_indices).long(),
        torch.from_numpy(arrays.group_indices).long(),
        puzzle,
        torch.from_numpy(np.load(rated)) if rated.exists() else None,
    )


def _check_some(folder: Path, puzzle: Puzzle, arrays: Arrays) -> None:
    """PuzzleError if some of the examples, all in a small split, are no boards of the puzzle."""
    if arrays.inputs.shape[1] != puzzle.length:
        raise PuzzleError(
            f"The boards in {folder} have {arrays.inputs.shape[1]} cells, but those of "
            f"'{puzzle.name}' have {puzzle.length}; build the folder again."
        )
    rows = np.unique(np.linspace(0, len(arrays.inputs) - 1, CHECKED).astype(int))
    if len(arrays.inputs):
        for boards in (arrays.inputs[rows], arrays.labels[rows]):
            if boards.min() < 0 or boards.max() >= puzzle.vocab_size:
                raise PuzzleError(
                    f"An example in {folder} holds token {boards.max()}, but the tokens of "
                    f"'{puzzle.name}' are 0 to {puzzle.vocab_size - 1}; build the folder again."
                )
