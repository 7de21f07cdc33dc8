"""A puzzle as a value: its tokens, its shape, and what can be done with it.

A network knows boards as rows of numbers, the *tokens*. A `Puzzle` says what they mean. Only its
name, its tokens and its shape are needed; every further field switches features on. Sudoku, mazes
and ARC are such values (`get_puzzle`), and a puzzle of your own is another (`load_puzzle`).

Token 0 is padding. Where an answer holds it, nothing is asked and nothing is graded. An answer
that is shorter than the board, such as a text, ends with a token of its own (`end`), which is
graded like any other; padding follows.
"""

import inspect
import re
import traceback
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trm_lite.common.errors import PuzzleError

if TYPE_CHECKING:
    import torch

PAD = 0  # the token for "no cell here"
DESCRIBED = ("name", "tokens", "shape", "blanks", "end")  # what files say of a puzzle
TAKES = {  # what the functions of a puzzle are called with
    "make": "count, rng",
    "family": "question, answer",
    "augment": "questions, answers, generator",
    "breaks": "questions, answers",
    "draw": "axes, tokens, marks",
    "solve": "question",
    "conflicts": "questions",
    "rounds": "questions",
    "bands": "questions",
    "parse": "text",
    "symmetry": "count, generator",
}


@dataclass(frozen=True)
class Puzzle:
    """What the tokens of a board mean, and what can be done with such boards.

    B boards of L cells, V tokens. Raises PuzzleError, naming the field, for values that make no
    sense.

    Args:
        name: its name, of letters, digits, dots, dashes and underscores.
        tokens: one character per token; the first stands for padding, which is never graded.
        shape: rows and columns of a board; (1, L) for text.
        blanks: the characters of tokens that mean "to be found".
        make: (count, rng) -> questions, answers: both (count, L) tokens, drawn from `rng` alone.
        family: (question, answer) -> anything hashable. Examples of one family never stand in
            two splits. By default an example is related to nothing but itself.
        augment: (questions, answers, generator) -> the same under a random symmetry, as tensors
            (B, L).
        breaks: (questions, answers) -> the cells (B, L) that are against a rule. An answer
            without any is valid.
        draw: (axes, tokens, marks) -> None, draws a board (L,). `marks` says what else is to be
            seen, see `trm_lite.viewing.boards.Marks`. What it gives a label stands in the legend.
            By default characters in a grid.
        end: the character of the token that ends answers which are shorter than the board.
        solve: question (L,) -> its answer (L,). Raises PuzzleError, saying why, without exactly
            one.
        conflicts: questions -> the given cells (B, L) that contradict each other.
        rounds: questions -> in which round (B, L) a solver finds each cell, 0 for what is given.
        bands: questions -> for each band of difficulty, the easiest first, which (B,) are in it.
        parse: text -> the only board (L,) in it, in any format. Raises PuzzleError otherwise.
        words: what each token is called; by default its character.
        colours: a colour for each token, to paint cells with instead of writing characters.
        boxes: rows and columns of the boxes that thick lines surround.
        valid: what a valid answer is called.
        symmetry: (count, generator) -> two functions on tensors (count, L): one shows each board
            under a random symmetry, the other one undoes that.
        full: whether boards never hold padding, because every cell is used.
    """

    name: str
    tokens: str
    shape: tuple[int, int]
    blanks: str = ""
    make: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]] | None = None
    family: Callable[[np.ndarray, np.ndarray], Hashable] | None = None
    augment: "Callable[[torch.Tensor, torch.Tensor, torch.Generator], tuple] | None" = None
    breaks: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    draw: Callable[[Any, np.ndarray, Any], None] | None = None
    end: str = ""
    solve: Callable[[np.ndarray], np.ndarray] | None = None
    conflicts: Callable[[np.ndarray], np.ndarray] | None = None
    rounds: Callable[[np.ndarray], np.ndarray] | None = None
    bands: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None
    parse: Callable[[str], np.ndarray] | None = None
    words: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    boxes: tuple[int, int] | None = None
    valid: str = "any valid answer"
    symmetry: Callable[[int, Any], tuple[Callable, Callable]] | None = None
    full: bool = False

    def __post_init__(self) -> None:
        _check_words(self)
        _check_shape(self)
        for name in TAKES:
            _check_function(self, name)
        for name in ("words", "colours"):
            value = getattr(self, name)
            if value and len(value) != self.vocab_size:
                raise PuzzleError(
                    f"The puzzle '{self.name}' has {len(value)} {name} for {self.vocab_size} "
                    "tokens; give each token one."
                )

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, padding included (V)."""
        return len(self.tokens)

    @property
    def length(self) -> int:
        """The cells of a board (L)."""
        return self.shape[0] * self.shape[1]

    @property
    def columns(self) -> int:
        """The cells of a row."""
        return self.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The smallest type of array that holds all tokens, and that torch knows too."""
        return dtype_for(self.vocab_size)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.tokens)}

    def to_find(self, questions: np.ndarray) -> np.ndarray:
        """Which cells of questions, of any shape, are to be found."""
        return np.isin(questions, [self._numbers[character] for character in self.blanks])

    def given(self, questions: np.ndarray) -> np.ndarray:
        """Which cells of questions, of any shape, are neither to be found nor padding."""
        return (questions != PAD) & ~self.to_find(questions)

    def encode(self, text: str) -> np.ndarray:
        """Text as the tokens (L,) of a board: one character per cell, padded at the end.

        Raises PuzzleError for a character of no token, and if there are too many.
        """
        for place, character in enumerate(text, start=1):
            if character not in self._numbers:
                raise PuzzleError(
                    f"Boards of '{self.name}' are written with the characters "
                    f"'{self.tokens[1:]}', but position {place} holds {character!r}."
                )
        if len(text) > self.length:
            raise PuzzleError(
                f"A board of '{self.name}' has {self.length} cells, but this text has {len(text)}."
            )
        numbers = [self._numbers[character] for character in text]
        return np.array(numbers + [PAD] * (self.length - len(numbers)), self.dtype)

    def board_in(self, text: str) -> np.ndarray:
        """The only board (L,) in a text, as tokens; of several rows, each may have its own line.

        Raises PuzzleError if there is none, or another one.
        """
        if self.parse is not None:
            return self.call("parse", text)
        board = self.encode("".join(text.split("\n" if " " in self.tokens else None)))
        if self.shape[0] > 1 and PAD in board:
            raise PuzzleError(f"A board of '{self.name}' has {self.length} cells; give them all.")
        return board

    def decode(self, board: np.ndarray) -> str:
        """A board (L,) as one line of text, up to its end token, without padding behind it."""
        text = "".join(self.tokens[token] for token in board)
        if self.end and self.end in text:
            return text[: text.index(self.end)]
        return text.rstrip(self.tokens[PAD])

    def lines(self, board: np.ndarray) -> list[str]:
        """A board (L,) as one line of characters for each row."""
        rows = np.asarray(board).reshape(self.shape)
        return ["".join(self.tokens[token] for token in row) for row in rows]

    def word(self, token: int) -> str:
        """What a token is called."""
        if self.words:
            return self.words[token]
        if token == PAD:
            return "padding"
        character = self.tokens[token]
        if character == self.end:
            return "end"
        return {" ": "space"}.get(character, "blank" if character in self.blanks else character)

    def place(self, cell: int) -> str:
        """Where a cell, from 0, is: its row and its column."""
        row, column = divmod(int(cell), self.columns)
        return f"row {row + 1}, column {column + 1}"

    def broken(self, questions: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The cells of answers that are against a rule, (B, L); none where no rule is known.

        Where a label is not graded, the answer must hold padding. Raises PuzzleError if the
        puzzle's own `breaks` fails.

        Args:
            questions: (B, L) tokens.
            answers: (B, L) tokens.
        """
        if self.breaks is None:
            return np.zeros(np.shape(answers), bool)
        given = self.call("breaks", questions.copy(), answers.copy())
        try:
            found = np.asarray(given)
        except ValueError:  # of rows of different lengths
            found = np.empty((), object)
        if found.shape != np.shape(answers) or found.dtype != bool:
            raise PuzzleError(
                f"breaks of the puzzle '{self.name}' returned "
                f"{kind_of(None if given is None else found)} for "
                f"{len(answers)} boards of {self.length} cells; return an array of bool of shape "
                f"{tuple(np.shape(answers))}."
            )
        return found

    def check_tokens(self, boards: np.ndarray) -> None:
        """Raise PuzzleError unless boards, of any shape, hold tokens of this puzzle only."""
        bad = boards[(boards < self.full) | (boards >= self.vocab_size)]
        if bad.size:
            known = f"tokens {int(self.full)} to {self.vocab_size - 1}"
            raise PuzzleError(
                f"Boards of '{self.name}' hold {known}, but one has {bad[0]}; make tokens of its "
                "text by `encode`, and of the digits of a Sudoku by `sudoku.to_tokens`."
            )

    def call(self, function: str, *arguments: Any) -> Any:
        """Call one of the functions; what it raises becomes a PuzzleError that names the line."""
        try:
            return getattr(self, function)(*arguments)
        except PuzzleError:
            raise
        except (Exception, SystemExit) as error:
            raise PuzzleError(
                f"{function} of the puzzle '{self.name}' failed"
                f"{_line_of(error, getattr(self, function))}: {told(error)}."
                + " It is given torch tensors, and a torch Generator."
                * (function == "augment")
            ) from error

    def described(self) -> dict:
        """What files say of a puzzle, which is what `described` in `known.py` reads."""
        return {name: getattr(self, name) for name in DESCRIBED}


def dtype_for(vocab_size: int) -> np.dtype:
    """The smallest type of array that holds so many tokens, and that torch knows too."""
    for dtype in (np.uint8, np.int16, np.int32):
        if vocab_size <= np.iinfo(dtype).max + 1:
            return np.dtype(dtype)
    raise PuzzleError(f"{vocab_size} tokens are too many.")


def kind_of(found: Any) -> str:
    """What somebody else's function returned, in words."""
    if hasattr(found, "dtype") and hasattr(found, "shape"):
        what = "an array" if isinstance(found, np.ndarray) else f"a {type(found).__name__}"
        return f"{what} of {found.dtype} of shape {tuple(found.shape)}"
    size = f" of {len(found)}" if isinstance(found, tuple | list) else ""
    return "None" if found is None else f"a {type(found).__name__}{size}"


def told(error: BaseException) -> str:
    """What somebody else's error says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")


def _line_of(error: BaseException, function: Callable) -> str:
    """The last line of a traceback that is in the file of a function, in words; "" if none is."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == file
    ]
    return f" in line {lines[-1]} of {file}" if lines else ""


