"""Boards in the formats of the field: read as they are meant, or refused in one sentence."""

import json
from pathlib import Path

import pytest

from trm_lite.common import UserError, texts
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.reading.alphabet import Alphabet
from trm_lite.puzzles.reading.boards import find_boards
from trm_lite.puzzles.reading.csv_tables import read_table

# ONE has a row of nothing but blanks.
ONE = "4...3...." + "." * 9 + "6.......8" + 2 * "...1.2..." + 3 * "......5.." + "9......71"
TWO = "1.......7" + 7 * ".2..3...." + "3.......2"
ROWS = [ONE[start : start + 9] for start in range(0, 81, 9)]
OTHERS = [TWO[start : start + 9] for start in range(0, 81, 9)]


def framed(row):
    return f"|{row[:3]}|{row[3:6]}|{row[6:]}|"


def bands(rows, between):
    return "\n".join(
        line
        for start in (0, 3, 6)
        for line in (*([between] if start else []), *rows[start : start + 3])
    )


def lines(*several):
    return "\n".join(several)


RULE = "|---+---+---|"
FRAMED = bands([framed(row) for row in ROWS], RULE)
NUMBERS = [[int(cell) if cell != "." else 0 for cell in row] for row in ROWS]
BLANK_ROW = [["" if cell == "." else cell for cell in row] for row in ROWS]
FORMATS = {  # a text, and the lines on which the boards ONE, TWO, ... of it begin
    "one per line": (f"{ONE}\n\n  {TWO}  \r\n", (1, 3)),
    "line ends of old Macs": (f"{ONE}\r{TWO}\r", (1, 2)),
    "rows": ("\n".join(ROWS), (1,)),
    "two laid out": ("\n".join((*ROWS, "", *OTHERS)), (1, 11)),
    "two without a line between": ("\n".join((*ROWS, *OTHERS)), (1, 10)),
    "bands with empty lines between": (bands(ROWS, ""), (1,)),
    "every row on its own": ("\n\n".join(ROWS), (1,)),
    "two in bands": (f"{bands(ROWS, '')}\n\n{bands(OTHERS, '')}", (1, 13)),
    "as it is drawn here": (sudoku.render(sudoku.parse(ONE)), (1,)),
    ".ss": (bands([framed(row)[1:-1] for row in ROWS], "-----------"), (1,)),
    ".sdk": (
        f"#ACourse\n#DTest\n[Puzzle]\n{chr(10).join(ROWS)}\n[State]\n{chr(10).join(OTHERS)}",
        (4,),
    ),
    "framed": (
        f" *-----------*\n{bands([framed(row) for row in ROWS], RULE)}\n *-----------*",
        (2,),
    ),
    "box drawing": (bands([framed(row).replace("|", "│") for row in ROWS], "├───┼───┼───┤"), (1,)),
    "Project Euler": (
        f"Grid 01\n{chr(10).join(ROWS)}\nGrid 02\n{chr(10).join(OTHERS)}".replace(".", "0"),
        (2, 12),
    ),
    "titles": (f"Puzzle #1:\n{ONE}\n2)\n{TWO}", (2, 4)),
    "comments": (f"# two\n{ONE} # easy\n// hard\n{TWO}", (2, 4)),
    "commas between cells": ("\n".join(",".join(row) for row in ROWS), (1,)),
    "spreadsheet": ("\n".join("\t".join(row) for row in BLANK_ROW), (1,)),
    "spreadsheet as CSV": ("\n".join(";".join(row) for row in BLANK_ROW), (1,)),
    "a table": ("\n".join(f"| {' | '.join(c or ' ' for c in row)} |" for row in BLANK_ROW), (1,)),
    "spaces between cells": ("\n".join(" ".join(row) for row in ROWS), (1,)),
    "rated": (f"{ONE};11.9;1.2;1.2\n{TWO},3.4", (1, 2)),
    "numbered": (f"1. {ONE}\n2: {TWO}", (1, 2)),
    "numbered without a point": (f"1 {ONE}\n12\t{TWO}", (1, 2)),
    "named": (f"{ONE} Easter Monster\n{TWO}  # ER=7.2/1.2/1.2", (1, 2)),
    "beside the solution": (f"{'123456789' * 9},{ONE}\n{TWO},{'123456789' * 9}", (1, 2)),
    "Susser": (ONE.replace("4", "+4"), (1,)),
    "HoDoKu": (f":0000:x:{ONE}:::\n:0701:1:{TWO.replace('2', '+2')}:118 218:172 378::", (1, 2)),
    "one list": (json.dumps([cell for row in NUMBERS for cell in row]), (1,)),
    "rows in JSON": (json.dumps(NUMBERS), (1,)),
    "rows in JSON, indented": (json.dumps(NUMBERS, indent=1), (1,)),
    "null in JSON": (json.dumps([[cell or None for cell in row] for row in NUMBERS]), (1,)),
    "texts in JSON": (json.dumps([ONE, TWO], indent=0), (2, 3)),
    "row texts in JSON": (json.dumps(ROWS), (1,)),
    "boards in JSON": (json.dumps([{"puzzle": ONE}, {"puzzle": TWO}]), (1, 1)),
    "boards of numbers in JSON": (f"[{json.dumps(NUMBERS)},\n{json.dumps(OTHERS)}]", (1, 2)),
    "one in an object": (json.dumps({"Quiz": ROWS, "Solution": OTHERS}), (1,)),
    "named in an object": (json.dumps({"easy": ONE, "hard": TWO}), (1, 1)),
    "JSON Lines": (f'{{"puzzle": "{ONE}", "n": 1}}\n\n{{"puzzle": "{TWO}"}}\n', (1, 3)),
    "a list of Python": ("grid = [\n" + ",\n".join(map(str, NUMBERS)) + ",\n]", (2,)),
    "a list of C": (
        "{" + ",\n".join(str(row).replace("[", "{").replace("]", "}") for row in NUMBERS) + "}",
        (1,),
    ),
    "CSV": (f"source,question,answer,rating\nme,{ONE},x,3\nme,{TWO},y,4\n", (2, 3)),
    "CSV of Kaggle": (f"quizzes,solutions\n{ONE},{'1' * 81}\n{TWO},{'2' * 81}", (2, 3)),
    "CSV in quotation marks": (f'"id","Puzzle"\r\n"1","{ONE}"\r\n"2","{TWO}"\r\n', (2, 3)),
    "CSV with semicolons": (f"Rating;Question\n2,5;{ONE}\n3,5;{TWO}", (2, 3)),
    "CSV with tabs": (f"question\trating\n{ONE}\t1\n{TWO}\t2", (2, 3)),
    "CSV of one column": (f"quizzes\n{ONE}\n{TWO}", (2, 3)),
    "CSV of one column in quotes": (f'"Question"\n"{ONE}"\n"{TWO}"', (2, 3)),
    "a title that could be a header": ("\n".join(("Puzzle", *ROWS)), (2,)),
    "CSV from Excel": (f"sep=;\nid;question\n1;{ONE}\n2;{TWO}", (3, 4)),
    "CSV with empty lines": (f"\nquestion\n\n{ONE}\n\n{TWO}\n\n", (4, 6)),
    "wrapped": ("\n".join(ONE[start : start + 27] for start in range(0, 81, 27)), (1,)),
    "rows beside each other": (" ".join(ROWS), (1,)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_of_the_field(name):
    text, begin = FORMATS[name]
    boards, problems = sudoku.read(text)
    assert not problems
    assert [line for line, _ in boards] == list(begin)
    assert [sudoku.to_line(board) for _, board in boards] == [ONE, TWO][: len(begin)]


@pytest.mark.parametrize("blank", "._*xX?-·0")
@pytest.mark.parametrize("layout", ["line", "rows", "spaced", "barred"])
def test_a_blank_of_the_field(blank, layout):
    rows = [row.replace(".", blank) for row in ROWS]
    text = {
        "line": "".join(rows),
        "rows": "\n".join(rows),
        "spaced": "\n".join(" ".join(row) for row in rows),
        "barred": bands([framed(row) for row in rows], RULE),
    }[layout]
    assert sudoku.to_line(sudoku.parse(text)) == ONE


@pytest.mark.parametrize(
    ("text", "boards", "problems"),
    [
        # A bad board stops none of the others, and is one problem.
        ([*ROWS[:-1], "", *OTHERS], [10], {1: "9 cells in a row has 9 rows, but here are 8"}),
        ([*OTHERS, "", *ROWS[:3], "....k....", *ROWS[4:]], [1], {14: "position 5 holds 'k'"}),
        ([*ROWS[:3], "", *OTHERS], [5], {1: "here are 3"}),
        ([ONE, "oops", ONE[:-1], TWO], [1, 4], {2: "holds 'o'", 3: "but this line has 80"}),
        ([f"1 {ONE[:-1]}"], [], {1: "has 81"}),  # not a board that begins with 1
        ([ONE, "1234123412341235"], [1], {2: "uses the digits 1 to 4, but row 4 column 4 holds 5"}),
        (["1" * 729], [], {1: "looks like a Sukaku"}),
        (["4 12 3 | 56 7 8 | 9 1 129"], [], {1: "looks like a grid of candidates"}),
        (["name,start,end", f"me,{ONE},1"], [2], {1: "looks like the header of a CSV file"}),
        (["<svg>", ONE], [], {1: "looks like HTML or XML"}),
        (["question,rating", f"{ONE},1", "x,2", f"{TWO[:-1]},3"], [2], {3: "1", 4: "has 80"}),
        (['"a,question', ONE], [], {1: "not proper CSV"}),
        (['"a,question",b', ONE], [2], {1: "header of a CSV file"}),
        (["a;question,b", ONE], [2], {1: "header of a CSV file"}),
        ([ONE, "question,answer", TWO], [1, 3], {2: "header of a CSV file"}),
        (
            ["question,n", f"{ONE},1", f'"{TWO},2', f"{ONE},3"],
            [2],
            {3: "check the quotation marks"},
        ),
        (["question,n", f"{ONE},1", "1" * 200_000], [2], {3: "field larger than field limit"}),
        (["[" * 100_000], [], {1: "nested too deeply"}),
        (["[1, 2, 3]"], [], {1: "holds no board here; write a list of 16, 36 or 81 cells"}),
        (
            [json.dumps([ONE, {"name": "x"}, 7, [[1.5] * 4] * 4])],
            [1],
            {1: "This JSON holds no board"},
        ),
        (["question"], [], {}),
        ([], [], {}),
    ],
)
def test_what_cannot_be_read_is_told_and_stops_nothing(text, boards, problems):
    found = sudoku.read("\n".join(text))
    assert [line for line, _ in found.boards] == boards
    assert {line for line, _ in found.problems} == problems.keys()
    for line, problem in found.problems:
        assert problems[line] in problem and "\n" not in problem and problem.endswith(".")


def test_small_boards_stand_beside_large_ones():
    tiny, small = "1...2...3......4", "1...." + "." * 25 + "6....1"
    text = f"{tiny}\n{ONE}\n1...|..\n\n12|34\n34|12\n--+--\n21|43\n43|21\n\n{small}"
    found = sudoku.read(text)
    assert [(line, board.size) for line, board in found.boards] == [
        (1, 16), (2, 81), (5, 16), (11, 36)
    ]  # fmt: skip
    assert [line for line, _ in found.problems] == [3]


def test_another_puzzle_has_its_own_alphabet():
    letters = Alphabet("word square", "abc#", "._", ((3, 3), (2, 2)))
    found = find_boards("abc\n#..\n__a\n\nabca\nab|dd\nabcab", letters)
    assert found.boards == [(1, "abc#....a"), (5, "abca")]
    assert [line for line, _ in found.problems] == [6, 7]
    assert "position 4 holds 'd'" in found.problems[0].problem
    assert found.problems[1].problem == "A word square has 9 or 4 cells, but this line has 5."


# --- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_encoding_with_its_mark(encoding, tmp_path):
    path = tmp_path / "boards.txt"
    path.write_bytes(f"{ONE.replace('.', '·')}\r\n".encode(encoding))
    assert sudoku.to_line(sudoku.parse(texts.read_text(path))) == ONE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ONE.encode("utf-16-le"), "perhaps in UTF-16"),
        (ONE.encode("utf-16")[:-1], "not a text file in UTF-8"),
        ("é".encode("latin-1"), "save it as UTF-8"),
        (b"PK\x03\x04", "is a ZIP file"),
        (b"\x89PNG\r\n", "is a picture"),
    ],
)
def test_bytes_that_are_no_text(content, words, tmp_path):
    path = tmp_path / "boards.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        texts.read_text(path)


def test_no_file_is_read_without_end(monkeypatch):
    monkeypatch.setattr(texts, "LARGEST", 1_000)
    with pytest.raises(UserError, match="larger than"):
        texts.read_text(Path("/dev/zero"))


def test_the_beginning_of_json_is_no_csv():
    assert sudoku.read('[\n {\n  "puzzle"') == ([], [])


@pytest.mark.parametrize(("header", "answer"), [("question, answer", "34"), ("a,answer", " 34")])
def test_spaces_after_the_separators_are_no_part_of_the_cells_if_the_header_has_them(
    header, answer
):
    table = read_table([f"{header}\n", "12, 34\n"])
    assert list(table.rows) == [(2, ["12", answer])]
