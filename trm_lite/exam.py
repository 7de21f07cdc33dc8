"""The examination of a trained network: exact match on puzzles it has never seen."""

import json
import math
import platform
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from trm_lite.benchmarks.catalog import unusual
from trm_lite.checkpoints import load_state, load_weights
from trm_lite.device import pick_device
from trm_lite.errors import UserError
from trm_lite.evaluation import Evaluation, Share, evaluate, share
from trm_lite.files import write_atomically
from trm_lite.nets import Autoregressive, Network, build_network
from trm_lite.presets import Preset, from_dict
from trm_lite.puzzles import maze, sudoku
from trm_lite.puzzles.dataset import Data, PuzzleSet, as_set
from trm_lite.puzzles.folder import BuiltData
from trm_lite.puzzles.generated import SudokuData
from trm_lite.ranks import join
from trm_lite.run_folder import preset_of

SHOWN_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


def examine_run(
    run: Path,
    *,
    weights: str = "last",
    split: str = "test",
    steps: int = 16,
    device: str = "auto",
    preset: Preset | None = None,
    kinds: tuple[str, ...] = (),
    count: int | None = None,
    bands: bool = False,
    tries: int = 1,
    noise: float = 0.0,
    batch_size: int = 256,
) -> dict:
    """Examine a run folder or a file of weights; returns what `exam_text` makes readable.

    On the puzzles it was trained for, on those of another `preset`, or on `count` fresh Sudokus
    of other `kinds`; otherwise `count` is of a seeded sample. `bands` adds the exact match by
    difficulty. Of several `tries` at each puzzle the halting head chooses; they differ by `noise`
    on the initial z, or else each but the first sees another guise of the Sudoku. ARC, if built, is
    examined by voting. Several processes share the work.

    `weights` of a folder are the "last" or those of the "best" look, both averaged (EMA), or "raw":
    those with which training would go on. What the whole test split of its own puzzles brought is
    kept there: test-last.json; of ARC also submission.json, for Kaggle, and votes.json, what won
    and who voted for it. Of the best weights it is test-best.json, and so on.
    """
    if steps < 1:
        raise UserError(f"--steps is the number of supervision steps, at least 1, not {steps}.")
    if tries < 1 or noise < 0:
        raise UserError(
            f"--tries is a number of attempts, at least 1, and --noise not negative; not {tries} "
            f"and {noise}."
        )
    usual = tries == 1 and noise == 0  # the exam of the papers
    whole = usual and split == "test" and not kinds and count is None and preset is None
    ranks, place = join(pick_device(device))
    kept = whole and ranks.first and run.is_dir()
    model, about = load(run, weights)
    model.to(place)
    if preset is None and "preset" not in about:
        raise UserError(
            f"{run} does not say which puzzles it is for; name a preset that has them, "
            "such as --preset sudoku-9x9."
        )
    preset = preset or from_dict(about["preset"])
    data = preset.data
    check_fits(run, model, preset, bands)
    if isinstance(model, Autoregressive):
        steps = 1  # what it has written stands
    exam = {"preset": preset.name, "seed": preset.seed, "weights": weights, "split": split}
    if isinstance(data, BuiltData):
        there = data.about()  # --folder may hold another
        exam |= {"benchmark": there.get("name", data.name), "drawn": unusual(there)}
    if data.puzzle == "arc" and isinstance(data, BuiltData):  # a small track: as other puzzles
        from trm_lite.voting import evaluate_arc

        if split != "test" or not usual:
            raise UserError(
                "ARC is examined by a vote on its test split; leave out --split, "
                "--tries and --noise."
            )
        votes = evaluate_arc(
            model,
            data.path,
            augmentations=count,
            steps=steps,
            batch_size=batch_size,
            bfloat16=preset.recipe.bfloat16,
            ranks=ranks,
        )
        exam["pass_at"] = {k: measured._asdict() for k, measured in votes.pass_at().items()}
        exam["exact"] = exam["pass_at"][2]
        if kept:
            which = "" if weights == "last" else f"-{weights}"
            votes.write_submission(run / f"submission{which}.json")
            votes.write_records(run / f"votes{which}.json")
    else:
        if kinds:
            puzzles = fresh_puzzles(data, kinds, 1000 if count is None else count)
            exam["split"] = f"fresh {' and '.join(kinds)}"
        else:
            puzzles = sample(getattr(data.build(), split), count)
        guises = tries > 1 and noise == 0
        if guises and (data.puzzle != "sudoku" or puzzles.augment is None):
            raise UserError(
                "Only Sudokus that are not stored in guises already can be shown in several; make "
                "attempts differ by --noise, such as --tries 8 --noise 0.3."
            )
        attempts = [
            evaluate(
                model,
                puzzles,
                steps=steps,
                batch_size=batch_size,
                bfloat16=preset.recipe.bfloat16,
                ranks=ranks,
                keep_answers=data.puzzle == "maze",
                noise=noise,
                guises=guises and attempt > 0,
                seed=attempt * len(puzzles),
            )
            for attempt in range(tries)
        ]
        result = Evaluation.most_confident(attempts)
        exam |= {"tries": tries, "noise": noise}
        exam |= summary(result)
        if tries > 1:
            so_far = range(1, tries + 1)
            exam["exact_by_try"] = {
                k: Evaluation.most_confident(attempts[:k]).exact()._asdict() for k in so_far
            }
        if data.puzzle == "maze":
            exam["shortest_path"] = shortest_paths(puzzles, result)._asdict()
        if bands:
            by_band = exact_by_band(puzzles, result)
            exam["bands"] = {name: measured._asdict() for name, measured in by_band.items()}
    exam["circumstances"] = circumstances(model.device, about)
    if kept:
        text = json.dumps(exam, indent=1) + "\n"
        write_atomically(run / f"test-{weights}.json", text.encode())
    return exam


