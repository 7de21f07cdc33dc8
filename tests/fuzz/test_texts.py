"""Boards, CSV and ARC from texts of any kind: read rightly, or refused in one line."""

import json
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fuzz.trials import altered, damaged, fuzz, survives, written
from hypothesis import given
from hypothesis import strategies as st

from trm_lite.common.texts import decode
from trm_lite.data.arc_tasks import load_source, load_tasks
from trm_lite.data.benchmarks import maze_hard, sudoku_extreme
from trm_lite.data.benchmarks.csv_files import joined, pieces
from trm_lite.evaluation import read_puzzles, solve_boards
from trm_lite.nets import Latents, Thought
from trm_lite.puzzles import get_puzzle, maze, sudoku

BOARDS = {
    size: sudoku.generate(6, size, seed=3, minimal=False, blanks=size * size // 2)
    for size in (4, 6, 9)
}
LINES = [sudoku.to_line(board) for boards, _ in BOARDS.values() for board in boards]
CELLS = st.sampled_from([*"123456789....00__**xx??--··", " ", "|", ",", "\n", "+", "k", "\t", '"'])


def rows(line):
    size = round(len(line) ** 0.5)
    return [line[start : start + size] for start in range(0, len(line), size)]


LAYOUTS = {
    "line": lambda line: line,
    "rows": lambda line: "\n".join(rows(line)),
    "drawn": lambda line: sudoku.render(sudoku.parse(line)),
    "spaced": lambda line: "\n".join(" ".join(row) for row in rows(line)),
    "commas": lambda line: "\n".join(",".join(row) for row in rows(line)),
    "empty fields": lambda line: "\n".join(";".join(row).replace(".", "") for row in rows(line)),
    "framed": lambda line: "\n".join(["*---+---*", *(f"|{row}|" for row in rows(line)), "+-+"]),
    "numbered": lambda line: f"12. {line}",
    "rated": lambda line: f"{line};1.2/1.3/7.2 # hard",
    "titled": lambda line: "\n".join(["Grid 07", *rows(line)]),
}


FREE = ("line", "rows", "spaced", "framed")  # in these every blank is clear


def obeys(puzzle, solution):
    """Whether a solution keeps rules and clues, checked in the plainest way."""
    size = round(len(puzzle) ** 0.5)
    height, width = {4: (2, 2), 6: (2, 3), 9: (3, 3)}[size]
    cells = dict(zip(product(range(size), range(size)), solution, strict=True))
    units = [[cells[i, j] for j in range(size)] for i in range(size)]
    units += [[cells[j, i] for j in range(size)] for i in range(size)]
    units += [
        [cells[top + i, left + j] for i in range(height) for j in range(width)]
        for top in range(0, size, height)
        for left in range(0, size, width)
    ]
    clues = all(a in (0, b) for a, b in zip(puzzle, solution, strict=True))
    return clues and all(sorted(unit) == list(range(1, size + 1)) for unit in units)


class Sometimes(torch.nn.Module):
    """A network that answers some boards rightly, and some with one cell wrong."""

    device, draws = torch.device("cpu"), False

    def __init__(self, cells):
        super().__init__()
        size = round(cells**0.5)
        self.config = SimpleNamespace(seq_len=cells, vocab_size=size + 2)
        self.puzzle = get_puzzle(f"sudoku-{size}x{size}")

    def initial_latents(self, count):
        return Latents(torch.zeros(count, 1), torch.zeros(count, 1))

    def forward(self, latents, inputs, puzzle_ids=None):
        boards = sudoku.from_tokens(inputs.numpy())
        said = sudoku.solve(boards).boards.copy()
        wrong = boards.sum(1) % 2 == 1
        said[wrong, 5] = said[wrong, 5] % 4 + 1
        logits = torch.nn.functional.one_hot(torch.from_numpy(said).long() + 1, 11).float()
        sure = torch.full((len(boards),), 9.0)
        return Thought(latents, logits, sure, sure)


def solve_as_command(content: bytes) -> int:
    """What `trm-lite solve` does with a file; returns how many boards it read."""
    proper, problems = read_puzzles(decode(content, "the file"))
    for line, problem in problems:
        assert line >= 1 and problem and "\n" not in problem
        problem.encode()
    for size in {sudoku.size_of(board) for _, board in proper}:
        boards = np.stack([board for _, board in proper if board.size == size * size])
        for said in solve_boards(Sometimes(size * size), sudoku.to_tokens(boards), max_steps=1):
            pair = (sudoku.from_tokens(part).tolist() for part in (said.question, said.solution))
            assert said.solved == obeys(*pair)
    return len(proper)


@fuzz
@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(sorted(LAYOUTS))), max_size=4),
       st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
       st.sampled_from(".0_*x?-·"))  # fmt: skip
