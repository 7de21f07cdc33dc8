"""Number formats: the authors' layout, and weights that are cast once."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from nets.networks import CONFIGS, fresh, puzzles
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.partitioners import min_cut_rematerialization_partition

from trm_lite.nets import compiling
from trm_lite.thinking import think


def their_norm(x):
    """As in the authors' code: computed in float32, kept in the type of x."""
    y = x.float()
    return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-5)).to(x.dtype)


def their_swiglu(layer, x):
    gate, up = F.linear(x, layer.gate_up.weight.to(x.dtype)).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, layer.down.weight.to(x.dtype))


def their_block(block, h):
    h = h.transpose(1, 2)
    h = their_norm(h + their_swiglu(block.mixer.swiglu, h)).transpose(1, 2)
    return their_norm(h + their_swiglu(block.swiglu, h))


def test_a_carry_in_bfloat16_is_the_authors_layout():
    """Everything that they keep in bfloat16 is rounded where they round it."""
    model, inputs = fresh(CONFIGS["trm"]), puzzles()
    config = model.config
    model.carry_in(torch.bfloat16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        thought = model(model.initial_latents(len(inputs)), inputs)
    with torch.no_grad():
        tokens = F.embedding(inputs, model.token_embedding.weight.bfloat16())
        x = config.hidden_size**0.5 * F.pad(tokens, (0, 0, config.prefix_len, 0))
        y, z = (start.expand(x.shape) for start in (model.y_init, model.z_init))
        for _ in range(config.T):
            for _ in range(config.n):
                z = z + (y + x)
                for block in model.net.blocks:
                    z = their_block(block, z)
            y = y + z
            for block in model.net.blocks:
                y = their_block(block, y)
        logits = F.linear(y, model.head.weight.bfloat16())[:, config.prefix_len :]
    assert thought.latents.y.dtype == torch.bfloat16
    apart = (thought.logits - logits).abs().max() / logits.abs().max()
    assert apart < 0.02
    # With the usual carry, and the same weights, the answer is another one.
    model.carry_in(torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        usual = model(model.initial_latents(len(inputs)), inputs)
    assert (usual.logits - logits).abs().max() / logits.abs().max() > 2 * apart


@pytest.mark.parametrize(("name", "learning"), [("trm", False), ("rsm", False), ("trm", True)])
def test_a_compiled_network_casts_each_weight_once(name, learning, monkeypatch):
    """Without a gradient nothing would merge the casts of all applications."""
    torch.compiler.reset()  # else it expects the sizes to change, as in tests before this one
    casts = []

    def count(graph, _):
        weights = {node for node in graph.graph.nodes if node.op == "placeholder"}
        casts.append(
            sum(
                node.target is torch.ops.aten._to_copy.default
                and node.args[0] in weights
                and node.args[0].meta["val"].dim() == 2
                for node in graph.graph.nodes
            )
        )
        return graph

    merging = min_cut_rematerialization_partition
    backend, real = aot_autograd(fw_compiler=count, partition_fn=merging), torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **_: real(function, fullgraph=True, backend=backend)
    )
    config = replace(CONFIGS[name], n=2, num_layers=1)
    model, plain, inputs = fresh(config), fresh(config), puzzles()
    compiling.compile_hot(model)
    with torch.set_grad_enabled(learning), torch.autocast("cpu", torch.bfloat16):
        found, expected = (
            network(network.initial_latents(len(inputs)), inputs) for network in (model, plain)
        )
    torch.testing.assert_close(found.logits, expected.logits)
    layers = sum(isinstance(module, compiling.Linear) for module in model.modules())
    assert casts == [0] if not learning else casts[0] <= layers


def test_what_a_cuda_graph_writes_over_was_copied_before(monkeypatch):
    """Each replay of a graph returns the same memory with new contents."""

    def replayed(function, **options):
        assert options["mode"] == "reduce-overhead"
        memory = []

        def run(*arguments):
            latents = function(*arguments)
            memory[:] = memory or [torch.empty_like(latent) for latent in latents]
            for place, latent in zip(memory, latents, strict=True):
                place.copy_(latent)
            return type(latents)(*memory)

        return run

    monkeypatch.setattr(torch, "compile", replayed)
    plain, graphed, inputs = fresh(CONFIGS["trm"]), fresh(CONFIGS["trm"]), puzzles()
    compiling.compile_hot(graphed, graphs=True)
    expected, found = (list(think(model, inputs, steps=3)) for model in (plain, graphed))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.latents.y, other.latents.y)
