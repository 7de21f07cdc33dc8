"""The networks: shapes, where gradient flows, and files of every class."""

import dataclasses
import json

import pytest
import torch
from nets.networks import CONFIGS, REASONERS, SMALL, fresh, puzzles
from safetensors.torch import save as to_safetensors

from trm_lite.common import UserError
from trm_lite.nets import (
    HRM,
    TRM,
    Direct,
    DirectConfig,
    HRMConfig,
    Latents,
    Linear,
    SwiGLU,
    TRMConfig,
    load_weights,
    save_weights,
)
from trm_lite.nets.build import resized
from trm_lite.nets.configs import RSMConfig, SERRMConfig, URMConfig, config_from_dict
from trm_lite.nets.layers import truncated_normal, truncated_normal_
from trm_lite.nets.urm import ConvSwiGLU
from trm_lite.thinking import seeded, think


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
            said = []
            for m in (model, loaded):
                with seeded(m, 0):
                    said.append(m(m.initial_latents(4), puzzles()))
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
    older = config_from_dict({"hidden_size": 8})  # which name neither network nor puzzle
    assert older == TRMConfig(hidden_size=8, puzzle="sudoku-9x9")


@pytest.mark.parametrize(
    ("vocab_size", "seq_len", "name"),
    [(8, 36, "sudoku-6x6"), (6, 49, "maze-7x7"), (12, 36, "arc-6x6"), (12, 900, "arc-30x30"),
     (10, 36, ""), (6, 48, "")],
)  # fmt: skip
def test_older_files_name_no_puzzle_but_their_sizes_do(vocab_size, seq_len, name):
    fields = {"vocab_size": vocab_size, "seq_len": seq_len}
    assert config_from_dict(fields).puzzle == name
    assert config_from_dict(fields | {"puzzle": "mine"}).puzzle == "mine"


def test_impossible_heads_are_refused():
    with pytest.raises(UserError, match="num_heads"):
        TRMConfig(hidden_size=48, num_heads=16, mixing="attention")
    with pytest.raises(UserError, match="num_heads"):
        HRMConfig(hidden_size=4, num_heads=8)


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


def test_equilibrium_reasoners_start_anywhere():
    model = fresh(CONFIGS["eqr"])
    assert "y_init" not in model.state_dict()
    needed = torch.tensor([True, False, True, True])
    start = model.initial_latents(4, needed)
    drawn = torch.stack(start)[:, needed]
    assert not drawn.flatten(0, 2).unique(dim=0).shape[0] < drawn.flatten(0, 2).shape[0]
    assert drawn.std().item() == pytest.approx(1, abs=0.05) and drawn.abs().max() < 2.28


def test_equilibrium_reasoners_are_damped_and_shaken_in_every_application():
    config = TRMConfig(**SMALL, T=1, n=1, damping=0.25, noise=0.5, random_start=True)
    model = fresh(config).eval()
    y, z = model.initial_latents(2)
    x, (noise,) = model.embed(puzzles(2)), model.draw(2)
    thought = model.recurse(x, Latents(y, z), noise)
    after = 0.25 * z + 0.75 * model.net(z + y + x) + 0.5 * noise[0]
    torch.testing.assert_close(thought.z, after)
    answer = 0.25 * y + 0.75 * model.net(y + after) + 0.5 * noise[1]
    torch.testing.assert_close(thought.y, answer)
    calm = dataclasses.replace(config, damping=0.0, noise=0.0, random_start=False)
    assert fresh(calm).draw(2) == () and not fresh(calm).draws


@pytest.mark.parametrize("options", [{"damping": 1.0}, {"noise": -0.1},
                                     {"num_latents": 0, "noise": 0.1},
                                     {"num_latents": 6, "random_start": True}])  # fmt: skip
def test_impossible_equilibrium_reasoners_are_refused(options):
    with pytest.raises(UserError, match=r"at least 0|one latent"):
        TRMConfig(**options)


def test_hrm_gradient_flows_through_the_last_of_each_module():
    seen = applications(fresh(HRMConfig(**SMALL, H_layers=1, L_layers=1, T=2, n=2)))
    assert seen == [
        ("f_L", False), ("f_L", False), ("f_H", False),
        ("f_L", False), ("f_L", True), ("f_H", True),
    ]  # fmt: skip


def test_tied_recursion_has_gradient_throughout():
    seen = applications(fresh(DirectConfig(**SMALL, num_layers=1, loops=5)))
    assert seen == [("net", True)] * 5


def test_the_gradient_of_a_urm_flows_through_its_last_loops():
    seen = applications(fresh(URMConfig(**SMALL, num_layers=1, loops=5, loops_with_gradient=2)))
    assert seen == [("net", False)] * 3 + [("net", True)] * 2
    with pytest.raises(UserError, match="Of 4 loops, 5 cannot"):
        URMConfig(loops=4, loops_with_gradient=5)


