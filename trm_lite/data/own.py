"""Splits of the examples that a puzzle of your own makes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer

import numpy as np
from tqdm import tqdm

from trm_lite.common.errors import UserError
from trm_lite.data.cache import cached
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.data.families import Families, assign
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.loading import check_rules, family_of, make_examples

GENERATION = 1  # raise it when the same file makes other splits
MOST_AT_ONCE = 250  # examples that are asked for at a time
MOST_FRUITLESS = 8  # batches in a row that bring nothing new before giving up


def build_made(puzzle: Puzzle, sha256: str, sizes: dict[str, int], seed: int) -> Splits:
    """The splits of a puzzle that makes its own examples, from the cache if they are there.

    Raises UserError if the puzzle makes none, if it makes too few different ones, and if one of
    them is against its own rules.

    Args:
        puzzle: what makes the examples.
        sha256: of its file.
        sizes: the number of examples in each split, by its name.
        seed: seed of all random draws.
    """
    if puzzle.make is None:
        raise UserError(
            f"The puzzle '{puzzle.name}' has no function make, so there is nothing to train on; "
            "write one, or bring the examples as a CSV file."
        )
    if min(sizes.values()) < 1:
        raise UserError(
            "Each split needs at least 1 example; ask for more.", "train", "validation", "test"
        )
    recipe = {"generation": GENERATION, "sha256": sha256, "seed": seed} | sizes

    def read(parts: Mapping[str, np.ndarray]) -> Splits:
        return Splits(*(PuzzleSet.of(puzzle, *parts[name]) for name in Splits._fields))

    return cached(puzzle.name, recipe, lambda: _make(puzzle, sizes, seed), read)


@contextmanager
def shown_soon(bar: tqdm) -> Iterator[None]:
    """Show a progress bar after a second, even if there has been nothing to count yet."""
    soon = Timer(1, bar.refresh)
    soon.daemon = True
    soon.start()
    try:
        yield
    finally:
        soon.cancel()


def _make(puzzle: Puzzle, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """The examples of each split, (2, N, L) questions and answers."""
    rng, families = np.random.default_rng(seed), Families()
    total, fruitless = sum(sizes.values()), 0
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    numbers: list[int] = []
    rows = {name: np.zeros(0, int) for name in sizes}
    bar = tqdm(total=total, desc=f"making {puzzle.name}", unit="example", delay=1)
    with bar, shown_soon(bar):
        while (found := sum(map(len, rows.values()))) < total:
            count = min(MOST_AT_ONCE, 16 + round(1.1 * (total - found)))
            made = make_examples(puzzle, count, rng)
            check_rules(puzzle, "make", *made)
            for row, pair in enumerate(zip(*made, strict=True)):
                number = families.number(*pair, family_of(puzzle, *pair, row))
                if number is not None:
                    kept.append(pair)
                    numbers.append(number)
            rows = assign(np.arange(len(kept)), np.array(numbers, int), sizes, evenly=True)
            new = sum(map(len, rows.values())) - found
            bar.update(new)
            fruitless = 0 if new else fruitless + 1
            if fruitless == MOST_FRUITLESS:
                kinds = len(set(numbers))
                raise UserError(
                    f"make of the puzzle '{puzzle.name}' gave only {found} examples that fit into "
                    f"the splits without duplicates and relatives, and {total} are asked for; "
                    + (
                        f"there {'is one family' if kinds == 1 else 'are two families'}, and three "
                        "splits need three."
                        if kinds < 3
                        else f"there are {kinds} families. Ask for fewer."
                    ),
                    *sizes,
                )
    pairs = np.array(kept, puzzle.dtype)  # (N, 2, L)
    return {name: pairs[chosen].swapaxes(0, 1) for name, chosen in rows.items()}
