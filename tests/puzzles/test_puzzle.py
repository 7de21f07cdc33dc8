"""A puzzle as a value, and what is told of a puzzle file that is wrong."""

import re

import numpy as np
import pytest
from own_files import OWN, own

from trm_lite.common import PuzzleError
from trm_lite.puzzles import Puzzle, get_puzzle, load_puzzle, maze, sudoku
from trm_lite.puzzles.known import from_description, name_by_sizes, name_of_earlier
from trm_lite.puzzles.loading import load_same, try_out


@pytest.mark.parametrize("name", ["sudoku-4x4", "sudoku-6x6", "maze-5x5", "arc-6x6"])
def test_the_known_ones_do_what_they_say(name):
    puzzle = get_puzzle(name)
    assert puzzle.name == name and get_puzzle(name) is puzzle
    try_out(puzzle)  # makes examples, and asks family, augment and breaks about them
    text = puzzle.tokens[1:][: puzzle.length]
    assert puzzle.decode(puzzle.encode(text)) == text


@pytest.mark.parametrize("name", OWN)
def test_own_files_are_loaded_and_remembered(name):
    puzzle = load_puzzle(OWN[name])
    assert get_puzzle(name) is puzzle


def test_what_is_given_and_what_is_to_be_found():
    six = get_puzzle("sudoku-6x6")
    question = six.encode("12" + "." * 34)
    assert six.given(question).sum() == 2 and six.to_find(question).sum() == 34
    text = own("reversal")
    assert text.given(text.encode("abc")).tolist() == [True] * 3 + [False] * 5


def test_words_and_places():
    six, corridor = get_puzzle("sudoku-6x6"), get_puzzle("maze-5x5")
    assert [six.word(token) for token in (0, 1, 2, 7)] == ["padding", "blank", "1", "6"]
    assert corridor.word(maze.PATH) == "path" and own("reversal").word(1) == "end"
    assert Puzzle("strip", "_ab", (2, 5)).place(7) == "row 2, column 3"


def test_text_ends_at_its_end_token():
    text = own("reversal")
    assert text.decode(text.encode("cba$ff")) == "cba" and text.decode(text.encode("ab")) == "ab"


def test_many_tokens_get_a_wider_type():
    many = Puzzle("many", "_" + "".join(map(chr, range(200, 600))), (1, 2))
    assert many.encode(many.tokens[299] * 2).tolist() == [299, 299]
    assert get_puzzle("sudoku-9x9").dtype == np.uint8
    edge = Puzzle("edge", "_" + "".join(map(chr, range(200, 455))), (1, 2))  # 256 tokens, 0 to 255
    assert edge.dtype == np.uint8 and edge.encode(edge.tokens[255]).tolist() == [255, 0]


def test_a_right_latin_square_is_no_broken_sudoku():
    """Nothing is guessed from the sizes: whose rules hold is said by name."""
    square = np.array([(np.arange(6) + row) % 6 for row in range(6)], np.uint8).reshape(1, 36) + 2
    assert get_puzzle("sudoku-6x6").broken(square, square).any()
    latin = Puzzle("latin", "_.123456", (6, 6))
    assert not latin.broken(square, square).any()
    assert from_description(latin.described()) == latin
    with pytest.raises(PuzzleError, match="'latin' is not known here"):
        get_puzzle("latin")


def test_sudokus_blanks_changed_clues_and_twins_are_against_a_rule():
    six = get_puzzle("sudoku-6x6")
    question, answer = (part[0] for part in map(sudoku.to_tokens, sudoku.generate(1, 6, seed=1)))
    assert not six.broken(question[None], answer[None]).any()
    blank = int(np.flatnonzero(question == sudoku.BLANK)[0])
    clue = int(np.flatnonzero(question != sudoku.BLANK)[0])
    for cell, token in ((blank, sudoku.BLANK), (clue, answer[clue] % 7 + 1)):
        wrong = answer.copy()
        wrong[cell] = token
        assert six.broken(question[None], wrong[None])[0, cell]


def test_a_maze_with_several_shortest_paths_has_no_only_answer():
    square = get_puzzle("maze-3x3")
    with pytest.raises(PuzzleError, match="equally short"):
        square.solve(maze.parse("S  \n   \n  G"))
    only = maze.parse("S# \n ##\n  G")
    assert (square.solve(only) == maze.parse("S# \no##\nooG")).all()


def test_earlier_names_and_sizes():
    assert name_of_earlier("sudoku", 81) == "sudoku-9x9" and name_of_earlier("mine", 81) == "mine"
    assert name_by_sizes(12, 36) == "arc-6x6" and name_by_sizes(4, 36) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tokens": "_.00"}, "tokens 2 and 3 .* are both '0'"),
        ({"tokens": "01"}, "Token 0 .* is '0', but token 0 is padding and is never graded"),
        ({"tokens": "_"}, "has 1 tokens"),
        ({"tokens": 12}, "tokens must be text, not 12"),
        ({"shape": (0, 4)}, r"shape .* is \(0, 4\)"),
        ({"shape": 16}, "shape .* is 16"),
        ({"blanks": "_"}, "blanks .* hold '_', which is padding"),
        ({"blanks": "?"}, "blanks .* hold '\\?', which is no token"),
        ({"make": 3}, "make = 3; make it a function"),
        ({"make": lambda count: None}, r"called as make\(count, rng\), but .* too many"),
        ({"breaks": lambda q, a, size: None}, "called as breaks.* missing .*'size'"),
        ({"blanks": lambda count, rng: None}, "blanks must be .*; name the fields: <lambda>="),
        ({"make": dict}, r"is the class dict; make an object of it, dict\(\)"),
        ({"tokens": "_.\n"}, "hold '.n', which cannot stand in a line"),
        ({"tokens": "_.\ud800"}, "cannot stand in a line"),
        ({"tokens": ["_", "a"]}, "must be text, .*; join its characters"),
        ({"name": "my puzzle"}, "cannot be called 'my puzzle'"),
        ({"words": ("a",)}, "1 words for 4 tokens"),
    ],
)
def test_fields_that_make_no_sense_are_named(fields, words):
    with pytest.raises(PuzzleError, match=words):
        Puzzle(**{"name": "mine", "tokens": "_.01", "shape": (4, 4)} | fields)


