"""Puzzles of your own from a CSV file, with the columns question, answer and, if you like, more.

    question, answer     text, one character per cell
    split                train, validation or test; without it, examples are drawn at random
    rating               how hard each example is, a number

Every character becomes a token. A text that is shorter than the longest is padded with token 0,
which is never graded. So that a network can say where its answer ends, an answer that is shorter
than the board gets an end token, which is graded.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.texts import read_text, text_lines
from trm_lite.data.benchmarks.download import sha256
from trm_lite.data.benchmarks.options import FromCsv
from trm_lite.data.folder import is_built, new_folder, plain, write_split
from trm_lite.puzzles import Puzzle
from trm_lite.puzzles.known import OURS
from trm_lite.puzzles.reading.csv_tables import NAMES, CsvProblem, Table, one_line, read_table

SPLITS = ("train", "validation", "test")
CALLED = {"val": "validation", "valid": "validation", "dev": "validation"}  # as others say
PADS, ENDS = "_~¤█", "$;|¶"  # characters for padding and for the end, the first that is unused
SHARE = 0.1  # of the examples for validation, and as many for the test, if no split is given


class Row(NamedTuple):
    """One line of the file."""

    line: int
    question: str
    answer: str
    split: str  # "" if the file does not say
    rating: float | None


def build_csv(path: Path, folder: Path, options: FromCsv) -> bool:
    """Build the puzzles of a CSV file into `folder`; False if it is there already, built the same.

    Raises UserError if that cannot be done, PuzzleError for a line that makes no sense.
    """
    if options.augmentations:
        raise UserError("Nothing is known of the symmetries of a CSV file.", "augmentations")
    rows = read_rows(path)
    puzzle = puzzle_for(named_after(folder), rows, options)
    about = {"name": folder.name, "puzzle": puzzle.name} | {
        key: value for key, value in puzzle.described().items() if key != "name"
    }
    about |= {"shape": list(puzzle.shape), "vocab_size": puzzle.vocab_size}
    about |= {"seq_len": puzzle.length, "seed": options.seed}
    about["sources"] = {path.name: sha256(path)}
    about["rows"] = {name: getattr(options, name) for name in SPLITS}
    if is_built(folder, about):
        return False
    splits, notes = divide(rows, options)
    if any(row.rating is not None for row in rows):
        about["rating"] = "of the file"
    with new_folder(folder, about | {"notes": notes}) as unfinished:
        for name, chosen in splits.items():
            _write(unfinished / name, puzzle, chosen)
    return True


def named_after(folder: Path) -> str:
    """A name for the puzzle in a folder, other than those of the course's puzzles."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", folder.name).lstrip("._-") or "mine"
    return f"my-{name}" if OURS.fullmatch(name) else name


def _write(folder: Path, puzzle: Puzzle, rows: Sequence[Row]) -> None:
    questions = np.stack([puzzle.encode(row.question) for row in rows])
    answers = np.stack([puzzle.encode(ended(row.answer, puzzle)) for row in rows])
    ratings = np.array([np.nan if row.rating is None else row.rating for row in rows])
    write_split(folder, plain(questions, answers), None if np.isnan(ratings).any() else ratings)


def ended(answer: str, puzzle: Puzzle) -> str:
    """An answer with its end token, if it is shorter than the board."""
    return answer + puzzle.end if len(answer) < puzzle.length else answer


def puzzle_for(name: str, rows: Sequence[Row], options: FromCsv) -> Puzzle:
    """What the characters of a file mean, as a puzzle. PuzzleError if its shape does not fit."""
    asked = {character for row in rows for character in row.question}
    said = {character for row in rows for character in row.answer}
    lengths = {len(text) for row in rows for text in (row.question, row.answer)}
    used = sorted(asked | said)
    rare = [chr(code) for code in range(0x2500, 0x2500 + len(used) + 2)]
    pad = next(c for c in [*PADS, *rare] if c not in used)
    end = next(c for c in [*ENDS, *rare] if c not in used and c != pad)
    end = end if len(lengths) > 1 else ""
    blanks = options.blanks if options.blanks is not None else "." * ("." in asked - said)
    shape = (1, max(lengths))
    if options.shape is not None:
        shape = options.shape
        if lengths != {shape[0] * shape[1]}:
            there = " to ".join(map(str, sorted({min(lengths), max(lengths)})))
            raise PuzzleError(
                f"Boards of {shape[0]} rows and {shape[1]} columns have {shape[0] * shape[1]} "
                f"characters, but this file has texts of {there}; give another shape, or none.",
                "shape",
            )
    return Puzzle(name, pad + "".join(used) + end, shape, blanks, end=end)


