"""Tables to read: what presets there are, and how well a run does."""

import json
from collections.abc import Iterable
from pathlib import Path

from trm_lite.checkpoints import load_weights
from trm_lite.device import pick_device
from trm_lite.errors import UserError
from trm_lite.evaluation import Evaluation, evaluate
from trm_lite.nets import Autoregressive, count_parameters
from trm_lite.presets import Preset, from_dict
from trm_lite.puzzles.dataset import build


def preset_table(presets: Iterable[Preset]) -> str:
    """Presets as text: size, layers passed per supervision step, forward passes per optimiser
    step, optimiser steps, and what it is."""
    rows = [("preset", "parameters", "depth", "passes", "steps", "")]
    for preset in presets:
        rows.append(
            (
                preset.name,
                f"{count_parameters(preset.model):,}",
                str(preset.model.effective_depth),
                str(preset.recipe.forward_passes),
                f"{preset.recipe.steps:,}",
                preset.about,
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(
        f"{name:<{widths[0]}}  "
        + "  ".join(f"{c:>{w}}" for c, w in zip(numbers, widths[1:], strict=True))
        + f"  {about}"
        for name, *numbers, about in rows
    )


def find_weights(run: Path, which: str = "last") -> Path:
    """The weights file in a run folder, or `run` itself if it is a file."""
    if run.is_dir():
        path = run / f"{which}.safetensors"
        if not path.exists():
            raise UserError(f"{run} holds no {path.name} yet; train it for longer first.")
        return path
    return run


def evaluate_run(
    run: Path,
    *,
    weights: str,
    split: str,
    steps: int,
    device: str,
    as_json: bool,
    preset: Preset | None = None,
) -> Evaluation:
    """Evaluate and print: exact match by supervision step, and when the model halts itself.

    On the puzzles it was trained for, or on those of another `preset`.
    """
    if steps < 1:
        raise UserError(f"--steps is the number of supervision steps, at least 1, not {steps}.")
    model, about = load_weights(find_weights(run, weights), pick_device(device))
    if preset is None and "preset" not in about:
        raise UserError(
            f"{run} does not say which puzzles it is for; name a preset that has them, "
            "such as --preset sudoku-9x9."
        )
    preset = preset or from_dict(about["preset"])
    if isinstance(model, Autoregressive):
        steps = 1  # what it has written stands
    there, here = model.config, preset.data
    if (there.vocab_size, there.seq_len) != (here.vocab_size, here.seq_len):
        raise UserError(
            f"The network in {run} reads {there.seq_len} cells of {there.vocab_size} tokens, but "
            f"the puzzles of '{preset.name}' have {here.seq_len} cells of {here.vocab_size} tokens."
        )
    puzzles = getattr(build(preset.data), split)
    result = evaluate(model, puzzles, steps=steps)
    shown = [step for step in (1, 2, 4, 8, 16, 32, 64, 128) if step < steps] + [steps]
    halting, mean_steps = result.when_halting()
    if as_json:
        report = {
            "preset": preset.name,
            "split": split,
            "puzzles": len(puzzles),
            "exact": {step: result.exact(step)._asdict() for step in shown},
            "when_halting": {**halting._asdict(), "mean_steps": mean_steps},
        }
        print(json.dumps(report))
        return result
    print(f"{preset.name}: {len(puzzles)} {split} puzzles, solved exactly [95 % interval]")
    for step in shown:
        print(f"  after {step:3} supervision step{'s' if step > 1 else ' '}  {result.exact(step)}")
    print(f"  when it halts itself     {halting}  after {mean_steps:.2f} steps on average")
    return result