GOOD = (OWN["takuzu"]).read_text()


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


MAKE = "    answers = BOARDS[rng.integers(len(BOARDS), size=count)]\n"
END = "    return np.where(hidden, BLANK, answers), answers\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "defines no PUZZLE"),
        ("PUZZLE = 'mine'\n", "of type str; make it a trm_lite.puzzles.Puzzle"),
        ("import nothing_of_this_name\n", "line 1 cannot be run: ModuleNotFoundError"),
        ("PUZZLE = (\n", "line 1 cannot be run: SyntaxError"),
        ("raise SystemExit(3)\n", "line 1 cannot be run: SystemExit"),
        (changed('"takuzu"', '"sudoku-4x4"'), "'sudoku-4x4' is a puzzle of the course"),
        (changed("(4, 4), b", "(4, 5), b"), r"questions of shape \(8, 16\).*\(count, 20\)"),
        (changed('"_.01"', '"_.0"'), r"questions\[0\] with token 3 at row .*tokens are 0 to 2"),
        (changed("size=count", "size=count - 1"), "asked for 8 examples and returned 7 questions"),
        (changed(MAKE, "    rng = np.random.default_rng(1)\n" + MAKE), "the same 8 examples for"),
        (changed(MAKE, "    rng = np.random.default_rng()\n" + MAKE), "other examples for the"),
        (changed(END, END + "\n").replace("hidden, BLANK, answers), answers", "hidden, BLANK, "
         "answers), answers * 0"), r"answers\[0\] is token 0 in all cells"),
        (changed(END, "    return answers / 2, answers\n"), "questions of type float64"),
        (changed(END, "    return answers\n"), r"returned an array .*; return two arrays"),
        (changed(END, "    return [[1], [1, 2]], answers\n"), "questions of different lengths"),
        (changed(END, "    return answers, answers[::-1] * 0 + 2\n"), r"returned answers\[0\], "
         "which breaks says is against a rule at row 1, column 1, where it has token 2"),
        (changed(END, "    return 1 // 0\n"), "make .* failed in line 34 .*ZeroDivisionError"),
        (changed(END, "    return answers, answers, answers\n"), "returned a tuple of 3; ret"),
        (changed("breaks=breaks)", "breaks=lambda q, a: None)"), "breaks .* returned None for 8"),
        (changed("breaks=breaks)", "breaks=lambda q, a: breaks(q, a)[:, :4])"),
         r"breaks .* returned an array of bool of shape \(8, 4\) for 8 boards of 16 cells"),
        (changed(END, "    raise ValueError('one\\ntwo')\n"), "line 34 of .*ValueError: one two.$"),
        (changed(END, "    raise SystemExit(3)\n"), "make .* in line 34 .*SystemExit: 3.$"),
        (changed(END, "    return np.stack([hidden, answers[1:]])\n"), "line 34 of .*mine.py"),
        (changed("def make(count, rng)", "def make(count)"), r"is called as make\(count, rng\)"),
        (changed("breaks=breaks)", "breaks=lambda q, a: [[True], [True, False]])"),
         r"breaks .* returned an array of object of shape \(\)"),
        (changed("breaks=breaks)", "breaks=breaks, solve=lambda q: q[:3])"),
         r"solve .* returned answers of shape \(1, 3\)"),
        (changed("breaks=breaks)", "breaks=breaks, family=lambda q, a: [1])"),
         r"family .* returned list for questions\[0\] .* has no hash"),
        (changed("breaks=breaks)", "breaks=breaks, augment=lambda q, a, g: (q[:, :4], a))"),
         r"augment .* returned questions as a Tensor of .* of shape \(8, 4\)"),
        (changed("breaks=breaks)", "breaks=breaks, augment=lambda q, a, g: (q, a.flip(0)))"),
         r"augment .* returned answers\[.\], .*against a rule"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_one_sentence(text, words, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(PuzzleError) as told:
        load_puzzle(path)
    assert re.search(words, str(told.value)), str(told.value)
    assert "\n" not in str(told.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.py"]  # no compiled files


def test_only_the_file_of_an_experiment_is_executed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("raise SystemExit('executed')\n")
    with pytest.raises(PuzzleError, match="no longer the puzzle file"):
        load_same(str(path), "0" * 64, "mine")
    with pytest.raises(PuzzleError, match="only if you name it"):
        load_same("", "0" * 64, "mine")
    with pytest.raises(PuzzleError, match="cannot be read"):
        load_puzzle(tmp_path / "nothing.py")


def test_a_puzzle_file_stands_alone(tmp_path):
    (tmp_path / "helper_of_mine.py").touch()
    (tmp_path / "mine.py").write_text("import helper_of_mine\n")
    with pytest.raises(PuzzleError, match="line 1 imports helper_of_mine, which lies beside it"):
        load_puzzle(tmp_path / "mine.py")
