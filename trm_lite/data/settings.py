"""The settings of every data set, one frozen dataclass each. This file needs no torch.

`build` makes the splits, and imports what it needs for that.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from trm_lite.common.errors import UserError, check_range
from trm_lite.common.files import write_atomically
from trm_lite.puzzles import arc, maze

if TYPE_CHECKING:
    from trm_lite.data.arc_augmentations import Group
    from trm_lite.data.dataset import PuzzleSet, Splits
    from trm_lite.puzzles import Puzzle


PUZZLE_COPY = "puzzle.py"  # the puzzle file in the folder of a run


LARGEST_SEED = 10**15  # seeds of parts are a thousand times as large


@dataclass(frozen=True)
class Data:
    """Where the puzzles of an experiment come from.

    Every data set has `vocab_size`, the number of different tokens (V), and `seq_len`, the number
    of cells of a puzzle (L). A network must have the same.
    """

    @property
    def puzzle_name(self) -> str:
        """The name of the puzzle, which the network's configuration carries too."""
        raise NotImplementedError

    @property
    def puzzle(self) -> "Puzzle":
        """What the tokens mean, and what can be done. UserError if the data is missing."""
        from trm_lite.puzzles import get_puzzle

        return get_puzzle(self.puzzle_name)

    @property
    def identifiers(self) -> int:
        """How many puzzle identifiers there are: 1 where all puzzles have the same rules."""
        return 1

    def build(self) -> "Splits":
        """Make or read the splits. Raises UserError if that fails."""
        raise NotImplementedError

    def settled(self) -> "Data":
        """The same data, which can be found from any folder."""
        return self

    def unplaced(self) -> "Data":
        """The same data, without where it lies on this machine."""
        return self

    def keep_in(self, run: Path) -> None:
        """Copy what is needed to understand a run into its folder."""

    def seen_from(self, run: Path) -> "Data":
        """The same data, with what `keep_in` left in the folder of a run."""
        return self


@dataclass(frozen=True)
class SudokuData(Data):
    """Generated Sudokus. No puzzle has a twin in its own split or in another one.

    The kinds are "minimal" (every clue is needed), a number of blanks such as "40-blanks" (easier
    puzzles), and "evolved" (9x9 puzzles bred to be extremely hard). Evolved puzzles with a common
    ancestor are all in the same split.
    """

    size: int = 6  # 4, 6 or 9
    kinds: tuple[str, ...] = ("minimal",)  # kinds of puzzles, mixed in equal parts
    train: int = 1000  # number of training puzzles
    validation: int = 200  # number of validation puzzles
    test: int = 500  # number of test puzzles
    puzzle_seed: int = 0  # seed of all random draws
    source: Literal["generated"] = "generated"  # the name of the class in files

    def __post_init__(self):
        """Raise UserError for a seed that is none."""
        check_range("puzzle_seed", self.puzzle_seed, 0, LARGEST_SEED)

    @property
    def puzzle_name(self) -> str:
        return f"sudoku-{self.size}x{self.size}"

    @property
    def vocab_size(self) -> int:
        """Padding, the blank, and the digits: n + 2 tokens."""
        return self.size + 2

    @property
    def seq_len(self) -> int:
        """The cells of a board, n * n."""
        return self.size**2

    def build(self) -> "Splits":
        """The splits, generated at the first call and then read from the cache folder."""
        from trm_lite.data.sudokus import build_sudokus

        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return build_sudokus(self.size, self.kinds, sizes, self.puzzle_seed)


@dataclass(frozen=True)
class MazeData(Data):
    """Generated mazes with a single path from S to G, without turned or mirrored twins.

    Because the path is unique, every symmetry of a maze has just one right answer too. Mazes are
    generated in a second or two, and therefore not kept on disk.
    """

    size: int = 7  # rows and columns, an odd number
    train: int = 2000  # number of training mazes
    validation: int = 200  # number of validation mazes
    test: int = 500  # number of test mazes
    puzzle_seed: int = 0  # seed of all random draws
    source: Literal["generated mazes"] = "generated mazes"  # the name of the class in files

    def __post_init__(self):
        """Raise UserError for a seed that is none."""
        check_range("puzzle_seed", self.puzzle_seed, 0, LARGEST_SEED)

    @property
    def puzzle_name(self) -> str:
        return f"maze-{self.size}x{self.size}"

    @property
    def vocab_size(self) -> int:
        """Padding and the five characters of a maze."""
        return len(maze.CHARACTERS)

    @property
    def seq_len(self) -> int:
        """The cells of a maze, n * n."""
        return self.size**2

    def build(self) -> "Splits":
        """Generate the splits. Raises UserError if there are not enough mazes without twins."""
        from trm_lite.data.mazes import build_mazes

        return build_mazes(self.size, (self.train, self.validation, self.test), self.puzzle_seed)


