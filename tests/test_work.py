"""Speed, guarded by counting work instead of seconds, which are different on every machine."""

import dataclasses
from operator import attrgetter

import pytest
import torch

from trm_lite.common.device import cpu_prefers_bfloat16
from trm_lite.data import sudoku_set
from trm_lite.data.dataset import Splits
from trm_lite.evaluation.solving import HALT_ABOVE
from trm_lite.experiments import PRESETS, get_preset
from trm_lite.experiments.counting import Counter
from trm_lite.experiments.memory import peak_bytes
from trm_lite.nets import Reasoner, build_network, shipped
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS, answer
from trm_lite.training import Trainer, replace


def test_waits_are_noticed():
    with Counter() as waits:
        x = torch.arange(3)
        x[x > 1]
        x.sum().item()
        torch.nonzero(x)
    assert waits.waits == ["index", "_local_scalar_dense", "nonzero"]


@pytest.mark.parametrize("act", ["halt", "q_learning", "off"])
@pytest.mark.parametrize("micro_batch", [0, 4])
def test_a_training_step_never_waits(tiny, tiny_splits, act, micro_batch):
    trainer = Trainer(
        replace(tiny, act=act), splits=tiny_splits, device="cpu", progress=False,
        micro_batch=micro_batch,
    )  # fmt: skip
    fresh = trainer.next_batch(0)
    cpu_prefers_bfloat16()  # measured once in a process, and that waits
    with Counter() as waits:
        trainer.supervise(fresh)
        trainer.optimizer.step()
        trainer.puzzle_optimizer.step()
    assert waits.waits == []
    with Counter() as waits:
        trainer.update_weights()
    assert waits.waits == []


# What makes a network another program; sizes and numbers of layers and rounds do not, nor does the
# name of the puzzle, which is for people. Cycles before the last run without a gradient.
SHRUNK = {"hidden_size": 32, "seq_len": 16, "vocab_size": 9, "num_puzzles": 3, "prefix_len": 2}
SHRUNK |= {"puzzle_embedding_size": None, "multiple_of": 16, "loops_with_gradient": 1, "puzzle": ""}
SHRUNK |= {"num_layers": 1, "H_layers": 1, "L_layers": 1, "num_heads": 2, "scratch_len": 20}
SHRUNK |= {"symbol_heads": 2, "symbol_head_size": 8, "extra_cells": 2}
ROUNDS = {"T": 2, "n": 1, "loops": 2, "num_latents": 2}


def shrunk(config):
    """The same network, small."""
    known = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    small = {name: size for name, size in SHRUNK.items() if known.get(name, 0) != 0}
    small |= {name: min(known[name], most) for name, most in ROUNDS.items() if name in known}
    return dataclasses.replace(config, **small)


NETWORKS = {repr(shrunk(preset.model)): name for name, preset in PRESETS.items()}  # each one once


@pytest.mark.parametrize("name", NETWORKS.values())
@pytest.mark.parametrize("gradient", [True, False], ids=["learning", "answering"])
def test_a_network_compiles_without_a_graph_break(name, gradient):
    torch.manual_seed(0)
    network = build_network(shrunk(get_preset(name).model))
    tokens = torch.randint(1, network.config.vocab_size, (2, network.config.seq_len))
    if isinstance(network, Reasoner):
        x = network.embed(tokens, torch.zeros(2, dtype=torch.long))
        arguments = (x, network.initial_latents(2), *network.draw(2))
        arguments = arguments if network.hot == "recurse" else (x,)
    else:
        arguments = (tokens,)
    work = attrgetter(network.hot)(network)
    torch.compiler.reset()
    with torch.set_grad_enabled(gradient):
        expected = work(*arguments)
        found = torch.compile(work, backend="eager", fullgraph=True)(*arguments)
    torch.testing.assert_close(found, expected)


def test_halting_saves_most_of_the_work_and_loses_nothing():
    model, _ = shipped("sudoku-6x6")
    puzzles = sudoku_set(*sudoku.generate(50, 6, seed=99)).batch(slice(None))
    rows: list[int] = []
    model.net.register_forward_pre_hook(lambda net, arguments: rows.append(len(arguments[0])))
    right, work = {}, {}
    for way, halt_above in {"all steps": None, "halting": HALT_ABOVE}.items():
        rows.clear()
        said = answer(model, puzzles.inputs, halt_above=halt_above)
        right[way], work[way] = (said.tokens == puzzles.labels).all(-1).sum().item(), sum(rows)
    assert work["all steps"] == 50 * MAX_STEPS * 8  # T (n + 1) applications a step
    assert 8 * work["halting"] <= work["all steps"]
    assert right["halting"] >= right["all steps"]


@pytest.mark.parametrize(
    ("name", "batch", "mebibytes"), [("sudoku-6x6", 32, 64), ("sudoku-extreme-mlp", 1, 400)]
)
def test_a_training_step_needs_no_more_memory_than_before(name, batch, mebibytes):
    preset = replace(get_preset(name), batch_size=batch, bfloat16=False)
    puzzles = sudoku_set(*sudoku.generate(8, 6 if "6x6" in name else 9, seed=0))
    splits = Splits(puzzles, puzzles, puzzles)
    trainer = Trainer(preset, splits=splits, device="cpu", progress=False)
    trainer.step()
    assert peak_bytes(trainer.step, trainer.device) < mebibytes * 2**20