# --- reading --------------------------------------------------------------------------------------


def read_rows(path: Path) -> list[Row]:
    """The lines of a CSV file. PuzzleError, naming the line, for the first that makes no sense."""
    try:
        table = read_table(text_lines(read_text(path)))
        rows = list(_rows(path.name, table)) if table else []
    except CsvProblem as error:
        raise PuzzleError(f"{path.name}, line {error.line}: {error.problem}.") from error
    if not rows:
        raise UserError(f"{path.name} holds no puzzles below a line that names its columns.")
    return rows


def _rows(name: str, table: Table) -> Iterator[Row]:
    for column in ("question", "answer"):
        if column not in table.places:
            raise UserError(
                f"{name} has no column '{column}', but {', '.join(map(repr, table.header))}; "
                f"call one of them {column}, or {' or '.join(NAMES[column][1:6])}."
            )
    for line, fields in table.rows:
        where = f"{name}, line {line}"
        if len(fields) != len(table.header):
            raise PuzzleError(
                f"{where}: there are {len(fields)} fields, but {len(table.header)} in the first "
                "line."
            )
        named = {column: fields[place] for column, place in table.places.items()}
        for column in ("question", "answer"):
            if not named[column]:
                raise PuzzleError(f"{where}: the {column} is empty.")
        yield Row(
            line,
            one_line(named["question"]),
            one_line(named["answer"]),
            _split_of(named.get("split", ""), where),
            _rating_of(named.get("rating", ""), where),
        )


def _split_of(text: str, where: str) -> str:
    split = CALLED.get(text.strip().lower(), text.strip().lower())
    if split and split not in SPLITS:
        raise PuzzleError(f"{where}: the split is {text!r}; write {', '.join(SPLITS)} or nothing.")
    return split


def _rating_of(text: str, where: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise PuzzleError(f"{where}: the rating {text!r} is no number.") from None


# --- dividing -------------------------------------------------------------------------------------


def divide(rows: Sequence[Row], options: FromCsv) -> tuple[dict[str, list[Row]], list[str]]:
    """The rows of each split, without copies, and what is to be said about that.

    Equal questions never stand in two splits: they stay in the last of train, validation and test
    that has them. Where the file names no split, whole questions are drawn at random. Raises
    UserError if a split is empty.
    """
    parts = {(row.question, row.answer, row.split): row for row in reversed(rows)}
    different = list(parts.values())[::-1]
    notes = []
    if copies := len(rows) - len(different):
        notes.append(f"{copies:,} copies of other lines were left out")
    home: dict[str, str] = {}  # the split of each question
    for row in different:
        home[row.question] = max(home.get(row.question, ""), row.split, key=(("", *SPLITS)).index)
    kept = [row for row in different if row.split in ("", home[row.question])]
    if twins := len(different) - len(kept):
        notes.append(f"{twins:,} lines were left out, whose question stands in a later split too")
    _draw(home, options)
    answers = Counter(question for question, _ in {(row.question, row.answer) for row in kept})
    if several := sum(count > 1 for count in answers.values()):
        notes.append(f"{several:,} questions have several answers, of which one counts as exact")
    splits = {name: [row for row in kept if home[row.question] == name] for name in SPLITS}
    for name in ("train", "test"):
        if not splits[name]:
            named = any(row.split for row in rows)
            raise UserError(
                f"No line is of the split '{name}'; name some in the column split."
                if named
                else f"There is nothing to {name} on. Three different questions are the least, one "
                "for each split; bring more lines, or divide them otherwise.",
                *SPLITS * (not named),
            )
    return {name: chosen for name, chosen in splits.items() if chosen}, notes


def _draw(home: dict[str, str], options: FromCsv) -> None:
    """Give every question that has none a split, at random.

    A split that the file itself names gets no more, and training gets the rest.
    """
    free = [question for question, split in home.items() if not split]
    taken = set(home.values())
    if not free and "validation" not in taken:  # some of those to train on
        free = [question for question, split in home.items() if split == "train"]
        taken |= {"test"}
    order = np.random.default_rng(options.seed).permutation(len(free))
    start = 0
    for name in ("validation", "test"):
        if name in taken and free:
            continue
        wanted = getattr(options, name)
        count = max(1, round(SHARE * len(free))) if wanted is None else wanted
        for place in order[start : start + count]:
            home[free[place]] = name
        start += count
    left = max(0, len(free) - start)
    count = left if options.train is None else options.train
    if count > left:
        raise UserError(
            f"{count:,} different questions are asked for to train on, and {left:,} are left; ask "
            "for fewer.",
            *SPLITS,
        )
    for place in order[start : start + count]:
        home[free[place]] = "train"
