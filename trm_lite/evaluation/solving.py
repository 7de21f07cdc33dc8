"""Solve any boards with a trained network, and check every answer against the rules."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from trm_lite.common.choices import Choice
from trm_lite.common.device import precision
from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.texts import text_lines
from trm_lite.data.csv_puzzles import ended
from trm_lite.data.dataset import Batch
from trm_lite.evaluation import breadth
from trm_lite.evaluation.scoring import observe, stacked
from trm_lite.nets.build import puzzle_of
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import Puzzle, sudoku
from trm_lite.puzzles.reading.alphabet import Unread
from trm_lite.puzzles.reading.csv_tables import CsvProblem, is_csv, one_line, read_table
from trm_lite.thinking import Asked, Moment, Noise, in_slots, seeded

MAX_STEPS = 64  # more than in training, because hard boards gain from further steps
BATCH = 256  # boards in the network at once
# The halt logit at which to stop. On validation puzzles, stopping at 0 is often too early.
HALT_ABOVE = 4.0
NOISE = 0.5  # standard deviation of the noise with which further attempts start


Undo = Callable[[Tensor], Tensor] | None


class Solved(NamedTuple):
    """A network's answer to one question, right or wrong."""

    puzzle: Puzzle  # what the tokens mean
    question: np.ndarray  # (L,) tokens
    solution: np.ndarray  # (L,) what the network says, right or wrong
    solved: bool | None  # whether that keeps all rules; always checked, None without known rules
    steps: int  # supervision steps taken, over all attempts
    tries: int  # attempts made
    confidence: float  # how sure the network is of its answer, in 0..1

    def then(self, again: "Solved") -> "Solved":
        """The better of this answer and that of a further attempt, with the steps of both."""
        better = max(self, again, key=lambda said: (bool(said.solved), said.confidence))
        return better._replace(steps=self.steps + again.steps, tries=self.tries + again.tries)

    def to_json(self) -> str:
        """The answer as one line of JSON, with boards as text."""
        return json.dumps(
            {
                "puzzle": self.puzzle.decode(self.question),
                "solution": self.puzzle.decode(self.solution),
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


def read_boards(text: str, puzzle: Puzzle) -> tuple[list[tuple[int, np.ndarray]], list[Unread]]:
    """Find the boards of a puzzle in a text: tokens with line numbers, and lines with problems.

    The text may hold one board per line, or of several rows one line for each, or it is CSV with
    a column `question`. Text that is shorter than the board is padded.
    """
    good: list[tuple[int, np.ndarray]] = []
    bad: list[Unread] = []
    in_csv = is_csv(text_lines(text)) or text.split("\n")[0].strip() == "question"
    texts = _column(text, "question") if in_csv else _in_lines(text, puzzle)
    try:
        for line, board in texts:
            try:
                good.append((line, _encoded(board, puzzle)))
            except PuzzleError as error:
                bad.append(Unread(line, str(error)))
    except CsvProblem as error:
        bad.append(Unread(error.line, f"T{error.problem[1:]}."))
    return good, bad


def answers_in(text: str, puzzle: Puzzle) -> dict[int, np.ndarray]:
    """The answers (L,) in a CSV text, by line, as far as they can be read."""
    found: dict[int, np.ndarray] = {}
    if not is_csv(text_lines(text)):
        return found
    with suppress(CsvProblem):  # told when the questions were read
        for line, answer in _column(text, "answer"):
            if answer:
                with suppress(PuzzleError):
                    found[line] = puzzle.encode(ended(answer, puzzle))
    return found


def _encoded(board: str, puzzle: Puzzle) -> np.ndarray:
    """The tokens of a board. Raises PuzzleError if it has another shape or unknown characters."""
    if puzzle.shape[0] > 1 and len(board) != puzzle.length:
        rows, columns = puzzle.shape
        raise PuzzleError(
            f"A board of '{puzzle.name}' has {puzzle.length} characters, or {rows} lines of "
            f"{columns}, but this one has {len(board)}."
        )
    return puzzle.encode(board)


def _column(text: str, name: str) -> Iterator[tuple[int, str]]:
    """A column of a CSV text with its line numbers, "" where it is not. Raises CsvProblem."""
    table = read_table(text_lines(text))
    place = table.places.get(name, len(table.header))
    for line, fields in table.rows:
        yield line, one_line(fields[place]) if place < len(fields) else ""


def _in_lines(text: str, puzzle: Puzzle) -> Iterator[tuple[int, str]]:
    """The texts that should each be a board, with their line numbers."""
    lines = text.splitlines()
    if " " not in puzzle.tokens:
        lines = ["".join(line.split()) for line in lines]
    high, wide = puzzle.shape
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line]
    while numbered:
        number, line = numbered[0]
        rows = [row for _, row in numbered[:high]]
        in_rows = high > 1 and len(rows) == high and all(len(row) == wide for row in rows)
        yield number, "".join(rows) if in_rows else line
        numbered = numbered[high if in_rows else 1 :]


def solve_boards(
    model: Reasoner,
    questions: np.ndarray,
    *,
    max_steps: int = MAX_STEPS,
    halt_above: float | None = HALT_ABOVE,
    tries: int = 1,
    choose: Choice | Literal["rules"] = "rules",
    seed: int = 0,
) -> list[Solved]:
    """Let a network solve questions, and check its answers by the rules of its puzzle.

    If an answer breaks a rule, the network tries again, which is a fresh chance: with another
    guise of the question if its symmetries can be undone (as in arXiv 2601.10679), otherwise from
    a noisy start. Or it makes all attempts, takes all the steps, and chooses an answer without
    looking at the rules. Raises UserError if the weights are for another puzzle.

    Args:
        model: the network.
        questions: (B, L) tokens.
        max_steps: the most supervision steps of an attempt.
        halt_above: end an attempt once the halt logit exceeds this; None takes all the steps.
        tries: the most attempts per question.
        choose: which attempt counts: by the "rules", or as `trm_lite.evaluation.breadth` says.
        seed: seed of guises, and of what is drawn at random.
    """
    cells = questions.shape[-1]
    if cells != model.config.seq_len:
        raise UserError(
            f"These weights solve boards of {model.config.seq_len} cells, but this one has "
            f"{cells}; use weights for this size.",
            "weights",
        )
    puzzle = puzzle_of(model)
    puzzle.check_tokens(questions)
    if choose == "rules":
        with seeded(model, seed):
            return tried_answers(model, questions, max_steps, tries, halt_above, seed)
    solved: list[Solved] = []
    starts = range(0, len(questions), BATCH)
    for start in tqdm(starts, desc="thinking", unit="batch", disable=len(starts) < 2, leave=False):
        part = questions[start : start + BATCH]
        solved += chosen_answers(model, part, max_steps, tries, choose, seed + start)
    return solved


def tried_answers(
    model: Reasoner,
    questions: np.ndarray,
    max_steps: int,
    tries: int,
    halt_above: float | None,
    seed: int,
) -> list[Solved]:
    """Let a network try each question until an answer keeps the rules, in a new way each time.

    All attempts share the same slots, so that the batch stays full. The arguments are those of
    `solve_boards`.
    """
    attempts = Attempts(model, questions, tries, seed)
    how = {"max_steps": max_steps, "halt_above": halt_above, "slots": BATCH}
    count = len(questions)
    bar = tqdm(total=count, desc="solving", unit="board", disable=count <= BATCH, leave=False)
    with bar, precision(model.device, bfloat16=True):
        for moment in in_slots(model, attempts.queue, **how):
            bar.update(attempts.take(moment))
    return attempts.answers


class Attempts:
    """Attempts at questions in slots: the waiting ones, and the best answers so far.

    A question that is not solved gets as many further attempts at once as it has had already, so
    that a hard one does not think alone for long. An attempt does not depend on the other
    questions, unless the network itself draws.

    Args:
        model: the network.
        questions: (N, L) tokens.
        tries: the most attempts per question.
        seed: seed of guises and noise.
    """

    def __init__(self, model: Reasoner, questions: np.ndarray, tries: int, seed: int):
        self.model, self.questions, self.tries, self.seed = model, questions, tries, seed
        self.puzzle = puzzle_of(model)
        self.boards = torch.from_numpy(questions).long()
        self.queue = deque(Asked(row, board) for row, board in enumerate(self.boards))
        # For each attempt, the row of its question, and what takes its guise back.
        self.made: list[tuple[int, Undo]] = [(row, None) for row in range(len(questions))]
        self.asked = [1] * len(questions)  # attempts asked for
        self.answers: list[Solved | None] = [None] * len(questions)

    def take(self, moment: Moment) -> int:
        """Check the answers that came to an end; where they are wrong, further attempts wait next.

        Returns how many questions are done with.
        """
        ended = moment.halted.nonzero()[:, 0]
        if not len(ended):
            return 0
        made = [self.made[ticket] for ticket in moment.tickets[ended].tolist()]
        rows = [row for row, _ in made]
        said = moment.thought.logits[ended].argmax(-1).cpu()
        for place, (_, undo) in enumerate(made):
            if undo is not None:
                said[place] = undo(said[place, None])[0]
        sure = moment.thought.halt_logit[ended].sigmoid()
        found = _checked(self.puzzle, self.questions[rows], said, moment.steps[ended], sure)
        return sum(self._keep(*answer) for answer in zip(rows, found, strict=True))

    def _keep(self, row: int, found: Solved) -> bool:
        """Keep an answer if it is the best so far; returns whether the question is done with."""
        before = self.answers[row]
        best = self.answers[row] = before.then(found) if before else found
        if best.tries < self.asked[row]:
            return False  # others are still under way
        if best.solved is not False or best.tries == self.tries:
            return True
        for _ in range(min(best.tries, self.tries - best.tries)):
            self._ask_again(row)
        return False

    def _ask_again(self, row: int) -> None:
        """Let a question wait for a further attempt, in another guise or from a noisy start."""
        seed = self.seed + row + 1_000_003 * self.asked[row]
        board, start, undo = self.boards[row, None], None, None
        if self.puzzle.symmetry is not None:
            show, undo = self.puzzle.symmetry(1, torch.Generator().manual_seed(seed))
            board = show(board)
        else:
            start = Noise(NOISE, [seed]).disturb(self.model.initial_latents(1), 1)
        self.queue.append(Asked(len(self.made), board[0], start=start))
        self.made.append((row, undo))
        self.asked[row] += 1


def chosen_answers(
    model: Reasoner, questions: np.ndarray, max_steps: int, tries: int, choose: Choice, seed: int
) -> list[Solved]:
    """Let a network try each question `tries` times, and choose one answer without the rules.

    Attempts differ by the network's random starts if it has any, by guises if the puzzle has
    symmetries that can be undone, and otherwise by noise. The arguments are those of
    `solve_boards`.
    """
    puzzle, count = puzzle_of(model), len(questions)
    inputs = torch.from_numpy(questions).long().to(model.device)
    batch = Batch(inputs, inputs, torch.zeros_like(inputs[:, 0]))
    generator = torch.Generator().manual_seed(seed)
    said: list[Tensor] = []
    seen: list[dict[str, Tensor]] = []
    for number in range(tries):
        again = number > 0 and not model.draws
        guise = puzzle.symmetry(count, generator) if again and puzzle.symmetry else None
        noise = NOISE if again and guise is None else 0.0
        seeds = range(seed + number * count, seed + (number + 1) * count)
        with precision(model.device, bfloat16=True):
            steps = list(observe(model, batch, max_steps, Noise(noise, seeds), guise))
        said.append(steps[-1].tokens)
        seen.append(stacked(steps))
    parts = {name: torch.stack([one[name] for one in seen]) for name in seen[0]}  # (A, S, B)
    chosen, rows = breadth.choose(choose, **parts)[-1], torch.arange(count)
    confidence = parts["halt_logits"][chosen, -1, rows].sigmoid()
    answers = torch.stack(said)[chosen, rows]
    return _checked(puzzle, questions, answers, [max_steps * tries] * count, confidence, tries)


def _checked(
    puzzle: Puzzle, questions: np.ndarray, tokens: Tensor, steps, confidence, tries: int = 1
) -> list[Solved]:
    """The answers `tokens` (B, L) to questions (B, L), checked by the rules if there are any."""
    solutions = tokens.cpu().numpy().astype(puzzle.dtype)
    valid: list[bool | None] = [None] * len(questions)
    if puzzle.breaks is not None:
        valid = (~puzzle.broken(questions, solutions).any(-1)).tolist()
    columns = (questions, solutions, valid, steps, confidence)
    return [
        Solved(puzzle, question, solution, right, int(steps), tries, float(confidence))
        for question, solution, right, steps, confidence in zip(*columns, strict=True)
    ]