def _check_function(puzzle: Puzzle, name: str) -> None:
    """PuzzleError unless the field `name` is empty, or a function that takes its arguments."""
    function = getattr(puzzle, name)
    if function is None:
        return
    if not callable(function):
        raise PuzzleError(
            f"The puzzle '{puzzle.name}' has {name} = {function!r}; make it a function, or leave "
            "it out."
        )
    if inspect.isclass(function):
        raise PuzzleError(
            f"{name} of the puzzle '{puzzle.name}' is the class {function.__name__}; make an "
            f"object of it, {function.__name__}(), or a function."
        )
    try:
        inspect.signature(function).bind(*TAKES[name].split(", "))
    except TypeError as error:
        raise PuzzleError(
            f"{name} of the puzzle '{puzzle.name}' is called as {name}({TAKES[name]}), but that "
            f"does not fit its parameters: {error}."
        ) from None
    except ValueError:  # some functions of C do not tell
        pass


def _check_words(puzzle: Puzzle) -> None:
    for name in ("name", "tokens", "blanks", "end"):
        if not isinstance(getattr(puzzle, name), str):
            value = getattr(puzzle, name)
            how = "quote it"
            if inspect.isfunction(value):
                how = f"name the fields: {value.__name__}=..."
            elif isinstance(value, tuple | list):
                how = "join its characters"
            raise PuzzleError(f"A puzzle's {name} must be text, not {value!r}; {how}.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", puzzle.name):
        raise PuzzleError(
            f"A puzzle cannot be called {puzzle.name!r}; use letters, digits, dots, dashes and "
            "underscores."
        )
    tokens = puzzle.tokens
    twice = next((c for c in tokens if tokens.count(c) > 1), None)
    if twice is not None:
        places = [str(token) for token, c in enumerate(tokens) if c == twice]
        raise PuzzleError(
            f"The tokens {' and '.join(places)} of the puzzle '{puzzle.name}' are both {twice!r}; "
            "give each its own character."
        )
    odd = [c for c in tokens if len(f"{c} ".splitlines()) > 1 or 0xD800 <= ord(c) < 0xE000]
    if odd:
        raise PuzzleError(
            f"The tokens of the puzzle '{puzzle.name}' hold {odd[0]!r}, which cannot stand in a "
            "line of text; take another character."
        )
    if len(tokens) < 2:
        raise PuzzleError(
            f"The puzzle '{puzzle.name}' has {len(tokens)} tokens; it needs padding, which comes "
            "first, and at least one more."
        )
    if tokens[PAD].isalnum():
        raise PuzzleError(
            f"Token 0 of the puzzle '{puzzle.name}' is {tokens[PAD]!r}, but token 0 is padding and "
            "is never graded; put a character for padding, such as '_', before it."
        )
    for name in ("blanks", "end"):
        for character in getattr(puzzle, name):
            if character not in tokens[1:]:
                why = "which is padding" if character == tokens[PAD] else "which is no token"
                raise PuzzleError(
                    f"The {name} of the puzzle '{puzzle.name}' hold{'s' * (name == 'end')} "
                    f"{character!r}, {why}; use one of '{tokens[1:]}'."
                )
    if len(puzzle.end) > 1:
        raise PuzzleError(f"The end of the puzzle '{puzzle.name}' must be a single character.")


def _check_shape(puzzle: Puzzle) -> None:
    shape = puzzle.shape
    whole = isinstance(shape, tuple | list) and len(shape) == 2
    whole = whole and all(isinstance(n, int | np.integer) and n > 0 for n in shape)
    if not whole:
        raise PuzzleError(
            f"The shape of the puzzle '{puzzle.name}' is {shape!r}; give rows and columns, such "
            "as (6, 6), or (1, 12) for text."
        )
    object.__setattr__(puzzle, "shape", (int(shape[0]), int(shape[1])))
    for name in ("words", "colours"):
        object.__setattr__(puzzle, name, tuple(getattr(puzzle, name)))
