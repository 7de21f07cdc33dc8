"""How good is a network? Exact match with intervals, ARC's vote, and solving your own Sudokus."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "scoring": ["Evaluation", "Share", "evaluate", "first_mistake", "share"],
        "solving": ["read_puzzles", "solve_boards"],
        "voting": ["Votes"],
    },
)
