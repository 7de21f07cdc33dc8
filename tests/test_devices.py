"""Every act on a pretended GPU: nothing mixes devices, and it computes what a CPU does.

What no pretended device can show is speed, rounding and the GPU's own faults.
"""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from nets.networks import CONFIGS, WRITER, fresh, puzzles
from pretended import Pretended, pretended
from shared_settings import TINY

from trm_lite import thinking
from trm_lite.common import UserError
from trm_lite.common import device as devices
from trm_lite.data.benchmarks.arc_agi import build_arc
from trm_lite.data.benchmarks.options import ArcDrawing
from trm_lite.evaluation import evaluate, solve_boards
from trm_lite.evaluation.halting import evaluate_halting
from trm_lite.evaluation.voting import evaluate_arc, votes_for
from trm_lite.experiments import get_preset, speed
from trm_lite.nets import Reasoner, TRMConfig, autoregressive, build_network, layers
from trm_lite.official.parity import check_parity
from trm_lite.puzzles import sudoku
from trm_lite.training import Trainer, examine_run, learner, replace, trainer_for
from trm_lite.training import losses as loss_functions
from trm_lite.viewing import Microscope, record
from trm_lite.viewing.probes import influence, landscape, plane


@pytest.fixture(scope="module")
def small(tiny):
    return replace(tiny, T=1, n=1, bfloat16=False)


# --- training -----------------------------------------------------------------------------

STEPS = {  # networks of the tables, and changes of their presets
    **{act: ("", {"act": act}) for act in ("halt", "q_learning", "off", "random")},
    "in parts": ("", {"micro_batch": 3}),
    "recomputing": ("", {"recompute": True}),
    "bfloat16": ("", {"bfloat16": True, "bfloat16_carry": True}),
    "softmax, adamw, clipping": ("", {"optimizer": "adamw", "clip_norm": 1.0, "loss": "softmax"}),
    "stablemax, muon, hints": ("", {"optimizer": "muon", "hints": 0.5, "loss": "stablemax"}),
    "official order": ("", {"official_epochs": 2}),
    "rules": ("", {"halt_on": "valid"}),
    **{
        row: (f"-{row}", {})
        for row in ("hrm", "direct", "tokens", "tokens-scratch", "att", "one-step", "multi-scale",
                    "single", "eqr", "urm", "rsm", "se-rrm")
    },
}  # fmt: skip
ON_MPS = ("halt", "stablemax, muon, hints", "eqr", "tokens", "se-rrm")
# The rules, and a solver's steps to learn, are asked on the CPU.
MAY_WAIT = {"rules": 1, "tokens-scratch": 1}
OWN_DRAWS = ("eqr",)  # a GPU draws these numbers itself, so that it need not wait


def steps_on(kind, name, tiny_splits):
    """The losses of three training steps, and how often the last one waited."""
    row, changes = STEPS[name]
    options = {key: changes[key] for key in ("micro_batch", "recompute") if key in changes}
    changes = {key: value for key, value in changes.items() if key not in options}
    preset = get_preset(f"sudoku-6x6{row}")
    shape = {"T": 1, "n": 2, "loops": 2, "loops_with_gradient": 1, "outer_growth": (),
             "inner_growth": (), "num_layers": 1}  # fmt: skip
    fields = {*asdict(preset.model), *asdict(preset.recipe)}
    shape = {key: value for key, value in shape.items() if key in fields}
    preset = replace(preset, **TINY | shape | {"bfloat16": False} | changes)
    options |= {"splits": tiny_splits, "device": kind, "progress": False}
    trainer = trainer_for(preset, **options)
    losses = []
    for _ in range(3):
        Pretended.waits.clear()
        losses.append(trainer.step().total.detach())
    waits = list(Pretended.waits)
    return [float(loss.cpu()) for loss in losses], waits


@pytest.mark.parametrize(
    ("kind", "name"), [("cuda", name) for name in STEPS] + [("mps", name) for name in ON_MPS]
)
def test_a_training_step_is_the_cpus_and_never_waits(kind, name, tiny_splits, monkeypatch):
    monkeypatch.setattr(devices, "cpu_prefers_bfloat16", lambda: True)
    expected, _ = steps_on("cpu", name, tiny_splits)
    with pretended(kind, monkeypatch):
        losses, waits = steps_on(kind, name, tiny_splits)
    exact = kind == "cuda" or "stablemax" not in name  # on mps, stablemax is in float32
    if name in OWN_DRAWS:
        assert losses == pytest.approx(expected, rel=0.5) and losses != expected
    else:
        assert losses == expected if exact else losses == pytest.approx(expected, rel=1e-4)
    if kind == "cuda":
        assert len(waits) <= MAY_WAIT.get(name, 0), waits


