"""The bench: speed compared with the machine's limit, a textbook TRM, and a peer from PyPI.

All contenders of a table take turns within one process, so that changes of the machine's speed
affect all of them. What counts are the ratios within a round.
"""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from typing import NamedTuple

import psutil
import torch
from tqdm import tqdm

from trm_lite.common.device import (
    circumstances,
    compiling,
    finish,
    pick_device,
    precision,
    prefers_bfloat16,
)
from trm_lite.common.errors import UserError
from trm_lite.data.dataset import PuzzleSet, Splits
from trm_lite.data.sudokus import sudoku_set
from trm_lite.evaluation.scoring import Evaluation, evaluate, share
from trm_lite.experiments.contenders import PEER, PeerTrainer, TextbookTrainer, TextbookTRM
from trm_lite.experiments.data_speed import batch_share, data_table
from trm_lite.experiments.memory import check_measurable, peak_bytes
from trm_lite.experiments.presets import get_preset
from trm_lite.nets.configs import TRMConfig
from trm_lite.nets.weights import shipped
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS, answer
from trm_lite.training.flops import step_flops
from trm_lite.training.recipe import Preset, from_dict, replace
from trm_lite.training.trainer import Trainer

CPU = torch.device("cpu")
IDLE = 0.15  # largest share of the machine that other programs may use
OURS = 0.9  # a turn that got less than this share of a core was disturbed
CASES = {"sudoku-6x6": 32, "sudoku-9x9": 32, "sudoku-extreme-mlp": 8}  # slots, by preset
MADE_HERE = ("sudoku-6x6", "maze-7x7")  # presets for which drawing a batch is timed
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class System(NamedTuple):
    """A contender of a table."""

    what: str  # "here" (this package), "textbook", or the name of the peer
    format: str  # "float32" or "bfloat16"
    compiled: bool  # by torch.compile
    threads: int = 1  # CPU cores

    def __str__(self) -> str:
        cores = f", {self.threads} cores" if self.threads > 1 else ""
        return f"{self.what}, {self.format}, {'compiled' if self.compiled else 'eager'}{cores}"


class Pace(NamedTuple):
    """How fast a contender was: medians over the rounds, and the range of the ratios."""

    samples_per_second: float  # puzzles that took a training step
    share_of_peak: float  # compared with large matrix products in its format on as many cores
    ratio: float  # speed relative to the textbook in float32, eager, on one core
    ratio_low: float  # lowest ratio of a round
    ratio_high: float  # highest ratio of a round


# --- measuring ----------------------------------------------------------------------------


def refuse_if_busy() -> None:
    """Raise UserError if other programs are using this machine."""
    busy = psutil.cpu_percent(interval=2.0) / 100
    if busy > IDLE:
        raise UserError(
            f"This machine is {busy:.0%} busy with other programs, so times would mean nothing; "
            "stop them and run again."
        )


def take_turns(
    systems: dict[System, Callable[[], object]],
    rounds: int,
    seconds: float,
    device: torch.device = CPU,
) -> dict[System, list[float]]:
    """Time several systems in turns; returns each one's calls per second in each round.

    Raises UserError if other programs disturbed a turn.

    Args:
        systems: what to call for each system.
        rounds: how many turns each has.
        seconds: length of a turn, in which there is at least one call.
        device: where they compute, which is waited for.
    """
    for system, run in tqdm(systems.items(), desc="warming up", leave=False):
        torch.set_num_threads(system.threads)
        for _ in range(3):  # let it compile and allocate memory first
            run()
    paces: dict[System, list[float]] = {system: [] for system in systems}
    for _ in tqdm(range(rounds), desc="timing", unit="round", leave=False):
        for system, run in systems.items():
            torch.set_num_threads(system.threads)
            calls, started, worked = 0, time.perf_counter(), time.process_time()
            while (spent := time.perf_counter() - started) < seconds or not calls:
                run()
                calls += 1
            finish(device)
            spent = time.perf_counter() - started
            if device == CPU and (time.process_time() - worked) / spent < OURS:
                raise UserError("Another program started on this machine; run again later.")
            paces[system].append(calls / spent)
    return paces


