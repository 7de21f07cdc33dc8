"""Sudoku as a `Puzzle`: here boards are tokens, where a blank is 1 and digit d is d + 1."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from trm_lite.common.errors import PuzzleError
from trm_lite.puzzles.puzzle import Puzzle
from trm_lite.puzzles.sudoku.board import (
    BLANK,
    from_tokens,
    geometry,
    size_of,
    to_tokens,
    violations,
)
from trm_lite.puzzles.sudoku.canonical import canonical_form
from trm_lite.puzzles.sudoku.generator import generate
from trm_lite.puzzles.sudoku.reading import parse
from trm_lite.puzzles.sudoku.solver import found_in_round, rate, solve_one
from trm_lite.puzzles.sudoku.symmetry import apply, augment, random_symmetry, undo

GREATEST_SEED = 2**32


def as_puzzle(size: int) -> Puzzle:
    """Sudoku of size 4, 6 or 9 as a puzzle. Raises PuzzleError for any other size."""
    shape = geometry(size)
    digits = "".join(map(str, range(1, size + 1)))

    def make(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        boards = generate(count, size, seed=int(rng.integers(GREATEST_SEED)))
        return tuple(map(to_tokens, boards))

    def symmetry(count: int, generator: torch.Generator) -> tuple[Callable, Callable]:
        drawn = random_symmetry(count, size, generator)
        return partial(apply, drawn), partial(undo, drawn)

    def in_text(text: str) -> np.ndarray:
        board = parse(text)
        if size_of(board) != size:
            other = size_of(board)
            raise PuzzleError(
                f"Here is room for a Sudoku of {size}x{size}, but what was pasted is "
                f"{other}x{other}."
            )
        return to_tokens(board)

    return Puzzle(
        name=f"sudoku-{size}x{size}",
        tokens=f"_.{digits}",
        shape=(size, size),
        blanks=".",
        make=make,
        family=lambda question, answer: canonical_form(*map(from_tokens, (question, answer))),
        augment=lambda questions, answers, generator: augment(questions, answers, size, generator),
        breaks=breaks,
        solve=lambda question: to_tokens(solve_one(from_tokens(question))),
        conflicts=lambda questions: violations(from_tokens(questions)),
        rounds=lambda questions: found_in_round(from_tokens(questions)),
        bands=bands,
        parse=in_text,
        boxes=(shape.box_rows, shape.box_columns),
        symmetry=symmetry,
        full=True,
    )


def breaks(questions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The cells (B, n*n) of answers that are empty, change a clue, or repeat a digit."""
    changed = (questions > BLANK) & (answers != questions)
    return violations(from_tokens(answers)) | changed | (answers <= BLANK)


def bands(questions: np.ndarray) -> dict[str, np.ndarray]:
    """Which Sudokus are how hard, by the work that a classical solver has (`rate`).

    That is rounds of singles, then locked candidates, then the mean number of guesses.
    """
    rating = rate(from_tokens(questions))
    found = {
        f"singles, {low} to {high} rounds" if high < 99 else f"singles, {low} rounds or more": (
            (rating.needs == "singles") & (rating.rounds >= low) & (rating.rounds <= high)
        )
        for low, high in ((1, 5), (6, 9), (10, 99))
    }
    found["locked candidates"] = rating.needs == "locked candidates"
    for low, high in ((0, 2), (2, 10), (10, 30), (30, math.inf)):
        name = f"{low} to {high} guesses" if high < math.inf else f"{low} guesses or more"
        search = rating.needs == "search"
        found[name] = search & (rating.guesses >= low) & (rating.guesses < high)
    return found
