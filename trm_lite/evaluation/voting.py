"""How ARC is evaluated: each augmentation of a task predicts a grid, and the predictions vote.

Each predicted grid is translated back to the original task (`Augmentation.undo`), and equal grids
for the same test input are counted. The candidates are ranked by votes, and then by the mean
confidence of the halting head. pass@K asks whether the right grid is among the first K. The paper
reports pass@2, because ARC allows two attempts (arXiv 2510.04871, section 5).
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
from trm_lite.data.folder import Arrays, read_about, read_split
from trm_lite.evaluation.scoring import Share, share
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import Pair
from trm_lite.thinking import MAX_STEPS, seeded, think

PASS_KS = (1, 2, 5, 10, 100, 1000)
VERDICTS = {True: "right", False: "wrong", None: "not known to be right"}
ATTEMPTS = 2  # how many grids ARC allows per test input


@dataclass
class Candidate:
    """A grid that was predicted for a test input, and the puzzles that predicted it."""

    grid: np.ndarray  # (rows, columns) colours, as in the original task
    voters: list[str] = field(default_factory=list)  # names of those puzzles, in order of arrival
    beliefs: list[float] = field(default_factory=list)  # for each, the sigmoid of its halt logit

    @property
    def votes(self) -> int:
        """How many puzzles predicted this grid."""
        return len(self.voters)

    @property
    def confidence(self) -> float:
        """The mean belief of the voters, in 0..1."""
        return sum(self.beliefs) / len(self.beliefs)


class Votes:
    """Counts the predictions for all tasks of a test split.

    Args:
        names: the puzzle name of every puzzle identifier.
        tests: for each task, the pairs to be solved.
    """

    def __init__(self, names: Sequence[str], tests: Mapping[str, Sequence[Pair]]):
        self.names = names
        self.tests = tests
        # By task and test input. Equal candidates are ranked in the order in which they came.
        self.candidates: dict[tuple[str, tuple], dict[tuple, Candidate]] = {}

    def clear(self) -> None:
        """Forget all votes. Otherwise those of a further evaluation are added to them."""
        self.candidates.clear()

    def add(
        self,
        puzzle_ids: np.ndarray,
        inputs: np.ndarray,
        predictions: np.ndarray,
        halt_logits: np.ndarray,
    ) -> None:
        """Count the votes of a batch.

        Rows with identifier 0 are padding and are skipped. An input that belongs to no task gets
        its votes too, but nobody asks for them. Raises UserError for an unknown identifier.

        Args:
            puzzle_ids: (B,) puzzle identifiers.
            inputs: (B, 900) tokens of the questions.
            predictions: (B, 900) tokens of the predicted grids.
            halt_logits: (B,) the network's belief in them.
        """
        beliefs = torch.as_tensor(np.asarray(halt_logits)).double().sigmoid().tolist()
        for number, question, answer, belief in zip(
            puzzle_ids, inputs, predictions, beliefs, strict=True
        ):
            if number == 0:
                continue
            if not 0 < number < len(self.names):
                raise UserError(
                    f"There is no puzzle {number}, because the identifiers end at "
                    f"{len(self.names) - 1}; use the folder that the model was trained on."
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
        """The candidates for test input number `test`, from 0, of a task, the best first."""
        question = _key(self.tests[task][test].input)
        candidates = self.candidates.get((task, question), {}).values()
        return sorted(candidates, key=lambda c: (c.votes, c.confidence), reverse=True)

    def ranks(self) -> dict[str, list[int | None]]:
        """The place of the right grid in each ranking, by task and test input.

        0 means first, and None that nobody voted for the right grid, or that it is not known.
        """
        found = {}
        for task, pairs in self.tests.items():
            found[task] = []
            for test, pair in enumerate(pairs):
                keys = [_key(candidate.grid) for candidate in self.ranked(task, test)]
                right = _key(pair.output)
                known = pair.answered and right in keys
                found[task].append(keys.index(right) if known else None)
        return found

    def pass_at(self, ks: Sequence[int] = PASS_KS) -> dict[int, Share]:
        """For each K, the share of test inputs solved within K attempts, averaged over tasks.

        The interval treats each task as one trial, even if it has several test inputs and only
        some are solved. Such a score varies no more than a coin flip with the same mean. So
        Wilson's interval may be too wide, but not too narrow.

        Test inputs without a known answer do not count, and neither do tasks that have no others;
        if there are no tasks at all, the result is empty.
        """
        ranks = [
            [rank for rank, pair in zip(found, self.tests[task], strict=True) if pair.answered]
            for task, found in self.ranks().items()
        ]
        ranks = [of_task for of_task in ranks if of_task]
        solved = {
            k: sum(
                sum(rank is not None and rank < k for rank in of_task) / len(of_task)
                for of_task in ranks
            )
            for k in (ks if ranks else ())
        }
        return {k: share(successes, len(ranks)) for k, successes in solved.items()}

    def unanswered(self) -> int:
        """How many test inputs have no known answer."""
        return sum(not pair.answered for pairs in self.tests.values() for pair in pairs)

    def submission(self, attempts: int = ATTEMPTS) -> dict[str, list[dict[str, list]]]:
        """The first `attempts` candidates of every test input, in Kaggle's format.

        Where there are fewer, the first is repeated. A task without any prediction becomes an
        empty list. A single test input without a prediction gets empty grids.
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
        """Write `submission` as a JSON file. Raises UserError if that fails."""
        write_atomically(path, json.dumps(self.submission(attempts)).encode())

    def record(self, task: str, *, candidates: int = 3, voters: int = 4) -> list[dict]:
        """The outcome of the vote on each test input of a task, as plain data.

        Whether a grid is right is None where the answer is not known.

        Args:
            task: name of the task.
            candidates: list only so many grids, the best first.
            voters: list only so many voters of each grid.
        """
        made = []
        for test, pair in enumerate(self.tests[task]):
            ranking = self.ranked(task, test)
            first = [
                {
                    "votes": candidate.votes,
                    "confidence": candidate.confidence,
                    "right": np.array_equal(candidate.grid, pair.output) if pair.answered else None,
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
        """Write the `record` of every task as a JSON file. Raises UserError if that fails."""
        records = {task: self.record(task) for task in self.tests}
        write_atomically(path, json.dumps(records).encode())

    def account(self, task: str, *, candidates: int = 3, voters: int = 4) -> str:
        """The same as `record`, as text with the grids drawn."""
        lines = []
        records = self.record(task, candidates=candidates, voters=voters)
        for test, of_test in enumerate(records, start=1):
            lines.append(
                f"Task {task}, test input {test} of {len(records)}: "
                f"{_counted(of_test['votes'], 'vote')} for {_counted(of_test['grids'], 'grid')}"
            )
            for place, candidate in enumerate(of_test["candidates"], start=1):
                verdict = VERDICTS[candidate["right"]]
                lines.append(
                    f"  {place}. {_counted(candidate['votes'], 'vote')}, confidence "
                    f"{candidate['confidence']:.3f}, {verdict}"
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
    """An empty count of votes for the ARC benchmark in `folder`.

    Raises UserError if the folder holds another benchmark, is damaged, or does not exist.
    """
    try:
        names = json.loads((folder / "identifiers.json").read_text())
        about = read_about(folder)
        if about["puzzle"] != f"arc-{arc.SIDE}x{arc.SIDE}":
            raise UserError(
                f"{folder} holds {about['puzzle']}, but only ARC is solved by voting; "
                "name a folder with ARC."
            )
    except FileNotFoundError as error:
        raise UserError(
            f"There is no ARC data in {folder}; run: trm-lite data arc-agi-1"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} is damaged ({error}); delete it and build it again.") from error
    return Votes(names, _tests(read_split(folder / "test"), names))


def _tests(test: Arrays, names: Sequence[str]) -> dict[str, list[Pair]]:
    """The pairs to be solved, by task: those of the first puzzle of each group, the original."""
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
    """Let a network answer an ARC test split, and count the votes; `Votes.pass_at` scores them.

    Raises UserError if the folder's sizes are not those that the model was trained on.

    Args:
        model: the network.
        folder: the benchmark, with its test split.
        augmentations: let only the original and so many augmentations of each task vote.
        steps: supervision steps per puzzle.
        batch_size: puzzles in the network at once.
        bfloat16: compute in bfloat16 where that is faster.
        votes: an earlier count to add to, as evaluations during the authors' training do.
        ranks: processes that share the puzzles; each gets all votes.
    """
    votes = votes_for(folder) if votes is None else votes
    test = read_split(folder / "test")
    config = model.config
    there = (arc.VOCAB_SIZE, test.inputs.shape[1], len(votes.names))
    wanted = (config.vocab_size, config.seq_len, config.num_puzzles)
    if there != wanted:
        raise UserError(
            f"{folder} has {there[0]} tokens, {there[1]} cells and {there[2]} puzzle identifiers, "
            f"but the model has {wanted[0]}, {wanted[1]} and {wanted[2]}; use the folder that it "
            "was trained on."
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
            with precision(model.device, bfloat16), seeded(model, start):
                ids = torch.from_numpy(puzzle_ids).long().to(model.device)
                for thought in think(model, tokens, ids, steps=steps):  # noqa: B007 (the last counts)
                    pass
            predictions = thought.logits.argmax(-1).cpu().numpy()
            halt_logits = thought.halt_logit.float().cpu().numpy()
            said.append((puzzle_ids, inputs, predictions.astype(np.uint8), halt_logits))
            bar.update()
    # Added in the order of the split, whichever rank answered, because it breaks ties.
    by_rank = ranks.gather_objects(said)
    for number in range(len(starts)):
        votes.add(*by_rank[number % ranks.size][number // ranks.size])
    return votes


def _chosen(test: Arrays, augmentations: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The rows (N,) of the examples that vote, and their puzzle identifiers (N,)."""
    puzzles = np.diff(test.group_indices)
    place = np.arange(len(test.puzzle_identifiers)) - np.repeat(test.group_indices[:-1], puzzles)
    votes = np.ones(len(place), bool) if augmentations is None else place <= augmentations
    examples = np.diff(test.puzzle_indices)
    rows = np.flatnonzero(np.repeat(votes, examples))
    return rows, np.repeat(test.puzzle_identifiers, examples)[rows]