def test_boards_in_any_mixture_of_formats_are_read(boards, end, encoding, blank):
    texts = [
        LAYOUTS[layout](line).replace(".", blank if layout in FREE else ".")
        for line, layout in boards
    ]
    content = "\n\n".join(texts).replace("\n", end).encode(encoding)
    with survives("boards, well written"):
        found = sudoku.read(decode(content, "the file"))
        assert not found.problems
        assert [sudoku.to_line(board) for _, board in found.boards] == [b for b, _ in boards]


WELL_WRITTEN = [layout(line).encode() for layout in LAYOUTS.values() for line in LINES[::6]] + [
    json.dumps([rows(line) for line in LINES[12:14]]).encode(),
    json.dumps([{"puzzle": line} for line in LINES[12:14]], indent=1).encode(),
    "\n".join(["question,answer,rating", *(f"{line},b,1" for line in LINES[12:15])]).encode(),
    f"[Puzzle]\n{LINES[-1]}\n[State]\n{LINES[-1]}".encode("utf-16"),
    f":0000:x:{LINES[-1]}:::\n1. {LINES[-2]}".encode("utf-8-sig"),
]  # fmt: skip


@fuzz
@given(
    st.one_of(
        damaged(WELL_WRITTEN),
        st.binary(max_size=300),
        st.text(CELLS, max_size=200).map(str.encode),
        st.text(CELLS, min_size=81, max_size=81).map(str.encode),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
)
def test_boards_from_any_bytes(content):
    with survives("boards"):
        solve_as_command(content)


@fuzz
@given(
    st.one_of(
        altered([LINES[-1], [[0, 5] * 8] * 4, {"puzzle": LINES[0]}]),
        altered([[int(c) if c != "." else 0 for c in row] for row in rows(LINES[-1])]),
    )
)
def test_boards_from_any_json(value):
    with survives("boards in JSON"):
        solve_as_command(written(value))


MAZES = [
    ["".join(maze.CHARACTERS[cell] for cell in cells) for cells in pair]
    for pair in zip(*maze.generate(3, 5, seed=1), strict=True)
]
ANSWERED = [[sudoku.to_line(board) for board in pair] for pair in zip(*BOARDS[9], strict=True)]
TABLES = [
    separator.join(("source", "question", "answer", "rating")) + end + end.join(
        separator.join((f'"{i}"', *pair, rating)) for i, pair in enumerate(pairs)
    )
    for pairs, separator, end, rating in (
        (ANSWERED, ",", "\n", "3"), (ANSWERED, ";", "\r\n", "2.5"), (ANSWERED, "\t", "\r", "1e22"),
        (MAZES, ",", "\n", "3"),
    )
]  # fmt: skip
TABLES = [text.encode(code) for text in TABLES for code in ("utf-8", "utf-16")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@fuzz
@given(content=damaged(TABLES))
def test_csv_from_any_bytes(folder, content):
    path = folder / "some.csv"
    path.write_bytes(content)
    with survives("CSV of Sudokus"):
        read = joined(pieces(path, sudoku_extreme.NOTATION))
        assert read.ratings.dtype in (np.int64, np.float64)
        assert sudoku.is_solution(read.questions, read.answers).all()
    with survives("CSV of mazes"):
        joined(pieces(path, maze_hard.NOTATION))


GRID = [[0, 1, 2], [3, 4, 5]]
PAIR = {"input": GRID, "output": GRID}
TASK = {"train": [PAIR, PAIR], "test": [PAIR, {"input": GRID}]}
ARC = [written(TASK), written({"a": TASK, "b": TASK}), written(TASK).decode().encode("utf-16")]


@fuzz
@given(st.one_of(damaged(ARC), altered(TASK).map(written), altered({"a": TASK}).map(written)),
       st.booleans())  # fmt: skip
def test_arc_from_any_bytes(folder, content, unanswered):
    (folder / "training_challenges.json").write_bytes(ARC[1])
    (folder / "training_solutions.json").write_bytes(written({"a": [GRID, GRID], "b": [GRID] * 2}))
    path = folder / "test-challenges.json"
    path.write_bytes(content)
    with survives("ARC"):
        for task in load_tasks(path, unanswered=unanswered):
            assert all(pair.answered for pair in task.train)
            assert unanswered or all(pair.answered for pair in task.test)
    with survives("ARC"):
        load_source(folder, "arc-agi-1")


@fuzz
@given(altered({"a": [GRID], "b": [GRID]}).map(written))
def test_solutions_of_arc_from_any_bytes(folder, content):
    (folder / "x_challenges.json").write_bytes(written({"a": TASK, "b": TASK}))
    (folder / "x_solutions.json").write_bytes(content)
    with survives("ARC solutions"):
        load_tasks(folder / "x_challenges.json", unanswered=True)
