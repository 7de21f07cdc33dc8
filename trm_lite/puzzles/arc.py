"""ARC-AGI: find the rule that turns one grid into another, from two to ten demonstrations.

A grid is a uint8 array (rows, columns) of colours 0..9, at most 30x30; 0 is black, the background.
A task has pairs of grids that show its rule (`train`), and pairs to be solved (`test`).

A network reads a grid as 900 tokens, a canvas of 30x30. PAD is 0 and colour c is c + 2. EOS (1)
fills the row below the grid and the column to its right, so that the network can tell its size.

A task's rule still holds when all of its grids are turned or mirrored, and their colours renamed,
in the same way. Such a change is an `Augmentation`. It is part of the puzzle's name, so that an
answer can be translated back to the original task.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError

SIDE = 30  # rows and columns of the canvas
CELLS = SIDE * SIDE
COLOURS = 10
PAD, EOS, BLACK = range(3)  # tokens; the other colours follow
VOCAB_SIZE = BLACK + COLOURS
UNKNOWN = np.zeros((0, 0), np.uint8)  # the output of a pair whose answer is not known
SEPARATOR = "|||"  # between the parts of an augmented puzzle's name


class Pair(NamedTuple):
    """Two grids: a demonstration, or a question with its answer."""

    input: np.ndarray  # (rows, columns) colours
    output: np.ndarray  # (rows, columns) colours, often of another size; (0, 0) if unknown

    @property
    def answered(self) -> bool:
        """Whether the output is known. Kaggle keeps those of its hidden test secret."""
        return self.output.size > 0


@dataclass(frozen=True, eq=False)
class Task:
    """An ARC task: the pairs of `train` show a rule, and those of `test` ask for it."""

    id: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]
    test_first: bool = False  # whether its file has `test` before `train`; examples keep the order

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, in the order of the file."""
        return self.test + self.train if self.test_first else self.train + self.test


def as_task(name: str, train: Sequence, test: Sequence, *, test_first: bool = False) -> Task:
    """A checked task from nested lists or arrays.

    Raises PuzzleError, naming the task and the grid, for an invalid grid and for missing pairs.

    Args:
        name: the task's name.
        train: pairs (input, output) that demonstrate the rule.
        test: pairs (input, output) to be solved; an output is None if it is unknown.
        test_first: see `Task`.
    """
    if SEPARATOR in name:
        raise PuzzleError(f"Task '{name}' has '{SEPARATOR}' in its name; rename it.")
    parts = {"train": train, "test": test}
    for part, pairs in parts.items():
        if not len(pairs):
            raise PuzzleError(f"Task '{name}' has no {part} pairs; add one, or remove the task.")
        for number, pair in enumerate(pairs, start=1):
            if len(pair) != 2:
                raise PuzzleError(
                    f"Task '{name}', {part} pair {number} does not have exactly an input and an "
                    "output; give two grids."
                )
    checked = (
        tuple(
            Pair(
                *(
                    UNKNOWN
                    if grid is None and (part, side) == ("test", "output")
                    else as_grid(grid, f"Task '{name}', {part} pair {number}, {side}")
                    for side, grid in zip(Pair._fields, pair, strict=True)
                )
            )
            for number, pair in enumerate(pairs, start=1)
        )
        for part, pairs in parts.items()
    )
    return Task(name, *checked, test_first=test_first)


def as_grid(cells: Sequence | np.ndarray, where: str = "This grid") -> np.ndarray:
    """Check nested lists or an array, and turn them into a uint8 grid (rows, columns).

    Raises PuzzleError for anything else; its message begins with `where`.
    """
    try:
        widths = [len(row) for row in cells]
    except TypeError:
        raise PuzzleError(f"{where} is not a list of rows; write it as [[0, 1], [2, 3]].") from None
    if not widths or 0 in widths:
        raise PuzzleError(f"{where} is empty; give it at least one row and one column.")
    if len(set(widths)) > 1:
        row = next(row for row, width in enumerate(widths) if width != widths[0])
        raise PuzzleError(
            f"{where} is ragged: row {row + 1} has {widths[row]} cells and row 1 has {widths[0]}; "
            "make all rows equally long."
        )
    rows, columns = len(widths), widths[0]
    if max(rows, columns) > SIDE:
        raise PuzzleError(
            f"{where} is {rows}x{columns}, larger than {SIDE}x{SIDE}; use smaller grids."
        )
    try:
        grid = np.array(cells)
    except ValueError:  # cells of different depth
        grid = np.empty(0)
    if grid.ndim != 2 or not np.issubdtype(grid.dtype, np.integer):
        raise PuzzleError(f"{where} holds something not a whole number; use the colours 0 to 9.")
    if grid.min() < 0 or grid.max() >= COLOURS:
        wrong = grid[(grid < 0) | (grid >= COLOURS)][0]
        raise PuzzleError(f"{where} holds the colour {wrong}; use the colours 0 to 9.")
    return grid.astype(np.uint8)


def render(grid: np.ndarray) -> str:
    """A grid (rows, columns) as lines of digits, with dots for black."""
    return "\n".join("".join(str(colour) if colour else "." for colour in row) for row in grid)


# Grids as tokens


