"""Slots, halting and the plain loop of evaluation."""

import pytest
import torch
from nets.networks import CONFIGS, REASONERS, fresh, puzzles

from trm_lite.data import Batch
from trm_lite.nets import TRM, TRMConfig
from trm_lite.thinking import (
    Carry,
    Noise,
    advance,
    answer,
    empty_carry,
    refill,
    think,
    worth_of_going_on,
)

B, L = 6, 16


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = TRMConfig(6, L, hidden_size=16, multiple_of=16, T=2, n=2, prefix_len=1)
    model = TRM(config).eval()
    torch.nn.init.normal_(model.halt_head.weight, std=0.5)  # so that some halt early
    torch.nn.init.zeros_(model.halt_head.bias)
    return model


def batch(token: int) -> Batch:
    full = torch.full((B, L), token)
    return Batch(full, full.clone(), torch.zeros(B, dtype=torch.long))


def test_only_halted_slots_take_a_new_puzzle(model):
    carry = refill(model, empty_carry(model, batch(0)), batch(1))
    assert (carry.batch.inputs == 1).all() and (carry.steps == 0).all()
    thought = model(carry.latents, carry.batch.inputs, carry.batch.puzzle_ids)
    carry = advance(carry, thought, exploration=0.0)
    carry.halted = torch.tensor([True, False, False, True, False, False])
    before = carry.latents.y.clone()
    carry = refill(model, carry, batch(2))
    assert carry.batch.inputs[:, 0].tolist() == [2, 1, 1, 2, 1, 1]
    assert carry.batch.labels[:, 0].tolist() == [2, 1, 1, 2, 1, 1]
    assert carry.steps.tolist() == [0, 1, 1, 0, 1, 1]
    assert torch.equal(carry.latents.y[1], before[1])
    assert torch.equal(carry.latents.y[0], model.initial_latents(1).y[0])


def test_slots_halt_when_they_want_to_or_must(model):
    carry = empty_carry(model, batch(1))
    thought = model(carry.latents, carry.batch.inputs, carry.batch.puzzle_ids)
    logit = torch.tensor([1.0, -1.0, 0.0, 2.0, -3.0, 5.0])
    thought = thought._replace(halt_logit=logit)
    halted = advance(carry, thought, max_steps=4, exploration=0.0).halted
    assert halted.tolist() == [True, False, False, True, False, True]
    carry.steps = torch.tensor([3, 3, 3, 0, 0, 0])
    halted = advance(carry, thought, max_steps=4, exploration=0.0).halted
    assert halted.tolist() == [True, True, True, True, False, True]


def test_exploration_postpones_halting_by_a_uniform_number_of_steps(model):
    many = 4000
    carry = empty_carry(model, Batch(*(t[:1].expand(many, *t.shape[1:]) for t in batch(1))))
    thought = model(model.initial_latents(1), batch(1).inputs[:1])
    eager = thought._replace(halt_logit=torch.ones(many))
    carry.steps = torch.zeros(many, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    first = advance(
        carry,
        eager,
        max_steps=4,
        exploration=0.1,
        draws=torch.rand(2, len(carry.steps), generator=generator),
    ).halted
    assert 0.08 < 1 - first.float().mean() < 0.12  # at step 1 every explorer must go on
    carry.steps = torch.full((many,), 2)
    third = advance(
        carry,
        eager,
        max_steps=4,
        exploration=1.0,
        draws=torch.rand(2, len(carry.steps), generator=generator),
    ).halted
    assert 0.62 < third.float().mean() < 0.72  # a minimum of 2 or 3 out of {2, 3, 4}


def test_answer_is_what_think_says_at_the_halting_step(model):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(1, 6, (B, L), generator=generator)
    thoughts = list(think(model, inputs, steps=5))
    rested = answer(model, inputs, max_steps=5)
    assert len(set(rested.steps.tolist())) > 1, (
        "the test needs puzzles that halt at different steps"
    )
    for row, step in enumerate(rested.steps.tolist()):
        logits = torch.stack([thought.halt_logit[row] for thought in thoughts])
        assert (logits[: step - 1] <= 0).all()
        assert step == 5 or logits[step - 1] > 0
        assert torch.equal(rested.tokens[row], thoughts[step - 1].logits[row].argmax(-1))
    assert (answer(model, inputs, max_steps=5, halt_above=None).steps == 5).all()


@pytest.mark.parametrize("name", REASONERS)
def test_noise_moves_every_network_also_one_without_a_z(name):
    model, asked = fresh(CONFIGS[name]).eval(), puzzles(2)
    model.generator = torch.Generator()

    def scores(size):
        model.generator.manual_seed(0)
        return next(think(model, asked, steps=1, noise=Noise(size, (7, 8)))).logits

    still, again, moved = scores(0.0), scores(0.0), scores(0.5)
    assert torch.equal(still, again) and (moved != still).flatten(1).any(1).all()


def test_no_gradient_from_one_supervision_step_into_the_one_before(model):
    inputs = batch(1).inputs
    first = model(model.initial_latents(B), inputs)
    assert first.logits.requires_grad
    assert not first.latents.y.requires_grad and not first.latents.z.requires_grad


def slots(model, act, halt, go_on, steps=(0, 0, 2)):
    batch = Batch(puzzles(3), puzzles(3), torch.zeros(3, dtype=torch.long))
    carry = empty_carry(model, batch)
    carry.steps = torch.tensor(steps)
    thought = model(carry.latents, batch.inputs)._replace(
        halt_logit=torch.tensor(halt), continue_logit=torch.tensor(go_on)
    )
    return advance(carry, thought, act=act, max_steps=3, exploration=0.0)


def test_three_ways_to_halt():
    model = fresh(CONFIGS["trm"])
    logits = dict(halt=[1.0, -1.0, -1.0], go_on=[2.0, -2.0, 2.0])  # the third has taken 3 steps
    assert slots(model, "halt", **logits).halted.tolist() == [True, False, True]
    assert slots(model, "q_learning", **logits).halted.tolist() == [False, True, True]
    assert slots(model, "off", **logits).halted.tolist() == [False, False, True]


def test_worth_of_going_on_is_the_better_choice_one_step_later():
    model = fresh(CONFIGS["hrm"])
    torch.nn.init.normal_(model.halt_head.weight)
    batch = Batch(puzzles(), puzzles(), torch.zeros(4, dtype=torch.long))
    carry = refill(model, empty_carry(model, batch), batch)
    thought = model(carry.latents, batch.inputs)
    carry = Carry(thought.latents, batch, torch.tensor([1, 1, 3, 3]), torch.zeros(4).bool())
    target = worth_of_going_on(model, carry, max_steps=3)
    later = model(carry.latents, batch.inputs)
    best = torch.maximum(later.halt_logit, later.continue_logit)
    expected = torch.where(torch.tensor([True, True, False, False]), best, later.halt_logit)
    assert torch.allclose(target, expected.sigmoid()) and not target.requires_grad
