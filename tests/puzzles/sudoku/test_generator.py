"""Sudokus are made minimal and unique, bred harder, and the same for the same seed."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from puzzles.sudoku.drawn import SEEDS, SIZES, few, tokens

from trm_lite.common import PuzzleError
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.generator import remove_clues


@few
@given(size=SIZES, seed=SEEDS)
def test_minimal_puzzles_are_unique_and_lose_it_with_any_clue(size, seed):
    puzzles, solutions = sudoku.generate(2, size, seed=seed)
    found = sudoku.solve(puzzles)
    assert (found.counts == 1).all() and (found.boards == solutions).all()
    for puzzle in puzzles:
        clues = np.flatnonzero(puzzle)
        poorer = np.tile(puzzle, (len(clues), 1))
        poorer[np.arange(len(clues)), clues] = 0
        assert (sudoku.solve(poorer).counts == 2).all()


@few
@given(seed=SEEDS, size_and_blanks=st.sampled_from([(4, 8), (6, 20), (9, 40), (9, 0)]))
def test_puzzles_have_as_many_blanks_as_asked(seed, size_and_blanks):
    size, blanks = size_and_blanks
    puzzles, solutions = sudoku.generate(3, size, seed=seed, minimal=False, blanks=blanks)
    assert ((puzzles == 0).sum(1) == blanks).all()
    assert sudoku.is_solution(puzzles, solutions).all()
    assert (sudoku.solve(puzzles).counts == 1).all()


@pytest.mark.parametrize(
    ("size", "hashed"),
    [(4, "457995f94ebc142e"), (6, "c252ca9bf1346a83"), (9, "0025f3296d53aa8d")],
)
def test_a_seed_means_the_same_puzzles_everywhere(size, hashed):
    puzzles, solutions = sudoku.generate(5, size, seed=42)
    content = puzzles.tobytes() + solutions.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == hashed


def test_impossible_wishes_are_refused():
    for wish, words in (
        ({"count": 0, "size": 6}, "at least 1"),
        ({"count": 1, "size": 5}, "use 4, 6 or 9"),
        ({"count": 1, "size": 6, "blanks": 3}, "cannot have a given number of blanks"),
        ({"count": 1, "size": 4, "minimal": False, "blanks": 14}, "too rare"),
        ({"count": 1, "size": 4, "minimal": False, "blanks": 17}, "0 to 16"),
    ):
        with pytest.raises(PuzzleError, match=words):
            sudoku.generate(**wish, seed=0)


def test_evolution_breeds_harder_puzzles_and_knows_their_founders():
    founders, _ = sudoku.generate(20, 9, seed=3)
    wish = dict(rounds=2, seed=0, keep=15, keep_per_lineage=3, children=60, orders=2)
    pool, again = sudoku.evolve(founders, **wish), sudoku.evolve(founders, **wish)
    assert all((a == b).all() for a, b in zip(pool, again, strict=True))
    assert (sudoku.solve(pool.puzzles).counts == 1).all()
    assert sudoku.is_solution(pool.puzzles, pool.solutions).all()
    assert pool.guesses.mean() > 1.5 * np.sort(sudoku.rate(founders).guesses)[-15:].mean()
    assert np.bincount(pool.lineage).max() <= 3
    # So small a pool is hard from the start, and only some children are promising.
    children = sudoku.evolve(founders, **wish | {"rounds": 1, "keep": 8})
    assert len({f.tobytes() for f in founders} & {c.tobytes() for c in children.puzzles}) < 8
    shared = (children.puzzles[:, None] == founders) & (founders != 0)
    assert (shared.sum(2).argmax(1) == children.lineage).all()  # their clues are the founder's
    unnecessary = [remove_clues(p[None], np.random.default_rng(0)) != p for p in pool.puzzles[:5]]
    assert not np.any(unnecessary)
    with pytest.raises(PuzzleError, match="exactly one solution"):
        sudoku.evolve(np.zeros((1, 81), np.uint8), rounds=1, seed=0)
    with pytest.raises(PuzzleError, match="at least one founder"):
        sudoku.evolve(founders[:0], rounds=1, seed=0)


def test_pools_are_sorted_free_of_twins_and_never_get_easier():
    founders, _ = sudoku.generate(30, 9, seed=5)
    twins, _ = sudoku.augment(tokens(founders), tokens(founders), 9, torch.Generator())
    founders = np.concatenate([founders, sudoku.from_tokens(twins.numpy())])
    wish = dict(rounds=3, seed=0, keep=25, children=50, orders=3)
    seen = {}
    last = sudoku.evolve(founders, **wish, progress=seen.__setitem__)
    assert list(seen) == [1, 2, 3] and seen[3] is last
    for pool in seen.values():
        assert len(pool.puzzles) == 25 and (np.diff(pool.guesses) <= 0).all()
        assert len(sudoku.without_twins(pool.puzzles, pool.solutions)) == 25
    means = [pool.guesses.mean() for pool in seen.values()]
    assert means == sorted(means)
    none = sudoku.evolve(founders, **wish, seconds=0)  # no time for a single round
    assert {p.tobytes() for p in none.puzzles} <= {f.tobytes() for f in founders}


@settings(few, max_examples=4)
@given(seed=SEEDS)
def test_mutants_are_unique_and_miss_at_most_one_clue(seed):
    parents, _ = sudoku.generate(6, 9, seed=seed)
    before = parents.copy()
    children, solutions = sudoku.mutate(parents, np.random.default_rng(seed))
    assert (parents == before).all()
    found = sudoku.solve(children)
    assert (found.counts == 1).all() and (found.boards == solutions).all()
    missing = ((parents != 0) & (children != parents)).sum(1)
    assert (missing <= 1).all()  # 0 if the dropped clue came back
    assert missing.any() and ((children != 0).sum(1) >= (parents != 0).sum(1)).any()
