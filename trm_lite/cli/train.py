"""The command `trm-lite train`: train a preset, with any of its fields changed."""

import dataclasses
from pathlib import Path
from shlex import quote

import tyro
from tyro.conf import OmitArgPrefixes

from trm_lite.cli.options import Compile, Device, switched
from trm_lite.common.errors import UserError
from trm_lite.experiments.presets import variant
from trm_lite.training.exam_options import ExamOptions
from trm_lite.training.recipe import Preset, fit_to_data


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Train a preset, or a puzzle of your own. Every field of the preset can be changed.

    A puzzle of your own is a Python file, or a folder that 'trm-lite data' built of a CSV file.

    Ctrl-C or SIGTERM saves and stops, and the same command continues exactly from there. For
    several GPUs: torchrun --nproc-per-node 8 -m -- trm_lite train PRESET. Without the two dashes,
    torchrun would take --n for its own option.
    """

    preset: OmitArgPrefixes[Preset]
    out: Path | None = None
    """Folder of the run, by default runs/PRESET-seedN."""
    device: Device = "auto"
    """Where to compute."""
    compile: Compile = None
    graphs: bool = False
    """Also replay the compiled network as CUDA graphs: faster for small networks."""
    micro_batch: int = 0
    """Slots in the network at once, to save memory; 0 for all."""
    recompute: bool = False
    """Save memory by computing activations twice: a third more work."""
    exam: bool = True
    """Test on the whole test split at the end."""
    row: str = ""
    """Which network of the paper's tables to train, such as direct or hrm-ema; TRM if none."""


def row_in(arguments: list[str]) -> str:
    """The row that a command line asks for, on which the defaults of all other options depend."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--row="):
            return argument.removeprefix("--row=")
        if argument == "--row" and place + 1 < len(arguments):
            return arguments[place + 1]
    return ""


def train(arguments: list[str]) -> int:
    """Train a preset, or a puzzle of your own: `trm-lite train PRESET [--steps 500 ...]`."""
    if not arguments or arguments[0].startswith("-"):
        if arguments[:1] in (["-h"], ["--help"]):
            print("usage: trm-lite train PRESET|FILE.py|FOLDER [OPTIONS]\n\n'trm-lite list' shows "
                  "all presets, 'trm-lite train PRESET --help' the options of one.")  # fmt: skip
            return 0
        raise UserError(
            "Say which preset to train: trm-lite train PRESET; 'trm-lite list' shows all."
        )
    row = row_in(arguments)
    preset = variant(arguments[0], row)
    options = tyro.cli(
        TrainOptions,
        args=switched(arguments[1:]),
        default=TrainOptions(preset, row=row),
        prog=f"trm-lite train {preset.name}",
    )
    from trm_lite.common.ranks import leave, talks
    from trm_lite.training.exam import examine_run
    from trm_lite.training.exam_report import exam_text
    from trm_lite.training.token_trainer import trainer_for

    preset = fit_to_data(options.preset)
    if options.exam and getattr(preset.data, "test", 1) == 0:
        raise UserError("There would be no puzzles for the exam at the end; ask for some, or train "
                        "without an exam.", "test", "no_exam")  # fmt: skip
    folder = options.out or Path("runs") / f"{preset.name}-seed{preset.seed}"
    trainer = trainer_for(
        preset,
        folder=folder,
        device=options.device,
        compile=options.compile,
        graphs=options.graphs,
        micro_batch=options.micro_batch,
        recompute=options.recompute,
    )
    talk = print if talks() else lambda *_: None
    if trainer.steps_done:
        talk(f"Going on from step {trainer.steps_done:,} of {folder}.")
    finished = trainer.train()
    if finished and options.exam:
        exam = ExamOptions(steps=preset.recipe.max_steps)
        # Unless nothing is to be compiled, the exam knows whether it is long enough for that.
        compile = False if options.compile is False else None
        result = examine_run(folder, exam, device=options.device, compile=compile)
        talk("\n" + exam_text(result))
    leave()
    if not finished:
        talk(f"\nInterrupted at step {trainer.steps_done:,} and saved in {folder}; "
             "the same command goes on from there.")  # fmt: skip
        return 130
    talk(f"Done: {folder}. Next: trm-lite report {quote(str(folder))}")
    return 0