def load(run: Path, which: str = "last") -> tuple[Network, dict]:
    """The network of a file, or the `which` one of a run folder, and what is said about it."""
    if which == "raw":
        if not run.is_dir():
            raise UserError(
                "A file holds one set of weights; name the run folder for the raw ones."
            )
        state = load_state(run / "last.pt")
        preset = preset_of(run)
        model = build_network(preset.model)
        model.load_state_dict(state["model"])
        return model.eval(), {"preset": asdict(preset), "look": {"step": state["steps_done"]}}
    if not run.is_dir():
        return load_weights(run)
    path = run / f"{which}.safetensors"
    if not path.exists():
        raise UserError(f"{run} holds no {path.name} yet; train it for longer first.")
    return load_weights(path)


def check_fits(run: Path, model: Network, preset: Preset, bands: bool) -> None:
    """UserError unless `model` reads the puzzles of `preset`."""
    there, here = model.config, preset.data
    if (there.vocab_size, there.seq_len) != (here.vocab_size, here.seq_len):
        raise UserError(
            f"The network in {run} reads {there.seq_len} cells of {there.vocab_size} tokens, but "
            f"the puzzles of '{preset.name}' have {here.seq_len} cells of {here.vocab_size} tokens."
        )
    if bands and here.puzzle != "sudoku":
        raise UserError("--bands tells Sudokus apart by difficulty; leave it out.")


def sample(puzzles: PuzzleSet, count: int | None) -> PuzzleSet:
    """All `puzzles`, or a seeded draw of `count`."""
    if count is None or count >= len(puzzles):
        return puzzles
    if count < 1:
        raise UserError(f"--count is a number of puzzles, at least 1, not {count}.")
    rows = torch.randperm(len(puzzles), generator=torch.Generator().manual_seed(0))[:count]
    return puzzles.at(rows.sort().values)


def summary(result: Evaluation) -> dict:
    """Exact match by supervision step, and when the model halts itself."""
    steps, count = result.correct.shape
    shown = [step for step in SHOWN_STEPS if step < steps] + [steps]
    halting, mean_steps = result.when_halting()
    return {
        "puzzles": count,
        "exact": result.exact()._asdict(),
        "exact_by_step": {step: result.exact(step)._asdict() for step in shown},
        "cells": result.cells[-1].mean().item(),
        "when_halting": {**halting._asdict(), "mean_steps": mean_steps},
    }


