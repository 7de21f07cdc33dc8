"""The network that writes token by token."""

import dataclasses

import pytest
import torch
from nets.networks import WRITER, fresh, puzzles

from trm_lite.evaluation import evaluate


def test_writing_sees_only_what_stands_before():
    model = fresh(WRITER)
    text = torch.cat((puzzles(), puzzles()), dim=1)
    changed = text.clone()
    changed[:, 50:] = 7
    with torch.no_grad():
        before, after = model.scores(text), model.scores(changed)
    assert torch.allclose(before[:, :50], after[:, :50], atol=1e-5)
    assert not torch.allclose(before[:, 50:], after[:, 50:], atol=1e-5)


@pytest.mark.parametrize("scratch_len", [0, 61])
def test_memory_changes_nothing(scratch_len):
    model = fresh(dataclasses.replace(WRITER, scratch_len=scratch_len))
    written = model.write(puzzles())
    text = torch.cat((puzzles(), written.scratch, written.answer), dim=1)
    with torch.no_grad():
        scores = model.scores(text[:, :-1])[:, 36 + scratch_len - 1 :, :8]
    assert torch.allclose(scores, written.logits, atol=1e-4)
    assert torch.equal(written.answer, written.logits.argmax(-1))
    chosen = scores.log_softmax(-1).gather(-1, written.answer[..., None]).sum((1, 2))
    assert torch.allclose(written.log_probability, chosen, atol=1e-3)


def test_sampling_is_seeded_and_varies():
    model = fresh(WRITER)

    def draw(seed):
        return model.write(
            puzzles(), temperature=1.0, generator=torch.Generator().manual_seed(seed)
        ).answer

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    cold = model.write(
        puzzles(), temperature=1e-4, generator=torch.Generator().manual_seed(1)
    ).answer
    assert torch.equal(cold, model.write(puzzles()).answer)


def test_scratch_is_padded_after_end():
    config = dataclasses.replace(WRITER, scratch_len=9)
    model = fresh(config)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[config.end_token] = 1e-3 * torch.randn(16)
    scratch = model.write(puzzles(16)).scratch
    ended = (scratch == config.end_token).cumsum(1) - (scratch == config.end_token).int() > 0
    assert (scratch[ended] == 0).all()


def test_writer_is_evaluated_like_any_network(tiny_splits):
    result = evaluate(fresh(WRITER).eval(), tiny_splits.test, steps=1)
    assert result.correct.shape == (1, len(tiny_splits.test))
    assert (result.halt_logits < 0).all()  # untrained, it does not believe in itself
