"""The examination of a trained network: exact match on puzzles it has never seen."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import torch

from trm_lite.common.device import circumstances, pick_device
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.common.ranks import Ranks, join
from trm_lite.common.tables import columns
from trm_lite.data.benchmarks.options import unusual
from trm_lite.data.dataset import PuzzleSet
from trm_lite.data.settings import BuiltData, Data, SudokuData
from trm_lite.data.sudokus import sudoku_set
from trm_lite.evaluation.measures import _boards, exact_by_band, shortest_paths, summary
from trm_lite.evaluation.scoring import Evaluation, Share, evaluate
from trm_lite.evaluation.voting import evaluate_arc
from trm_lite.nets.autoregressive import Autoregressive
from trm_lite.nets.build import Network, build_network
from trm_lite.nets.weights import load_weights
from trm_lite.puzzles import sudoku
from trm_lite.training.exam_options import USUAL, ExamOptions
from trm_lite.training.recipe import Preset, from_dict
from trm_lite.training.run_folder import load_state, preset_of


def examine_run(
    run: Path,
    options: ExamOptions = USUAL,
    *,
    preset: Preset | None = None,
    device: str = "auto",
) -> dict:
    """Examine a run folder or a file of weights; returns what `exam_text` makes readable.

    The puzzles are those it was trained for, or those of another `preset`. ARC, if built, is
    examined by voting. Several processes share the work.

    What the whole test split of its own puzzles brought is kept in the folder: test-last.json; of
    ARC also submission.json, for Kaggle, and votes.json, what won and who voted for it. Of the
    best weights it is test-best.json, and so on.
    """
    ranks, place = join(pick_device(device))
    model, about = load(run, options.weights)
    model.to(place)
    kept = options.whole_test and preset is None and ranks.first and run.is_dir()
    preset = preset or _own_preset(run, about)
    check_fits(run, model, preset, options)
    exam = _heading(preset, options)
    if preset.data.puzzle == "arc" and isinstance(preset.data, BuiltData):
        exam |= _examine_by_vote(model, preset, options, ranks, run if kept else None)
    else:  # a small track of ARC too
        exam |= _examine_by_puzzle(model, preset, options, ranks)
    exam["circumstances"] = circumstances(model.device, about)
    if kept:
        text = json.dumps(exam, indent=1) + "\n"
        write_atomically(run / f"test-{options.weights}.json", text.encode())
    return exam


def _own_preset(run: Path, about: dict) -> Preset:
    if "preset" not in about:
        raise UserError(
            f"{run} does not say which puzzles it is for; name a preset that has them.", "preset"
        )
    return from_dict(about["preset"])


def _heading(preset: Preset, options: ExamOptions) -> dict:
    """What was examined, and on what."""
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


def _examine_by_vote(
    model: Network, preset: Preset, options: ExamOptions, ranks: Ranks, keep_in: Path | None
) -> dict:
    """ARC's exam; the submission goes into the folder `keep_in`, if there is one."""
    if options.split != "test" or not options.as_in_the_papers:
        raise UserError(
            "ARC is examined by one vote on its test split; leave these options out.",
            "split", "tries", "noise",
        )  # fmt: skip
    if isinstance(model, Autoregressive):
        raise UserError("A network that writes token by token has no vote in ARC; use a reasoner.")
    votes = evaluate_arc(
        model,
        preset.data.path,
        augmentations=options.count,
        steps=options.steps,
        batch_size=options.batch_size,
        bfloat16=preset.recipe.bfloat16,
        ranks=ranks,
    )
    if keep_in is not None:
        which = "" if options.weights == "last" else f"-{options.weights}"
        votes.write_submission(keep_in / f"submission{which}.json")
        votes.write_records(keep_in / f"votes{which}.json")
    pass_at = {k: measured._asdict() for k, measured in votes.pass_at().items()}
    return {"pass_at": pass_at, "exact": pass_at[2]}


def _examine_by_puzzle(model: Network, preset: Preset, options: ExamOptions, ranks: Ranks) -> dict:
    """Exact match on every puzzle, and what else can be said of these puzzles."""
    data = preset.data
    puzzles = exam_puzzles(data, options)
    attempts = _attempts(model, puzzles, preset, options, ranks)
    result = Evaluation.most_confident(attempts)
    exam = {"tries": options.tries, "noise": options.noise} | summary(result)
    if options.tries > 1:
        so_far = range(1, options.tries + 1)
        exam["exact_by_try"] = {
            k: Evaluation.most_confident(attempts[:k]).exact()._asdict() for k in so_far
        }
    if data.puzzle == "maze":
        exam["shortest_path"] = shortest_paths(puzzles, result)._asdict()
    if options.bands:
        by_band = exact_by_band(puzzles, result)
        exam["bands"] = {name: measured._asdict() for name, measured in by_band.items()}
    return exam