def exam_text(exam: dict) -> str:
    """What `examine_run` found, to read."""

    def shown(measured: dict) -> str:
        return str(Share(**{name: measured[name] for name in Share._fields}))

    if "pass_at" in exam:
        tasks = exam["exact"]["count"]
        lines = [f"{exam['preset']}: {tasks} tasks, solved within K tries [95 % interval]"]
        lines += [f"  K = {k:<5} {shown(at)}" for k, at in exam["pass_at"].items()]
        return "\n".join(lines)
    lines = [
        f"{exam['preset']}: {exam['puzzles']} {exam['split']} puzzles, "
        "solved exactly [95 % interval]"
    ]
    if exam["noise"]:
        lines.append(f"  from a start with noise of {exam['noise']}")
    if exam["tries"] > 1:
        differ = "" if exam["noise"] else ", the puzzle in another guise each"
        lines.append(f"  {exam['tries']} attempts{differ}; the halting head chooses")
    for step, measured in exam["exact_by_step"].items():
        plural = "s" if int(step) > 1 else " "
        lines.append(f"  after {step:3} supervision step{plural}  {shown(measured)}")
    halting = exam["when_halting"]
    lines.append(
        f"  when it halts itself     {shown(halting)}  after {halting['mean_steps']:.2f} steps on "
        "average"
    )
    if "shortest_path" in exam:
        lines.append(f"  any shortest path        {shown(exam['shortest_path'])}")
    if "bands" in exam:
        lines.append(f"By difficulty, after {step} steps:")
        for name, measured in exam["bands"].items():
            lines.append(f"  {name:24} {shown(measured):22} of {measured['count']}")
    return "\n".join(lines)


def circumstances(device: torch.device, about: dict) -> dict:
    """What a figure needs to be believed: hardware, versions, and how far it was trained."""
    try:
        here = Path(__file__).parent
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        commit = ""
    gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if gpu else f"{device.type} {cpu_name()}",
        "torch": torch.__version__,
        "commit": commit or None,
        "look": about.get("look"),
    }


def cpu_name() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def shortest_paths(puzzles: PuzzleSet, result: Evaluation) -> Share:
    """How many of the final answers to mazes are a shortest path, though perhaps another one."""
    mazes, answers = (maze.from_tokens(t.numpy()) for t in (puzzles.inputs, result.answers))
    return share(int(maze.is_shortest_path(mazes, answers).sum()), len(mazes))


def fresh_puzzles(data: Data, kinds: tuple[str, ...], count: int) -> PuzzleSet:
    """`count` Sudokus of `kinds` made from another seed, without twins of the training puzzles."""
    if not isinstance(data, SudokuData):
        raise UserError("--kinds needs a preset of Sudokus that are made here; leave it out.")
    sizes = {"train": 0, "validation": 0, "test": count}
    other = replace(data, kinds=kinds, puzzle_seed=data.puzzle_seed + 1, **sizes)
    train = _boards(data.build().train)
    known = {sudoku.canonical_form(*pair) for pair in zip(*train, strict=True)}
    puzzles, solutions = _boards(other.build().test)
    rows = sudoku.without_twins(puzzles, solutions, of=known)
    return as_set(puzzles[rows], solutions[rows])


def _boards(puzzles: PuzzleSet) -> tuple[np.ndarray, np.ndarray]:
    """Puzzles and solutions as boards, both (N, n*n)."""
    return tuple(sudoku.from_tokens(t.numpy()) for t in (puzzles.inputs, puzzles.labels))


def exact_by_band(puzzles: PuzzleSet, result: Evaluation) -> dict[str, Share]:
    """Exact match after the last step by what a solver needs (see `sudoku.rate`), easiest first."""
    rating = sudoku.rate(_boards(puzzles)[0])
    bands = {
        f"singles, {low} to {high} rounds" if high < 99 else f"singles, {low} rounds or more": (
            (rating.needs == "singles") & (rating.rounds >= low) & (rating.rounds <= high)
        )
        for low, high in ((1, 5), (6, 9), (10, 99))
    }
    bands["locked candidates"] = rating.needs == "locked candidates"
    for low, high in ((0, 2), (2, 10), (10, 30), (30, math.inf)):
        name = f"{low} to {high} guesses" if high < math.inf else f"{low} guesses or more"
        search = rating.needs == "search"
        bands[name] = search & (rating.guesses >= low) & (rating.guesses < high)
    right = result.correct[-1].numpy()
    return {
        name: share(int(right[rows].sum()), int(rows.sum()))
        for name, rows in bands.items()
        if rows.any()
    }
