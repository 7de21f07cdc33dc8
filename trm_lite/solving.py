"""Solve anybody's Sudokus with trained weights, and check every answer against the rules."""

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from trm_lite import terminal
from trm_lite.checkpoints import load_weights
from trm_lite.device import pick_device, precision
from trm_lite.errors import PuzzleError, UserError
from trm_lite.files import ASSETS
from trm_lite.nets import Network
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import sudoku
from trm_lite.thinking import answer
from trm_lite.tracing import trace

WEIGHTS_FOLDER = ASSETS / "weights"
BEST_WEIGHTS = {6: "sudoku-6x6", 9: "sudoku-extreme-laptop"}  # the best weights by size of board
MAX_STEPS = 64  # more than in training: hard boards gain from longer thought
BATCH = 256  # boards thought about at once
HALT_ABOVE = 4.0  # logit at which to stop; at 0 the head is over-eager (validation puzzles)


class Solved(NamedTuple):
    """A network's answer to one puzzle."""

    puzzle: np.ndarray  # (n*n,)
    solution: np.ndarray  # (n*n,) what the network says, right or wrong
    solved: bool  # checked against the rules and the clues, never assumed
    steps: int  # supervision steps used, over all attempts
    tries: int  # attempts made
    confidence: float  # the network's own belief, 0..1

    def then(self, again: "Solved") -> "Solved":
        """The better of this answer and the one that followed it, with the work of both."""
        better = max(self, again, key=lambda said: (said.solved, said.confidence))
        return better._replace(steps=self.steps + again.steps, tries=self.tries + again.tries)

    def to_json(self) -> str:
        return json.dumps(
            {
                "puzzle": sudoku.to_line(self.puzzle),
                "solution": sudoku.to_line(self.solution),
                "solved": self.solved,
                "steps": self.steps,
                "tries": self.tries,
                "confidence": round(self.confidence, 4),
            }
        )


@dataclass(frozen=True)
class BadLine:
    """A line that holds no solvable puzzle."""

    line: int
    problem: str


def shipped(name: str) -> tuple[Network, dict]:
    """The trained network `name` that comes with the course, such as "sudoku-6x6"."""
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    if not path.exists():
        here = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise UserError(
            f"No weights called '{name}' come with the course "
            f"(there are: {', '.join(here) or 'none'}); train some and name their file."
        )
    return load_weights(path)


def shipped_weights(size: int, network: str = "") -> tuple[Reasoner, dict]:
    """The network that the lessons look at for Sudokus of `size` (6 or 9).

    A TRM, or another `network`: hrm, direct and others.
    """
    return shipped(f"sudoku-{size}x{size}" + (f"-{network}" if network else ""))


def read_puzzles(text: str) -> tuple[list[tuple[int, np.ndarray]], list[BadLine]]:
    """Puzzles in `text` with their line numbers, and the lines that are none.

    Understood are one puzzle per line, one puzzle laid out over several lines, and CSV with a
    column `question`. Every puzzle is checked to have exactly one solution.
    """
    good: list[tuple[int, np.ndarray]] = []
    bad: list[BadLine] = []
    for line, puzzle_text in _candidates(text):
        try:
            board = sudoku.parse(puzzle_text)
            sudoku.validate(board)
            good.append((line, board))
        except PuzzleError as error:
            bad.append(BadLine(line, str(error)))
    unique = []
    for size in sudoku.SIZES:
        group = [(line, board) for line, board in good if sudoku.size_of(board) == size]
        if not group:
            continue
        counts = sudoku.solve(np.stack([board for _, board in group])).counts
        for (line, board), count in zip(group, counts, strict=True):
            if count == 1:
                unique.append((line, board))
                continue
            try:
                sudoku.solve_one(board)
            except PuzzleError as error:
                bad.append(BadLine(line, str(error)))
    return sorted(unique, key=lambda pair: pair[0]), sorted(bad, key=lambda b: b.line)


def _candidates(text: str) -> list[tuple[int, str]]:
    """Line numbers and texts that should each be a puzzle."""
    lines = text.splitlines()
    if lines and "question" in lines[0].split(","):
        rows = csv.DictReader(io.StringIO(text))
        return [(rows.line_num, row["question"] or "") for row in rows]
    try:
        sudoku.parse(text)
        return [(1, text)]
    except PuzzleError:
        return [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]


def solve_boards(
    model: Reasoner,
    boards: np.ndarray,
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = HALT_ABOVE,
    tries: int = 1,
) -> list[Solved]:
    """Let `model` think about `boards` (B, n*n) of its size, and check what it says.

    Where an answer breaks a rule, the board is thought about again in another guise, until it is
    solved or there were `tries`; each guise is a fresh chance (as in arXiv 2601.10679).
    """
    cells = boards.shape[-1]
    if cells != model.config.seq_len:
        raise UserError(
            f"These weights solve boards of {model.config.seq_len} cells, not of {cells}; "
            "leave out --weights to use the ones for this size."
        )
    solved: list[Solved] = []
    generator = torch.Generator().manual_seed(0)
    starts = range(0, len(boards), BATCH)
    for start in tqdm(starts, desc="thinking", unit="batch", disable=len(starts) < 2, leave=False):
        part = boards[start : start + BATCH]
        answers = attempt(model, part, max_steps, halt_above)
        for _ in range(tries - 1):
            left = [row for row, said in enumerate(answers) if not said.solved]
            if not left:
                break
            guise = sudoku.random_symmetry(len(left), sudoku.size_of(part), generator)
            again = attempt(model, part[left], max_steps, halt_above, guise)
            for row, said in zip(left, again, strict=True):
                answers[row] = answers[row].then(said)
        solved += answers
    return solved


