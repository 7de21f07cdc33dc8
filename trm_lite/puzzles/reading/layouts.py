"""Boards that are laid out over several lines: which rows belong together."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from trm_lite.puzzles.reading.alphabet import Alphabet, Found, Unread, Written
from trm_lite.puzzles.reading.lines import (
    Gap,
    Nothing,
    Row,
    Title,
    is_puzzle_section,
    read_line,
    section_of,
)

Block = list[Row | Unread]  # lines without an empty one between them


def find_in_lines(lines: Iterable[str], alphabet: Alphabet) -> Found:
    """The boards in lines of text: one in a line, or laid out over several."""
    boards: list[Written] = []
    problems: list[Unread] = []
    for group in _groups(lines, alphabet):
        for block in _bands_joined(group, alphabet):
            found = _boards_of(block, alphabet)
            boards += found.boards
            problems += found.problems
    return Found(boards, problems)


def _groups(lines: Iterable[str], alphabet: Alphabet) -> Iterator[list[Block]]:
    """Blocks that may belong together: no title and no board of one line is between them."""
    group: list[Block] = [[]]
    skipping = False
    for number, line in enumerate(lines, start=1):
        if (section := section_of(line, alphabet)) is not None:
            skipping = not is_puzzle_section(section)
            item = Title()
        elif skipping:
            continue
        else:
            item = read_line(number, line, alphabet)
        if isinstance(item, Row | Unread):
            group[-1].append(item)
        elif isinstance(item, Gap):
            group.append([])
        elif isinstance(item, Title | Written):
            yield [block for block in group if block]
            group = [[]]
            if isinstance(item, Written):
                yield [[item]]
        else:
            assert isinstance(item, Nothing)
    yield [block for block in group if block]


def _bands_joined(group: list[Block], alphabet: Alphabet) -> Iterator[Block]:
    """The blocks, where those that are parts of a board with empty lines between are joined.

    They are if all of them have as many rows, and together as many as a board has.
    """
    place = 0
    while place < len(group):
        block = group[place]
        shape = _shape(block)
        height = alphabet.rows_of.get(shape[1], 0) if shape else 0
        parts = height // len(block) if shape and height % len(block) == 0 else 1
        following = group[place : place + parts]
        if parts > 1 and len(following) == parts and all(_shape(b) == shape for b in following):
            block = [row for part in following for row in part]
            place += parts - 1
        place += 1
        yield block


def _shape(block: Block) -> tuple[int, int] | None:
    """Rows and columns of a block in which all rows are equally long; None of any other."""
    widths = {len(item.cells) if isinstance(item, Row) else 0 for item in block}
    return (len(block), widths.pop()) if len(widths) == 1 and 0 not in widths else None


def _boards_of(block: Block, alphabet: Alphabet) -> Found:
    """The boards of a block; where rows are left over, one problem for all of it."""
    if isinstance(block[0], Written):
        return Found(list(block), [])
    certain = [item for item in block if not (isinstance(item, Row) and item.doubtful)]
    for items in (block, certain):  # what may be a row of blanks may be a rule as well
        boards = _complete(items, alphabet)
        if boards is not None:
            return Found(boards, [item for item in items if isinstance(item, Unread)])
    problem = next((item for item in block if isinstance(item, Unread)), None)
    return Found([], [problem or _wrong_height(certain or block, alphabet)])


def _complete(items: Block, alphabet: Alphabet) -> list[Written] | None:
    """The boards if every run of equally long rows is one or more boards, else None."""
    boards = []
    for width, run in groupby(items, lambda i: len(i.cells) if isinstance(i, Row) else 0):
        rows = list(run)
        if not width:
            continue
        height = alphabet.rows_of[width]
        if len(rows) % height:
            return None
        for start in range(0, len(rows), height):
            cells = "".join(row.cells for row in rows[start : start + height])
            boards.append(Written(rows[start].line, cells))
    return boards


def _wrong_height(rows: list[Row], alphabet: Alphabet) -> Unread:
    first = rows[0]
    width = len(first.cells)
    count = sum(len(row.cells) == width for row in rows)
    return Unread(
        first.line,
        f"A {alphabet.noun} with {width} cells in a row has {alphabet.rows_of[width]} rows, but "
        f"here {'is' if count == 1 else 'are'} {count}; add or remove some.",
    )
