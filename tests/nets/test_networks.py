"""The networks: shapes, where gradient flows, the paper's columns, and files of every class."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_safetensors

from trm_lite.common import UserError
from trm_lite.data import IGNORE, Batch
from trm_lite.evaluation import evaluate, first_mistake
from trm_lite.experiments import PRESETS, get_preset, paper
from trm_lite.nets import (
    HRM,
    TRM,
    Autoregressive,
    AutoregressiveConfig,
    Direct,
    DirectConfig,
    HRMConfig,
    Linear,
    SwiGLU,
    TRMConfig,
    build_network,
    load_weights,
    save_weights,
)
from trm_lite.nets.configs import config_from_dict
from trm_lite.puzzles import sudoku
from trm_lite.puzzles.sudoku.solver import found_in_round
from trm_lite.thinking import Carry, advance, empty_carry, refill, worth_of_going_on
from trm_lite.training import replace, trainer_for, worked_out
from trm_lite.training.token_trainer import next_token_loss

SMALL = dict(vocab_size=8, seq_len=36, hidden_size=16, multiple_of=8, num_heads=2)
CONFIGS = {
    "trm": TRMConfig(**SMALL, prefix_len=2),
    "trm-attention": TRMConfig(**SMALL, mixing="attention"),
    "trm-learned": TRMConfig(**SMALL, mixing="attention", positions="learned"),
    "trm-two-nets": TRMConfig(**SMALL, shared_net=False),
    "trm-one-step": TRMConfig(**SMALL, gradient="one_step"),
    "trm-single": TRMConfig(**SMALL, num_latents=0),
    "trm-multi": TRMConfig(**SMALL, num_latents=6),
    "trm-no-prefix": TRMConfig(**SMALL, prefix_len=0),
    "hrm": HRMConfig(**SMALL, H_layers=1, L_layers=2),
    "direct": DirectConfig(**SMALL, num_layers=3, loops=2),
    "tokens": AutoregressiveConfig(**SMALL, num_layers=2, scratch_len=61),
}


def puzzles(count=4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 8, (count, 36), generator=generator)


def fresh(config, seed=0):
    torch.manual_seed(seed)
    return build_network(config)


REASONERS = [name for name in CONFIGS if name != "tokens"]


@pytest.mark.parametrize("name", REASONERS)
def test_every_network_thinks_and_carries_detached_latents(name):
    model = fresh(CONFIGS[name])
    thought = model(model.initial_latents(4), puzzles())
    assert thought.logits.shape == (4, 36, 8)
    assert thought.halt_logit.shape == thought.continue_logit.shape == (4,)
    for latent, start in zip(thought.latents, model.initial_latents(4), strict=True):
        assert latent.shape == start.shape and not latent.requires_grad
    again = model(thought.latents, puzzles())
    assert not torch.equal(again.logits, thought.logits)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_counts_its_own_parameters(name):
    model = fresh(CONFIGS[name])
    assert model.config.parameters == sum(parameter.numel() for parameter in model.parameters())
    if name != "tokens":
        latents = model.initial_latents(1)
        assert model.config.latent_size == sum(latent.numel() for latent in latents)
        assert model.config.puzzle_table_size == model.puzzle_embedding.table.numel()


def test_latents_of_the_ablations():
    shapes = {name: fresh(CONFIGS[name]).initial_latents(3).z.shape for name in REASONERS}
    assert shapes["trm"] == (3, 38, 16)
    assert shapes["trm-single"] == (3, 0, 52, 16)
    assert shapes["trm-multi"] == (3, 6, 52, 16)
    assert shapes["trm-no-prefix"] == (3, 36, 16)


@pytest.mark.parametrize("name", CONFIGS)
def test_files_keep_the_class(name, tmp_path):
    model = fresh(CONFIGS[name]).eval()
    save_weights(model, tmp_path / "w.safetensors", {"a": 1})
    loaded, about = load_weights(tmp_path / "w.safetensors")
    assert type(loaded) is type(model) and loaded.config == model.config and about == {"a": 1}
    with torch.no_grad():
        if name == "tokens":
            said = [m.write(puzzles()) for m in (model, loaded)]
        else:
            said = [m(m.initial_latents(4), puzzles()) for m in (model, loaded)]
    assert torch.equal(said[0].logits, said[1].logits)


def test_files_from_before_the_rooms_are_read(tmp_path):
    """They call the network "kind", and those that write hold an empty puzzle embedding."""
    model = fresh(CONFIGS["tokens"])
    config = dataclasses.asdict(model.config)
    config["kind"] = config.pop("network")
    state = model.state_dict() | {"puzzle_embedding.table": torch.zeros(1, 0)}
    metadata = {"config": json.dumps(config), "about": "{}"}
    (tmp_path / "old.safetensors").write_bytes(to_safetensors(state, metadata))
    assert load_weights(tmp_path / "old.safetensors")[0].config == model.config


def test_unknown_class_is_named():
    with pytest.raises(UserError, match="'Mamba'"):
        config_from_dict({"network": "Mamba"})
    assert config_from_dict({"hidden_size": 8}) == TRMConfig(hidden_size=8)  # older files


def test_impossible_heads_are_refused():
    with pytest.raises(UserError, match="num_heads"):
        TRMConfig(hidden_size=48, num_heads=16, mixing="attention")
    with pytest.raises(UserError, match="num_heads"):
        HRMConfig(hidden_size=4, num_heads=8)


# --- initialisation -----------------------------------------------------------------------


def test_initial_weights_have_the_papers_spread():
    model = fresh(TRMConfig(mixing="attention", positions="learned", num_latents=6))
    for module in model.modules():
        if isinstance(module, Linear):
            scaled = module.weight * module.in_features**0.5
            assert scaled.std().item() == pytest.approx(1, abs=0.02)
            assert scaled.abs().max() < 2.28
    for embedding in (model.token_embedding, model.position_embedding, model.head):
        assert (embedding.weight * 512**0.5).std().item() == pytest.approx(1, abs=0.05)
    for start in (model.y_init, model.z_init):
        assert start.std().item() == pytest.approx(1, abs=0.1) and not start.requires_grad
    assert not model.puzzle_embedding.table.any() and not model.halt_head.weight.any()
    assert (model.halt_head.bias == -5).all()


def test_inner_widths_are_rounded_up():
    assert SwiGLU(512).down.in_features == 1536 and SwiGLU(97).down.in_features == 512


# --- where gradient flows -----------------------------------------------------------------


def applications(model) -> list[tuple[str, bool]]:
    """The networks that one supervision step applies, in order, and which carry gradient."""
    seen = []
    for name in ("net", "answer_net", "f_L", "f_H"):
        if hasattr(model, name):
            getattr(model, name).register_forward_hook(
                lambda stack, inputs, output, name=name: seen.append((name, output.requires_grad))
            )
    model(model.initial_latents(2), puzzles(2))
    return seen


def test_gradient_flows_through_the_last_full_recursion():
    seen = applications(fresh(TRMConfig(**SMALL, T=3, n=2)))
    assert seen == [("net", False)] * 6 + [("net", True)] * 3


def test_one_step_gradient_flows_through_one_thought_and_one_answer():
    seen = applications(fresh(TRMConfig(**SMALL, T=2, n=3, gradient="one_step", shared_net=False)))
    recursion = [("net", False)] * 3 + [("answer_net", False)]
    assert seen == [*recursion, *[("net", False)] * 2, ("net", True), ("answer_net", True)]


def test_hrm_gradient_flows_through_the_last_of_each_module():
    seen = applications(fresh(HRMConfig(**SMALL, H_layers=1, L_layers=1, T=2, n=2)))
    assert seen == [
        ("f_L", False), ("f_L", False), ("f_H", False),
        ("f_L", False), ("f_L", True), ("f_H", True),
    ]  # fmt: skip


def test_tied_recursion_has_gradient_throughout():
    seen = applications(fresh(DirectConfig(**SMALL, num_layers=1, loops=5)))
    assert seen == [("net", True)] * 5


def test_no_gradient_in_evaluation():
    model = fresh(CONFIGS["trm"])
    with torch.no_grad():
        assert all(not gradient for _, gradient in applications(model))


def test_no_gradient_reaches_the_step_before():
    model = fresh(CONFIGS["trm"])
    start = model.initial_latents(2)
    latents = type(start)(*(latent.clone().requires_grad_() for latent in start))
    model(latents, puzzles(2)).logits.sum().backward()
    assert latents.y.grad is None and latents.z.grad is None  # T > 1: cut by no_grad


# --- one idea, several files --------------------------------------------------------------


def test_hrm_is_trm_with_two_networks_and_the_one_step_gradient():
    sizes = SMALL | dict(mixing="attention", prefix_len=1, T=3, n=2)
    hrm = fresh(HRMConfig(**sizes, H_layers=2, L_layers=2))
    trm = fresh(TRMConfig(**sizes, shared_net=False, gradient="one_step"), seed=1)
    names = {"f_L": "net", "f_H": "answer_net"}
    state = {}
    for name, tensor in hrm.state_dict().items():
        first, _, rest = name.partition(".")
        state[f"{names[first]}.{rest}" if first in names else name] = tensor
    trm.load_state_dict(state)
    thoughts = []
    for model in (hrm, trm):
        thoughts.append(model(model.initial_latents(4), puzzles()))
        thoughts[-1].logits.square().sum().backward()
    assert torch.equal(thoughts[0].logits, thoughts[1].logits)
    gradients = dict(trm.named_parameters())
    for name, parameter in hrm.f_L.named_parameters():
        assert torch.equal(parameter.grad, gradients[f"net.{name}"].grad)


def test_direct_prediction_is_one_pass_over_the_question():
    model = fresh(DirectConfig(**SMALL, num_layers=2))
    thought = model(model.initial_latents(4), puzzles())
    expected = model.head(model.net(model.embed(puzzles())))[:, model.config.prefix_len :]
    assert torch.equal(thought.logits, expected)


def test_only_positions_tell_cells_apart():
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    moved = {}
    for positions in ("none", "rotary", "learned"):
        model = fresh(TRMConfig(**SMALL, mixing="attention", positions=positions, prefix_len=0))
        with torch.no_grad():
            logits = [model(model.initial_latents(4), x).logits
                      for x in (puzzles()[:, order], puzzles())]  # fmt: skip
        moved[positions] = torch.allclose(logits[0], logits[1][:, order], atol=1e-4)
    assert moved == {"none": True, "rotary": False, "learned": False}


# --- deciding to stop ---------------------------------------------------------------------


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


def test_q_learning_costs_a_second_forward_pass(tiny, tiny_splits):
    for act, passes in (("halt", 1), ("q_learning", 2), ("off", 1)):
        preset = replace(tiny, act=act)
        trainer = trainer_for(preset, splits=tiny_splits, device="cpu", progress=False)
        calls = []
        trainer.model.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        loss = trainer.step()
        assert len(calls) == passes == preset.recipe.forward_passes
        assert (loss.going_on is not None) == (act == "q_learning")


# --- the paper's tables -------------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in paper.ROWS if r.millions], ids=lambda r: r.name)
def test_presets_have_the_papers_columns(row):
    preset = PRESETS[f"sudoku-extreme-{row.name or 'mlp'}"]
    assert round(preset.model.parameters / 1e6) == row.millions
    if row.depth is not None:
        assert preset.model.effective_depth == row.depth
        assert preset.recipe.forward_passes == row.passes


def test_the_table_of_ablations_is_complete():
    columns = {
        row.name: (row.accuracy, row.depth, row.passes, row.millions) for row in paper.ABLATIONS
    }
    assert columns == {
        "hrm": (55.0, 24, 2, 27), "": (87.4, 42, 1, 5), "hrm-act": (86.1, 42, 2, 5),
        "two-nets": (82.4, 42, 1, 10), "no-ema": (79.9, 42, 1, 5), "4-layers": (79.5, 48, 1, 10),
        "att": (74.7, 42, 1, 7), "shallow": (73.7, 12, 1, 5), "one-step": (56.5, 42, 1, 5),
        "multi-scale": (77.6, 42, 1, 5), "single": (71.9, 42, 1, 5),
    }  # fmt: skip
    for row in paper.ROWS:
        assert f"sudoku-6x6-{row.name}".rstrip("-") in PRESETS
        assert f"sudoku-extreme-{row.name or 'mlp'}" in PRESETS


def test_depth_is_the_number_of_layers_passed():
    for name, preset in PRESETS.items():
        if not name.startswith("sudoku-6x6") or isinstance(preset.model, AutoregressiveConfig):
            continue
        model = fresh(preset.model)
        passed = []
        for stack in ("net", "answer_net", "f_L", "f_H"):
            for block in getattr(getattr(model, stack, None), "blocks", ()):
                block.register_forward_hook(lambda *_, passed=passed: passed.append(1))
        with torch.no_grad():
            model(model.initial_latents(1), puzzles(1))
        assert len(passed) == preset.model.effective_depth, name


@pytest.mark.parametrize("name", [n for n in PRESETS if n.startswith("sudoku-6x6")])
def test_every_mini_preset_trains_and_goes_on(name, tiny, tiny_splits, tmp_path):
    small = {"hidden_size": 16, "batch_size": 4, "steps": 4, "eval_every": 4}
    preset = dataclasses.replace(replace(get_preset(name), **small), data=tiny.data)
    options = dict(splits=tiny_splits, device="cpu", progress=False)
    whole = trainer_for(preset, **options)
    losses = [whole.step().total.item() for _ in range(3)]
    assert all(map(math.isfinite, losses))
    first = trainer_for(preset, folder=tmp_path, **options)
    first.step()
    first.save()
    second = trainer_for(preset, folder=tmp_path, **options)
    second.step()
    assert second.step().total.item() == losses[2]
    assert second.train()  # looks at the validation puzzles and saves
    loaded, _ = load_weights(tmp_path / "last.safetensors")
    assert loaded.config == preset.model


# --- token by token -----------------------------------------------------------------------

WRITER = AutoregressiveConfig(**SMALL, num_layers=2)


@pytest.fixture(scope="module")
def boards():
    made, solutions = sudoku.generate(24, 6, seed=3)
    tokens = (torch.from_numpy(sudoku.to_tokens(b)).long() for b in (made, solutions))
    return Batch(*tokens, torch.zeros(24, dtype=torch.long))


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


def test_scratch_is_the_order_of_deduction(boards):
    config = dataclasses.replace(WRITER, scratch_len=73)
    scratch = worked_out(boards.inputs, boards.labels, config)
    for puzzle, solution, text in zip(boards.inputs, boards.labels, scratch, strict=True):
        end = text.tolist().index(config.end_token)
        assert not text[end + 1 :].any()
        cells, digits = text[:end:2] - config.vocab_size, text[1:end:2]
        assert torch.equal(solution[cells], digits)
        filled = puzzle.clone()
        filled[cells] = digits
        assert torch.equal(filled, solution) and len(set(cells.tolist())) == len(cells)
    # The first cell that is written follows from the clues alone.
    rounds = found_in_round(sudoku.from_tokens(boards.inputs.numpy()))
    first = scratch[:, 0] - config.vocab_size
    assert (rounds[np.arange(24), first] == np.where(rounds == 0, 99, rounds).min(1)).all()


def test_short_scratch_keeps_the_first_steps(boards):
    whole = worked_out(boards.inputs, boards.labels, dataclasses.replace(WRITER, scratch_len=73))
    short = worked_out(boards.inputs, boards.labels, dataclasses.replace(WRITER, scratch_len=7))
    assert torch.equal(short[:, :6], whole[:, :6]) and (short[:, 6] == WRITER.end_token).all()


def test_first_mistake():
    right = torch.tensor([[1, 2, 3]] * 4)
    right[3, 0] = IGNORE
    written = torch.tensor([[1, 2, 3], [1, 9, 9], [9, 2, 3], [9, 2, 9]])
    assert first_mistake(written, right).tolist() == [3, 1, 0, 2]


def test_it_learns_to_write_a_few_answers_by_heart(boards):
    torch.manual_seed(0)
    model = Autoregressive(dataclasses.replace(WRITER, hidden_size=32))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    few = Batch(*(part[:4] for part in boards))
    for _ in range(120):
        optimizer.zero_grad()
        loss = next_token_loss(model, few)
        (loss.total / 4).backward()
        optimizer.step()
    assert loss.total / 4 < 0.2 and loss.correct.all()
    written = model.eval().write(few.inputs)
    assert (written.answer == few.labels).float().mean() > 0.95


def test_writer_is_evaluated_like_any_network(tiny_splits):
    result = evaluate(fresh(WRITER).eval(), tiny_splits.test, steps=1)
    assert result.correct.shape == (1, len(tiny_splits.test))
    assert (result.halt_logits < 0).all()  # untrained, it does not believe in itself


def test_classes_are_what_they_say():
    classes = {TRMConfig: TRM, HRMConfig: HRM, DirectConfig: Direct}
    for config, network in classes.items():
        assert network.__name__ == config.network
        assert isinstance(fresh(config(**SMALL)), network)
