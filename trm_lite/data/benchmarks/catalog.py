"""All benchmarks by name: what each takes, and what builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trm_lite.data.benchmarks import maze_hard, sudoku_extreme
from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.options import ArcDrawing, Drawing, Making, Options


@dataclass(frozen=True)
class Benchmark:
    """A benchmark that can be built into a folder."""

    usual: Options  # of the class that it takes, with the benchmark's own defaults
    # Builds it into a folder; False if it is there already, built with the same options.
    build: Callable[[Path, Options], bool]


BENCHMARKS = {
    "sudoku-extreme": Benchmark(Drawing(), sudoku_extreme.build_sudoku_extreme),
    "sudoku-hard-made-here": Benchmark(Making(), sudoku_extreme.build_sudoku_made_here),
    "maze-hard": Benchmark(maze_hard.USUAL, maze_hard.build_maze_hard),
    "maze-hard-made-here": Benchmark(Making(), maze_hard.build_maze_made_here),
    "arc-agi-1": Benchmark(ArcDrawing(), partial(build_arc, "arc-agi-1")),
    "arc-agi-2": Benchmark(ArcDrawing(), partial(build_arc, "arc-agi-2")),
}


def unusual(about: dict) -> dict:
    """Settings in `about`, a data folder's about.json, that differ from its benchmark's defaults.

    Only `train` and `min_rating` count, which make a benchmark easier or harder.
    """
    if about.get("name") not in BENCHMARKS:
        return {}
    usual = BENCHMARKS[about["name"]].usual
    return {
        setting: about[setting]
        for setting in ("train", "min_rating")
        if setting in about
        and hasattr(usual, setting)
        and about[setting] != getattr(usual, setting)
    }