@dataclass(frozen=True)
class SmallArcData(Data):
    """The tasks of ARC-AGI-1, training and evaluation, whose grids all fit on a small canvas.

    Training uses the demonstrations of all tasks. The test pairs of some random tasks are the
    validation split, and those of all other tasks are the test split.
    """

    side: int = 6  # rows and columns of the canvas, at most 30
    augmentations: int = 15  # augmentations of each task, beside the original
    validation: int = 12  # number of validation tasks
    puzzle_seed: int = 0  # seed of all random draws
    source: Literal["small ARC tasks"] = "small ARC tasks"  # the name of the class in files

    def __post_init__(self):
        """Raise UserError for a seed that is none."""
        check_range("puzzle_seed", self.puzzle_seed, 0, LARGEST_SEED)

    @property
    def puzzle_name(self) -> str:
        return f"arc-{self.side}x{self.side}"

    @property
    def vocab_size(self) -> int:
        """Padding, EOS, and the ten colours."""
        return arc.VOCAB_SIZE

    @property
    def seq_len(self) -> int:
        """The cells of the canvas."""
        return self.side**2

    @cached_property
    def groups(self) -> "list[Group]":
        """Each task with its augmentations; the validation tasks come first.

        Raises UserError for impossible settings.
        """
        from trm_lite.data.small_arc import draw_groups

        return draw_groups(self.side, self.augmentations, self.validation, self.puzzle_seed)

    @property
    def identifiers(self) -> int:
        """How many puzzle identifiers there are: one per augmented task, and 0 for padding."""
        return 1 + sum(map(len, self.groups))

    def names(self) -> list[str]:
        """The puzzle name of each identifier, as `trm_lite.evaluation.Votes` needs them."""
        return ["<blank>", *(name for group in self.groups for name in group.names())]

    def examples(
        self, split: Literal["train", "test"], groups: "list[Group]", guises: int | None = None
    ) -> "PuzzleSet":
        """The examples of a split, of some of the tasks only.

        Args:
            split: "train" for demonstrations, "test" for the pairs to be solved.
            groups: the tasks, some of `self.groups`.
            guises: how many guises of each task, the original first; None for all.
        """
        from trm_lite.data.small_arc import examples

        return examples(self.side, split, groups, guises)

    def build(self) -> "Splits":
        """The splits: demonstrations in all guises, and test pairs of the originals only.

        Raises UserError for impossible settings.
        """
        from trm_lite.data.dataset import Splits

        groups, chosen = self.groups, self.validation
        return Splits(
            self.examples("train", groups),
            self.examples("test", groups[:chosen], guises=1),
            self.examples("test", groups[chosen:], guises=1),
        )


@dataclass(frozen=True)
class BuiltData(Data):
    """A benchmark that `trm-lite data NAME` built in a folder."""

    # A preset has options --name, --vocab-size and --seq-len already, hence the other names.
    name: Annotated[str, arg(name="benchmark")] = "sudoku-extreme"  # name of the benchmark
    folder: str = ""  # where it was built; data/NAME if empty
    vocab_size: Annotated[int, arg(name="tokens")] = 11  # different tokens
    seq_len: Annotated[int, arg(name="cells")] = 81  # cells of a puzzle
    symmetries: bool = True  # show each Sudoku under a random symmetry, unless some are stored
    validation: int = 1_000  # rows of the test split to validate on, if no split is meant for it
    source: Literal["built"] = "built"  # the name of the class in files

    @property
    def path(self) -> Path:
        """The folder that holds the benchmark."""
        return Path(self.folder or Path("data") / self.name)

    @property
    def puzzle_name(self) -> str:
        return self.about()["puzzle"]

    @property
    def puzzle(self) -> "Puzzle":
        from trm_lite.data.folder import puzzle_in

        return puzzle_in(self.about())

    @property
    def identifiers(self) -> int:
        """How many puzzle identifiers the folder has. For ARC this depends on its settings."""
        return self.about().get("identifiers", 1)

    def about(self) -> dict:
        """The folder's description of itself, about.json.

        Raises UserError if the folder is missing, damaged, or holds puzzles of another size.
        """
        from trm_lite.data.folder import read_about

        how = f"trm-lite data {self.name}, or trm-lite data FILE.csv for a puzzle of your own"
        try:
            about = read_about(self.path)
            there = about["vocab_size"], about["seq_len"]
        except FileNotFoundError as error:
            raise UserError(f"There is no data in {self.path} yet; run: {how}", "folder") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path / 'about.json'} is damaged; delete {self.path} and run: {how}"
            ) from error
        if there != (self.vocab_size, self.seq_len):
            raise UserError(
                f"{self.path} has puzzles of {there[1]} cells and {there[0]} tokens, but "
                f"'{self.name}' has {self.seq_len} and {self.vocab_size}; name the right folder.",
                "folder",
            )
        return about

    def usual(self) -> "BuiltData":
        """The same folder, used as it usually is."""
        return BuiltData(self.name, self.folder, self.vocab_size, self.seq_len)

    def settled(self) -> "BuiltData":
        return replace(self, folder=str(self.path.resolve()))

    def unplaced(self) -> "BuiltData":
        return replace(self, folder="")

    def seen_from(self, run: Path) -> "BuiltData":
        """The folder, if it is not where it was said to be, is looked for around the run's."""
        if self.path.exists() or self.path.is_absolute():
            return self
        around = [parent / self.path for parent in run.resolve().parents]
        there = next((path for path in around if (path / "about.json").exists()), self.path)
        return replace(self, folder=str(there))

    def build(self) -> "Splits":
        """The splits in the folder, memory-mapped.

        If there is no validation split, it is a random part of the test split, always the same,
        or of the training split if the answers to the test are not known. Then use it only to
        watch the training, and not to choose what you report.
        """
        from trm_lite.data.folder import build_splits

        return build_splits(self.path, self.about(), self.symmetries, self.validation)


