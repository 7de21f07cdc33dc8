"""The authors' order of batches, number by number."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from trm_lite.common import UserError
from trm_lite.data import PuzzleSet
from trm_lite.data.folder import Arrays, plain
from trm_lite.data.official_deck import NOTHING, OfficialDeck, OfficialSampler

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "sampler.json").read_text())


@pytest.fixture(scope="module")
def golden():
    """The batches, by name."""
    with np.load(GOLDEN / "sampler.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def arrays_of(case: str, split: str = "train") -> Arrays:
    with np.load(GOLDEN / "datasets.npz") as arrays:
        return Arrays(*(arrays[f"{case}/{split}/{field}"] for field in Arrays._fields))


def sampler_of(name: str, split: str = "train", **changes) -> OfficialSampler:
    case = CASES[name]
    settings = {
        "batch_size": case["global_batch_size"],
        "seed": case["seed"],
        "epochs_per_iteration": case["epochs_per_iter"],
        "choice_seed": case["np_random_seed_before_iter1"],
    }
    return OfficialSampler(arrays_of(case["dataset"], split), **settings | changes)


@pytest.mark.parametrize("name", CASES)
def test_training_batches_are_the_authors(name, golden):
    sampler = sampler_of(name)
    choices = np.random.RandomState(sampler.choice_seed)
    whole = []
    for number in (1, 2):
        prefix = f"{name}/iter{number}"
        assert np.array_equal(sampler.group_order(number)[0], golden[f"{prefix}/group_order"])
        drawn = list(sampler.iteration(number, choices))
        short = len(drawn[-1].examples) if len(drawn[-1].examples) < sampler.batch_size else 0
        assert short == golden[f"{prefix}/dropped_tail_size"]
        drawn = drawn[:-1] if short else drawn
        assert len(drawn) == golden[f"{prefix}/n_batches"]
        for field, stored in (
            ("examples", "batch_example_indices"),
            ("puzzles", "batch_puzzle_indices"),
            ("puzzle_ids", "puzzle_identifiers"),
            ("groups_dealt", "start_index_after_batch"),
        ):
            ours = np.array([getattr(batch, field) for batch in drawn])
            assert np.array_equal(ours, golden[f"{prefix}/{stored}"]), field
        whole += drawn
    batch = sampler.batch(whole[0])
    assert np.array_equal(batch.inputs, golden[f"{name}/iter1/batch0/inputs"])
    assert np.array_equal(batch.labels, golden[f"{name}/iter1/batch0/labels"])
    # The endless stream is the iterations, one after the other, and begins anywhere.
    for start in (0, 1, len(whole) - 1):
        stream = list(islice(sampler.batches(start), len(whole) - start))
        expected = [batch.examples for batch in whole[start:]]
        assert np.array_equal([batch.examples for batch in stream], expected)


def test_the_trainers_deck_deals_the_authors_batches():
    sampler = sampler_of("arc", choice_seed=0)
    arrays = sampler.arrays
    examples = np.diff(arrays.puzzle_indices)
    puzzles = PuzzleSet(
        *map(torch.from_numpy, (arrays.inputs, arrays.labels)),
        torch.from_numpy(np.repeat(arrays.puzzle_identifiers, examples)),
        None,
        torch.from_numpy(arrays.puzzle_indices).long(),
        torch.from_numpy(arrays.group_indices).long(),
    )
    deck = OfficialDeck(puzzles, sampler.batch_size, sampler.seed, sampler.epochs_per_iteration)
    drawn = list(islice(sampler.batches(), 6))
    for step in (0, 0, 1, 2, 5, 3, 4):  # in order, again, and from anywhere
        rows = deck.rows(step)
        assert np.array_equal(rows, drawn[step].examples)
        assert np.array_equal(puzzles.batch(rows).puzzle_ids, drawn[step].puzzle_ids)


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_share_a_batch(rank, golden):
    sampler = sampler_of("arc", rank=rank, ranks=2)
    expected = golden[f"arc_2ranks/rank{rank}/puzzle_identifiers"]
    drawn = list(islice(sampler.batches(), len(expected)))
    assert np.array_equal([batch.puzzle_ids for batch in drawn], expected)
    sums = [sampler.batch(batch).inputs.sum(1).numpy() for batch in drawn]
    assert np.array_equal(sums, golden[f"arc_2ranks/rank{rank}/inputs_rowsum"])
    assert all(batch.real == 8 and len(batch.examples) == 4 for batch in drawn)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_test_split_in_its_order_with_padding(rank, golden):
    sampler = sampler_of("arc", "test", batch_size=6, rank=rank, ranks=2)
    drawn = list(sampler.test_batches())
    prefix = f"arc_test_2ranks/rank{rank}"
    ids = [batch.puzzle_ids for batch in drawn]
    assert np.array_equal(ids, golden[f"{prefix}/puzzle_identifiers"])
    assert [batch.real for batch in drawn] == golden[f"{prefix}/effective_batch"].tolist()
    for side in ("inputs", "labels"):
        sums = [getattr(sampler.batch(batch), side).sum(1).numpy() for batch in drawn]
        assert np.array_equal(sums, golden[f"{prefix}/{side}_rowsum"])
    assert (drawn[-1].examples == NOTHING).any()


def test_what_cannot_be_sampled():
    arrays = plain(*np.ones((2, 5, 4), np.uint8))
    with pytest.raises(UserError, match="multiple"):
        OfficialSampler(arrays, 5, ranks=2)
    with pytest.raises(UserError, match="too few examples for a batch of 6"):
        next(OfficialSampler(arrays, 6).batches())
    assert len(next(OfficialSampler(arrays, 6, epochs_per_iteration=2).batches()).examples) == 6
