"""Tables for the terminal and in Markdown, for every command that prints columns.

The caller formats the cells as text. A table library would try to parse them as numbers, and
would have to be told for each column not to.
"""

from collections.abc import Iterable, Sequence

Rows = Iterable[Sequence[object]]


def columns(rows: Rows, headings: Sequence[str] = (), *, align: str = "", indent: str = "") -> str:
    """Rows as lines of text, with each column as wide as its widest cell.

    Args:
        rows: the cells of each row; a row may have fewer than the others.
        headings: headings of the columns; without any there is no such line.
        align: "<" (left) or ">" (right) for each column from the first; the others are "<".
        indent: text at the beginning of every line.
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
    """Rows as a Markdown table. The arguments are those of `columns`."""
    rules = ["---:" if side == ">" else "---" for side in align.ljust(len(headings), "<")]
    lines = [
        f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
        for row in (headings, *rows)
    ]
    return "\n".join((lines[0], f"|{'|'.join(rules)}|", *lines[1:]))
