"""The checks of an acceptance run, see `acceptance`: each tells what it measured, and its bars."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import Tensor

from trm_lite.common.device import finish
from trm_lite.common.ranks import leave
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.evaluation.scoring import evaluate
from trm_lite.evaluation.solving import solve_boards
from trm_lite.experiments import planning, roofline
from trm_lite.experiments.acceptance import Check, Site
from trm_lite.experiments.memory import memory
from trm_lite.experiments.presets import get_preset
from trm_lite.nets.weights import shipped
from trm_lite.training.flops import step_flops
from trm_lite.training.recipe import Preset, replace
from trm_lite.training.saver import Saver
from trm_lite.training.trainer import Trainer

FULL_SIZE = ("sudoku-extreme-mlp", "sudoku-extreme-att", "maze-hard", "arc-agi-1")
CLOSE = 1e-3  # relative, for numbers of float32 that two devices or programs compute
SLOWER = 2.5  # times the shortest possible time of a step


@contextmanager
def exact_float32() -> Iterator[None]:
    """No TF32 within, because numbers are compared."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def apart(some: list[Tensor], others: list[Tensor]) -> float:
    """The norm of the difference of two lists of tensors, relative to the second one's."""
    one, other = (
        torch.cat([tensor.detach().cpu().double().flatten() for tensor in tensors])
        for tensors in (some, others)
    )
    return float((one - other).norm() / other.norm())


def small(site: Site, name: str = "sudoku-6x6-att", **changes) -> Preset:
    """A mini preset in float32, whose steps do not amplify rounding."""
    sizes = {"train": 64, "validation": 16, "test": 16, "batch_size": 16, "bfloat16": False}
    if site.tiny:
        sizes |= {"hidden_size": 16, "num_heads": 2, "T": 1, "n": 1, "train": 32, "batch_size": 8}
    return replace(get_preset(name), **sizes | changes)


def trained(preset: Preset, device: str, steps: int, **options) -> tuple[list[Tensor], list[float]]:
    """The weights and losses of a few steps."""
    trainer = Trainer(preset, device=device, progress=False, **options)
    with exact_float32():
        losses = [float(trainer.step().total.detach()) for _ in range(steps)]
    return [p.detach().cpu() for p in trainer.model.parameters()], losses


# --- the sections ---------------------------------------------------------------------------------


def authors_numbers(site: Site) -> list[Check]:
    """Forward passes, losses, gradients and ten steps of the authors' code, on the device."""
    return site.parity(site.name)


def same_as_cpu(site: Site) -> list[Check]:
    """Ten training steps as on the CPU, whole and in parts."""
    preset, steps = small(site), 3 if site.tiny else 10
    expected, _ = trained(preset, "cpu", steps, compile=False)
    checks = []
    for name, options in (("whole", {}), ("in parts", {"micro_batch": 6})):
        found, _ = trained(preset, site.name, steps, compile=False, **options)
        checks.append(Check(f"weights after {steps} steps, {name}", apart(found, expected), CLOSE))
    return checks


def resuming(site: Site) -> list[Check]:
    """Stopped and continued, a run ends where it would have ended anyway."""
    preset = small(site, eval_every=100, hints=0.5)
    ends = {}
    for name, stops in {"once": (6,), "twice": (3, 6)}.items():
        for stop in stops:
            options = {"folder": site.folder / name, "compile": False, "progress": False}
            trainer = Trainer(preset, device=site.name, **options)
            trainer.train(stop)
        ends[name] = list(trainer.model.parameters())
    there = Trainer(preset, device="cpu", folder=site.folder / "once", progress=False)
    goes_on = float(torch.isfinite(there.step().total))
    exact = 1e-6 if site.gpu else 0.0  # a GPU adds up in any order
    return [
        Check("weights, stopped once", apart(ends["twice"], ends["once"]), exact),
        Check("goes on upon the CPU", goes_on, 1, least=True),
    ]


def compiling(site: Site) -> list[Check]:
    """Compiled, and replayed as CUDA graphs, the steps are those of eager mode."""
    preset = small(site)
    expected, losses = trained(preset, site.name, 3, compile=False)
    ways = {"compiled": {"compile": True}}
    if site.gpu:
        ways["CUDA graphs"] = {"graphs": True}
    checks = []
    for name, options in ways.items():
        torch.compiler.reset()
        with _quick_compiler() if site.tiny else nullcontext():
            found, seen = trained(preset, site.name, 3, **options)
        gap = max(abs(a - b) / abs(b) for a, b in zip(seen, losses, strict=True))
        checks.append(Check(f"losses, {name}", gap, CLOSE))
        checks.append(Check(f"weights, {name}", apart(found, expected), CLOSE))
    return checks


