"""The command `trm-lite evaluate`: test a network on puzzles that it has not seen."""

from pathlib import Path

from tyro.conf import OmitArgPrefixes, Positional

from trm_lite.cli.options import Compile, Device
from trm_lite.experiments.presets import get_preset
from trm_lite.training.exam_options import USUAL, ExamOptions


def evaluate(
    run: Positional[Path],
    options: OmitArgPrefixes[ExamOptions] = USUAL,
    preset: str | None = None,
    device: Device = "auto",
    compile: Compile = None,
    json: bool = False,
    puzzle: Path | None = None,
) -> int:
    """Test a run, or a weights file, on puzzles that it has not seen.

    ARC is decided by voting. The result of a whole vote is saved in RUN/submission.json, for
    Kaggle, and in RUN/votes.json, with the winning grids and the puzzles that voted for them.

    Args:
        run: A run folder, or a .safetensors file that `train` wrote.
        preset: Test on the puzzles of this preset, for weights from elsewhere.
        device: Where to compute.
        json: Print one JSON object instead of a table.
        puzzle: The puzzle file, for weights of a puzzle of your own. It is executed. A run folder
            has a copy of it.
    """
    from json import dumps

    other = get_preset(preset) if preset else None  # finds a misspelled name before torch loads
    from trm_lite.common.ranks import leave, talks
    from trm_lite.training.exam import examine_run
    from trm_lite.training.exam_report import exam_text

    exam = examine_run(run, options, preset=other, device=device, compile=compile, puzzle=puzzle)
    leave()
    if talks():
        print(dumps(exam) if json else exam_text(exam))
    return 0
