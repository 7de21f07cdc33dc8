"""Report how tested runs compare with the paper's tables, as Markdown and as a picture."""

import dataclasses
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from trm_lite.common.errors import UserError
from trm_lite.common.tables import markdown
from trm_lite.evaluation.scoring import Share
from trm_lite.experiments import paper, year_after
from trm_lite.experiments.presets import PRESETS, usual_preset
from trm_lite.training.recipe import Preset, from_dict
from trm_lite.viewing import plots, style
from trm_lite.viewing.style import CLUE_PAPER, RIGHT

# --- measured beside published ------------------------------------------------------------


def collect(runs: Sequence[Path]) -> list[dict]:
    """The lines of all tables of the paper to which the tested `runs` belong, in per cent.

    A line is one preset with all of its seeds, and has `measured` None if it was not run. Runs
    whose settings differ from their preset's get a line of their own, without a figure of the
    paper. Raises UserError for a run that was not tested, and for two runs with the same settings
    and seed.
    """
    if not runs:
        raise UserError("Name the folders of the runs to report on, such as runs/*.")
    experiments: dict[tuple, dict[int, dict]] = {}  # by preset and changes: exams by seed
    for run in runs:
        exam = read_exam(run)
        preset = from_dict(exam["preset"])
        exams = experiments.setdefault((preset.name, changes(preset, exam)), {})
        if preset.seed in exams:
            raise UserError(
                f"{run} and another run are both seed {preset.seed} of '{preset.name}'; leave "
                "one of them out."
            )
        exams[preset.seed] = exam
    tables = paper.tables() | year_after.tables()
    in_paper = {name for figures in tables.values() for name in figures}
    others = {name: None for name, _ in experiments if name not in in_paper}
    lines = []
    for title, figures in (tables | {"Other presets": others}).items():
        if not any(name in figures for name, _ in experiments):
            continue
        for name, figure in figures.items():
            rows = {(): {}} if name in in_paper else {}
            rows |= {changed: exams for (of, changed), exams in experiments.items() if of == name}
            for changed, exams in rows.items():
                lines.append(_line(title, name, changed, exams, None if changed else figure))
    return lines


def changes(preset: Preset, exam: dict) -> tuple[str, ...]:
    """The settings in which a tested run differs from the preset of the same name, in words.

    The seed does not count, nor does the data's folder if it holds the same benchmark. The number
    of ARC's puzzle identifiers may differ by one per cent, because it depends on random draws.

    Args:
        preset: what was run.
        exam: the results of its test.
    """
    usual = usual_preset(preset)
    if usual is None:
        return ()

    def settings(preset: Preset) -> dict:
        parts = (dataclasses.asdict(part) for part in (preset.data, preset.model, preset.recipe))
        found = {name: value for part in parts for name, value in part.items()}
        return {name: value for name, value in found.items() if name not in ("folder", "file")}

    own, mine = settings(usual), settings(preset)
    if math.isclose(own.get("num_puzzles", 1), mine.get("num_puzzles", 1), rel_tol=0.01):
        mine["num_puzzles"] = own.get("num_puzzles", 1)
    found = [f"{name} {value}" for name, value in mine.items() if own.get(name, value) != value]
    if (benchmark := exam.get("benchmark")) and benchmark != own.get("name"):
        found.append(f"benchmark {benchmark}")
    found += [f"{name} {value}" for name, value in exam.get("drawn", {}).items()]
    step = exam["circumstances"]["look"]["step"]
    if step < preset.recipe.steps:
        found.append(f"tested at step {step:,}")
    return tuple(found)