def draw(canvas: np.ndarray, grid: np.ndarray, row: int, column: int) -> None:
    """Write the tokens of a grid and its EOS border into a canvas, in place.

    Args:
        canvas: (side, side) tokens. The EOS border is left out where it would not fit.
        grid: (rows, columns) colours.
        row: row of the grid's upper left corner on the canvas.
        column: column of that corner.
    """
    bottom, right = row + grid.shape[0], column + grid.shape[1]
    canvas[row:bottom, column:right] = grid + BLACK
    canvas[bottom : bottom + 1, column:right] = EOS  # an empty slice at the edge of the canvas
    canvas[row:bottom, right : right + 1] = EOS


def to_tokens(grid: np.ndarray, row: int = 0, column: int = 0, side: int = SIDE) -> np.ndarray:
    """A grid as the uint8 tokens (side*side,) of a canvas, padded and with its EOS border.

    Raises PuzzleError if the grid does not fit there.

    Args:
        grid: (rows, columns) colours.
        row: row of the grid's upper left corner on the canvas.
        column: column of that corner.
        side: rows and columns of the canvas.
    """
    if row + grid.shape[0] > side or column + grid.shape[1] > side or min(row, column) < 0:
        raise PuzzleError(
            f"A grid of {grid.shape[0]}x{grid.shape[1]} at row {row}, column {column} does not fit "
            f"on a canvas of {side}x{side}; move it to the upper left."
        )
    canvas = np.full((side, side), PAD, np.uint8)
    draw(canvas, grid, row, column)
    return canvas.reshape(-1)


def from_tokens(tokens: np.ndarray) -> np.ndarray:
    """The grid that `tokens` (side*side,) show: the largest rectangle of colours at the upper left.

    Of equally large rectangles, the one with the fewest rows is returned. The grid is empty,
    (0, 0), if the first token is not a colour.
    """
    side = math.isqrt(tokens.size)
    canvas = tokens.reshape(side, side)
    coloured = (canvas >= BLACK) & (canvas < VOCAB_SIZE)
    # How many colours each row begins with, and then the least of these among the first r rows.
    widths = np.minimum.accumulate(coloured.cumprod(axis=1).sum(axis=1))
    areas = widths * np.arange(1, side + 1)
    rows = int(areas.argmax())
    if areas[rows] == 0:
        return np.zeros((0, 0), np.uint8)
    return (canvas[: rows + 1, : widths[rows]] - BLACK).astype(np.uint8)


# Augmentations

# The eight ways to turn and mirror a grid, in the order of the authors' code.
TURNS = (
    "as it is",
    "turned left by 90 degrees",
    "turned by 180 degrees",
    "turned right by 90 degrees",
    "mirrored left to right",
    "mirrored top to bottom",
    "transposed",
    "transposed about the other diagonal",
)
INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)  # the turn that undoes each turn
SIDEWAYS = (1, 3, 6, 7)  # the turns that make rows into columns


def turn(grid: np.ndarray, number: int) -> np.ndarray:
    """`grid` (rows, columns) after turn `number` of `TURNS`, as a view of the same array."""
    if number < 4:
        return np.rot90(grid, number)
    return (np.fliplr, np.flipud, np.transpose, lambda g: np.fliplr(np.rot90(g)))[number - 4](grid)


@dataclass(frozen=True)
class Augmentation:
    """A change that keeps a task's rule, if done to all of its grids: rename colours, then turn."""

    turn: int = 0  # index into TURNS
    colours: tuple[int, ...] = tuple(range(COLOURS))  # new colour of each old one; black is kept

    def apply(self, grid: np.ndarray) -> np.ndarray:
        """The grid (rows, columns) with this augmentation applied."""
        return turn(np.array(self.colours, np.uint8)[grid], self.turn)

    def undo(self, grid: np.ndarray) -> np.ndarray:
        """The grid that `apply` turned into `grid`."""
        return np.argsort(self.colours).astype(np.uint8)[turn(grid, INVERSE[self.turn])]

    def name(self, task: str) -> str:
        """The name of the puzzle that this augmentation makes of the task called `task`.

        It is "task|||t3|||0214356789", say. Without any change it is the task's own name.
        """
        if self == Augmentation():
            return task
        return SEPARATOR.join((task, f"t{self.turn}", "".join(map(str, self.colours))))

    def __str__(self) -> str:
        if self == Augmentation():
            return "the original"
        renamed = [f"{a} as {b}" for a, b in enumerate(self.colours) if a != b]
        return f"{TURNS[self.turn]}, " + (", ".join(renamed) if renamed else "colours kept")


def parse_name(name: str) -> tuple[str, Augmentation]:
    """The name of the original task, and the augmentation, that are written in a puzzle's name.

    Raises PuzzleError if `name` has another form than `Augmentation.name` gives it.
    """
    task, *rest = name.split(SEPARATOR)
    if not rest:
        return task, Augmentation()
    turns = {f"t{number}": number for number in range(len(TURNS))}
    if len(rest) == 2 and rest[0] in turns and sorted(rest[1]) == list("0123456789"):
        return task, Augmentation(turns[rest[0]], tuple(map(int, rest[1])))
    raise PuzzleError(
        f"'{name}' is not the name of an ARC puzzle; write task{SEPARATOR}t0..t7{SEPARATOR} and "
        "the ten digits in their new order."
    )
