"""Puzzles made here: generated from a seed, split without twins, kept on disk."""

import hashlib
import io
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from trm_lite.errors import UserError
from trm_lite.files import write_atomically
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.dataset import Data, Splits, as_set

GENERATION = 2  # raise it when a generator makes other puzzles, or old files would be read as new
EVOLUTION_ROUNDS = 45  # after which nearly all puzzles need more than ten guesses
MOST_RELATIVES = 10  # puzzles of one founder in a set of evolved ones

# What reading a broken .npz file can raise.
DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    ValueError,
    UserError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class SudokuData(Data):
    """Generated Sudokus. No puzzle of a split is a symmetric twin or a relative of one in another.

    `kinds` are mixed in equal parts: "minimal" (no clue can be spared), for example "40-blanks",
    or "evolved" (9x9 bred to be extremely hard, split by lineage).
    """

    size: int = 6
    kinds: tuple[str, ...] = ("minimal",)
    train: int = 1000
    validation: int = 200
    test: int = 500
    puzzle_seed: int = 0
    source: Literal["generated"] = "generated"  # names the class in files

    @property
    def puzzle(self) -> str:
        return "sudoku"

    @property
    def vocab_size(self) -> int:
        return self.size + 2

    @property
    def seq_len(self) -> int:
        return self.size**2

    def build(self) -> Splits:
        """The splits, generated once and then read from the cache folder."""
        recipe = json.dumps({"generation": GENERATION} | asdict(self), sort_keys=True)
        name = hashlib.sha256(recipe.encode()).hexdigest()[:16]
        path = cache_folder() / f"sudoku-{name}.npz"
        if path.exists():
            try:
                with np.load(path) as parts:
                    return _splits(parts)
            except DAMAGED as error:
                raise UserError(f"{path} is damaged ({error}); delete it and run again.") from error
        parts = _generate(self)
        kept = io.BytesIO()
        np.savez_compressed(kept, **parts)
        try:
            write_atomically(path, kept.getvalue())
        except UserError as error:
            raise UserError(f"{error} TRM_LITE_CACHE names the folder; choose another.") from error
        return _splits(parts)


def _splits(parts: Mapping[str, np.ndarray]) -> Splits:
    return Splits(*(as_set(parts[name], parts[f"{name}_solutions"]) for name in Splits._fields))


def cache_folder() -> Path:
    """Where generated puzzles are kept: $TRM_LITE_CACHE, or .cache/trm_lite in the home folder."""
    return Path(os.environ.get("TRM_LITE_CACHE", Path.home() / ".cache" / "trm_lite"))


def _generate(data: SudokuData) -> dict[str, np.ndarray]:
    sizes = {"train": data.train, "validation": data.validation, "test": data.test}
    total = sum(sizes.values())
    if not data.kinds or min(sizes.values()) < 0:
        raise UserError("Name at least one kind of puzzle, and sizes of splits that are 0 or more.")
    for spare in (1.05, 1.5, 3.0, 6.0):  # some turn out to be twins, of small boards most
        per_kind = math.ceil(spare * total / len(data.kinds))
        made = [
            _generate_kind(kind, per_kind, data.size, seed=data.puzzle_seed * 1000 + number)
            for number, kind in enumerate(data.kinds)
        ]
        # One of each kind in turn, so that every split holds all kinds in equal parts.
        puzzles, solutions = (
            np.stack(parts, axis=1).reshape(-1, data.seq_len)
            for parts in ([kind.puzzles for kind in made], [kind.solutions for kind in made])
        )
        families = np.stack([kind.families for kind in made], axis=1) * len(made)
        families = (families + np.arange(len(made))).reshape(-1)  # of different kinds: different
        distinct = sudoku.without_twins(puzzles, solutions)
        rows = _assign(distinct, families, sizes)
        if all(len(rows[name]) == size for name, size in sizes.items()):
            break
    else:
        raise UserError(
            f"Only {len(distinct)} puzzles of size {data.size} without twins were found, "
            f"{total} were asked for; ask for fewer."
        )
    parts = {}
    for name in sizes:
        mixed = _mixed(rows[name], families, len(made), seed=data.puzzle_seed)
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
