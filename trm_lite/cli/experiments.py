"""The commands `trm-lite list | plan | compare | report | bench`: experiments and their results."""

from pathlib import Path

from tyro.conf import Positional

from trm_lite.cli.options import Compile, Device
from trm_lite.experiments.presets import PRESETS, get_preset, preset_table


def list_presets() -> int:
    """List all presets, with the size of their networks."""
    print(preset_table(PRESETS.values()))
    return 0


def plan(
    preset: Positional[str],
    gpu: str | None = None,
    measure: int = 0,
    device: Device = "cpu",
    recompute: bool = False,
    roofline: bool = False,
    json: bool = False,
) -> int:
    """Predict what training a preset will cost: operations, memory, disk, and hours by GPU.

    Args:
        preset: Its name; 'trm-lite list' shows all. Or a puzzle file, or the data folder of a CSV.
        gpu: Show only this GPU, such as L4 or "RTX 4090".
        measure: Also measure the memory of a micro-batch of so many slots. Takes minutes at full
            size on a CPU, and much longer on a processor without bfloat16.
        device: Where to measure: the CPU, or an NVIDIA GPU.
        recompute: Measure as for 'trm-lite train --recompute'.
        roofline: Count the work of a real step, and say what bounds it on each GPU.
        json: Print one JSON object instead of a table.
    """
    from json import dumps

    chosen = get_preset(preset)  # finds a misspelled name before torch loads
    from trm_lite.experiments import planning

    if roofline:
        from trm_lite.experiments.roofline import roofline as bounds
        from trm_lite.experiments.roofline import roofline_text

        figures = bounds(chosen, planning.get_gpus(gpu))
        print(dumps(figures) if json else roofline_text(figures))
        return 0
    figures = planning.plan(chosen, gpu, measure, recompute, device)
    print(dumps(figures) if json else planning.plan_text(figures))
    return 0


def compare(
    out: Path = Path("runs/compare"),
    base: str = "sudoku-6x6",
    rows: tuple[str, ...] = (),
    seeds: int = 3,
    test: int = 1000,
    steps: int | None = None,
    hidden_size: int | None = None,
    results: Path | None = None,
    device: Device = "cpu",
    compile: Compile = None,
    ship: Path | None = None,
    equal_compute: bool = True,
    depths: tuple[int, ...] = (),
    tries: int = 1,
) -> int:
    """Train the rows of the paper's tables at laptop size, and print two tables of results.

    One table is at equal optimiser steps, the other at equal compute. All rows take hours. After
    an interruption, the same command continues.

    Args:
        out: Folder of the runs.
        base: The preset whose variants are compared; or a puzzle file, or the data folder of a CSV.
        rows: Variants of it, such as: trm hrm-ema one-step direct. All of the TRM paper's if none;
            `year-after` stands for the systems of the year after TRM, and the core beside them.
        seeds: Runs of each row, with seeds 0, 1, ...
        test: Number of test puzzles.
        steps: Optimiser steps, by default those of the preset.
        hidden_size: Width of all networks, by default that of the preset.
        results: File for the results as JSON, by default OUT/results.json.
        device: Where to compute.
        ship: Folder for the weights of seed 0, in half precision.
        equal_compute: Also train every row for as many operations as TRM, beside as many steps.
        depths: At equal steps, also test 200 puzzles after so many supervision steps: 1 16 256.
        tries: Also test them with so many attempts at each one.
    """
    get_preset(base)
    from trm_lite.experiments import comparison
    from trm_lite.experiments.comparison_tests import Further

    if rows == ("year-after",):
        rows = comparison.YEAR_AFTER
    asked = {"steps": steps, "hidden_size": hidden_size}
    changes = {name: value for name, value in asked.items() if value is not None}
    table = comparison.compare(
        out, base=base, rows=rows or comparison.rows_for(base), seeds=seeds, test=test,
        results=results, device=device, compile=compile, ship=ship, equal_compute=equal_compute,
        further=Further(depths, tries), **changes,
    )  # fmt: skip
    if table is None:
        print(f"\nInterrupted; the same command goes on from what is in {out}.")
        return 130
    print(comparison.as_text(table))
    return 0


def report(
    runs: Positional[tuple[Path, ...]], picture: Path | None = None, json: bool = False
) -> int:
    """Compare the results of runs with the paper's, in Markdown tables.

    Prints every table of the paper to which a run belongs, with empty cells for what was not run.

    Args:
        runs: Folders of tested runs. Seeds of one preset share a line, and runs with other
            settings than their preset get their own.
        picture: Also save a picture in this file (png, svg or pdf).
        json: Print one JSON object instead of tables.
    """
    from json import dumps

    from trm_lite.experiments import report as reports

    lines = reports.collect(runs)
    if picture is not None:
        reports.draw(lines, picture)
    print(dumps(lines) if json else reports.as_markdown(lines))
    return 0


def bench(
    cases: Positional[tuple[str, ...]] = (),
    json: bool = False,
    rounds: int = 5,
    device: Device = "cpu",
) -> int:
    """Measure how fast training and evaluation are on this machine; it must be idle.

    They are compared with the machine's limit, with a textbook version, and with the package
    tiny-recursive-model if it is installed.

    Args:
        cases: Presets whose training is timed: sudoku-6x6, sudoku-9x9, sudoku-extreme-mlp.
        json: Print one JSON object instead of tables.
        rounds: How many turns every contender has.
        device: Where to train and to evaluate.
    """
    from json import dumps

    from trm_lite.experiments.speed import bench as measure
    from trm_lite.experiments.speed_text import bench_text

    figures = measure(cases, rounds, device=device)
    print(dumps(figures) if json else bench_text(figures))
    return 0