@contextmanager
def _quick_compiler() -> Iterator[None]:
    """torch.compile takes the network apart within, but makes no code, which takes a minute."""
    real = torch.compile

    def quick(function, **options) -> Callable:
        return real(function, backend="aot_eager", fullgraph=True, dynamic=False)

    torch.compile = quick
    try:
        yield
    finally:
        torch.compile = real


def waiting(site: Site) -> list[Check]:
    """How often a training step makes the CPU wait, by torch's own account."""
    if not site.gpu:
        return [Check("waits in a step", 0, note="counted on NVIDIA GPUs only")]
    trainer = Trainer(small(site), device=site.name, compile=False, progress=False)
    for _ in range(3):
        trainer.step()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        trainer.step()
        torch.cuda.set_sync_debug_mode("default")
    site.notes["places"] = [f"{said.filename}:{said.lineno}" for said in seen]
    return [Check("waits in a step", len(seen), 1)]


def solving(site: Site) -> list[Check]:
    """Shipped weights solve on the device what they solve on the CPU."""
    count, steps = (16, 2) if site.tiny else (500, 16)
    puzzles = replace(get_preset("sudoku-6x6"), train=16, validation=16, test=count).data.build()
    shares = []
    with exact_float32():
        for place in ("cpu", site.name):
            model = shipped("sudoku-6x6")[0].to(place)
            shares.append(evaluate(model, puzzles.test, steps=steps).exact().value)
    boards = puzzles.test.inputs[:8].numpy()
    answers = solve_boards(model, boards, max_steps=steps, tries=2)
    return [
        Check("share solved, difference from the CPU", abs(shares[0] - shares[1]), 5e-3),
        Check("answers of solve", len(answers), len(boards), least=True),
    ]


def learning(site: Site) -> list[Check]:
    """A TRM for 6x6 Sudoku from nothing to 98 % of unseen puzzles, in seconds."""
    preset = get_preset("sudoku-6x6")
    if site.tiny:
        preset = replace(small(site, "sudoku-6x6"), steps=4, eval_every=4, patience=0)
    trainer = Trainer(preset, device=site.name, folder=site.folder / "learning", progress=False,
                      compile=site.gpu)  # fmt: skip
    if not trainer.train():
        raise KeyboardInterrupt  # which ends all checks, as it does outside of a training
    exact = evaluate(trainer.ema.module, trainer.splits.test, bfloat16=True).exact()
    return [
        Check("unseen solved", exact.value, None if site.tiny else 0.98, least=True),
        Check("seconds of training", trainer.seconds, 60.0 if site.gpu else None),
    ]


def full_size(site: Site) -> list[Check]:
    """Steps of the four full-size networks: time, share of the peak, memory against the plan."""
    name = torch.cuda.get_device_name(site.device) if site.gpu else ""
    card = next((gpu for known, gpu in planning.GPUS.items() if known in name), None)
    return [check for preset in FULL_SIZE for check in _pace(site, preset, card)]


def _pace(site: Site, name: str, card: planning.GPU | None) -> list[Check]:
    preset = get_preset(name)
    if site.tiny:
        preset = replace(preset, hidden_size=16, batch_size=4, T=1, n=1, multiple_of=16)
    needs = memory(preset)
    fit = planning.fit(preset, card or planning.GPUS["A100"], needs)
    options = {"micro_batch": fit.micro_batch, "recompute": fit.recompute}
    if site.gpu:
        torch.compiler.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    trainer = Trainer(preset, splits=made_up(preset), device=site.name, progress=False, **options)
    count = 1 if site.tiny else 5
    for _ in range(1 if site.tiny else 2):
        trainer.step()
    finish(site.device)
    started = time.perf_counter()
    for _ in range(count):
        trainer.step()
    finish(site.device)
    seconds = (time.perf_counter() - started) / count
    hours = seconds * preset.recipe.steps / 3600
    checks = [Check(f"{name}, ms per step", 1e3 * seconds, note=f"{hours:.1f} hours of training")]
    if card is not None:
        peak = step_flops(preset) / seconds / card.teraflops / 1e12
        share = planning.authors_share(preset)
        theirs = f"the authors' runs at least {share:.1%}" if share else ""
        checks.append(Check(f"{name}, share of the peak rate", peak, note=theirs))
        best = roofline.bounds(roofline.count_step(preset), card)["compiled"].seconds
        checks.append(Check(f"{name}, times the shortest time", seconds / best, SLOWER))
    if site.gpu:
        example = needs.example_recomputed if fit.recompute else needs.example
        planned = needs.fixed + fit.micro_batch * example
        used = torch.cuda.max_memory_allocated() / planned
        checks.append(Check(f"{name}, memory against the plan", used, 1.15))
    return checks


