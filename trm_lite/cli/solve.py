"""The command `trm-lite solve`: solve your own Sudokus, and check every answer."""

import sys
from pathlib import Path
from typing import Literal

import numpy as np
from tyro.conf import Positional

from trm_lite.cli.options import Device
from trm_lite.common.choices import Choice
from trm_lite.common.device import pick_device
from trm_lite.common.errors import UserError
from trm_lite.evaluation.solving import MAX_STEPS, Solved, read_puzzles, solve_boards
from trm_lite.nets.build import resized
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, shipped
from trm_lite.puzzles import sudoku
from trm_lite.training.exam_options import check_choice
from trm_lite.viewing import style, terminal
from trm_lite.viewing.recorder import trace

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

    A file holds one puzzle per line, with `.` or `0` for blanks, or one puzzle over several
    lines, or it is a CSV file with a column `question`. Without files, standard input is read.
    The exit status is 1 if the network got a puzzle wrong, and 2 if a line is not a puzzle with
    exactly one solution.

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
            solved = solve_boards(
                models[size], boards, max_steps=max_steps, tries=tries, choose=choose, seed=seed
            )
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
    """The network in the file `weights`, or the course's best one for boards of `size` if None."""
    if weights is None and size not in BEST_WEIGHTS:
        raise UserError(
            f"The course has no weights for {size}x{size} Sudokus, only for "
            f"{' and '.join(f'{n}x{n}' for n in BEST_WEIGHTS)}; train your own.",
            "weights",
        )
    model, _ = load_weights(weights) if weights else shipped(BEST_WEIGHTS[size])
    if getattr(model.config, "fits_other_boards", False):
        model = resized(model, size + 2, size * size)
    return model


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


def _texts(files: tuple[Path, ...]) -> list[tuple[str, str]]:
    """The names and contents of the files; all are read before any is solved."""
    texts = []
    for path in files or (None,):
        name = str(path) if path else "standard input"
        try:
            content = path.read_bytes() if path else sys.stdin.buffer.read()
            texts.append((name, content.decode("utf-8-sig")))
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{name} is not a text file; use one with lines of digits.") from error
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