def peak_rates(
    threads: int, rounds: int, seconds: float, device: torch.device = CPU
) -> dict[str, float]:
    """Operations per second of large matrix products, by number format: the machine's limit.

    Args:
        threads: CPU cores.
        rounds: see `take_turns`; the best round counts.
        seconds: see `take_turns`.
        device: where to multiply.
    """
    size = 2048 if device == CPU else 8192
    rates = {}
    for name in formats(device):
        a, b = (torch.randn(size, size).to(device, FORMATS[name]) for _ in range(2))
        product = {System("peak", name, False, threads): lambda a=a, b=b: a @ b}
        (paces,) = take_turns(product, rounds, seconds, device).values()
        rates[name] = 2 * size**3 * max(paces)
    return rates


# --- contenders ---------------------------------------------------------------------------


def some_puzzles(config: TRMConfig, count: int) -> PuzzleSet:
    """`count` Sudokus of the network's size; their difficulty does not matter for the speed."""
    size = round(config.seq_len**0.5)
    return sudoku_set(*sudoku.generate(count, size, seed=0, minimal=False, blanks=size * size // 2))


def build(system: System, preset: Preset, device: torch.device = CPU) -> Callable[[], object]:
    """The function that does one training step of a system, with the sizes of `preset`."""
    batch_size, bfloat16 = preset.recipe.batch_size, system.format == "bfloat16"
    puzzles = some_puzzles(preset.model, batch_size)
    if system.what == "here":
        ours = Trainer(
            replace(preset, bfloat16=False),  # autocast below sets the format, not the trainer
            splits=Splits(puzzles, puzzles, puzzles),
            device=str(device),
            progress=False,
            compile=system.compiled,
        )

        def our_step() -> None:
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                ours.step()

        return our_step
    contender = TextbookTrainer if system.what == "textbook" else PeerTrainer
    with device:  # where it makes its tensors
        trainer = contender(preset.model, puzzles.batch(slice(None)).to(device))
    if system.compiled:
        trainer.model.compile()

    def step() -> None:
        translated = compiling() if system.compiled else nullcontext()
        with translated, torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss = trainer.loss()
        trainer.learn(loss)

    return step


def formats(device: torch.device = CPU) -> list[str]:
    """The number formats to measure, beginning with the one that the package uses here.

    bfloat16 is left out where float32 is faster, because it can be so slow that it takes hours.
    """
    return ["bfloat16", "float32"] if prefers_bfloat16(device) else ["float32"]


def systems(all_cores: int, device: torch.device = CPU) -> list[System]:
    """The systems of a training table, the reference first."""
    format = formats(device)[0]
    taking_part = [System("textbook", "float32", False)]
    for what in ("textbook", PEER, "here"):
        if what != PEER or find_spec(PEER):
            taking_part += [System(what, format, compiled) for compiled in (False, True)]
    taking_part += [System("here", "float32", compiled) for compiled in (False, True)]
    if all_cores > 1:
        taking_part.append(System("here", format, True, all_cores))
    return list(dict.fromkeys(taking_part))


# --- tables -------------------------------------------------------------------------------


def bench(
    names: tuple[str, ...] = (), rounds: int = 5, seconds: float = 0.6, device: str = "cpu"
) -> dict:
    """Run the bench; returns all the figures that `bench_text` tells. Takes minutes per case.

    Raises UserError for an unknown case, on a Mac's GPU, and if the machine is not idle.

    Args:
        names: cases, which are presets; all of `CASES` if empty.
        rounds: see `take_turns`.
        seconds: see `take_turns`.
        device: where to train and to evaluate, see `pick_device`; data is made on the CPU.
    """
    place = pick_device(device)
    check_measurable(place)
    for name in names:
        if name not in CASES:
            raise UserError(f"The bench has no case '{name}'; choose {', '.join(CASES)}.")
    refuse_if_busy()
    threads = torch.get_num_threads()
    try:
        cores = (psutil.cpu_count(logical=False) or 1) if place == CPU else 1
        peaks = {count: peak_rates(count, rounds, seconds, place) for count in {1, cores}}
        return {
            "circumstances": circumstances(place, {}),
            "cores": cores,
            "peak_flops": peaks,
            "training": {
                name: training_table(name, CASES[name], peaks, cores, rounds, seconds, place)
                for name in names or CASES
            },
            "evaluation": evaluation_table("sudoku-6x6", rounds, seconds, place),
            "batch_share": {name: batch_share(get_preset(name)) for name in MADE_HERE},
            "data": {what: made._asdict() for what, made in data_table().items()},
        }
    finally:
        torch.set_num_threads(threads)


def training_table(
    name: str,
    batch_size: int,
    peaks: dict,
    cores: int,
    rounds: int,
    seconds: float,
    device: torch.device = CPU,
) -> dict:
    """Measure the training steps of all systems.

    Args:
        name: preset with the sizes of the network.
        batch_size: slots.
        peaks: operations per second of matrix products, by cores and number format.
        cores: CPU cores of the machine.
        rounds: see `take_turns`.
        seconds: see `take_turns`.
        device: where to train.
    """
    preset = replace(get_preset(name), batch_size=batch_size, loss="softmax")
    flops = step_flops(preset)
    torch.compiler.reset()  # torch limits how many variants are compiled, over all tables
    steps = {system: build(system, preset, device) for system in systems(cores, device)}
    print(f"training {name}:", file=sys.stderr)
    paces = take_turns(steps, rounds, seconds, device)
    reference = next(iter(paces.values()))
    rows = {}
    for system, pace in paces.items():
        ratios = [one / other for one, other in zip(pace, reference, strict=True)]
        rate = statistics.median(pace)
        peak = peaks[system.threads][system.format]
        ratio = statistics.median(ratios)
        rows[str(system)] = Pace(
            rate * batch_size, rate * flops / peak, ratio, min(ratios), max(ratios)
        )._asdict()
    eager = System("here", formats(device)[0], compiled=False)
    torch.set_num_threads(1)
    return {
        "slots": batch_size,
        "flops_per_step": flops,
        "peak_bytes": peak_bytes(steps[eager], device),
        "rows": rows,
    }


def lossless_threshold(seen: Evaluation) -> float:
    """The lowest halt logit, in quarters, at which halting loses no puzzle."""
    goal = seen.exact().value
    return next(a / 4 for a in range(200) if seen.when_halting(a / 4)[0].value >= goal)


def evaluation_table(
    name: str, rounds: int, seconds: float, device: torch.device = CPU, count: int = 1_000
) -> dict:
    """Measure evaluation with 16 steps for every puzzle against halting early.

    The halting threshold is the lowest one with which no validation puzzle is lost.

    Args:
        name: preset whose shipped weights are used.
        rounds: see `take_turns`.
        seconds: see `take_turns`.
        device: where to evaluate.
        count: the most test puzzles.
    """
    model, about = shipped(name)
    model.to(device)
    data = from_dict(about["preset"]).data.build()
    above = lossless_threshold(evaluate(model, data.validation, bfloat16=True))
    puzzles = data.test.first(count)
    count = len(puzzles)
    batch = puzzles.batch(slice(None)).to(device)
    plain = TextbookTRM(model.config).to(device).eval()
    start = model.initial_latents(count)
    halted: list = []

    @torch.inference_mode()
    def textbook() -> None:
        y, z = start
        for _ in range(MAX_STEPS):
            y, z, _, _ = plain(batch.inputs, y, z)

    def fixed() -> None:
        evaluate(model, puzzles, bfloat16=True)

    def early() -> None:
        with precision(device, True):
            halted[:] = [answer(model, batch.inputs, halt_above=above)]

    runs = {
        System("textbook", "float32", False): textbook,
        System("16 steps", formats(device)[0], False): fixed,
        System("halting", formats(device)[0], False): early,
    }
    print(f"evaluating {name}:", file=sys.stderr)
    paces = take_turns(runs, rounds, seconds, device)
    _, sixteen, halting = paces.values()
    right = (halted[0].tokens == batch.labels).all(-1)
    ratios = [one / other for one, other in zip(halting, sixteen, strict=True)]
    return {
        "preset": name,
        "halt_above": above,
        "puzzles_per_second": {
            system.what: count * statistics.median(pace) for system, pace in paces.items()
        },
        "steps_on_average": halted[0].steps.float().mean().item(),
        "fewer_applications": MAX_STEPS / halted[0].steps.float().mean().item(),
        "speedup": [statistics.median(ratios), min(ratios), max(ratios)],
        "exact_sixteen": evaluate(model, puzzles, bfloat16=True).exact()._asdict(),
        "exact_halting": share(int(right.sum()), count)._asdict(),
    }
