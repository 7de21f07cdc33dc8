"""Tables to read: what presets there are, and how runs compare with the paper."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from trm_lite import paper
from trm_lite.errors import UserError
from trm_lite.nets import count_parameters
from trm_lite.presets import Preset, from_dict


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


# --- measured beside published ------------------------------------------------------------


def collect(runs: Sequence[Path]) -> list[dict]:
    """One line per preset: what its tested runs reached, and the paper's figure, in per cent."""
    if not runs:
        raise UserError("Name the folders of the runs to report on, such as runs/*.")
    by_preset: dict[str, list[dict]] = {}
    for run in runs:
        exam = read_exam(run)
        by_preset.setdefault(exam["preset"]["name"], []).append(exam)
    published = papers_figures()
    lines = []
    for name, exams in by_preset.items():
        shares = [100 * exam["exact"]["value"] for exam in exams]
        seeds = [exam["preset"]["seed"] for exam in exams]
        preset = from_dict(exams[0]["preset"])
        lines.append(
            {
                "preset": name,
                "about": preset.about,
                "parameters": count_parameters(preset.model),
                "measured": statistics.fmean(shares),
                "by_seed": dict(zip(seeds, shares, strict=True)),
                # Of one run the interval over puzzles, of several the range over seeds.
                "low": 100 * exams[0]["exact"]["low"] if len(exams) == 1 else min(shares),
                "high": 100 * exams[0]["exact"]["high"] if len(exams) == 1 else max(shares),
                "puzzles": exams[0]["exact"]["count"],
                "paper": published.get(name),
                "steps": sorted({exam["circumstances"]["look"]["step"] for exam in exams}),
                "hardware": sorted({exam["circumstances"]["device"] for exam in exams}),
                "commits": sorted({str(exam["circumstances"]["commit"]) for exam in exams}),
            }
        )
    return lines


def read_exam(run: Path) -> dict:
    """What the test of the last weights in a run folder found, with the whole preset."""
    try:
        exam = json.loads((run / "test-last.json").read_text())
        return exam | {"preset": json.loads((run / "preset.json").read_text())}
    except FileNotFoundError as error:
        raise UserError(f"{run} was not tested yet; run: trm-lite evaluate {run}") from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"The results in {run} are damaged; run again: trm-lite evaluate {run}"
        ) from error


def papers_figures() -> dict[str, float]:
    """The paper's exact match in per cent by the name of a full-size preset."""
    figures = {
        paper.ablation_name(row): row.accuracy for row in paper.ROWS if row.accuracy is not None
    }
    for benchmark in paper.BENCHMARKS[1:]:
        for kind, accuracy in benchmark.accuracy.items():
            figures[benchmark.preset_name(kind)] = accuracy
    return figures


def as_markdown(lines: list[dict]) -> str:
    """The report as a Markdown table, and below it what the figures rest on."""
    table = [
        "| preset | parameters | measured, % | seeds | paper, % | gap |",
        "|---|---|---|---|---|---|",
    ]
    notes = []
    for line in lines:
        published, gap = line["paper"], ""
        if published is not None:
            gap = f"{line['measured'] - published:+.1f}"
        spread = f"{line['measured']:.1f} [{line['low']:.1f}, {line['high']:.1f}]"
        table.append(
            f"| {line['preset']} | {line['parameters']:,} | {spread} | {len(line['by_seed'])} | "
            f"{'' if published is None else published} | {gap} |"
        )
        steps = ", ".join(f"{step:,}" for step in line["steps"])
        notes.append(
            f"- {line['preset']}: {line['puzzles']:,} test puzzles, {steps} optimiser steps, "
            f"{', '.join(line['hardware'])}, commit {', '.join(line['commits'])}"
        )
    return "\n".join(
        (
            *table,
            "",
            "In brackets: of one seed the 95 % interval over puzzles, of several the least and the "
            "greatest. The paper is arXiv 2510.04871.",
            "",
            *notes,
        )
    )


def draw(lines: list[dict], path: Path) -> None:
    """The report as a picture: measured points with their spread, beside the paper's bars."""
    from trm_lite import plots

    plots.use_style()
    plots.save(plots.beside_the_paper(lines), path)
