"""`trm-lite list | plan | compare | report | bench`: experiments, their price, their outcome."""

from pathlib import Path

from tyro.conf import Positional

from trm_lite.experiments.presets import PRESETS, get_preset, preset_table


def list_presets() -> int:
    """Show every preset, with its size."""
    print(preset_table(PRESETS.values()))
    return 0


def plan(
    preset: Positional[str],
    gpu: str | None = None,
    measure: int = 0,
    recompute: bool = False,
    json: bool = False,
) -> int:
    """Say what training a preset will cost: operations, memory, disk, and hours by GPU.

    Args:
        preset: Its name; 'trm-lite list' shows all.
        gpu: Only this one, such as L4 or "RTX 4090".
        measure: Try a micro-batch of so many slots on this CPU, and say what memory it took;
            minutes at full size, much longer on a processor without bfloat16.
        recompute: With --measure: as with 'trm-lite train --recompute'.
        json: Print one JSON object instead of a table.
    """
    from json import dumps

    chosen = get_preset(preset)  # a misspelled one is told before torch is imported
    from trm_lite.experiments import planning

    figures = planning.plan(chosen, gpu, measure, recompute)
    print(dumps(figures) if json else planning.plan_text(figures))
    return 0


def compare(
    out: Path = Path("runs/compare"),
    base: str = "sudoku-6x6",
    rows: tuple[str, ...] = (),
    seeds: int = 3,
    test: int = 1000,
    steps: int | None = None,
    results: Path | None = None,
    compile: bool = False,
    ship: Path | None = None,
) -> int:
    """Train the rows of the paper's tables at laptop size, and print two tables of the outcome.

    At equal optimiser steps, and at equal compute. Hours for all rows; what is done is kept, and
    the same command goes on after an interruption.

    Args:
        out: Folder of the runs.
        base: The preset whose variants are compared.
        rows: Variants of it, such as: trm hrm-ema one-step direct. All of the table if none.
        seeds: Runs of each row, with seeds 0, 1, ...
        test: Unseen puzzles for the test.
        steps: Optimiser steps, if not the preset's.
        results: File for the table as JSON; OUT/results.json if not given.
        compile: torch.compile the networks, nearly twice as fast.
        ship: Folder for the weights of seed 0, in half precision.
    """
    get_preset(base)
    from trm_lite.experiments import comparison

    changes = {} if steps is None else {"steps": steps}
    table = comparison.compare(
        out, base=base, rows=rows or comparison.ROWS, seeds=seeds, test=test, results=results,
        compile=compile, ship=ship, **changes,
    )  # fmt: skip
    if table is None:
        print(f"\nInterrupted; the same command goes on from what is in {out}.")
        return 130
    print(comparison.as_text(table))
    return 0


def report(
    runs: Positional[tuple[Path, ...]], picture: Path | None = None, json: bool = False
) -> int:
    """Set what runs reached beside the paper's figures, as Markdown tables.

    Every table of the paper that a run belongs to, with empty cells for what was not run.

    Args:
        runs: Folders of runs that were tested; seeds of one preset become one line, and runs with
            settings of their own are set apart.
        picture: Also draw it into this file (png, svg or pdf).
        json: Print one JSON object instead of tables.
    """
    from json import dumps

    from trm_lite.experiments import report as reports

    lines = reports.collect(runs)
    if picture is not None:
        reports.draw(lines, picture)
    print(dumps(lines) if json else reports.as_markdown(lines))
    return 0


def bench(cases: Positional[tuple[str, ...]] = (), json: bool = False, rounds: int = 5) -> int:
    """Measure how fast training and evaluation are on this machine; it must be idle.

    Against the machine's own limit, a textbook version, and tiny-recursive-model if installed.

    Args:
        cases: Presets whose training is timed: sudoku-6x6, sudoku-9x9, sudoku-extreme-mlp.
        json: Print one JSON object instead of tables.
        rounds: How often every contender has its turn.
    """
    from json import dumps

    from trm_lite.experiments.speed import bench as measure
    from trm_lite.experiments.speed import bench_text

    figures = measure(cases, rounds)
    print(dumps(figures) if json else bench_text(figures))
    return 0
