"""Test a trained network: exact match on puzzles that it has never seen."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import torch

from trm_lite.common.choices import Choice
from trm_lite.common.device import circumstances, compiles_by_default, pick_device
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.common.ranks import Ranks, join
from trm_lite.data.benchmarks.options import BENCHMARKS, unusual
from trm_lite.data.dataset import PuzzleSet
from trm_lite.data.settings import BuiltData, Data, PuzzleData, SudokuData
from trm_lite.data.sudokus import boards_in, sudoku_set
from trm_lite.evaluation.halting import evaluate_halting
from trm_lite.evaluation.measures import by_band, summary
from trm_lite.evaluation.scoring import Evaluation, evaluate
from trm_lite.evaluation.voting import evaluate_arc
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.build import Network, Uninitialised, build_network, resized
from trm_lite.nets.compiling import compile_hot
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, steps_in_training
from trm_lite.puzzles import sudoku
from trm_lite.training.exam_options import USUAL, ExamOptions
from trm_lite.training.recipe import Preset, from_dict
from trm_lite.training.run_folder import preset_of
from trm_lite.training.saved_state import load_state, misfit
from trm_lite.training.start import carry_as_asked

MANY = 5_000  # puzzles from which on an exam on a GPU is worth compiling for


def examine_run(
    run: Path,
    options: ExamOptions = USUAL,
    *,
    preset: Preset | None = None,
    device: str = "auto",
    compile: bool | None = None,
    puzzle: Path | None = None,
) -> dict:
    """Test the network of a run; returns the results, which `exam_text` shows as text.

    The full ARC benchmarks are decided by voting. Several processes share the work. Raises
    UserError if the network does not fit the puzzles.

    If a run folder is tested on its whole test split, the results are also saved there, in
    test-last.json (or test-best.json, by the weights). For ARC this adds submission.json, for
    Kaggle, and votes.json, with the winning grids and the puzzles that voted for them. Where no
    answer is known, nothing is scored, and these two are all.

    Args:
        run: a run folder, or a file of weights.
        options: what to test.
        preset: take its puzzles; by default those that the network was trained on.
        device: see `pick_device`.
        compile: use torch.compile; by default for many puzzles on NVIDIA GPUs.
        puzzle: the puzzle file, for weights of a puzzle of your own outside of their run folder.
    """
    ranks, place = join(pick_device(device))
    model, about = load(run, options.weights)
    model.to(place)
    options = options.settled(steps_in_training(about))
    kept = options.whole_test and preset is None and ranks.first and run.is_dir()
    preset = preset or _own_preset(run, about, puzzle)
    if getattr(model.config, "fits_other_boards", False):
        model = resized(model, preset.data.vocab_size, preset.data.seq_len)
    check_fits(run, model, preset)
    carry_as_asked(model, preset.recipe, place)
    exam = _heading(preset, options)
    if isinstance(preset.data, BuiltData) and preset.data.identifiers > 1:
        exam |= _examine_by_vote(model, preset, options, ranks, compile, run if kept else None)
    else:  # this includes the small ARC tasks
        exam |= _examine_by_puzzle(model, preset, options, ranks, compile)
    exam["circumstances"] = circumstances(model.device, about)
    if kept and "exact" in exam:
        text = json.dumps(exam, indent=1) + "\n"
        write_atomically(run / f"test-{options.weights}.json", text.encode())
    return exam


def _own_preset(run: Path, about: dict, puzzle: Path | None) -> Preset:
    """The preset that a network was trained with.

    A puzzle file is executed only from the run folder, or if the user names it: what a weights
    file says must not decide that.
    """
    if "preset" not in about:
        raise UserError(
            f"{run} does not say which puzzles it is for; name a preset with such puzzles.",
            "preset",
        )
    preset = from_dict(about["preset"])
    data = preset.data.seen_from(run)
    own = isinstance(data, BuiltData) and data.name not in BENCHMARKS
    if own and not data.path.exists():
        raise UserError(
            f"The puzzles of {run} were in {data.path}, which is gone; name the folder that they "
            "are in now.",
            "preset",
        )
    if isinstance(data, PuzzleData) and (puzzle is not None or not run.is_dir()):
        data = data.named(puzzle)
    return replace(preset, data=data)


def _heading(preset: Preset, options: ExamOptions) -> dict:
    """The part of the results that says what was tested, and on which puzzles."""
    exam = {
        "preset": preset.name,
        "seed": preset.seed,
        "weights": options.weights,
        "split": f"fresh {' and '.join(options.kinds)}" if options.kinds else options.split,
    }
    if isinstance(preset.data, BuiltData):
        there = preset.data.about()  # the folder may hold another benchmark
        exam |= {"benchmark": there.get("name", preset.data.name), "drawn": unusual(there)}
    return exam


def _compile_for(model: Network, puzzles: int, compile: bool | None) -> None:
    """Compile the network if asked to, or by default if there are so many puzzles to be tested."""
    worth_it = puzzles >= MANY and compiles_by_default(model.device)
    if worth_it if compile is None else compile:
        compile_hot(model)


def _examine_by_vote(
    model: Network,
    preset: Preset,
    options: ExamOptions,
    ranks: Ranks,
    compile: bool | None,
    keep_in: Path | None,
) -> dict:
    """Test on a full ARC benchmark, and write submission and votes into `keep_in`, if given."""
    if options.split != "test" or not options.as_in_the_papers:
        raise UserError(
            "ARC is tested by one vote on its test split; leave these options out.",
            "split", "tries", "noise", "halt",
        )  # fmt: skip
    if isinstance(model, Autoregressive):
        raise UserError(
            "A network that writes token by token cannot take part in ARC's vote; use another one."
        )
    _compile_for(model, MANY, compile)
    votes = evaluate_arc(
        model,
        preset.data.path,
        augmentations=options.count,
        steps=options.steps,
        batch_size=options.batch_size,
        bfloat16=preset.recipe.bfloat16,
        ranks=ranks,
    )
    exam: dict = {"tasks": len(votes.tests), "unanswered": votes.unanswered()}
    if keep_in is not None:
        which = "" if options.weights == "last" else f"-{options.weights}"
        exam["submission"] = str(keep_in / f"submission{which}.json")
        votes.write_submission(Path(exam["submission"]))
        votes.write_records(keep_in / f"votes{which}.json")
    pass_at = {k: measured._asdict() for k, measured in votes.pass_at().items()}
    return exam | {"pass_at": pass_at} | ({"exact": pass_at[2]} if pass_at else {})


def _examine_by_puzzle(
    model: Network, preset: Preset, options: ExamOptions, ranks: Ranks, compile: bool | None
) -> dict:
    """Test by exact match, with the further measures that these puzzles allow."""
    data = preset.data
    puzzles = exam_puzzles(data, options)
    if not options.halt:  # where the sizes of the batches vary, and each would be compiled anew
        _compile_for(model, len(puzzles) * options.tries, compile)
    vary, by = how_attempts_differ(model, puzzles, options), options.choose
    attempts = make_attempts(model, puzzles, preset, options, ranks, vary)
    result = attempts[0]
    if options.tries > 1:
        result = Evaluation.best_of(attempts, by, options.window)
    on = model.initial_latents(1).present(options.noise_on) if isinstance(model, Reasoner) else ""
    noisy = f"{on} before {'every' if options.noise_every_step else 'the first'} step"
    exam = {"tries": options.tries, "noise": options.noise, "noisy": noisy, "choose": by}
    exam |= {"halt": options.halt} | summary(result)
    if options.tries > 1:
        exam["vary"] = vary
        exam["exact_by_try"] = {
            k: Evaluation.best_of(attempts[:k], by, options.window).exact()._asdict()
            for k in range(1, options.tries + 1)
        }
        exam["exact_by_choice"] = {
            choice: Evaluation.best_of(attempts, choice, options.window).exact()._asdict()
            for choice in get_args(Choice)
        } | {"any": Evaluation.any_right(attempts)._asdict()}
    if puzzles.puzzle is not None:
        exam["valid_is"] = puzzles.puzzle.valid
    if options.bands:
        for name, right in (("bands", result.correct[-1]), ("bands_any_valid", result.valid)):
            if right is not None:
                shares = by_band(puzzles, right)
                exam[name] = {band: measured._asdict() for band, measured in shares.items()}
    return exam


def exam_puzzles(data: Data, options: ExamOptions) -> PuzzleSet:
    """The puzzles of an exam. Raises UserError if there are none."""
    if options.count == 0:
        raise UserError("A test needs at least 1 puzzle, not 0.", "count")
    if options.kinds:
        return fresh_puzzles(data, options.kinds, options.count or 1000)
    puzzles = sample(getattr(data.build(), options.split), options.count)
    if not len(puzzles):
        raise UserError(f"The {options.split} split is empty; test on another one.", "split")
    return puzzles


def how_attempts_differ(model: Network, puzzles: PuzzleSet, options: ExamOptions) -> str:
    """What varies between attempts: "start", "noise" or "guise"; UserError if it cannot."""
    draws = getattr(model, "draws", False)
    if options.noise and not isinstance(model, Reasoner):
        raise UserError(
            "A network that writes token by token has no latents to disturb; leave the noise out.",
            "noise",
        )
    vary = options.vary or ("noise" if options.noise else "start" if draws else "guise")
    if vary == "start" and not draws:
        raise UserError(
            "This network always starts from the same latents; let the attempts differ otherwise.",
            "vary",
        )
    if options.tries > 1 and vary == "guise" and not puzzles.has_guises:
        raise UserError(
            "Only puzzles that have the field symmetry, and are not stored in several guises, can "
            "be tried in several; let the attempts differ by noise instead, such as 0.3.",
            "noise",
        )
    return vary


def make_attempts(
    model: Network,
    puzzles: PuzzleSet,
    preset: Preset,
    options: ExamOptions,
    ranks: Ranks,
    vary: str,
) -> list[Evaluation]:
    """The evaluation of each attempt. In the first, no puzzle is in another guise."""
    how = {"steps": options.steps, "bfloat16": preset.recipe.bfloat16, "ranks": ranks}
    if options.halt and isinstance(model, Reasoner):
        slots = options.batch_size
        return [evaluate_halting(model, puzzles, **how, slots=slots, seed=options.seed)]
    return [
        evaluate(
            model,
            puzzles,
            **how,
            batch_size=options.batch_size,
            rules=True,
            noise=options.noise,
            noise_on=options.noise_on,
            noise_every_step=options.noise_every_step,
            guises=vary == "guise" and attempt > 0,
            seed=options.seed + attempt * len(puzzles),
        )
        for attempt in range(options.tries)
    ]


def load(run: Path, which: str = "last") -> tuple[Network, dict]:
    """The network in a file, or with the weights `which` of a run folder, and its `about`.

    `which` is "last", "best" or "raw", see `ExamOptions`. Raises UserError if there is none.
    """
    if which == "raw":
        if not run.is_dir():
            raise UserError(
                "A weights file does not hold the raw weights; name the run folder instead."
            )
        state = load_state(run / "last.pt")
        preset = preset_of(run)
        with Uninitialised():
            model = build_network(preset.model)
        own = {"model": model.state_dict(), "steps_done": 0}
        if problem := misfit(state, own):
            raise UserError(f"{run / 'last.pt'} is not the state of that run: {problem}.")
        model.load_state_dict(state["model"])
        return model.eval(), {"preset": asdict(preset), "look": {"step": state["steps_done"]}}
    if not run.is_dir():
        return load_weights(run)
    path = run / f"{which}.safetensors"
    if path.exists():
        return load_weights(path)
    if (run / "about.json").exists():
        raise UserError(
            f"{run} holds puzzles and not a network; train one with 'trm-lite train {run}', and "
            "name the folder of that run."
        )
    raise UserError(f"{run} holds no {path.name} yet; train it for longer first.")


def check_fits(run: Path, model: Network, preset: Preset) -> None:
    """Raise UserError unless the network can read the puzzles of `preset`.

    Args:
        run: where the network comes from, for the message.
        model: the network.
        preset: whose puzzles are asked.
    """
    there, here = model.config, preset.data
    if (there.vocab_size, there.seq_len) != (here.vocab_size, here.seq_len):
        raise UserError(
            f"The network in {run} reads {there.seq_len} cells of {there.vocab_size} tokens, but "
            f"the puzzles of '{preset.name}' have {here.seq_len} cells of {here.vocab_size} tokens;"
            " choose a preset that fits."
        )


def sample(puzzles: PuzzleSet, count: int | None) -> PuzzleSet:
    """`count` of the puzzles, always the same random ones; all of them if None."""
    if count is None or count >= len(puzzles):
        return puzzles
    rows = torch.randperm(len(puzzles), generator=torch.Generator().manual_seed(0))[:count]
    return puzzles.at(rows.sort().values)


def fresh_puzzles(data: Data, kinds: tuple[str, ...], count: int) -> PuzzleSet:
    """New Sudokus that are no twins of the training puzzles of `data`.

    At small sizes there can be fewer than `count`, because twins are left out. There are so many
    9x9 Sudokus that a twin practically never occurs, so the training puzzles are not made, which
    can take minutes, to look for one. Raises UserError if `data` is not generated Sudokus.

    Args:
        data: says the size of the Sudokus and which were trained on.
        kinds: the kinds of the new ones, mixed in equal parts.
        count: how many to make.
    """
    if not isinstance(data, SudokuData):
        raise UserError(
            "New puzzles can only be generated for presets of generated Sudokus; leave this out.",
            "kinds",
        )
    sizes = {"train": 0, "validation": 0, "test": count}
    other = replace(data, kinds=kinds, puzzle_seed=data.puzzle_seed + 1, **sizes)
    known = set()
    if data.size < 9:
        train = boards_in(data.build().train)
        known = set(sudoku.canonical_forms(*train))
    puzzles, solutions = boards_in(other.build().test)
    rows = sudoku.without_twins(puzzles, solutions, of=known)
    return sudoku_set(puzzles[rows], solutions[rows])
