"""Solve any Sudokus with a trained network, and check every answer against the rules."""

import json
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from trm_lite.common.choices import Choice
from trm_lite.common.device import precision
from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.data.dataset import Batch
from trm_lite.evaluation import breadth
from trm_lite.evaluation.scoring import observe, stacked
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.reading.alphabet import Unread
from trm_lite.thinking import Noise, answer, seeded

MAX_STEPS = 64  # more than in training, because hard boards gain from further steps
BATCH = 256  # boards in the network at once
# The halt logit at which to stop. On validation puzzles, stopping at 0 is often too early.
HALT_ABOVE = 4.0


class Solved(NamedTuple):
    """A network's answer to one Sudoku, right or wrong."""

    puzzle: np.ndarray  # (n*n,) the board
    solution: np.ndarray  # (n*n,) what the network says, right or wrong
    solved: bool  # whether that keeps the rules and the clues; always checked
    steps: int  # supervision steps taken, over all attempts
    tries: int  # attempts made
    confidence: float  # how sure the network is of its answer, in 0..1

    def then(self, again: "Solved") -> "Solved":
        """The better of this answer and that of a further attempt, with the steps of both."""
        better = max(self, again, key=lambda said: (said.solved, said.confidence))
        return better._replace(steps=self.steps + again.steps, tries=self.tries + again.tries)

    def to_json(self) -> str:
        """The answer as one line of JSON, with boards as in `sudoku.to_line`."""
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


def read_puzzles(text: str) -> sudoku.Read:
    """Find the Sudokus in a text that have exactly one solution, and name the lines with others.

    The text may have almost any format; see `sudoku.read`.
    """
    boards, problems = sudoku.read(text)
    problems = list(problems)
    proper = []
    for size in sudoku.SIZES:
        group = [pair for pair in boards if sudoku.size_of(pair[1]) == size]
        if not group:
            continue
        found = sudoku.solve(
            np.stack([board for _, board in group]), most_guesses=sudoku.MOST_GUESSES
        )
        one = (found.counts == 1) & found.complete
        for (line, board), single in zip(group, one, strict=True):
            if single:
                proper.append((line, board))
                continue
            try:
                sudoku.solve_one(board)
            except PuzzleError as error:
                problems.append(Unread(line, str(error)))
    return sudoku.Read(sorted(proper, key=lambda pair: pair[0]), sorted(problems))


def solve_boards(
    model: Reasoner,
    boards: np.ndarray,
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = HALT_ABOVE,
    tries: int = 1,
    choose: Choice | Literal["rules"] = "rules",
    seed: int = 0,
) -> list[Solved]:
    """Let a network solve boards, and check its answers.

    If an answer breaks a rule, the network tries again with another guise of the board, which is
    a fresh chance (as in arXiv 2601.10679). Or it makes all attempts, takes all the steps, and
    chooses an answer without looking at the rules. Raises UserError if the weights are for
    another size.

    Args:
        model: the network.
        boards: (B, n*n) puzzles of the size that it was trained on.
        max_steps: the most supervision steps of an attempt.
        halt_above: end an attempt once the halt logit exceeds this; None takes all the steps.
        tries: the most attempts per board.
        choose: which attempt counts: by the "rules", or as `trm_lite.evaluation.breadth` says.
        seed: seed of guises and of what the network draws.
    """
    cells = boards.shape[-1]
    if cells != model.config.seq_len:
        raise UserError(
            f"These weights solve boards of {model.config.seq_len} cells, but this one has "
            f"{cells}; use weights for this size.",
            "weights",
        )
    solved: list[Solved] = []
    generator = torch.Generator().manual_seed(seed)
    starts = range(0, len(boards), BATCH)
    for start in tqdm(starts, desc="thinking", unit="batch", disable=len(starts) < 2, leave=False):
        part = boards[start : start + BATCH]
        if choose != "rules":
            solved += chosen_answers(model, part, max_steps, tries, choose, seed + start)
            continue
        with seeded(model, seed + start):
            solved += tried_answers(model, part, max_steps, tries, halt_above, generator)
    return solved


