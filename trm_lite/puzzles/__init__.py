"""The puzzles themselves: what a `Puzzle` is, and the rules, solvers and generators of some."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["arc", "hard_mazes", "maze", "sudoku"],
    submod_attrs={
        "puzzle": ["Puzzle"],
        "known": ["get_puzzle"],
        "loading": ["load_puzzle"],
    },
)