def _line(
    title: str, name: str, changed: tuple[str, ...], exams: dict[int, dict], figure: float | None
) -> dict:
    """One line of the report.

    Args:
        title: title of its table.
        name: name of the preset.
        changed: settings that differ from the preset's.
        exams: the results by seed; empty if it was not run.
        figure: the paper's figure, if there is one.
    """
    preset = from_dict(next(iter(exams.values()))["preset"]) if exams else PRESETS[name]
    line = {
        "table": title,
        "preset": name,
        "changed": list(changed),
        "about": preset.about,
        "parameters": preset.model.parameters,
        "paper": figure,
        "measured": None,
    }
    if not exams:
        return line
    tests = list(exams.values())
    shares = {seed: 100 * exam["exact"]["value"] for seed, exam in exams.items()}
    around = [exam["circumstances"] for exam in tests]

    def mean(found: Iterable[dict | None]) -> float | None:
        values = [100 * share["value"] for share in found if share]
        return statistics.fmean(values) if values else None

    return line | {
        "measured": statistics.fmean(shares.values()),
        "by_seed": shares,
        # For one run this is the interval over puzzles, and for several the range over seeds.
        "low": 100 * tests[0]["exact"]["low"] if len(tests) == 1 else min(shares.values()),
        "high": 100 * tests[0]["exact"]["high"] if len(tests) == 1 else max(shares.values()),
        "best": mean(exam["best"] for exam in tests),
        # Earlier versions tested mazes only, under another name.
        "any_valid": mean(exam.get("any_valid", exam.get("shortest_path")) for exam in tests),
        "count": tests[0]["exact"]["count"],
        "counted": "tasks" if "pass_at" in tests[0] else "puzzles",
        "steps": sorted({there["look"]["step"] for there in around}),
        "hardware": sorted({there["device"] for there in around}),
        "commits": sorted({str(there["commit"]) for there in around}),
    }


def read_exam(run: Path) -> dict:
    """The test results of the last weights in a run folder, with the run's preset.

    "best" holds the exact match of the best weights, or None if they were not tested. Raises
    UserError if the folder does not exist, was not tested, or is damaged.
    """
    if not run.is_dir():
        raise UserError(f"There is no run folder {run}; train something first, or check the path.")
    try:
        exam = json.loads((run / "test-last.json").read_text())
        best = run / "test-best.json"
        _check(exam)
        return exam | {
            "preset": json.loads((run / "preset.json").read_text()),
            "best": json.loads(best.read_text())["exact"] if best.exists() else None,
        }
    except FileNotFoundError as error:
        if (run / "submission.json").exists():
            raise UserError(
                f"{run} was tested on tasks whose answers are not known, so it cannot be reported."
            ) from error
        if (run / "about.json").exists():
            raise UserError(
                f"{run} holds puzzles and not a run; run: trm-lite train {run}"
            ) from error
        if not (run / "preset.json").exists():
            raise UserError(
                f"{run} is no run; name the folders of runs, such as {run}/*."
            ) from error
        raise UserError(f"{run} has not been tested yet; run: trm-lite evaluate {run}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(
            f"The results in {run} are damaged; run again: trm-lite evaluate {run}"
        ) from error


def _check(exam: dict) -> None:
    """Raise TypeError, KeyError or AttributeError for results that `examine_run` did not write."""
    for measured in (exam["exact"], exam.get("shortest_path") or exam["exact"]):
        for name in Share._fields:
            math.isnan(measured[name])
    around = exam["circumstances"]
    range(around["look"]["step"])
    exam.get("drawn", {}).items()
    if not isinstance(around["device"], str):
        raise TypeError("a device has a name")
    str(around["commit"])


