"""The puzzles themselves: rules, solvers and generators of `sudoku` and `maze`, grids of `arc`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["arc", "hard_mazes", "maze", "sudoku"],
)
