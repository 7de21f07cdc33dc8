"""The small track of ARC: what is learned from, what is kept back, and what is in disguise."""

import numpy as np
import pytest
import torch

from trm_lite.common import PuzzleError, UserError
from trm_lite.data import Deck, SmallArcData
from trm_lite.evaluation import Votes
from trm_lite.experiments import get_preset
from trm_lite.puzzles import arc, get_puzzle
from trm_lite.training import Trainer, examine_run, fit_to_data, replace
from trm_lite.viewing.boards import draw_board


@pytest.fixture(scope="module")
def data():
    return SmallArcData()


@pytest.fixture(scope="module")
def splits(data):
    return data.build()


def test_the_sizes_that_the_lesson_states(data, splits):
    assert len(data.groups) == 59  # 46 training tasks of ARC-AGI-1 and 13 for evaluation
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (3568, 16, 53)
    assert data.identifiers == len(data.names()) == 59 * 16 + 1
    assert data.identifiers == get_preset("mini-arc").model.num_puzzles
    assert splits.train.inputs.shape == splits.train.labels.shape == (3568, 36)


def contents(puzzles) -> list[tuple]:
    """Each example as something to compare."""
    return [
        (question.numpy().tobytes(), answer.numpy().tobytes())
        for question, answer in zip(puzzles.inputs, puzzles.labels, strict=True)
    ]


def test_no_test_pair_is_learned_from(data, splits):
    learned = set(contents(splits.train))
    assert not learned & set(contents(splits.validation))
    assert not learned & set(contents(splits.test))


def test_a_test_pair_in_disguise_is_at_most_a_demonstration_of_its_own_task(data):
    """Small tasks can show what they ask for in other colours; no other task gives it away."""
    shown = [set(contents(data.examples("train", [group]))) for group in data.groups]
    found = 0
    for own, group in enumerate(data.groups):
        asked = set(contents(data.examples("test", [group])))
        assert not any(asked & one for task, one in enumerate(shown) if task != own)
        found += len(asked & shown[own])
    assert found == 2  # of 1,104, as the lesson says


def test_validation_and_test_share_no_task(data, splits):
    names = data.names()
    chosen, reported = (
        {arc.parse_name(names[number])[0] for number in puzzles.puzzle_ids}
        for puzzles in (splits.validation, splits.test)
    )
    assert len(chosen) == 12 and len(reported) == 47
    assert not chosen & reported


def test_no_two_guises_of_a_task_are_twins(data, splits):
    train = splits.train
    for group in range(len(data.groups)):
        puzzles = range(train.group_starts[group], train.group_starts[group + 1])
        guises = [
            frozenset(contents(train.at(slice(train.puzzle_starts[p], train.puzzle_starts[p + 1]))))
            for p in puzzles
        ]
        assert len(set(guises)) == len(guises) == 16


def test_names_bring_every_grid_back(data, splits):
    """What stands under an identifier is the pair of the task, dressed as the name says."""
    names = data.names()
    tasks = {group.task.id: group.task for group in data.groups}
    for puzzles, part in ((splits.train, "train"), (data.examples("test", data.groups), "test")):
        for row in range(0, len(puzzles), 7):
            task, guise = arc.parse_name(names[puzzles.puzzle_ids[row]])
            question, answer = (
                guise.undo(arc.from_tokens(tokens[row].numpy()))
                for tokens in (puzzles.inputs, puzzles.labels)
            )
            assert any(
                np.array_equal(pair.input, question) and np.array_equal(pair.output, answer)
                for pair in getattr(tasks[task], part)
            )


def test_an_epoch_shows_each_task_in_one_guise(data, splits):
    deck = Deck(splits.train, batch_size=223, seed=0)
    assert deck.epoch_length == sum(len(group.task.train) for group in data.groups) == 223
    names = data.names()
    shown = [arc.parse_name(names[number])[0] for number in splits.train.puzzle_ids[deck.rows(0)]]
    for group in data.groups:
        assert shown.count(group.task.id) == len(group.task.train)


def test_seeds(splits):
    again, other = SmallArcData().build(), SmallArcData(puzzle_seed=1).build()
    assert torch.equal(again.train.inputs, splits.train.inputs)
    assert not torch.equal(other.test.inputs[:40], splits.test.inputs[:40])


def test_votes_are_counted_on_the_small_canvas(data):
    group = data.groups[20]
    ballots = data.examples("test", [group])
    votes = Votes(data.names(), {group.task.id: group.task.test})
    parts = (ballots.puzzle_ids, ballots.inputs, ballots.labels, torch.zeros(len(ballots)))
    votes.add(*(part.numpy() for part in parts))
    assert [candidate.votes for candidate in votes.ranked(group.task.id, 0)] == [16]
    assert votes.pass_at((1,))[1].value == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"side": 0}, "must be 1 to 30"),
        ({"side": 31}, "must be 1 to 30"),
        ({"augmentations": -1}, "augmentations 0 or more"),
        ({"validation": 59}, "59 tasks fit on a canvas of side 6, so 59 cannot be set aside"),
        ({"validation": 0}, "cannot be set aside"),
    ],
)
def test_what_cannot_be_says_so(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        SmallArcData(**settings).build()


def test_canvases_of_other_sizes():
    grid = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    tokens = arc.to_tokens(grid, side=4)
    assert tokens.reshape(4, 4).tolist() == [[3, 4, 5, 1], [6, 7, 8, 1], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert np.array_equal(arc.from_tokens(tokens), grid)
    with pytest.raises(PuzzleError, match="does not fit on a canvas of 2x2"):
        arc.to_tokens(grid, side=2)


def test_a_small_canvas_is_drawn_cut_to_what_is_used():
    from matplotlib.figure import Figure

    tokens = arc.to_tokens(np.array([[1, 2, 3]], np.uint8), side=6)
    ax = Figure().subplots()
    draw_board(ax, get_puzzle("arc-6x6"), tokens)
    assert ax.images[0].get_array().shape == (2, 4, 3)  # with EOS below and at the right


def test_other_settings_are_trained_and_examined(tmp_path):
    preset = replace(get_preset("mini-arc"), side=3, augmentations=2, validation=4, seq_len=9)
    preset = fit_to_data(replace(preset, hidden_size=16, num_heads=2, steps=2, batch_size=4))
    assert preset.model.num_puzzles == preset.data.identifiers < 945
    trainer = Trainer(preset, folder=tmp_path / "run", progress=False, device="cpu")
    trainer.train()
    assert trainer.model.puzzle_embedding.table.abs().sum() > 0
    exam = examine_run(tmp_path / "run", device="cpu")
    assert exam["exact"]["count"] == len(preset.data.build().test)