def exam_puzzles(data: Data, options: ExamOptions) -> PuzzleSet:
    """The puzzles that are asked."""
    if options.count == 0:
        raise UserError("An exam needs at least 1 puzzle, not 0.", "count")
    if options.kinds:
        return fresh_puzzles(data, options.kinds, options.count or 1000)
    return sample(getattr(data.build(), options.split), options.count)


def _attempts(
    model: Network, puzzles: PuzzleSet, preset: Preset, options: ExamOptions, ranks: Ranks
) -> list[Evaluation]:
    """What each attempt brought, the first one at the puzzle as it is."""
    in_guises = options.tries > 1 and options.noise == 0
    if in_guises and (preset.data.puzzle != "sudoku" or puzzles.augment is None):
        raise UserError(
            "Only Sudokus that are not stored in guises already can be shown in several; make "
            "attempts differ by noise, such as 0.3.",
            "noise",
        )
    return [
        evaluate(
            model,
            puzzles,
            steps=options.steps,
            batch_size=options.batch_size,
            bfloat16=preset.recipe.bfloat16,
            ranks=ranks,
            keep_answers=preset.data.puzzle == "maze",
            noise=options.noise,
            guises=in_guises and attempt > 0,
            seed=attempt * len(puzzles),
        )
        for attempt in range(options.tries)
    ]


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


def check_fits(run: Path, model: Network, preset: Preset, options: ExamOptions) -> None:
    """UserError unless `model` reads the puzzles of `preset`."""
    there, here = model.config, preset.data
    if (there.vocab_size, there.seq_len) != (here.vocab_size, here.seq_len):
        raise UserError(
            f"The network in {run} reads {there.seq_len} cells of {there.vocab_size} tokens, but "
            f"the puzzles of '{preset.name}' have {here.seq_len} cells of {here.vocab_size} tokens."
        )
    if options.bands and here.puzzle != "sudoku":
        raise UserError("Bands tell Sudokus apart by difficulty; these are others.", "bands")


def sample(puzzles: PuzzleSet, count: int | None) -> PuzzleSet:
    """All `puzzles`, or a seeded draw of `count`."""
    if count is None or count >= len(puzzles):
        return puzzles
    rows = torch.randperm(len(puzzles), generator=torch.Generator().manual_seed(0))[:count]
    return puzzles.at(rows.sort().values)


def exam_text(exam: dict) -> str:
    """What `examine_run` found, to read."""

    def shown(measured: dict) -> str:
        return str(Share(**{name: measured[name] for name in Share._fields}))

    if "pass_at" in exam:
        tasks = exam["exact"]["count"]
        title = f"{exam['preset']}: {tasks} tasks, solved within K tries [95 % interval]"
        rows = [(f"K = {k}", shown(at)) for k, at in exam["pass_at"].items()]
        return f"{title}\n{columns(rows, indent='  ')}"
    lines = [
        f"{exam['preset']}: {exam['puzzles']} {exam['split']} puzzles, "
        "solved exactly [95 % interval]"
    ]
    if exam["noise"]:
        lines.append(f"  from a start with noise of {exam['noise']}")
    if exam["tries"] > 1:
        differ = "" if exam["noise"] else ", the puzzle in another guise each"
        lines.append(f"  {exam['tries']} attempts{differ}; the halting head chooses")
    last = list(exam["exact_by_step"])[-1]
    rows = [
        (
            f"after {step:{len(str(last))}} supervision step{'s' if step > 1 else ''}",
            shown(measured),
        )
        for step, measured in exam["exact_by_step"].items()
    ]
    halting = exam["when_halting"]
    pace = f"after {halting['mean_steps']:.2f} steps on average"
    rows.append(("when it halts itself", shown(halting), pace))
    if "shortest_path" in exam:
        rows.append(("any shortest path", shown(exam["shortest_path"])))
    lines.append(columns(rows, indent="  "))
    if "bands" in exam:
        lines.append(f"By difficulty, after {last} steps:")
        bands = [(name, shown(it), f"of {it['count']}") for name, it in exam["bands"].items()]
        lines.append(columns(bands, indent="  "))
    return "\n".join(lines)


def fresh_puzzles(data: Data, kinds: tuple[str, ...], count: int) -> PuzzleSet:
    """`count` Sudokus of `kinds` made from another seed, without twins of the training puzzles."""
    if not isinstance(data, SudokuData):
        raise UserError("Only of Sudokus that are made here can there be fresh kinds.", "kinds")
    sizes = {"train": 0, "validation": 0, "test": count}
    other = replace(data, kinds=kinds, puzzle_seed=data.puzzle_seed + 1, **sizes)
    train = _boards(data.build().train)
    known = {sudoku.canonical_form(*pair) for pair in zip(*train, strict=True)}
    puzzles, solutions = _boards(other.build().test)
    rows = sudoku.without_twins(puzzles, solutions, of=known)
    return sudoku_set(puzzles[rows], solutions[rows])
