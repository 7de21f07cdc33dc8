"""`trm-lite evaluate`: how good a network is on puzzles that it has not seen."""

from pathlib import Path

from tyro.conf import OmitArgPrefixes, Positional

from trm_lite.cli.options import Device
from trm_lite.experiments.presets import get_preset
from trm_lite.training.exam_options import USUAL, ExamOptions


def evaluate(
    run: Positional[Path],
    options: OmitArgPrefixes[ExamOptions] = USUAL,
    preset: str | None = None,
    device: Device = "auto",
    json: bool = False,
) -> int:
    """Test a run, or a file of weights, on puzzles it has not seen.

    ARC is solved by voting; what a whole vote brought goes into RUN/submission.json, for Kaggle,
    and RUN/votes.json, where the winners stand with those who voted for them.

    Args:
        run: A run folder, or a .safetensors file that `train` wrote.
        preset: Take the puzzles of this preset, for weights that come from elsewhere.
        device: Where to compute.
        json: Print one JSON object instead of a table.
    """
    from json import dumps

    other = get_preset(preset) if preset else None  # a misspelled one is told at once
    from trm_lite.common.ranks import leave, talks
    from trm_lite.training.exam import exam_text, examine_run

    exam = examine_run(run, options, preset=other, device=device)
    leave()
    if talks():
        print(dumps(exam) if json else exam_text(exam))
    return 0
