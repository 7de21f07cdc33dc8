"""The command `trm-lite solve`: solve your own Sudokus, and check every answer."""

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
from trm_lite.evaluation.solving import MAX_STEPS, Solved, read_puzzles, solve_boards
from trm_lite.nets.build import resized
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, shipped
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.reading.alphabet import Unread
from trm_lite.training.exam_options import check_choice
from trm_lite.viewing import style, terminal
from trm_lite.viewing.recorder import trace

MOST_PROBLEMS = 20  # told one by one
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
) -> int:
    """Solve Sudokus (6x6 or 9x9) with a trained network and check its answers.

    A file holds one puzzle per line, with `.` or `0` for blanks, or puzzles over several lines,
    or it is a CSV file with a column `question`, or a list in JSON; other usual formats are read
    as well. Without files, standard input is read. The exit status is 1 if the network got a
    puzzle wrong, and 2 if a line is not a puzzle with exactly one solution.

    Args:
        files: Files of puzzles.
        weights: A .safetensors file to use instead of the weights that come with the course.
        max_steps: The most supervision steps of an attempt.
        tries: The most attempts. If an answer breaks a rule, the network tries again with the
            same puzzle in another guise: digits renamed, rows and columns moved.
        choose: Which attempt counts: the first that keeps the rules, or of all attempts, without
            a look at the rules, the one of which the network is most sure ("halting"), whose
            logits ("residual") or latents ("latent") have settled most, or the "majority".
        seed: Seed of guises, and of the random starts of a network that has them.
        picture: Save a picture of the first attempt at the first puzzle, step by step. The ending
            is png, svg or pdf, or for an animation gif, apng or webp.
        device: Where to compute.
        json: Print one JSON object per puzzle: puzzle, solution, solved, steps, tries, confidence.
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
) -> int:
    """Solve the puzzles in some files, and print the answers.

    Returns 0 if all were solved, 1 if the network got some wrong, and 2 if a line was bad.

    Args:
        files: files of puzzles; standard input if empty.
        weights: a weights file to use instead of the course's.
        max_steps: the most supervision steps of an attempt.
        tries: the most attempts per puzzle.
        choose: which attempt counts, see `solve_boards`.
        seed: see `solve_boards`.
        device: see `pick_device`.
        as_json: print JSON instead of boards.
        picture: file for a picture of the thought about the first puzzle.
    """
    if min(max_steps, tries) < 1:
        raise UserError(f"--max-steps and --tries must be at least 1, not {max_steps} and {tries}.")
    check_choice(choose, tries, max_steps)
    texts = [(str(path or "standard input"), read_text(path)) for path in files or (None,)]
    solvers = Solvers(weights, pick_device(device))
    status, how = 0, {"max_steps": max_steps, "tries": tries, "choose": choose, "seed": seed}
    for name, text in texts:
        puzzles, problems = read_puzzles(text)
        if not puzzles and not problems:
            raise UserError(f"{name} holds no puzzle; write one per line, `.` or `0` for a blank.")
        results: list[tuple[int, Solved]] = []
        for size in sorted({sudoku.size_of(board) for _, board in puzzles}):
            group = [(line, board) for line, board in puzzles if sudoku.size_of(board) == size]
            try:
                model = solvers.of(size)
            except PuzzleError as error:
                problems += [Unread(line, str(error)) for line, _ in group]
                continue
            boards = np.stack([board for _, board in group])
            solved = solve_boards(model, boards, **how)
            if picture is not None:
                draw_thought(model, boards[0], picture, max_steps)
                picture = None
            results += zip((line for line, _ in group), solved, strict=True)
        _print_problems(name, sorted(problems))
        for line, solved in sorted(results, key=lambda result: result[0]):
            print(solved.to_json() if as_json else _describe(name, line, solved), flush=True)
        right = sum(solved.solved for _, solved in results)
        if not as_json and len(results) > 1:
            print(f"{name}: {right} of {len(results)} solved.")
        status = max(status, 2 if problems else 1 if right < len(results) else 0)
    return status


class Solvers:
    """The network for each size of board, loaded when it is first needed.

    Args:
        weights: a file to use for all boards, or None for the course's best weights.
        device: where to compute.
    """

    def __init__(self, weights: Path | None, device: torch.device):
        self.weights, self.device = weights, device
        self.models: dict[int, Reasoner] = {}

    def of(self, size: int) -> Reasoner:
        """The network for boards of `size`. Raises PuzzleError if there is none."""
        if size not in self.models:
            self.models[size] = self._load(size).to(self.device)
        return self.models[size]

    def _load(self, size: int) -> Reasoner:
        if self.weights is None:
            if size not in BEST_WEIGHTS:
                known = " and ".join(f"{n}x{n}" for n in BEST_WEIGHTS)
                raise PuzzleError(
                    f"The course has no weights for {size}x{size} Sudokus, only for {known}; "
                    "train your own."
                )
            return shipped(BEST_WEIGHTS[size])[0]
        model, _ = load_weights(self.weights)
        if getattr(model.config, "fits_other_boards", False):
            return resized(model, size + 2, size * size)
        if model.config.seq_len != size * size:
            raise PuzzleError(
                f"The weights in {self.weights} solve boards of {model.config.seq_len} cells, but "
                f"this one has {size * size}; use others for it."
            )
        return model


def _print_problems(name: str, problems: list[Unread]) -> None:
    """Tell what could not be read or solved, a line for each, but never thousands."""
    for line, problem in problems[:MOST_PROBLEMS]:
        print(f"{name}, line {line}: {problem}", file=sys.stderr)
    more = len(problems) - MOST_PROBLEMS
    if more > 0:
        print(f"{name}: {more:,} more lines hold no Sudoku that can be solved.", file=sys.stderr)


def draw_thought(model: Reasoner, board: np.ndarray, path: Path, max_steps: int) -> None:
    """Save a picture, or an animation, of the board after every step until it settles.

    Args:
        model: the network.
        board: (n*n,) the puzzle.
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
        title = f"a network of {size / 1000:,.0f} thousand parameters solves a Sudoku"
        # One frame more than needed shows what the network believes at the end.
        animation.animate(thought.until_settled(), path, title=title)
    else:
        plots.save(plots.contact_sheet(thought.until_settled(margin=0)), path)


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
