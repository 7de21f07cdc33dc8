"""Three small puzzle files and a CSV file: what tests try out, and how such files look."""

from functools import lru_cache
from pathlib import Path

from trm_lite.puzzles import load_puzzle

FOLDER = Path(__file__).parent / "own"
OWN = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
CSV = FOLDER / "sort.csv"


@lru_cache
def own(name):
    """The puzzle in one of the files."""
    return load_puzzle(OWN[name])