@pytest.mark.parametrize("places", [("cuda", "cpu", "mps"), ("cpu", "cuda", "cuda")])
def test_a_run_moves_between_devices(small, tiny_splits, tmp_path, places, monkeypatch):
    whole = Trainer(small, splits=tiny_splits, device="cpu", progress=False)
    whole.train(6)
    for number, kind in enumerate(places, start=1):
        with pretended("mps" if kind == "mps" else "cuda", monkeypatch):
            run = Trainer(
                small, folder=tmp_path, splits=tiny_splits, device=kind, progress=number == 1
            )
            run.train(2 * number)
            reached = {name: tensor.cpu() for name, tensor in run.model.state_dict().items()}
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(reached[name], tensor, msg=name)
    with pretended("cuda", monkeypatch):
        exam = examine_run(tmp_path, device="cuda", preset=replace(small, test=8))
    assert exam["puzzles"] == 8


# --- using a network ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def arc_folder(tmp_path_factory, write_kaggle):
    path = tmp_path_factory.mktemp("arc")
    for subset in ("training", "evaluation"):
        write_kaggle(path / "raw", subset)
    build_arc("arc-agi-1", path / "built", ArcDrawing(source=path / "raw", augmentations=1))
    return path / "built"


BOARDS = sudoku.to_tokens(sudoku.generate(2, 6, seed=0)[0])


def network(name="trm", kind="cpu"):
    return fresh(CONFIGS[name]).to(kind).eval()


def evaluated(kind, tiny_splits, _):
    options = {"steps": 2, "keep_answers": True, "rules": True, "bfloat16": False}
    shaken = {"noise": 0.3, "noise_every_step": True, "guises": True}
    for name in ("trm", "hrm", "urm", "se-rrm-unshared", "rsm"):
        more = shaken if name == "trm" else {}
        seen = evaluate(network(name, kind), tiny_splits.test.first(2), **options, **more)
        yield from (seen.halt_logits, seen.answers, seen.valid)
    halting = evaluate_halting(network(kind=kind), tiny_splits.test, steps=2, slots=3)
    yield from (halting.halt_logits, halting.correct)


def voted(kind, _, folder):
    config = TRMConfig(12, 900, hidden_size=8, num_heads=1, mixing="attention", multiple_of=8,
                       T=1, n=1, prefix_len=1,
                       num_puzzles=len(votes_for(folder).names))  # fmt: skip
    torch.manual_seed(0)
    votes = evaluate_arc(build_network(config).to(kind), folder, steps=1, batch_size=8)
    for task, pairs in votes.tests.items():
        for test in range(len(pairs)):
            yield torch.tensor([found.confidence for found in votes.ranked(task, test)])


def solved(kind, *_):
    for choose in ("rules", "residual"):
        for said in solve_boards(network(kind=kind), BOARDS, max_steps=2, tries=2, choose=choose):
            yield torch.tensor([said.confidence])


def traced(kind, *_):
    model = network(kind=kind)
    traces = record(model, BOARDS, steps=2, grain="application", latents="whole")
    yield from (torch.from_numpy(trace.y) for trace in traces)
    yield torch.from_numpy(landscape(model, traces[:1], plane(traces[:1], "state"), points=3).wrong)
    yield torch.from_numpy(influence(model, BOARDS[0], steps=1))


def looked_at(kind, *_):
    microscope = Microscope({"TRM": network(kind=kind)}, {"one": BOARDS[0]}, steps=2)
    if "same device" in (said := microscope.message.text):
        raise RuntimeError(said)
    yield torch.from_numpy(microscope.thoughts["TRM"].boards)


def written(kind, *_):
    model = fresh(WRITER).to(kind)
    for temperature in (0.0, 1.0):
        random = torch.Generator().manual_seed(0)
        inputs = puzzles(2).to(kind)
        yield model.write(inputs, temperature=temperature, generator=random).log_odds.cpu()


USES = {use.__name__: use for use in (evaluated, voted, solved, traced, looked_at, written)}


