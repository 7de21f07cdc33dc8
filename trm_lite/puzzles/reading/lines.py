"""What a single line of a text can be: a board, a row of one, a rule, a title, or a problem.

Written for what people and programs of the field write: SimpleSudoku, SudoCue, SadMan, Susser and
HoDoKu, Project Euler, lists of code, tables, and one board per line with anything beside it.
"""

import re
from typing import NamedTuple

from trm_lite.puzzles.reading.alphabet import Alphabet, Unread, Written

BETWEEN = re.compile(r"[\s,;:|/\"'\[\](){}\u2500-\u257f]+")  # what may stand between cells
TITLE = re.compile(  # "Grid 01", "#12", "3."
    r"\W*(grid|puzzle|sudoku|board|problem|quiz|game|level|number|no|nr)\b\W*\d*\W*"
    r"|\d{1,2}|#\d{1,6}|\(?\d{1,6}[.):]",
    re.ASCII | re.IGNORECASE,
)
SECTION = re.compile(r"\[([^\W\d][\w ]*)\]")
PUZZLE_SECTIONS = ("puzzle", "sudoku", "board", "grid")
COMMENTS = ("#", "//", "%")
RULES = "-+=|*_~"  # what the lines between boxes are drawn with


class Row(NamedTuple):
    """A row of a board that is laid out over several lines."""

    line: int
    cells: str
    doubtful: bool = False  # whether it may as well be a rule: nothing but dashes, say


class Gap(NamedTuple):
    """An empty line."""


class Title(NamedTuple):
    """A line after which a new board begins."""


class Nothing(NamedTuple):
    """A comment, or a rule between boxes."""


Item = Written | Row | Gap | Title | Nothing | Unread


def read_line(number: int, line: str, alphabet: Alphabet) -> Item:
    """What line `number` of a text is."""
    if len(line) in alphabet.sizes and alphabet.holds(line) and len(set(line)) > 1:
        return Written(number, alphabet.plain(line))  # what most lines of long files are
    if fields := _one_per_field(line, alphabet):
        return _cells(number, fields, alphabet)
    text = _without_comment(line, alphabet).strip()
    if not text:
        return Nothing() if line.strip() else Gap()
    if (text and not set(text) - set(RULES + " \t")) or not BETWEEN.sub("", text):
        return _rule(number, text, alphabet)
    # Susser and HoDoKu mark digits that were found since by a plus sign.
    text = re.sub(rf"\+(?=[{re.escape(alphabet.clues)}])", "", text)
    parts = [part for part in BETWEEN.split(text) if part]
    together = "".join(parts)
    whole = len(together) in alphabet.rows_of or len(together) in alphabet.sizes
    if whole and alphabet.holds(together) and len({len(part) for part in parts}) == 1:
        return _cells(number, together, alphabet)
    if boards := [p for p in parts if len(p) in alphabet.sizes and alphabet.holds(p)]:
        # A solution beside the puzzle has no blanks.
        best = max(boards, key=lambda b: (len(b), not set(alphabet.blanks).isdisjoint(b)))
        return Written(number, alphabet.plain(best))
    if TITLE.fullmatch(text):
        return Title()
    return Unread(number, _problem(line, parts, alphabet))


def section_of(line: str, alphabet: Alphabet) -> str | None:
    """The name of the section that begins on this line, "[Puzzle]", say; None if none does."""
    match = SECTION.fullmatch(line.strip())
    return match[1].casefold() if match and not alphabet.holds(match[1]) else None


def is_puzzle_section(name: str) -> bool:
    """Whether boards are to be read there: not the state of somebody's work on them."""
    return name.startswith(PUZZLE_SECTIONS)


def _cells(number: int, cells: str, alphabet: Alphabet) -> Row | Written:
    cells = alphabet.plain(cells)
    return Row(number, cells) if len(cells) in alphabet.rows_of else Written(number, cells)


def _one_per_field(line: str, alphabet: Alphabet) -> str:
    """The cells of a line that has one in each field, where nothing is a blank; "" if it has not.

    The fields are divided by commas, semicolons, tabs or bars.
    """
    for separator in ",;\t|":
        if separator not in line:
            continue
        inner = line.strip("\r\n") if separator == "\t" else line.strip()
        for text in (inner, inner.removesuffix(separator), inner.strip(separator)):
            fields = [field.strip(" \"'\r\n") for field in text.split(separator)]
            if len(fields) in alphabet.rows_of or len(fields) in alphabet.sizes:
                cells = "".join(field or alphabet.blanks[0] for field in fields)
                if len(cells) == len(fields) and alphabet.holds(cells):
                    return cells
    return ""


def _without_comment(line: str, alphabet: Alphabet) -> str:
    for mark in COMMENTS:
        if mark[0] not in alphabet.cells:
            line = line.split(mark)[0]
    return line


def _rule(number: int, text: str, alphabet: Alphabet) -> Row | Nothing:
    """A line that is drawn: a rule, unless it is as long as a row of blanks."""
    blanks = BETWEEN.sub("", text)
    if len(set(blanks)) == 1 and alphabet.holds(blanks) and len(blanks) in alphabet.rows_of:
        return Row(number, alphabet.plain(blanks), doubtful=True)
    return Nothing()


def _problem(line: str, parts: list[str], alphabet: Alphabet) -> str:
    """What is wrong with a line, and what it looks like."""
    together = "".join(parts)
    longest = max(parts, key=len, default="")
    if len(longest) == 729 and longest.isascii():
        return "This looks like a Sukaku, which lists candidates; write one character per cell."
    if alphabet.holds(together):
        if len(parts) > 3 and len({len(part) for part in parts}) > 1:
            return "This looks like a grid of candidates; write one character per cell."
        return f"A {alphabet.noun} has {alphabet.wanted}, but this line has {len(together)}."
    named = [part.strip() for part in re.split(r"[,;\t]", line) if part.strip()]
    if len(named) > 1 and all(re.match(r"\W?[^\W\d]", name) for name in named):
        return "This looks like the header of a CSV file; call the column of puzzles 'question'."
    place, strange = next(
        (place, character)
        for place, character in enumerate(line, start=1)
        if character not in alphabet.cells and not BETWEEN.fullmatch(character)
    )
    return (
        f"A {alphabet.noun} is written with '{alphabet.clues}' and for blanks "
        f"'{alphabet.blanks}', but position {place} holds {strange!r}."
    )
