"""`trm-lite solve`: anybody's Sudokus, and every answer checked."""

import sys
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from trm_lite.cli.options import Device
from trm_lite.common.device import pick_device
from trm_lite.common.errors import UserError
from trm_lite.evaluation.solving import MAX_STEPS, Solved, read_puzzles, solve_boards
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, shipped
from trm_lite.puzzles import sudoku
from trm_lite.viewing import style, terminal
from trm_lite.viewing.recorder import trace

BEST_WEIGHTS = {6: "sudoku-6x6", 9: "sudoku-extreme-laptop"}  # the best weights by size of board


def solve(
    files: Positional[tuple[Path, ...]] = (),
    weights: Path | None = None,
    max_steps: int = 64,
    tries: int = 8,
    picture: Path | None = None,
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Solve Sudokus (6x6 or 9x9) with a trained network and check its answers.

    Puzzles come one per line, `.` or `0` for blanks, or laid out over several lines, or from the
    column `question` of a CSV file; from standard input if no file is named. Exit status 1 if
    the network got a puzzle wrong, 2 if a line held no proper puzzle.

    Args:
        files: Files of puzzles.
        weights: A .safetensors file to use instead of the weights that come with the course.
        max_steps: Supervision steps of an attempt at the most.
        tries: Attempts at the most: an answer that breaks a rule is followed by a look at the same
            puzzle in another guise, digits renamed, rows and columns moved.
        picture: Draw the first attempt at the first puzzle, step by step, into this file: png, svg
            or pdf, or moving: gif, apng or webp.
        device: Where to compute.
        json: Print one JSON object per puzzle: puzzle, solution, solved, steps, tries, confidence.
    """
    return solve_files(
        files,
        weights=weights,
        max_steps=max_steps,
        tries=tries,
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
    from trm_lite.viewing import (  # drawing takes a second to import, which few calls need
        animation,
        plots,
    )

    style.use_style()
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