@pytest.mark.parametrize(("kernel", "seen"), [(2, {3, 4}), (3, {2, 3, 4}), (4, {2, 3, 4, 5})])
def test_the_convolution_of_a_urm_looks_at_its_neighbours(kernel, seen):
    """Which positions notice a change at position 3: with a kernel of 2, itself and the next."""
    torch.manual_seed(0)
    layer = ConvSwiGLU(8, 4.0, 8, kernel)
    x = torch.randn(1, 8, 8)
    moved = x.clone()
    moved[:, 3] += 1
    different = (layer(x) != layer(moved)).any(-1)[0]
    assert set(different.nonzero().flatten().tolist()) == seen


@pytest.mark.parametrize("keep", [False, True])
def test_the_history_of_an_rsm_is_detached(keep):
    model, seen = fresh(RSMConfig(**SMALL, n=2)), []
    model.net.register_forward_hook(lambda net, inputs, out: seen.append(out.requires_grad))
    thought = model.think_through(puzzles(), None, outer=3, inner=2, keep=keep)
    assert seen == [False, False, False, False, False, keep, True, True, True]
    stepwise = list(think(model, puzzles(), steps=3))[-1]
    torch.testing.assert_close(thought.logits, stepwise.logits)


@pytest.mark.parametrize("options", [{"T": 2}, {"num_latents": 0}, {"noise": 0.1}])
def test_an_rsm_has_no_further_options(options):
    with pytest.raises(UserError, match="An RSM has T = 1"):
        RSMConfig(**options)


def test_renamed_digits_give_renamed_answers():
    """All digits of an SE-RRM are alike; those of a network with other embeddings are not."""
    renamed = torch.tensor([0, 1, *(2 + torch.randperm(6)).tolist()])
    equal = {}
    for name in ("se-rrm", "se-rrm-unshared", "trm"):
        model = fresh(CONFIGS[name])
        with torch.no_grad():
            logits = [list(think(model, x, steps=3))[-1].logits
                      for x in (puzzles(), renamed[puzzles()])]  # fmt: skip
        equal[name] = torch.allclose(logits[0], logits[1][..., renamed], atol=1e-4)
    assert equal == {"se-rrm": True, "se-rrm-unshared": False, "trm": False}


def test_an_se_rrm_thinks_about_boards_of_other_sizes():
    model = fresh(CONFIGS["se-rrm"]).eval()
    larger = resized(model, 11, 81)
    boards = torch.randint(1, 11, (2, 81))
    with torch.no_grad():
        thought = larger(larger.initial_latents(2), boards)
        back = resized(larger, 8, 36)
        said = [m(m.initial_latents(4), puzzles()).logits for m in (model, back)]
    assert thought.logits.shape == (2, 81, 11) and torch.equal(*said)
    assert resized(model, 8, 36) is model
    for name in ("trm", "trm-attention", "se-rrm-unshared"):
        with pytest.raises(UserError, match="cannot read 81 cells with 11 tokens; use an SE-RRM"):
            resized(fresh(CONFIGS[name]), 11, 81)


def test_the_belief_of_an_se_rrm_is_that_in_its_least_sure_cell():
    model = fresh(CONFIGS["se-rrm"])
    thought = model(model.initial_latents(4), puzzles())
    least = thought.logits.softmax(-1).amax(-1).amin(-1)
    torch.testing.assert_close(thought.halt_logit.sigmoid(), least)
    assert not thought.halt_logit.requires_grad


@pytest.mark.parametrize("options", [{"head_size": 6}, {"prefix_len": 1}, {"loops": 5}])
def test_impossible_se_rrms_are_refused(options):
    with pytest.raises(UserError, match=r"multiple of 4|extra cells|cannot have a gradient"):
        SERRMConfig(**options)


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


def test_classes_are_what_they_say():
    classes = {TRMConfig: TRM, HRMConfig: HRM, DirectConfig: Direct}
    for config, network in classes.items():
        assert network.__name__ == config.network
        assert isinstance(fresh(config(**SMALL)), network)


def test_a_gpu_draws_the_same_truncated_normal_numbers_without_waiting():
    generator = torch.Generator().manual_seed(0)
    waited = truncated_normal_(torch.empty(200_000), 1.0, generator)
    drawn = truncated_normal((200_000,), torch.device("cpu"), generator)
    for some in (waited, drawn):
        assert abs(some.mean()) < 0.01 and abs(some.std() - 1) < 0.01
        assert 2.25 < some.abs().max() < 2.274  # two sigmas of the distribution before its cut
    levels = torch.linspace(0.05, 0.95, 10)
    torch.testing.assert_close(drawn.quantile(levels), waited.quantile(levels), atol=0.02, rtol=0)
