"""Batches drawn ahead by a thread are the same ones, and each process reads only its own."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from trm_lite.data import PuzzleSet
from trm_lite.training import replace
from trm_lite.training.batches import Batches

CPU = torch.device("cpu")
WAYS = {
    "symmetries": {},
    "hints": {"hints": 0.5},
    "the authors' order": {"official_epochs": 2},
}


def batches_of(preset, puzzles, *, ahead, slots=slice(0, 8)):
    made = Batches(preset, puzzles, slots, CPU, lambda: torch.rand(2, generator=made.generator))
    made.thread = ThreadPoolExecutor(1) if ahead else None
    return made


def flat(drawn):
    return torch.cat([*(part.flatten().double() for part in drawn.batch), drawn.draws.double()])


@pytest.mark.parametrize("way", WAYS)
def test_a_thread_draws_the_same_and_can_be_left_anywhere(tiny, tiny_splits, way):
    preset = replace(tiny, **WAYS[way])
    plain = batches_of(preset, tiny_splits.train, ahead=False)
    expected = [flat(plain.at(step)) for step in range(9)]
    ahead = batches_of(preset, tiny_splits.train, ahead=True)
    for step in range(4):
        assert torch.equal(flat(ahead.at(step)), expected[step])
    assert ahead.ahead[0] == 4  # drawn already, and yet not part of the state
    again = batches_of(preset, tiny_splits.train, ahead=True)
    again.load(ahead.state())
    for step in range(4, 9):
        assert torch.equal(flat(again.at(step)), expected[step])
    ahead.batch(0, symmetric=False)  # in between, and nothing is lost
    if way != "the authors' order":
        assert torch.equal(flat(ahead.at(4)), expected[4])


def test_a_process_reads_its_own_rows_only(tiny, monkeypatch):
    boards = torch.from_numpy(np.arange(1, 41, dtype=np.uint8).reshape(40, 1))
    puzzles, read = PuzzleSet(boards, boards, torch.zeros(40)), []
    whole = batches_of(tiny, puzzles, ahead=False).at(3).batch
    reading = PuzzleSet.read

    def noted(self, rows, generator=None):
        read.append(len(rows))
        return reading(self, rows, generator)

    monkeypatch.setattr(PuzzleSet, "read", noted)
    for rows in (slice(0, 4), slice(4, 8)):
        part = batches_of(tiny, puzzles, ahead=False, slots=rows).at(3).batch
        assert torch.equal(part.inputs, whole.inputs[rows])
    assert read == [4, 4]


def test_tokens_travel_as_bytes(tiny, tiny_splits):
    stored = batches_of(tiny, tiny_splits.train, ahead=False)._draw(0).batch
    assert stored.inputs.dtype == stored.labels.dtype == torch.uint8
    assert stored.graded().labels.dtype == torch.int64


def test_the_authors_order_goes_on_at_once(tiny, tiny_splits, monkeypatch):
    preset = replace(tiny, official_epochs=1)
    first = batches_of(preset, tiny_splits.train, ahead=False)
    for step in range(20):  # over several iterations
        first.at(step)
    second = batches_of(preset, tiny_splits.train, ahead=False)
    second.load(first.state())
    sampler, drawn = type(second.deck.sampler), []
    order = sampler.group_order
    monkeypatch.setattr(
        sampler, "group_order", lambda self, number: drawn.append(number) or order(self, number)
    )
    assert torch.equal(flat(second.at(20)), flat(first.at(20)))
    assert len(drawn) <= 2 and min(drawn) > 1
