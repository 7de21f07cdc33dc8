"""Tables for the terminal and for Markdown; every command that prints columns does it here.

Cells come in as text, formatted by the caller: a table library would parse them as numbers first,
and has to be told column by column not to.
"""

from collections.abc import Iterable, Sequence

Rows = Iterable[Sequence[object]]


def columns(rows: Rows, headings: Sequence[str] = (), *, align: str = "", indent: str = "") -> str:
    """Rows as lines of text, each column as wide as its widest cell.

    Args:
        rows: The cells of each row; a row may end early.
        headings: What stands above the columns; no such line if empty.
        align: "<" (left) or ">" (right) for each column from the first; the others are "<".
        indent: What every line begins with.
    """
    cells = [[str(cell) for cell in row] for row in ([headings] if headings else []) + list(rows)]
    count = max(map(len, cells), default=0)
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(count)]
    sides = align.ljust(count, "<")
    return "\n".join(
        indent
        + "  ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=False)).rstrip()
        for row in cells
    )


def markdown(rows: Rows, headings: Sequence[str], *, align: str = "") -> str:
    """Rows as a Markdown table; `align` as in `columns`."""
    rules = ["---:" if side == ">" else "---" for side in align.ljust(len(headings), "<")]
    lines = [
        f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
        for row in (headings, *rows)
    ]
    return "\n".join((lines[0], f"|{'|'.join(rules)}|", *lines[1:]))
