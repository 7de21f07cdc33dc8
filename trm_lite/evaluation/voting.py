"""ARC's evaluation: every augmentation of a task gives an answer, and the answers vote.

Each predicted grid is brought back to the original task (`Augmentation.undo`), and those for the
same test input are counted. Candidates are ranked by votes, then by the mean belief of the halting
head that the answer is right. pass@K asks whether the right grid is among the first K; the paper
reports pass@2, for two tries are what ARC allows (arXiv 2510.04871, section 5).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from trm_lite.common.device import precision
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.common.ranks import ALONE, Ranks
from trm_lite.data.folder import Arrays, read_split
from trm_lite.evaluation.scoring import Share, share
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Pair
from trm_lite.thinking import MAX_STEPS, think

PASS_KS = (1, 2, 5, 10, 100, 1000)
ATTEMPTS = 2  # that ARC allows per test input


@dataclass
class Candidate:
    """A grid that was predicted for a test input, and the puzzles that voted for it."""

    grid: np.ndarray
    voters: list[str] = field(default_factory=list)  # names of puzzles, in the order of arrival
    beliefs: list[float] = field(default_factory=list)  # of each, sigmoid of its halt logit

    @property
    def votes(self) -> int:
        return len(self.voters)

    @property
    def confidence(self) -> float:
        """The mean belief of the voters."""
        return sum(self.beliefs) / len(self.beliefs)


class Votes:
    """The predictions for all tasks of a test split, counted.

    `names` are those of all puzzle identifiers, `tests` the pairs to be solved of each task.
    """

    def __init__(self, names: Sequence[str], tests: Mapping[str, Sequence[Pair]]):
        self.names = names
        self.tests = tests
        # By task and test input; the order in which the candidates came decides between equals.
        self.candidates: dict[tuple[str, tuple], dict[tuple, Candidate]] = {}

    def clear(self) -> None:
        """Forget all votes. Without it, those of a further evaluation come on top."""
        self.candidates.clear()

    def add(
        self,
        puzzle_ids: np.ndarray,
        inputs: np.ndarray,
        predictions: np.ndarray,
        halt_logits: np.ndarray,
    ) -> None:
        """Count a batch: identifiers (B,), tokens (B, 900) twice, and logits (B,).

        Rows of identifier 0 are padding. Votes for inputs that are no task's are kept, and change
        nothing.
        """
        beliefs = torch.as_tensor(np.asarray(halt_logits)).double().sigmoid().tolist()
        for number, question, answer, belief in zip(
            puzzle_ids, inputs, predictions, beliefs, strict=True
        ):
            if number == 0:
                continue
            if not 0 < number < len(self.names):
                raise UserError(
                    f"There is no puzzle {number}, the identifiers end at {len(self.names) - 1}; "
                    "use the folder that the model was trained on."
                )
            name = self.names[number]
            task, augmentation = arc.parse_name(name)
            question, answer = (
                augmentation.undo(arc.from_tokens(tokens)) for tokens in (question, answer)
            )
            of_question = self.candidates.setdefault((task, _key(question)), {})
            candidate = of_question.setdefault(_key(answer), Candidate(answer))
            candidate.voters.append(name)
            candidate.beliefs.append(belief)

    def ranked(self, task: str, test: int) -> list[Candidate]:
        """The candidates for test input number `test` (from 0) of `task`, the best first."""
        question = _key(self.tests[task][test].input)
        candidates = self.candidates.get((task, question), {}).values()
        return sorted(candidates, key=lambda c: (c.votes, c.confidence), reverse=True)

    def ranks(self) -> dict[str, list[int | None]]:
        """Where the right grid stands, per task and test input: 0 is first, None is nowhere."""
        found = {}
        for task, pairs in self.tests.items():
            found[task] = []
            for test, pair in enumerate(pairs):
                keys = [_key(candidate.grid) for candidate in self.ranked(task, test)]
                right = _key(pair.output)
                found[task].append(keys.index(right) if right in keys else None)
        return found

    def pass_at(self, ks: Sequence[int] = PASS_KS) -> dict[int, Share]:
        """For each K, the share of test inputs solved within K tries, averaged over tasks.

        The interval treats each task as one trial, also if it has several test inputs and is
        solved in part. The variance of such a score is at most that of a coin of the same mean, so
        Wilson's interval is rather too wide than too narrow.
        """
        ranks = self.ranks()
        solved = {
            k: sum(
                sum(rank is not None and rank < k for rank in of_task) / len(of_task)
                for of_task in ranks.values()
            )
            for k in ks
        }
        return {k: share(successes, len(ranks)) for k, successes in solved.items()}

    def submission(self, attempts: int = ATTEMPTS) -> dict[str, list[dict[str, list]]]:
        """The first candidates of every test input in the format of Kaggle's submission.json.

        Where there are too few, the first is repeated. A task without any prediction is an empty
        list; a test input without one, beside others that have some, gets empty grids.
        """
        made = {}
        for task, pairs in self.tests.items():
            rankings = [self.ranked(task, test)[:attempts] for test in range(len(pairs))]
            made[task] = []
            for ranking in rankings if any(rankings) else ():
                grids = [candidate.grid.tolist() for candidate in ranking] or [[]]
                grids += grids[:1] * (attempts - len(grids))
                made[task].append({f"attempt_{i}": grid for i, grid in enumerate(grids, start=1)})
        return made

    def write_submission(self, path: Path, attempts: int = ATTEMPTS) -> None:
        """Write `submission` into a file; UserError if that fails."""
        write_atomically(path, json.dumps(self.submission(attempts)).encode())

    def record(self, task: str, *, candidates: int = 3, voters: int = 4) -> list[dict]:
        """What the augmentations of `task` voted for, per test input, as plain data.

        How many votes there are for how many grids, and the first `candidates` of these, each with
        its first `voters`.
        """
        made = []
        for test, pair in enumerate(self.tests[task]):
            ranking = self.ranked(task, test)
            first = [
                {
                    "votes": candidate.votes,
                    "confidence": candidate.confidence,
                    "right": np.array_equal(candidate.grid, pair.output),
                    "grid": candidate.grid.tolist(),
                    "voters": [
                        {"augmentation": str(arc.parse_name(name)[1]), "belief": belief}
                        for name, belief in zip(
                            candidate.voters[:voters], candidate.beliefs[:voters], strict=True
                        )
                    ],
                }
                for candidate in ranking[:candidates]
            ]
            cast = sum(candidate.votes for candidate in ranking)
            made.append({"votes": cast, "grids": len(ranking), "candidates": first})
        return made

    def write_records(self, path: Path) -> None:
        """Write `record` of every task into a file; UserError if that fails."""
        records = {task: self.record(task) for task in self.tests}
        write_atomically(path, json.dumps(records).encode())

    def account(self, task: str, *, candidates: int = 3, voters: int = 4) -> str:
        """What `record` says, to read."""
        lines = []
        records = self.record(task, candidates=candidates, voters=voters)
        for test, of_test in enumerate(records, start=1):
            lines.append(
                f"Task {task}, test input {test} of {len(records)}: "
                f"{_counted(of_test['votes'], 'vote')} for {_counted(of_test['grids'], 'grid')}"
            )
            for place, candidate in enumerate(of_test["candidates"], start=1):
                lines.append(
                    f"  {place}. {_counted(candidate['votes'], 'vote')}, confidence "
                    f"{candidate['confidence']:.3f}, {'right' if candidate['right'] else 'wrong'}"
                )
                drawing = arc.render(np.array(candidate["grid"])) or "(empty)"
                lines += [f"     {line}" for line in drawing.splitlines()]
                for voter in candidate["voters"]:
                    lines.append(f"       {voter['belief']:.3f}  {voter['augmentation']}")
                if candidate["votes"] > voters:
                    lines.append(f"       and {candidate['votes'] - voters} more")
            if of_test["grids"] > candidates:
                lines.append(f"  and {_counted(of_test['grids'] - candidates, 'other grid')}")
        return "\n".join(lines)


def _key(grid: np.ndarray) -> tuple:
    return grid.shape, grid.tobytes()


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# Evaluation of a network


def votes_for(folder: Path) -> Votes:
    """The empty votes for a benchmark in `folder`; UserError if it is none of ARC, or damaged."""
    try:
        names = json.loads((folder / "identifiers.json").read_text())
        about = json.loads((folder / "about.json").read_text())
        if about["puzzle"] != "arc":
            raise UserError(f"{folder} holds {about['puzzle']}, but only ARC is solved by voting.")
    except FileNotFoundError as error:
        raise UserError(
            f"There is no ARC data in {folder}; run: trm-lite data arc-agi-1"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} is damaged ({error}); delete it and build it again.") from error
    return Votes(names, _tests(read_split(folder / "test"), names))


def _tests(test: Arrays, names: Sequence[str]) -> dict[str, list[Pair]]:
    """The pairs to be solved: those of the first puzzle, the original, of each group."""
    tests = {}
    for puzzle in test.group_indices[:-1]:
        rows = slice(test.puzzle_indices[puzzle], test.puzzle_indices[puzzle + 1])
        tests[names[test.puzzle_identifiers[puzzle]]] = [
            Pair(arc.from_tokens(question), arc.from_tokens(answer))
            for question, answer in zip(test.inputs[rows], test.labels[rows], strict=True)
        ]
    return tests


@torch.inference_mode()
def evaluate_arc(
    model: Reasoner,
    folder: Path,
    *,
    augmentations: int | None = None,
    steps: int = MAX_STEPS,
    batch_size: int = 256,
    bfloat16: bool = False,
    votes: Votes | None = None,
    ranks: Ranks = ALONE,
) -> Votes:
    """Let `model` answer the test split in `folder`, and count the votes: see `Votes.pass_at`.

    Only the original of each task and its first `augmentations` vote, if that is given. `votes` of
    an earlier evaluation go on to count, as in the authors' code where each evaluation of a
    training run adds to those before it. `ranks` share the puzzles. Raises UserError if the folder
    is not the one that the model was trained on.
    """
    votes = votes_for(folder) if votes is None else votes
    test = read_split(folder / "test")
    config = model.config
    there = (arc.VOCAB_SIZE, test.inputs.shape[1], len(votes.names))
    wanted = (config.vocab_size, config.seq_len, config.num_puzzles)
    if there != wanted:
        raise UserError(
            f"{folder} has {there[0]} tokens, {there[1]} cells and {there[2]} puzzle identifiers, "
            f"but the model {wanted[0]}, {wanted[1]} and {wanted[2]}; use the folder that it was "
            "trained on."
        )
    model.eval()
    rows, identifiers = _chosen(test, augmentations)
    starts = range(0, len(rows), batch_size)
    mine = starts[ranks.rank :: ranks.size]
    said = []
    with tqdm(total=len(mine), desc="voting", unit="batch", disable=not ranks.first) as bar:
        for start in mine:
            batch = slice(start, start + batch_size)
            inputs, puzzle_ids = test.inputs[rows[batch]], identifiers[batch]
            tokens = torch.from_numpy(inputs).long().to(model.device)
            with precision(model.device, bfloat16):
                ids = torch.from_numpy(puzzle_ids).long().to(model.device)
                for thought in think(model, tokens, ids, steps=steps):  # noqa: B007 (the last counts)
                    pass
            predictions = thought.logits.argmax(-1).cpu().numpy()
            halt_logits = thought.halt_logit.float().cpu().numpy()
            said.append((puzzle_ids, inputs, predictions.astype(np.uint8), halt_logits))
            bar.update()
    # In the order of the split, whoever answered: it decides between equals.
    by_rank = ranks.gather_objects(said)
    for number in range(len(starts)):
        votes.add(*by_rank[number % ranks.size][number // ranks.size])
    return votes


def _chosen(test: Arrays, augmentations: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The rows (N,) of the puzzles that vote, and their identifiers (N,)."""
    puzzles = np.diff(test.group_indices)
    place = np.arange(len(test.puzzle_identifiers)) - np.repeat(test.group_indices[:-1], puzzles)
    votes = np.ones(len(place), bool) if augmentations is None else place <= augmentations
    examples = np.diff(test.puzzle_indices)
    rows = np.flatnonzero(np.repeat(votes, examples))
    return rows, np.repeat(test.puzzle_identifiers, examples)[rows]