def made_up(preset: Preset, count: int = 1_000) -> Splits:
    """Boards of random tokens, for steps whose results do not matter."""
    config, generator = preset.model, torch.Generator().manual_seed(0)
    shape = (count, config.seq_len)
    boards = torch.randint(1, config.vocab_size, shape, generator=generator, dtype=torch.uint8)
    puzzles = PuzzleSet(boards, boards, torch.arange(count) % config.num_puzzles)
    return Splits(puzzles, puzzles, puzzles)


def saving(site: Site) -> list[Check]:
    """How long a save of the largest slots makes training wait, and what it costs in all."""
    preset = get_preset("maze-hard")
    if site.tiny:
        preset = replace(preset, hidden_size=16, batch_size=4, T=1, n=1)
    trainer = Trainer(preset, splits=made_up(preset), device=site.name, compile=False,
                      folder=site.folder / "saving", progress=False)  # fmt: skip
    with Saver(trainer.folder) as saver:
        started = time.monotonic()
        trainer._begin_saving(saver)
        waited = time.monotonic() - started
        saver.finish()
    bytes = (site.folder / "saving" / "last.pt").stat().st_size
    wait = max(60.0, 100 * saver.cost)
    return [
        Check("seconds that training waits", waited, 10.0, note=f"{bytes / 1e9:.2f} GB"),
        Check("share of the time", saver.cost / wait, 0.01, note=f"one save in {wait:.0f} s"),
    ]


def several_processes(site: Site) -> list[Check]:
    """Two processes take the steps of one; and NCCL, where there are GPUs."""
    preset, steps = small(site), 2 if site.tiny else 4
    alone, _ = trained(preset, "cpu", steps, compile=False)
    places = ["cpu"]
    if site.gpu and torch.cuda.device_count() > 1:
        places.append("cuda")
    checks = []
    for number, place in enumerate(places):
        file = site.folder / f"together-{place}.pt"
        arguments = (preset, steps, place, 29_555 + number, str(file))
        processes.start_processes(_one_of_two, arguments, nprocs=2, start_method="spawn")
        together = torch.load(file)
        checks.append(Check(f"weights of two processes, {place}", apart(together, alone), CLOSE))
    if site.gpu:
        checks.append(Check("NCCL alone", _nccl(site), 1, least=True))
    return checks


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip


def _one_of_two(rank: int, preset: Preset, steps: int, place: str, port: int, file: str) -> None:
    os.environ.update(_environment(rank, 2, port))
    torch.set_num_threads(1)
    weights, _ = trained(preset, place, steps, compile=False)
    if rank == 0:
        torch.save(weights, file)
    leave()


def _nccl(site: Site) -> float:
    """1.0 if a group of one process can talk by NCCL and by the CPU."""
    before = dict(os.environ)
    os.environ.update(_environment(0, 1, 29_560))
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl", device_id=site.device)
        tensor = torch.ones(3, device=site.device)
        dist.all_reduce(tensor)
        said: list = [None]
        dist.all_gather_object(said, (1, "two"))
        return float(said == [(1, "two")] and bool((tensor == 1).all()))
    finally:
        leave()
        os.environ.clear()
        os.environ.update(before)


SECTIONS = {
    "parity": authors_numbers,
    "same as CPU": same_as_cpu,
    "resuming": resuming,
    "solving": solving,
    "learning": learning,
    "full size": full_size,
    "compiling": compiling,
    "waiting": waiting,
    "saving": saving,
    "processes": several_processes,
}
