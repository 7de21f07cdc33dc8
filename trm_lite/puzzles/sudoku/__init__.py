"""Sudokus of size 4, 6 and 9: boards, a solver, generators and symmetries."""

from trm_lite.puzzles.sudoku.board import (
    BLANK,
    PAD,
    SIZES,
    from_tokens,
    geometry,
    is_solution,
    render,
    size_of,
    to_line,
    to_tokens,
    validate,
    violations,
)
from trm_lite.puzzles.sudoku.canonical import (
    canonical_form,
    canonical_forms,
    solution_class,
    without_twins,
)
from trm_lite.puzzles.sudoku.evolution import Pool, evolve, mutate
from trm_lite.puzzles.sudoku.generator import generate, random_solutions
from trm_lite.puzzles.sudoku.reading import ALPHABET, Read, parse, read
from trm_lite.puzzles.sudoku.solver import (
    MOST_GUESSES,
    Ratings,
    Solutions,
    found_in_round,
    rate,
    solve,
    solve_one,
)
from trm_lite.puzzles.sudoku.symmetry import Symmetry, apply, augment, random_symmetry, undo

__all__ = [
    "ALPHABET",
    "BLANK",
    "MOST_GUESSES",
    "PAD",
    "SIZES",
    "Pool",
    "Ratings",
    "Read",
    "Solutions",
    "Symmetry",
    "apply",
    "augment",
    "canonical_form",
    "canonical_forms",
    "evolve",
    "found_in_round",
    "from_tokens",
    "generate",
    "geometry",
    "is_solution",
    "mutate",
    "parse",
    "random_solutions",
    "random_symmetry",
    "rate",
    "read",
    "render",
    "size_of",
    "solution_class",
    "solve",
    "solve_one",
    "to_line",
    "to_tokens",
    "undo",
    "validate",
    "violations",
    "without_twins",
]
