"""What builds each benchmark."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.maze_hard import build_maze_hard, build_maze_made_here
from trm_lite.data.benchmarks.options import Options
from trm_lite.data.benchmarks.sudoku_extreme import build_sudoku_extreme, build_sudoku_made_here

# Each builds into a folder; False if it is there already, built with the same options.
BUILDERS: dict[str, Callable[[Path, Options], bool]] = {
    "sudoku-extreme": build_sudoku_extreme,
    "sudoku-hard-made-here": build_sudoku_made_here,
    "maze-hard": build_maze_hard,
    "maze-hard-made-here": build_maze_made_here,
    "arc-agi-1": partial(build_arc, "arc-agi-1"),
    "arc-agi-2": partial(build_arc, "arc-agi-2"),
}
