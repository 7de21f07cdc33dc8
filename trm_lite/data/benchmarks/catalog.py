"""All benchmarks by name, and the command that builds one."""

import inspect
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trm_lite.common.errors import UserError
from trm_lite.data.benchmarks.maze_hard import build_maze_hard, build_maze_made_here
from trm_lite.data.benchmarks.sudoku_extreme import build_sudoku_extreme, build_sudoku_made_here
from trm_lite.data.folder import is_built


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
    from trm_lite.data.benchmarks.arc_agi import build_arc

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