@dataclass(frozen=True)
class PuzzleData(Data):
    """Examples that a puzzle file makes, without duplicates, no family in two splits.

    The name and the sizes are those of the puzzle, so that nothing is executed to know them. The
    file itself is executed when its puzzle is first needed.
    """

    file: str = ""  # the puzzle file; see `trm_lite.puzzles.load_puzzle`
    sha256: str = ""  # of that file; another content is another experiment
    title: Annotated[str, arg(name="puzzle-name")] = ""  # name of the puzzle
    vocab_size: Annotated[int, arg(name="tokens")] = 0  # different tokens
    seq_len: Annotated[int, arg(name="cells")] = 0  # cells of a board
    train: int = 2000  # number of training examples
    validation: int = 200  # number of validation examples
    test: int = 500  # number of test examples
    puzzle_seed: int = 0  # seed of all random draws
    source: Literal["puzzle file"] = "puzzle file"  # the name of the class in files

    @property
    def puzzle_name(self) -> str:
        return self.title

    @property
    def puzzle(self) -> "Puzzle":
        from trm_lite.puzzles.loading import load_same

        return load_same(self.file, self.sha256, self.title)

    def build(self) -> "Splits":
        """The splits, made at the first call and then read from the cache folder."""
        from trm_lite.data.own import build_made

        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return build_made(self.puzzle, self.sha256, sizes, self.puzzle_seed)

    @classmethod
    def of(cls, file: Path) -> "PuzzleData":
        """The data of a puzzle file, which is executed and tried out. PuzzleError if it fails."""
        from trm_lite.puzzles.loading import hash_of, load_same

        path, sha256 = str(file.resolve()), hash_of(file)
        puzzle = load_same(path, sha256, file.name)
        return cls(path, sha256, puzzle.name, puzzle.vocab_size, puzzle.length)

    def unplaced(self) -> "PuzzleData":
        return replace(self, file="")

    def named(self, file: Path | None) -> "PuzzleData":
        """The same data from another file, or None: then nothing can be executed."""
        from trm_lite.puzzles.loading import hash_of

        if file is None:
            return self.unplaced()
        return replace(self, file=str(file.resolve()), sha256=hash_of(file))

    def usual(self) -> "PuzzleData":
        """The same puzzle with the usual numbers of examples."""
        return PuzzleData(self.file, self.sha256, self.title, self.vocab_size, self.seq_len)

    def keep_in(self, run: Path) -> None:
        """Copy the puzzle file into the folder of a run."""
        copy = run / PUZZLE_COPY
        if self.file and Path(self.file).resolve() != copy.resolve():
            write_atomically(copy, Path(self.file).read_bytes())

    def seen_from(self, run: Path) -> "PuzzleData":
        copy = (run / PUZZLE_COPY).resolve()
        return replace(self, file=str(copy)) if copy.exists() else self


DATA = {data.source: data for data in (SudokuData, MazeData, SmallArcData, BuiltData, PuzzleData)}
