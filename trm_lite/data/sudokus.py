"""Puzzles made here: generated from a seed, split without twins, kept on disk."""

import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from trm_lite.common.errors import UserError
from trm_lite.common.files import DAMAGED, cache_folder, write_atomically
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.puzzles import sudoku

GENERATION = 2  # raise it when a generator makes other puzzles, or old files would be read as new
EVOLUTION_ROUNDS = 45  # after which nearly all puzzles need more than ten guesses
MOST_RELATIVES = 10  # puzzles of one founder in a set of evolved ones


def build_sudokus(
    size: int, kinds: tuple[str, ...], sizes: dict[str, int], puzzle_seed: int
) -> Splits:
    """The splits that a `SudokuData` describes, read from the cache folder if they are there.

    Args:
        size: 4, 6 or 9.
        kinds: Kinds of puzzles, mixed in equal parts.
        sizes: How many puzzles each split holds, by its name.
        puzzle_seed: Of everything that is drawn.
    """
    described = {"size": size, "kinds": kinds, "puzzle_seed": puzzle_seed, "source": "generated"}
    recipe = json.dumps({"generation": GENERATION} | described | sizes, sort_keys=True)
    name = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    path = cache_folder() / f"sudoku-{name}.npz"
    if path.exists():
        try:
            with np.load(path) as parts:
                return _splits(parts)
        except DAMAGED as error:
            raise UserError(f"{path} is damaged ({error}); delete it and run again.") from error
    parts = _generate(size, kinds, sizes, puzzle_seed)
    kept = io.BytesIO()
    np.savez_compressed(kept, **parts)
    try:
        write_atomically(path, kept.getvalue())
    except UserError as error:
        raise UserError(f"{error} TRM_LITE_CACHE names the folder; choose another.") from error
    return _splits(parts)


def _splits(parts: Mapping[str, np.ndarray]) -> Splits:
    return Splits(*(sudoku_set(parts[name], parts[f"{name}_solutions"]) for name in Splits._fields))


def _generate(
    size: int, kinds: tuple[str, ...], sizes: dict[str, int], puzzle_seed: int
) -> dict[str, np.ndarray]:
    total = sum(sizes.values())
    if not kinds or min(sizes.values()) < 0:
        raise UserError("Name at least one kind of puzzle, and sizes of splits that are 0 or more.")
    for spare in (1.05, 1.5, 3.0, 6.0):  # some turn out to be twins, of small boards most
        per_kind = math.ceil(spare * total / len(kinds))
        made = [
            _generate_kind(kind, per_kind, size, seed=puzzle_seed * 1000 + number)
            for number, kind in enumerate(kinds)
        ]
        # One of each kind in turn, so that every split holds all kinds in equal parts.
        puzzles, solutions = (
            np.stack(parts, axis=1).reshape(-1, size * size)
            for parts in ([kind.puzzles for kind in made], [kind.solutions for kind in made])
        )
        families = np.stack([kind.families for kind in made], axis=1) * len(made)
        families = (families + np.arange(len(made))).reshape(-1)  # of different kinds: different
        distinct = sudoku.without_twins(puzzles, solutions)
        rows = _assign(distinct, families, sizes)
        if all(len(rows[name]) == count for name, count in sizes.items()):
            break
    else:
        raise UserError(
            f"Only {len(distinct)} puzzles of size {size} without twins were found, "
            f"{total} were asked for; ask for fewer."
        )
    parts = {}
    for name in sizes:
        mixed = _mixed(rows[name], families, len(made), seed=puzzle_seed)
        parts[name], parts[f"{name}_solutions"] = puzzles[mixed], solutions[mixed]
    return parts


def _assign(rows: np.ndarray, families: np.ndarray, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Fill splits of `sizes` with `rows`, one after the other; no family stands in two of them."""
    filled: dict[str, list[int]] = {name: [] for name in sizes}
    home: dict[int, str] = {}  # the split of each family
    for row in rows:
        family = int(families[row])
        if family not in home:
            with_room = [name for name, size in sizes.items() if len(filled[name]) < size]
            if not with_room:
                break
            home[family] = with_room[0]
        if len(filled[home[family]]) < sizes[home[family]]:
            filled[home[family]].append(row)
    return {name: np.array(chosen, dtype=int) for name, chosen in filled.items()}


def _mixed(rows: np.ndarray, families: np.ndarray, kinds: int, seed: int) -> np.ndarray:
    """The `rows` of a split with relatives no longer side by side; each kind keeps its places."""
    rows = rows.copy()
    for kind in range(kinds):
        places = np.flatnonzero(families[rows] % kinds == kind)
        if len(np.unique(families[rows[places]])) < len(places):
            rows[places] = np.random.default_rng(seed).permutation(rows[places])
    return rows


class _Kind(NamedTuple):
    """Puzzles of one kind, families side by side; members of a family resemble each other."""

    puzzles: np.ndarray  # (N, n*n)
    solutions: np.ndarray  # (N, n*n)
    families: np.ndarray  # (N,)


def _generate_kind(kind: str, count: int, size: int, seed: int) -> _Kind:
    alone = np.arange(count)  # every puzzle is a family of its own
    if kind == "minimal":
        return _Kind(*sudoku.generate(count, size, seed=seed), alone)
    if match := re.fullmatch(r"(\d+)-blanks", kind):
        blanks = int(match[1])
        return _Kind(*sudoku.generate(count, size, seed=seed, minimal=False, blanks=blanks), alone)
    if kind == "evolved" and size == 9:
        return _evolve(count, seed)
    raise UserError(
        f"'{kind}' is no kind of {size}x{size} Sudoku; use minimal, for example 40-blanks, "
        "or for 9x9 evolved."
    )


def _evolve(count: int, seed: int) -> _Kind:
    """`count` extreme puzzles, family after family: minutes per thousand."""
    founders, _ = sudoku.generate(5 * count, 9, seed=seed)
    with tqdm(total=EVOLUTION_ROUNDS, desc="breeding hard puzzles", unit="round") as bar:

        def progress(_, pool: sudoku.Pool) -> None:
            bar.set_postfix_str(f"{pool.guesses.mean():.1f} guesses on average")
            bar.update()

        pool = sudoku.evolve(
            founders,
            rounds=EVOLUTION_ROUNDS,
            seed=seed,
            keep=count,
            # Where two splits meet, some relatives find no room; keep these losses small.
            keep_per_lineage=min(MOST_RELATIVES, 1 + count // 50),
            children=4 * count,
            progress=progress,
        )
    # The pool is sorted by hardness: mix the families, and the puzzles within each.
    rng = np.random.default_rng(seed)
    key = rng.random(len(founders))[pool.lineage]
    order = np.lexsort((rng.random(len(key)), key))
    return _Kind(pool.puzzles[order], pool.solutions[order], pool.lineage[order])


def sudoku_set(puzzles: np.ndarray, solutions: np.ndarray) -> PuzzleSet:
    """Boards (N, n*n) and their solutions as tokens, augmented by the symmetries of Sudoku."""
    size = sudoku.size_of(puzzles)
    return PuzzleSet(
        torch.from_numpy(sudoku.to_tokens(puzzles)),
        torch.from_numpy(sudoku.to_tokens(solutions)),
        torch.zeros(len(puzzles), dtype=torch.long),
        lambda inputs, labels, generator: sudoku.augment(inputs, labels, size, generator),
    )
