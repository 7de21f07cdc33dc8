"""The one reader of boards: it tells a text's format, and finds the boards in it."""

from trm_lite.common.texts import text_lines
from trm_lite.puzzles.reading.alphabet import Alphabet, Found, Unread, Written
from trm_lite.puzzles.reading.csv_tables import BEGINNING, CsvProblem, is_csv, read_table
from trm_lite.puzzles.reading.json_lists import find_in_json
from trm_lite.puzzles.reading.layouts import find_in_lines
from trm_lite.puzzles.reading.lines import BETWEEN


def find_boards(text: str, alphabet: Alphabet) -> Found:
    """All boards in a text, with the lines that they begin on, and what could not be read.

    Reads one board per line with numbers, ratings and names beside it; boards laid out over
    several lines, with or without rules, titles and empty lines; CSV with a column that is called
    like puzzles in the field; lists in JSON and in code.
    """
    if text.lstrip().startswith("<"):
        problem = "This looks like HTML or XML; copy the boards out of it as plain text."
        return Found([], [Unread(1, problem)])
    found = find_in_json(text, alphabet, lambda part: _only_board(part, alphabet))
    if found is not None:
        return found
    lines = [line.rstrip("\r\n") for line in text_lines(text)]
    if is_csv(lines[:BEGINNING]):
        return _find_in_csv(text, alphabet)
    found = find_in_lines(lines, alphabet)
    return found if found.boards else _wrapped(lines, alphabet) or found


def _find_in_csv(text: str, alphabet: Alphabet) -> Found:
    found = Found([], [])
    try:
        table = read_table(text_lines(text))
        place = table.places.get("question") if table else None
        if place is None:
            problem = "This looks like CSV, but no column is called question; call one so."
            return Found([], [Unread(1, problem)])
        for line, fields in table.rows:
            field = fields[place] if place < len(fields) else ""
            in_field = find_in_lines(field.splitlines() or [""], alphabet)
            if len(in_field.boards) == 1:
                found.boards.append(Written(line, in_field.boards[0].cells))
            else:
                problems = in_field.problems or [Unread(1, f"This is not one {alphabet.noun}.")]
                found.problems.append(Unread(line, problems[0].problem))
    except CsvProblem as error:
        found.problems.append(Unread(error.line, f"T{error.problem[1:]}."))
    return found


def _only_board(text: str, alphabet: Alphabet) -> str | None:
    found = find_in_lines(text.splitlines(), alphabet)
    return found.boards[0].cells if len(found.boards) == 1 and not found.problems else None


def _wrapped(lines: list[str], alphabet: Alphabet) -> Found | None:
    """A single board whose lines are no rows: 81 cells in three lines of 27, say."""
    parts = [part for line in lines for part in BETWEEN.split(line) if part]
    together = "".join(parts)
    widths = {len(part) for part in parts}
    if len(together) not in alphabet.sizes or not alphabet.holds(together):
        return None
    if len(widths) != 1 or widths & alphabet.rows_of.keys():
        return None
    first = next(number for number, line in enumerate(lines, start=1) if BETWEEN.sub("", line))
    return Found([Written(first, alphabet.plain(together))], [])