@pytest.mark.parametrize(
    ("kind", "use"), [("cuda", name) for name in USES] + [("mps", "evaluated"), ("mps", "written")]
)
def test_a_network_is_used_as_on_a_cpu(kind, use, tiny_splits, arc_folder, monkeypatch):
    monkeypatch.setattr(devices, "prefers_bfloat16", lambda device: False)
    expected = list(USES[use]("cpu", tiny_splits, arc_folder))
    with pretended(kind, monkeypatch):
        found = list(USES[use](kind, tiny_splits, arc_folder))
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("stem", ["trm_singlez", "hrm"])
def test_the_authors_numbers_come_out_on_a_gpu(stem, monkeypatch):
    path = Path(__file__).parent / "golden" / f"{stem}.npz"
    with pretended("cuda", monkeypatch):
        golden = check_parity(path, device="cuda")
    assert golden.ok and len(golden.checks) >= 100


# --- the pretended device notices a fault -------------------------------------------------


def move(thing):
    if isinstance(thing, torch.Tensor):
        return thing.cpu()
    return type(thing)(*map(move, thing)) if hasattr(thing, "_fields") else tuple(map(move, thing))


FAULTS = {  # region: what is forgotten there, and what then fails
    "slots": (thinking, "where", "halt"),
    "advancing": (learner, "advance", "halt"),
    "losses": (loss_functions, "log_stablemax", "stablemax, muon, hints"),
    "optimiser": ("trm_lite.training.muon", "orthogonalised", "stablemax, muon, hints"),
    "puzzle embeddings": (layers.PuzzleEmbedding, "rows", "halt"),
    "layers": (layers, "rms_norm", "urm"),
    "Q-learning": (learner, "worth_of_going_on", "q_learning"),
    "evaluation": (Reasoner, "embed", "evaluated"),
    "voting": (Reasoner, "initial_latents", "voted"),
    "solving": (Reasoner, "initial_latents", "solved"),
    "tracing": (Reasoner, "initial_latents", "traced"),
    "microscope": (Reasoner, "initial_latents", "looked_at"),
    "writing": (autoregressive, "_choose", "written"),
}


@pytest.mark.parametrize("region", FAULTS)
def test_a_tensor_forgotten_on_the_cpu_is_noticed(region, tiny_splits, arc_folder, monkeypatch):
    owner, name, act = FAULTS[region]
    if isinstance(owner, str):
        owner = __import__(owner, fromlist=[name])

    def wrong(*given, **named):
        result = right(*given, **named)
        if isinstance(result, thinking.Carry):
            result.steps = result.steps.cpu()
            return result
        return move(result)

    right = getattr(owner, name)
    monkeypatch.setattr(owner, name, wrong)
    with (
        pretended("cuda", monkeypatch),
        pytest.raises(RuntimeError, match=r"same device|device type"),
    ):
        if act in USES:
            list(USES[act]("cuda", tiny_splits, arc_folder))
        else:
            steps_on("cuda", act, tiny_splits)


def test_the_pretended_device_refuses_what_a_real_one_refuses(monkeypatch):
    with pretended("cuda", monkeypatch):
        x = torch.ones(3, device="cuda")
        with pytest.raises(TypeError, match="can't convert"):
            x.numpy()
        with pytest.raises(RuntimeError, match="same device"):
            x + torch.ones(3)
        with pytest.raises(RuntimeError, match="device type for generator"):
            torch.rand(3, device="cuda", generator=torch.Generator())
        assert (x + torch.tensor(1.0)).sum().item() == 6 and len(Pretended.waits) == 1
        x[x > 0]
        assert "index" in Pretended.waits[-1]
    with pretended("mps", monkeypatch), pytest.raises(TypeError, match="float64"):
        torch.ones(3, device="mps").double()


@pytest.mark.parametrize("what", ["here", "textbook"])
def test_the_bench_times_steps_there(what, small, monkeypatch):
    system = speed.System(what, "float32", False)
    with pretended("cuda", monkeypatch):
        place = devices.pick_device("cuda")
        step = speed.build(system, small, place)
        (paces,) = speed.take_turns({system: step}, 2, 0.01, place).values()
    assert len(paces) == 2 and min(paces) > 0


def test_the_bench_says_where_it_cannot_measure(monkeypatch):
    with pretended("mps", monkeypatch), pytest.raises(UserError, match="Mac's GPU"):
        speed.bench(device="mps")


def test_the_bench_evaluates_there(tiny, monkeypatch):
    monkeypatch.setattr(speed, "from_dict", lambda about: tiny)  # its few puzzles

    def once(runs, *_):
        return {run: [1.0 + bool(work())] for run, work in runs.items()}

    monkeypatch.setattr(speed, "take_turns", once)
    with pretended("cuda", monkeypatch):
        table = speed.evaluation_table("sudoku-6x6", 1, 0.01, devices.pick_device("cuda"), 8)
    assert table["exact_halting"]["value"] > 0.8 and table["puzzles_per_second"]["textbook"] > 0