def tried_answers(
    model: Reasoner,
    boards: np.ndarray,
    max_steps: int,
    tries: int,
    halt_above: float | None,
    generator: torch.Generator,
) -> list[Solved]:
    """Let a network try each board until an answer keeps the rules, in a new guise each time.

    The arguments are those of `solve_boards`; `generator` draws the guises.
    """
    answers = attempt(model, boards, max_steps, halt_above)
    for _ in range(tries - 1):
        left = [row for row, said in enumerate(answers) if not said.solved]
        if not left:
            break
        drawn = sudoku.random_symmetry(len(left), sudoku.size_of(boards), generator)
        again = attempt(model, boards[left], max_steps, halt_above, drawn)
        for row, said in zip(left, again, strict=True):
            answers[row] = answers[row].then(said)
    return answers


def chosen_answers(
    model: Reasoner, boards: np.ndarray, max_steps: int, tries: int, choose: Choice, seed: int
) -> list[Solved]:
    """Let a network try each board `tries` times, and choose one answer without the rules.

    Attempts differ by the network's random starts if it has any, and by guises otherwise. The
    arguments are those of `solve_boards`.
    """
    inputs = torch.from_numpy(sudoku.to_tokens(boards)).long().to(model.device)
    batch = Batch(inputs, inputs, torch.zeros_like(inputs[:, 0]))
    count, size = len(boards), sudoku.size_of(boards)
    generator = torch.Generator().manual_seed(seed)
    said: list[Tensor] = []
    seen: list[dict[str, Tensor]] = []
    for number in range(tries):
        in_guise = number > 0 and not model.draws
        guise = sudoku.random_symmetry(count, size, generator) if in_guise else None
        seeds = range(seed + number * count, seed + (number + 1) * count)
        with precision(model.device, bfloat16=True):
            steps = list(observe(model, batch, max_steps, Noise(0.0, seeds), guise))
        said.append(steps[-1].tokens)
        seen.append(stacked(steps))
    parts = {name: torch.stack([one[name] for one in seen]) for name in seen[0]}  # (A, S, B)
    chosen, rows = breadth.choose(choose, **parts)[-1], torch.arange(count)
    confidence = parts["halt_logits"][chosen, -1, rows].sigmoid()
    answers = torch.stack(said)[chosen, rows]
    return _checked(boards, answers, [max_steps * tries] * count, confidence, tries)


def attempt(
    model: Reasoner,
    boards: np.ndarray,
    max_steps: int,
    halt_above: float | None,
    symmetry: sudoku.Symmetry | None = None,
) -> list[Solved]:
    """Let a network answer each of `boards` (B, n*n) once; for the arguments see `solve_boards`.

    If there is a `symmetry`, the network sees the boards under it, and its answers are
    transformed back.
    """
    tokens = torch.from_numpy(sudoku.to_tokens(boards))
    seen = tokens if symmetry is None else sudoku.apply(symmetry, tokens)
    with precision(model.device, bfloat16=True):
        result = answer(
            model, seen.long().to(model.device), max_steps=max_steps, halt_above=halt_above
        )
    said = result.tokens if symmetry is None else sudoku.undo(symmetry, result.tokens)
    return _checked(boards, said, result.steps, result.confidence)


def _checked(boards: np.ndarray, tokens: Tensor, steps, confidence, tries: int = 1) -> list[Solved]:
    """The answers `tokens` (B, n*n) to some boards, checked against the rules."""
    solutions = sudoku.from_tokens(tokens.cpu().numpy())
    columns = (boards, solutions, sudoku.is_solution(boards, solutions), steps, confidence)
    return [
        Solved(puzzle, solution, bool(right), int(steps), tries, float(confidence))
        for puzzle, solution, right, steps, confidence in zip(*columns, strict=True)
    ]
