"""Boards in JSON: lists of numbers, of rows or of texts, one of them or many, and JSON Lines."""

import json
from collections.abc import Callable, Iterator

from trm_lite.common.texts import parse_json
from trm_lite.puzzles.reading.alphabet import Alphabet, Found, Unread, Written
from trm_lite.puzzles.reading.csv_tables import NAMES

ReadText = Callable[[str], str | None]  # the cells of the only board in a text, None without one


def find_in_json(text: str, alphabet: Alphabet, read_text: ReadText) -> Found | None:
    """The boards in a JSON text or in JSON Lines; None if it is neither.

    `read_text` reads the texts that stand in it.
    """
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        values = list(_values(text))
    except ValueError as error:
        if "nested" in str(error):
            return Found([], [Unread(1, "This JSON is nested too deeply; write lists of rows.")])
        return None  # "[Puzzle]", say, or a list in some programming language
    found = Found([], [])
    for line, value in values:
        cells = _board(value, alphabet, read_text)
        if cells is None:
            problem = (
                f"This JSON holds no board here; write a list of {alphabet.wanted}, or of rows."
            )
            found.problems.append(Unread(line, problem))
        else:
            found.boards.append(Written(line, cells))
    return found


def _values(text: str) -> Iterator[tuple[int, object]]:
    """(line, value) of everything in a text that should be a board."""
    try:
        whole = parse_json(text)
    except json.JSONDecodeError:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield number, parse_json(line)
        return
    if isinstance(whole, dict):
        values = list(whole.values())
        many = not _named(whole) and all(isinstance(value, list | str) for value in values)
        yield from ((1, value) for value in (values if many and values else [whole]))
    elif isinstance(whole, list) and _is_list_of_boards(whole):
        yield from _elements(text)
    else:
        yield 1 + text[: len(text) - len(text.lstrip())].count("\n"), whole


def _is_list_of_boards(whole: list) -> bool:
    """Whether the elements of a list are boards, and not the rows or cells of one."""
    first = whole[0] if whole else None
    if isinstance(first, dict):
        return True
    if isinstance(first, list):
        return any(isinstance(part, list) or len(str(part or 0)) > 1 for part in first) or (
            len(first) > len(whole) or len(first) >= 16
        )
    return isinstance(first, str) and len(first) > len(whole)


def _elements(text: str) -> Iterator[tuple[int, object]]:
    """(line, value) of the elements of a list that is known to be JSON."""
    decoder, place = json.JSONDecoder(), text.index("[") + 1
    line, counted = 1, 0
    while True:
        while text[place].isspace() or text[place] == ",":
            place += 1
        if text[place] == "]":
            return
        line, counted = line + text.count("\n", counted, place), place
        value, place = decoder.raw_decode(text, place)
        yield line, value


def _named(value: dict) -> list:
    """What an object holds under the names that puzzles go by."""
    lower = {str(name).casefold(): it for name, it in value.items()}
    return [lower[name] for name in NAMES["question"] if name in lower]


def _board(value: object, alphabet: Alphabet, read_text: ReadText) -> str | None:
    """The cells of a board, None if `value` is none."""
    if isinstance(value, dict):
        return next((_board(part, alphabet, read_text) for part in _named(value)[:1]), None)
    if isinstance(value, str):
        return read_text(value)
    if not isinstance(value, list):
        return None
    rows = [row if isinstance(row, list) else [row] for row in value]
    cells = "".join(_cell(cell, alphabet) for row in rows for cell in row)
    if len(cells) in alphabet.sizes and alphabet.holds(cells):
        return alphabet.plain(cells)
    return read_text("\n".join(cell for cell in value if isinstance(cell, str)))


def _cell(cell: object, alphabet: Alphabet) -> str:
    """A cell as a character; several, which no cell is, for what cannot be one."""
    if cell is None or cell in ("", " "):
        return alphabet.blanks[0]
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, str) or (isinstance(cell, int) and not isinstance(cell, bool)):
        return str(cell)
    return "<>"
