"""The command `trm-lite solve`: solve your own Sudokus, and check every answer."""

import math
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tyro.conf import Positional

from trm_lite.cli.options import Device
from trm_lite.common.choices import Choice
from trm_lite.common.device import pick_device
from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.texts import read_text
from trm_lite.data.settings import PUZZLE_COPY, PuzzleData
from trm_lite.evaluation.solving import (
    MAX_STEPS,
    Solved,
    answers_in,
    read_boards,
    read_puzzles,
    solve_boards,
)
from trm_lite.nets.build import puzzle_of, resized
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import shipped, steps_in_training
from trm_lite.puzzles import load_puzzle, sudoku
from trm_lite.puzzles.puzzle import PAD
from trm_lite.puzzles.reading.alphabet import Unread
from trm_lite.training.exam import load
from trm_lite.training.exam_options import check_choice
from trm_lite.viewing import style, terminal
from trm_lite.viewing.recorder import trace

SUDOKUS = [f"sudoku-{size}x{size}" for size in sudoku.SIZES]
MOST_PROBLEMS = 20  # told one by one
NO_SUDOKU = "Puzzles that are no Sudokus need a network of your own; name its run: --weights RUN."
BEST_WEIGHTS = {6: "sudoku-6x6", 9: "sudoku-extreme-laptop"}  # by size of the board


def solve(
    files: Positional[tuple[Path, ...]] = (),
    weights: Path | None = None,
    max_steps: int = 64,
    tries: int = 8,
    choose: Choice | Literal["rules"] = "rules",
    seed: int = 0,
    picture: Path | None = None,
    device: Device = "auto",
    json: bool = False,
    puzzle: Path | None = None,
) -> int:
    """Solve Sudokus (6x6 or 9x9), or puzzles of your own, and check the answers.

    A file holds one puzzle per line, with `.` or `0` for blanks, or puzzles over several lines,
    or it is a CSV file with a column `question`, or, of Sudokus, a list in JSON; other usual
    formats of Sudokus are read as well. Where no rule is known, a column `answer` tells what is
    right. Without files, standard input is read. The exit status is
    1 if the network got a puzzle wrong, and 2 if a line is not a puzzle; a Sudoku must have
    exactly one solution.

    Args:
        files: Files of puzzles.
        weights: A run folder, or a .safetensors file, to use instead of the weights that come
            with the course.
        max_steps: The most supervision steps of an attempt; a network that was trained to answer
            at once takes one.
        tries: The most attempts. If an answer breaks a rule, the network tries again with the
            same puzzle in another guise (of a Sudoku digits are renamed, rows and columns moved),
            or from another start.
        choose: Which attempt counts: the first that keeps the rules, or of all attempts, without
            a look at the rules, the one of which the network is most sure ("halting"), whose
            logits ("residual") or latents ("latent") have settled most, or the "majority".
        seed: Seed of guises, and of the random starts of a network that has them.
        picture: Save a picture of the first attempt at the first puzzle, step by step. The ending
            is png, svg or pdf, or for an animation gif, apng or webp.
        device: Where to compute.
        json: Print one JSON object per puzzle: puzzle, solution, solved, steps, tries, confidence.
        puzzle: A puzzle file, with the rules by which the answers are checked. It is executed. A
            run folder has a copy of it.
    """
    return solve_files(
        files,
        weights=weights,
        max_steps=max_steps,
        tries=tries,
        choose=choose,
        seed=seed,
        device=device,
        as_json=json,
        picture=picture,
        puzzle=puzzle,
    )