def as_markdown(lines: list[dict]) -> str:
    """The report as Markdown tables, with the circumstances of every measurement below them."""
    parts = []
    for title, rows in by_table(lines).items():
        valid = any(line.get("any_valid") is not None for line in rows)
        heads = ["preset", "parameters", "last, %", "best, %", *["any valid answer, %"] * valid]
        published = any(line["paper"] is not None for line in rows)
        heads += ["seeds", *["paper, %", "gap"] * published]
        cells = [_cells(line, valid)[: len(heads)] for line in rows]
        align = "<>>>" + ">" * valid + "<" + ">>" * published
        parts += [f"**{title}**", "", markdown(cells, heads, align=align), ""]
    parts += [
        "last: the weights at the end; best: those of the best look at the validation puzzles. In "
        "brackets: of one seed the 95 % interval over puzzles, of several the least and the "
        "greatest. Changed runs have other settings than the preset of that name, and no gap. The "
        "paper is arXiv 2510.04871.",
        "",
    ]
    for line in lines:
        if line["measured"] is not None:
            steps = ", ".join(f"{step:,}" for step in line["steps"])
            parts.append(
                f"- {label_of(line)}: {line['count']:,} test {line['counted']}, {steps} optimiser "
                f"steps, {', '.join(line['hardware'])}, commit {', '.join(line['commits'])}"
                + (f"; changed: {', '.join(line['changed'])}" if line["changed"] else "")
            )
    return "\n".join(parts)


def by_table(lines: Iterable[dict]) -> dict[str, list[dict]]:
    """The lines of the report by the title of their table."""
    tables: dict[str, list[dict]] = {}
    for line in lines:
        tables.setdefault(line["table"], []).append(line)
    return tables


def label_of(line: dict) -> str:
    """The label of a line: the preset's name, marked if its settings were changed."""
    return f"{line['preset']} (changed)" if line["changed"] else line["preset"]


def _cells(line: dict, valid: bool) -> list[str]:
    """The cells of a line, empty where there is no figure; `valid` adds valid answers."""

    def cell(figure: float | None, form: str = ".1f") -> str:
        return "" if figure is None else f"{figure:{form}}"

    last = gap = seeds = ""
    if line["measured"] is not None:
        last = f"{line['measured']:.1f} [{line['low']:.1f}, {line['high']:.1f}]"
        seeds = ", ".join(map(str, sorted(line["by_seed"])))
        if line["paper"] is not None:
            gap = f"{line['measured'] - line['paper']:+.1f}"
    return [
        label_of(line),
        f"{line['parameters']:,}",
        last,
        cell(line.get("best")),
        *[cell(line.get("any_valid"))] * valid,
        seeds,
        cell(line["paper"]),
        gap,
    ]


def draw(lines: list[dict], path: Path) -> None:
    """Save the report as a picture; see `beside_the_paper`. Raises UserError if that fails."""
    style.use_style()
    plots.save(beside_the_paper(lines), path)


def beside_the_paper(lines: Sequence[dict]) -> Figure:
    """Measured results (points with their spread) beside the paper's (bars), in per cent.

    `lines` are those of `collect`. Every table has a panel.
    """
    tables = by_table(lines)
    rows = [1 + len(table) for table in tables.values()]
    figure, panels = plt.subplots(
        len(tables),
        squeeze=False,
        sharex=True,
        figsize=(7, 1.2 + 0.35 * sum(rows)),
        height_ratios=rows,
        layout="constrained",
    )
    for ax, (title, table) in zip(panels[:, 0], tables.items(), strict=True):
        places = np.arange(len(table))[::-1]

        def column(name: str, table: list[dict] = table) -> np.ndarray:
            return np.array([line.get(name) for line in table], float)  # NaN where there is none

        ax.barh(places, column("paper"), height=0.6, color=CLUE_PAPER, label="paper")
        measured, low, high = map(column, ("measured", "low", "high"))
        spread = np.clip((measured - low, high - measured), 0, None)
        ax.errorbar(measured, places, xerr=spread, fmt="o", color=RIGHT, capsize=3, label="last")
        ax.plot(column("best"), places, "o", mfc="none", color=RIGHT, ms=9, label="best")
        ax.set_yticks(places, [label_of(line) for line in table])
        ax.set(title=title, xlim=(0, 102), ylim=(-0.6, len(table) - 0.4))
    ax.set_xlabel("solved exactly, %")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