def attempt(
    model: Reasoner,
    boards: np.ndarray,
    max_steps: int,
    halt_above: float | None,
    guise: sudoku.Symmetry | None = None,
) -> list[Solved]:
    """One thought of `model` about `boards` (B, n*n), seen in a `guise` if there is one."""
    tokens = torch.from_numpy(sudoku.to_tokens(boards))
    seen = tokens if guise is None else sudoku.apply(guise, tokens)
    with precision(model.device, bfloat16=True):
        result = answer(
            model, seen.long().to(model.device), max_steps=max_steps, halt_above=halt_above
        )
    said = result.tokens if guise is None else sudoku.undo(guise, result.tokens)
    solutions = sudoku.from_tokens(said.cpu().numpy())
    columns = (boards, solutions, sudoku.is_solution(boards, solutions), *result[1:])
    return [
        Solved(puzzle, solution, bool(right), int(steps), 1, float(confidence))
        for puzzle, solution, right, steps, confidence in zip(*columns, strict=True)
    ]


def solve_files(
    files: tuple[Path, ...],
    *,
    weights: Path | None = None,
    max_steps: int = MAX_STEPS,
    tries: int = 1,
    device: str = "auto",
    as_json: bool = False,
    picture: Path | None = None,
) -> int:
    """Solve the puzzles in `files` (standard input if none) and print them.

    The thought about the first one is drawn, step by step, into the file `picture`; a GIF moves.

    Returns 0 if all were solved, 1 if the network failed at some, 2 if some lines were bad.
    """
    if min(max_steps, tries) < 1:
        raise UserError(f"--max-steps and --tries must be at least 1, not {max_steps} and {tries}.")
    target = pick_device(device)
    status = 0
    models: dict[int, Reasoner] = {}  # by size of board
    for name, text in _texts(files):
        puzzles, bad = read_puzzles(text)
        if not puzzles and not bad:
            raise UserError(f"{name} holds no puzzle; write one per line, `.` or `0` for a blank.")
        for problem in bad:
            print(f"{name}, line {problem.line}: {problem.problem}", file=sys.stderr)
        results: dict[int, Solved] = {}
        for size in sorted({sudoku.size_of(board) for _, board in puzzles}):
            group = [(line, board) for line, board in puzzles if sudoku.size_of(board) == size]
            if size not in models:
                models[size] = _solver(size, weights).to(target)
            boards = np.stack([board for _, board in group])
            solved = solve_boards(models[size], boards, max_steps=max_steps, tries=tries)
            if picture is not None:
                draw_thought(models[size], boards[0], picture, max_steps)
                picture = None
            results.update(zip((line for line, _ in group), solved, strict=True))
        for line, solved in sorted(results.items()):
            print(solved.to_json() if as_json else _describe(name, line, solved), flush=True)
        right = sum(solved.solved for solved in results.values())
        if not as_json and len(results) > 1:
            print(f"{name}: {right} of {len(results)} solved.")
        status = max(status, 2 if bad else 1 if right < len(results) else 0)
    return status


def _solver(size: int, weights: Path | None) -> Reasoner:
    """The network of the file `weights`, or the course's best one for boards of `size`."""
    if weights is None and size not in BEST_WEIGHTS:
        raise UserError(
            f"The course has no weights for {size}x{size} Sudokus, only for "
            f"{' and '.join(f'{n}x{n}' for n in BEST_WEIGHTS)}; train some and give --weights."
        )
    model, _ = load_weights(weights) if weights else shipped(BEST_WEIGHTS[size])
    return model


def draw_thought(model: Reasoner, board: np.ndarray, path: Path, max_steps: int) -> None:
    """Save a picture of the board after every step until it settles, moving if `path` is."""
    from trm_lite import animation, plots  # drawing takes a second to import, which few calls need

    plots.use_style()
    thought = trace(model, board, max_steps)
    if path.suffix.lower() in animation.ENDINGS:
        size = sum(parameter.numel() for parameter in model.parameters())
        title = f"a network of {size / 1000:,.0f} thousand parameters solves a Sudoku"
        animation.animate(thought.until_settled(), path, title=title)  # and what it believes then
    else:
        plots.save(plots.contact_sheet(thought.until_settled(margin=0)), path)


def _texts(files: tuple[Path, ...]) -> list[tuple[str, str]]:
    """Names and contents of the files, all read before the first is worked on."""
    texts = []
    for path in files or (None,):
        name = str(path) if path else "standard input"
        try:
            content = path.read_bytes() if path else sys.stdin.buffer.read()
            texts.append((name, content.decode("utf-8-sig")))
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{name} is no text file; puzzles are lines of digits.") from error
    return texts


def _describe(name: str, line: int, solved: Solved) -> str:
    verdict = "solved" if solved.solved else "NOT solved (breaks a rule or a clue)"
    lines = terminal.board_lines(solved.solution, solved.puzzle)
    head = (
        f"{name}, line {line}: {verdict} after {solved.steps} "
        f"step{'s' if solved.steps > 1 else ''}"
        + (f" in {solved.tries} attempts" if solved.tries > 1 else "")
        + f", confidence {solved.confidence:.0%}"
    )
    return "\n".join([head, *lines, ""])