def solve_files(
    files: tuple[Path, ...],
    *,
    weights: Path | None = None,
    max_steps: int = MAX_STEPS,
    tries: int = 1,
    choose: Choice | Literal["rules"] = "rules",
    seed: int = 0,
    device: str = "auto",
    as_json: bool = False,
    picture: Path | None = None,
    puzzle: Path | None = None,
) -> int:
    """Solve the puzzles in some files, and print the answers.

    Returns 0 if all were solved, 1 if the network got some wrong, and 2 if a line was bad.

    Args:
        files: files of puzzles; standard input if empty.
        weights: a run folder, or a weights file, to use instead of the course's.
        max_steps: the most supervision steps of an attempt.
        tries: the most attempts per puzzle.
        choose: which attempt counts, see `solve_boards`.
        seed: see `solve_boards`.
        device: see `pick_device`.
        as_json: print JSON instead of boards.
        picture: file for a picture of the thought about the first puzzle.
        puzzle: a puzzle file; see `load_puzzle`.
    """
    if min(max_steps, tries) < 1:
        raise UserError(f"--max-steps and --tries must be at least 1, not {max_steps} and {tries}.")
    check_choice(choose, tries, max_steps)
    texts = [(str(path or "standard input"), read_text(path)) for path in files or (None,)]
    solvers = Solvers(weights, puzzle, pick_device(device))
    max_steps = 1 if solvers.one_pass else max_steps
    status, how = 0, {"max_steps": max_steps, "tries": tries, "choose": choose, "seed": seed}
    for name, text in texts:
        results, problems = solved_in(text, name, solvers, how, picture)
        if results:
            picture = None  # of the first puzzle there is
        _print_problems(name, problems)
        if not results and weights is None:
            print(NO_SUDOKU, file=sys.stderr)
        wrong = _print_results(name, results, solvers.answers(text), as_json)
        status = max(status, 2 if problems else int(wrong))
    return status


def solved_in(
    text: str, name: str, solvers: "Solvers", how: dict, picture: Path | None
) -> tuple[list[tuple[int, Solved]], list[Unread]]:
    """The answers to the puzzles in a text, and what could not be read or solved, by line.

    Args:
        text: puzzles.
        name: of the file, for the message if there is none.
        solvers: the networks.
        how: options of `solve_boards`.
        picture: file for a picture of the thought about the first puzzle.
    """
    questions, problems = solvers.read(text)
    if not questions and not problems:
        raise UserError(f"{name} holds no puzzle; write one per line, `.` or `0` for a blank.")
    results: list[tuple[int, Solved]] = []
    for length in sorted({len(question) for _, question in questions}):
        group = [(line, question) for line, question in questions if len(question) == length]
        try:
            model = solvers.of(length)
        except PuzzleError as error:
            problems += [Unread(line, str(error)) for line, _ in group]
            continue
        boards = np.stack([question for _, question in group])
        if picture is not None and not results:
            draw_thought(model, boards[0], picture, how["max_steps"])
        solved = solve_boards(model, boards, **how)
        results += zip((line for line, _ in group), solved, strict=True)
    return sorted(results, key=lambda result: result[0]), sorted(problems)


class Solvers:
    """The networks that solve, each loaded when it is first needed.

    Args:
        weights: what to use for all boards, or None for the course's best, of Sudokus.
        puzzle: a puzzle file, with the rules of what the weights were trained on.
        device: where to compute.
    """

    def __init__(self, weights: Path | None, puzzle: Path | None, device: torch.device):
        self.weights, self.device = weights, device
        self.given: Reasoner | None = None
        self.loaded: dict[int, Reasoner] = {}
        self.one_pass = False  # whether the given network was trained to answer at once
        if weights is not None:
            self.given, about = load(weights)
            copy = weights / PUZZLE_COPY
            puzzle = puzzle or (copy if copy.exists() else None)
            source = about.get("preset", {}).get("data", {}).get("source")
            if weights.is_dir() and puzzle is None and source == PuzzleData.source:
                raise UserError(f"{weights} has lost its puzzle file; name it.", "puzzle")
            self.given.to(device)
            self.one_pass = steps_in_training(about) == 1
        elif puzzle is not None:
            raise UserError("Say which network solves this puzzle.", "weights")
        if puzzle is not None:
            self.given.puzzle = load_puzzle(puzzle)
        self.puzzle = puzzle_of(self.given) if self.given else None

    def read(self, text: str) -> tuple[list[tuple[int, np.ndarray]], list[Unread]]:
        """The questions in a text, as tokens with line numbers, and what could not be read."""
        if self.puzzle is not None and self.puzzle.name not in SUDOKUS:
            return read_boards(text, self.puzzle)
        boards, problems = read_puzzles(text)
        return [(line, sudoku.to_tokens(board)) for line, board in boards], problems

    def answers(self, text: str) -> dict[int, np.ndarray]:
        """The answers in a text, by line, to puzzles whose rules are not known."""
        if self.puzzle is None or self.puzzle.breaks is not None:
            return {}
        return answers_in(text, self.puzzle)

    def of(self, length: int) -> Reasoner:
        """The network for boards of so many cells. Raises PuzzleError if there is none."""
        if self.given is not None:
            if getattr(self.given.config, "fits_other_boards", False):
                return resized(self.given, math.isqrt(length) + 2, length)
            if self.given.config.seq_len != length:
                raise PuzzleError(
                    f"The weights in {self.weights} solve boards of {self.given.config.seq_len} "
                    f"cells, but this one has {length}; use others for it."
                )
            return self.given
        size = math.isqrt(length)
        if size not in BEST_WEIGHTS:
            known = " and ".join(f"{n}x{n}" for n in BEST_WEIGHTS)
            raise PuzzleError(
                f"The course has no weights for {size}x{size} Sudokus, only for {known}; "
                "train your own."
            )
        if length not in self.loaded:
            self.loaded[length] = shipped(BEST_WEIGHTS[size])[0].to(self.device)
        return self.loaded[length]


