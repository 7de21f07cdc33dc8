"""All benchmarks by name, and the command that builds one."""

import inspect
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from trm_lite.benchmarks.maze_hard import build_maze_hard, build_maze_made_here
from trm_lite.benchmarks.sudoku_extreme import build_sudoku_extreme, build_sudoku_made_here
from trm_lite.errors import UserError, nearest
from trm_lite.presets import PRESETS
from trm_lite.puzzles.folder import BuiltData, is_built, read_split

SPLITS = ("train", "validation", "test")
SHOWN_LEAKS = 12
FLAGS = {"source": "--from", "augmentations": "--augment"}  # where they are not the parameter


def _build_arc(
    name: str,
    folder: Path,
    *,
    source: Path | None = None,
    concept: Path | None = None,
    augmentations: int = 1000,
    seed: int = 42,
    official_order: bool = False,
) -> bool:
    """As the builders of the other benchmarks; see `build_arc`."""
    from trm_lite.benchmarks.arc_agi import build_arc

    settings = {"augmentations": augmentations, "seed": seed, "official_order": official_order}
    if is_built(folder, {"name": name, **settings}):
        subsets = json.loads((folder / "about.json").read_text()).get("subsets", {})
        if ("concept" in subsets) != (concept is not None):
            without = "with" if concept is None else "without"
            raise UserError(
                f"{folder} was built {without} ConceptARC; delete it, or name another folder with "
                "--out."
            )
        return False
    build_arc(name, folder, source=source, concept=concept, **settings)
    return True


BENCHMARKS: dict[str, Callable[..., bool]] = {
    "sudoku-extreme": build_sudoku_extreme,
    "sudoku-hard-made-here": build_sudoku_made_here,
    "maze-hard": build_maze_hard,
    "maze-hard-made-here": build_maze_made_here,
    "arc-agi-1": partial(_build_arc, "arc-agi-1"),
    "arc-agi-2": partial(_build_arc, "arc-agi-2"),
}


def unusual(about: dict) -> dict:
    """How the puzzles of a data folder, which says `about` of itself, were drawn otherwise.

    Of its `train` and `min_rating` those that are not the defaults of its benchmark.
    """
    builder = BENCHMARKS.get(about.get("name", ""))
    usual = inspect.signature(builder).parameters if builder else {}
    return {
        setting: about[setting]
        for setting in ("train", "min_rating")
        if setting in about and setting in usual and about[setting] != usual[setting].default
    }


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


def flag(option: str) -> str:
    """How the command line spells an option."""
    return FLAGS.get(option, "--" + option.replace("_", "-"))


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
    fitting.sort(key=lambda p: (p.data.name != about["name"], p.model.kind != "TRM"))
    if not fitting:
        built = f"BuiltData({about['name']!r}, {str(folder)!r}, {shape[0]}, {shape[1]})"
        return f"from trm_lite.puzzles.folder import BuiltData; splits = {built}.build()"
    where = "" if fitting[0].data.path == folder else f" --folder {folder}"
    return f"trm-lite train {fitting[0].name}{where}"
