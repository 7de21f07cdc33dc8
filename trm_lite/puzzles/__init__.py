"""The puzzles themselves, each with its rules, solver and generator: `sudoku`, `maze`, `arc`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["arc", "hard_mazes", "maze", "sudoku"],
)