def _print_results(
    name: str, results: list[tuple[int, Solved]], answers: dict[int, np.ndarray], as_json: bool
) -> bool:
    """Tell the answers, with their line numbers; returns whether one is wrong.

    Args:
        name: the file.
        results: the answers with their lines.
        answers: the right answers by line, as far as the file says them and no rule is known.
        as_json: print JSON instead of boards.
    """
    right = []
    for line, solved in results:
        if line in answers:
            graded = answers[line] != PAD
            solved = solved._replace(solved=bool((solved.solution == answers[line])[graded].all()))
        right.append(solved.solved)
        print(solved.to_json() if as_json else _describe(name, line, solved), flush=True)
    if not as_json and len(right) > 1 and None not in right:
        print(f"{name}: {sum(right)} of {len(right)} solved.")
    return False in right


def _print_problems(name: str, problems: list[Unread]) -> None:
    """Tell what could not be read or solved, a line for each, but never thousands."""
    for line, problem in problems[:MOST_PROBLEMS]:
        print(f"{name}, line {line}: {problem}", file=sys.stderr)
    more = len(problems) - MOST_PROBLEMS
    if more > 0:
        print(f"{name}: {more:,} more lines hold nothing that can be solved.", file=sys.stderr)


def draw_thought(model: Reasoner, board: np.ndarray, path: Path, max_steps: int) -> None:
    """Save a picture, or an animation, of the board after every step until it settles.

    Args:
        model: the network.
        board: (L,) tokens of the question.
        path: the file; its ending tells which of the two.
        max_steps: supervision steps.
    """
    from trm_lite.viewing import (  # drawing takes a second to import, which few calls need
        animation,
        plots,
    )

    style.use_style()
    thought = trace(model, board, max_steps)
    if path.suffix.lower() in animation.ENDINGS:
        size = sum(parameter.numel() for parameter in model.parameters())
        solver = f"a network of {size / 1000:,.0f} thousand parameters"
        # One frame more than needed shows what the network believes at the end.
        animation.animate(
            thought.until_settled(), path, title=f"{solver} solves {puzzle_of(model).name}"
        )
    else:
        plots.save(plots.contact_sheet(thought.until_settled(margin=0)), path)


def _describe(name: str, line: int, solved: Solved) -> str:
    why = "breaks a rule or a clue" if solved.puzzle.breaks else "the file has another answer"
    verdict = {True: "solved", False: f"NOT solved ({why})", None: "answered"}
    pace = f"after {solved.steps} step{'s' if solved.steps > 1 else ''}"
    head = (
        f"{name}, line {line}: {verdict[solved.solved]} {pace}"
        + (f" in {solved.tries} attempts" if solved.tries > 1 else "")
        + f", confidence {solved.confidence:.0%}"
    )
    if solved.puzzle.shape[0] == 1:
        return f"{head}\n {solved.puzzle.decode(solved.solution)}\n"
    lines = terminal.board_lines(solved.puzzle, solved.solution, solved.question)
    return "\n".join([head, *lines, ""])
