"""Where puzzles come from, as a frozen dataclass each; reading them needs no torch.

`build` makes the splits, with the module that it imports.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from trm_lite.common.errors import UserError
from trm_lite.puzzles import arc, maze

if TYPE_CHECKING:
    from trm_lite.data.arc_augmentations import Group
    from trm_lite.data.dataset import PuzzleSet, Splits


@dataclass(frozen=True)
class Data:
    """Where puzzles come from. `vocab_size` V and `seq_len` L say what a network must read."""

    @property
    def puzzle(self) -> str:
        """What puzzles they are: sudoku, maze or arc; UserError if they are not there."""
        raise NotImplementedError

    @property
    def identifiers(self) -> int:
        """Rows that the table of puzzle embeddings needs; one where all puzzles share a rule."""
        return 1

    def build(self) -> "Splits":
        """The splits; UserError if they cannot be made."""
        raise NotImplementedError


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

    def build(self) -> "Splits":
        """The splits, generated once and then read from the cache folder."""
        from trm_lite.data.sudokus import build_sudokus

        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return build_sudokus(self.size, self.kinds, sizes, self.puzzle_seed)


@dataclass(frozen=True)
class MazeData(Data):
    """Generated mazes of an odd `size` with a single path, so that any symmetry may be applied.

    They are made in a second or two, and therefore not kept on disk.
    """

    size: int = 7
    train: int = 2000
    validation: int = 200
    test: int = 500
    puzzle_seed: int = 0
    source: Literal["generated mazes"] = "generated mazes"  # names the class in files

    @property
    def puzzle(self) -> str:
        return "maze"

    @property
    def vocab_size(self) -> int:
        return len(maze.CHARACTERS) + 1

    @property
    def seq_len(self) -> int:
        return self.size**2

    def build(self) -> "Splits":
        """The splits; UserError if there are not enough mazes without twins."""
        from trm_lite.data.mazes import build_mazes

        return build_mazes(self.size, (self.train, self.validation, self.test), self.puzzle_seed)


@dataclass(frozen=True)
class SmallArcData(Data):
    """The tasks of ARC-AGI-1, of both its sets, with no grid beyond `side` rows or columns.

    The test pairs of `validation` tasks, drawn at random, are there to choose by; those of the
    other tasks, to report. The demonstrations of all are learned from.
    """

    side: int = 6  # of the canvas, at most 30
    augmentations: int = 15  # of each task, beside the original
    validation: int = 12  # tasks
    puzzle_seed: int = 0
    source: Literal["small ARC tasks"] = "small ARC tasks"  # names the class in files

    @property
    def puzzle(self) -> str:
        return "arc"

    @property
    def vocab_size(self) -> int:
        return arc.VOCAB_SIZE

    @property
    def seq_len(self) -> int:
        return self.side**2

    @cached_property
    def groups(self) -> "list[Group]":
        """Each task with its augmentations, the original first; those for validation come first.

        Raises UserError for sizes that cannot be.
        """
        from trm_lite.data.small_arc import draw_groups

        return draw_groups(self.side, self.augmentations, self.validation, self.puzzle_seed)

    @property
    def identifiers(self) -> int:
        """Rows in the table of puzzle embeddings: the blank one, and one per augmented task."""
        return 1 + sum(map(len, self.groups))

    def names(self) -> list[str]:
        """What each identifier is called, as `trm_lite.evaluation.Votes` reads it."""
        return ["<blank>", *(name for group in self.groups for name in group.names())]

    def examples(
        self, split: Literal["train", "test"], groups: "list[Group]", guises: int | None = None
    ) -> "PuzzleSet":
        """The pairs of `split` of some groups, in the first `guises` of each, or in all."""
        from trm_lite.data.small_arc import examples

        return examples(self.side, split, groups, guises)

    def build(self) -> "Splits":
        """Demonstrations in all guises, test pairs as they are; UserError as for `groups`."""
        from trm_lite.data.dataset import Splits

        groups, chosen = self.groups, self.validation
        return Splits(
            self.examples("train", groups),
            self.examples("test", groups[:chosen], guises=1),
            self.examples("test", groups[chosen:], guises=1),
        )


@dataclass(frozen=True)
class BuiltData(Data):
    """A benchmark that `trm-lite data NAME` put into a folder."""

    # A preset has options --name, --vocab-size and --seq-len already, hence the other names.
    name: Annotated[str, arg(name="benchmark")] = "sudoku-extreme"
    folder: str = ""  # data/NAME if empty
    vocab_size: Annotated[int, arg(name="tokens")] = 11
    seq_len: Annotated[int, arg(name="cells")] = 81
    symmetries: bool = True  # draw Sudokus under a random symmetry each, unless some are stored
    validation: int = 1_000  # rows of the test split to look at in training, if there is no other
    source: Literal["built"] = "built"  # names the class in files

    @property
    def path(self) -> Path:
        """Where the arrays are."""
        return Path(self.folder or Path("data") / self.name)

    @property
    def puzzle(self) -> str:
        return self.about()["puzzle"]

    @property
    def identifiers(self) -> int:
        """What the folder says; ARC's depend on its settings."""
        return self.about().get("identifiers", 1)

    def about(self) -> dict:
        """What the folder says about itself; UserError if it is another benchmark's or missing."""
        how = f"trm-lite data {self.name}"
        try:
            about = json.loads((self.path / "about.json").read_text())
            there = about["vocab_size"], about["seq_len"]
        except FileNotFoundError as error:
            raise UserError(f"There is no data in {self.path} yet; run: {how}", "folder") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path / 'about.json'} is damaged; delete {self.path} and run: {how}"
            ) from error
        if there != (self.vocab_size, self.seq_len):
            raise UserError(
                f"{self.path} holds {there[1]} cells of {there[0]} tokens, but '{self.name}' has "
                f"{self.seq_len} of {self.vocab_size}; name the right folder.",
                "folder",
            )
        return about

    def build(self) -> "Splits":
        """The splits in the folder, memory-mapped.

        Where there is no validation split, it is a seeded draw from the test split: look at it to
        see how training goes, and do not choose by it what you report.
        """
        from trm_lite.data.folder import build_splits

        return build_splits(self.path, self.about(), self.symmetries, self.validation)


DATA = {data.source: data for data in (SudokuData, MazeData, SmallArcData, BuiltData)}
