"""Every experiment of the course as a named `Preset`."""

import dataclasses
import json
from collections.abc import Container, Iterable
from pathlib import Path

from trm_lite.common.errors import UserError, nearest
from trm_lite.common.tables import columns
from trm_lite.data.settings import BuiltData, MazeData, PuzzleData, SmallArcData, SudokuData
from trm_lite.experiments import paper, year_after
from trm_lite.nets.configs import TRMConfig, URMConfig
from trm_lite.training.recipe import Preset, Recipe, replace


def _sudoku(name: str, about: str, data: SudokuData, recipe: Recipe, **model) -> Preset:
    config = TRMConfig(
        vocab_size=data.vocab_size, seq_len=data.seq_len, puzzle=data.puzzle_name, **model
    )
    return Preset(name, about, data, config, recipe)


MINI = Recipe(
    steps=1_500,
    batch_size=32,
    lr=2e-3,
    warmup_steps=50,
    weight_decay=1.0,  # as in the paper; assets/results asks what 0.1 changes
    ema_rate=0.995,
    loss="softmax",
    eval_every=250,
)


def _variants(base: Preset, names: Container[str]) -> list[Preset]:
    """The rows called `names` of the paper's tables, as variants of the small TRM in `base`."""
    made = []
    for row in (*paper.ROWS, *year_after.ROWS):
        if row.name in names:
            model = paper.mini_model(row, base.model)
            if base.data.puzzle_name.startswith("maze"):
                model = dataclasses.replace(model, **year_after.ON_MAZES.get(row.name, {}))
            # On a CPU, attention is slow in bfloat16.
            on_cpu = getattr(model, "mixing", "attention") == "mlp"
            recipe = dataclasses.replace(base.recipe, bfloat16=on_cpu, **row.recipe)
            made.append(Preset(f"{base.name}-{row.name}", row.about, base.data, model, recipe))
    return made


def _ablation(row: paper.Row) -> Preset:
    """A row of the paper's tables at full size, on Sudoku-Extreme."""
    about = row.about if row.accuracy is None else f"{row.about}; paper {row.accuracy} %"
    data = BuiltData(paper.SUDOKU.name)
    recipe = dataclasses.replace(Recipe(), **row.recipe | row.full)
    return Preset(paper.ablation_name(row), about, data, paper.full_model(row), recipe)


def _main_rows(benchmark: paper.Benchmark) -> list[Preset]:
    """The networks of the paper's tables 4 and 5 on one benchmark, at full size."""
    made = []
    data = BuiltData(benchmark.name, vocab_size=benchmark.vocab_size, seq_len=benchmark.seq_len)
    for network, model in benchmark.networks().items():
        changes = benchmark.recipe
        if network == "hrm":
            changes = changes | paper.AS_PUBLISHED
        elif network == "direct":
            changes = changes | paper.ONE_PASS
        about = f"{model.network} with {model.mixing}; paper {benchmark.accuracy[network]} %"
        recipe = dataclasses.replace(Recipe(), **changes)
        made.append(Preset(benchmark.preset_name(network), about, data, model, recipe))
    return made


def _urm_on_arc() -> list[Preset]:
    """URM on the two ARC benchmarks, as in its authors' scripts."""
    made = []
    for benchmark in paper.BENCHMARKS[2:]:
        figure, changes = year_after.URM_ON_ARC[benchmark.name]
        data = BuiltData(benchmark.name, vocab_size=benchmark.vocab_size, seq_len=benchmark.seq_len)
        recipe = dataclasses.replace(Recipe(), **changes)
        about = f"Universal Reasoning Model; its paper {figure} % (pass@1)"
        model = URMConfig(**benchmark.shape)
        made.append(Preset(f"{benchmark.name}-urm", about, data, model, recipe))
    return made


LARGE = 49  # more cells than this need a larger network and more steps
MINI_SHAPE = {"multiple_of": 32, "T": 2, "n": 3, "prefix_len": 1}
MINI_6X6 = _sudoku(
    "sudoku-6x6", "minimal 6x6 Sudoku; the demo", SudokuData(), MINI, hidden_size=48, **MINI_SHAPE
)
# Where the search of notebooks/appendix_learning_faster.ipynb ended.
QUICK = dataclasses.replace(MINI, lr=3e-3, max_steps=4, ema_rate=0.98)
QUICK_6X6 = dataclasses.replace(
    MINI_6X6,
    name="sudoku-6x6-quick",
    about="minimal 6x6 Sudoku in half the steps",
    recipe=dataclasses.replace(QUICK, steps=750, cooldown_steps=350),
)
ON_9X9 = dataclasses.replace(MINI, lr=1e-3, warmup_steps=200, ema_rate=0.999, eval_every=1_000)
EASY_9X9, MINIMAL_9X9 = (
    _sudoku(
        f"sudoku-9x9-{kind}",
        f"9x9 Sudoku, {about}; an hour or more on a CPU",
        SudokuData(size=9, kinds=(kind,), test=1_000),
        dataclasses.replace(ON_9X9, steps=steps),
        hidden_size=96,
        **MINI_SHAPE,
    )
    for kind, about, steps in (("40-blanks", "easy", 3_000), ("minimal", "minimal", 8_000))
)
QUICK_9X9 = dataclasses.replace(
    EASY_9X9,
    name="sudoku-9x9-quick",
    about="9x9 Sudoku with 40 blanks in half the steps",
    recipe=dataclasses.replace(
        QUICK, lr=1.5e-3, ema_rate=0.99, warmup_steps=200, steps=1_400, cooldown_steps=500
    ),
)
MIX = ("40-blanks", "48-blanks", "minimal", "evolved")  # a quarter of each
MIXED_9X9 = _sudoku(
    "sudoku-9x9",
    "9x9 Sudoku from 40 blanks to extreme; hours on a CPU",
    SudokuData(size=9, kinds=MIX, train=16_000, validation=400, test=4_000),
    dataclasses.replace(ON_9X9, steps=40_000),
    hidden_size=128,
    **MINI_SHAPE,
)
LAPTOP = _sudoku(
    "sudoku-extreme-laptop",
    "extreme 9x9 Sudoku from 1,000 bred and 3,000 easier puzzles; hours on two cores",
    SudokuData(size=9, kinds=MIX, train=4_000, validation=400, test=400),
    dataclasses.replace(ON_9X9, steps=22_000, cooldown_steps=9_000),
    hidden_size=128,
    **MINI_SHAPE,
)
LAPTOP_2 = replace(
    LAPTOP,
    name="sudoku-extreme-laptop-stage-2",
    about="goes on from there, with thoughts of up to 64 steps in training",
    start_from="runs/sudoku-extreme-laptop-seed0/last.safetensors",
    max_steps=64,
    lr=5e-4,
    warmup_steps=100,
    steps=16_000,
    cooldown_steps=8_000,
    eval_every=2_000,
)
LAPTOP_3 = replace(
    LAPTOP_2,
    name="sudoku-extreme-laptop-stage-3",
    about="goes on from there, with a moving average over 5,000 steps instead of 1,000",
    start_from="runs/sudoku-extreme-laptop-stage-2-seed0/best.safetensors",
    ema_rate=0.9998,
    steps=20_000,
    cooldown_steps=0,
    eval_every=1_000,
)
MAZE_7X7 = Preset(
    "maze-7x7",
    "mazes of 7x7 cells with a single path",
    MazeData(),
    TRMConfig(6, 49, hidden_size=48, puzzle="maze-7x7", **MINI_SHAPE),
    dataclasses.replace(MINI, steps=5_000),
)
MINI_ARC = Preset(
    "mini-arc",
    "ARC tasks of at most 6x6 cells, each in 16 guises",
    SmallArcData(),
    TRMConfig(
        12,
        36,
        hidden_size=64,
        multiple_of=32,
        T=1,
        n=2,
        prefix_len=1,
        num_puzzles=945,
        puzzle="arc-6x6",
    ),
    dataclasses.replace(
        MINI,
        batch_size=64,
        max_steps=4,  # fewer than the paper's 16, so that training sees more puzzles in its time
        weight_decay=0.1,
        puzzle_lr=1e-2,
        puzzle_weight_decay=0.1,
    ),
)

FAST = Preset(  # the settings of nano-trm, a re-implementation
    "sudoku-extreme-fast",
    "TRM without puzzle positions, with AdamW and clipping",
    BuiltData(paper.SUDOKU.name),
    TRMConfig(prefix_len=0),
    Recipe(steps=50_000, optimizer="adamw", clip_norm=1.0),
)

PRESETS = {
    preset.name: preset
    for preset in (
        MINI_6X6,
        QUICK_6X6,
        QUICK_9X9,
        MIXED_9X9,
        LAPTOP,
        LAPTOP_2,
        LAPTOP_3,
        EASY_9X9,
        MINIMAL_9X9,
        MAZE_7X7,
        MINI_ARC,
        *_variants(MINI_6X6, [row.name for row in (*paper.ROWS, *year_after.ROWS) if row.name]),
        *_variants(EASY_9X9, paper.CORE),
        *_variants(MINIMAL_9X9, year_after.COMPARED),
        *_variants(MAZE_7X7, year_after.COMPARED),
        *(_ablation(row) for row in (*paper.ROWS, *year_after.ROWS)),
        *_urm_on_arc(),
        FAST,
        *(
            preset
            for benchmark in paper.BENCHMARKS
            if benchmark != paper.SUDOKU  # among the ablations
            for preset in _main_rows(benchmark)
        ),
    )
}


# --- puzzles of your own --------------------------------------------------------------------------


def own_preset(where: Path, row: str = "") -> Preset:
    """A small experiment whose sizes fit a puzzle of your own. Raises UserError if there is none.

    Args:
        where: a puzzle file, or a folder that `trm-lite data` built of a CSV file.
        row: which network, by its name in the paper's tables, such as "direct"; TRM if "".
    """
    if where.suffix == ".py":
        return own_variant(PuzzleData.of(where), row)
    try:
        about = json.loads((where / "about.json").read_text())
        sizes = about["vocab_size"], about["seq_len"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{where} is no data folder ({error}); build one with trm-lite data."
        ) from error
    data = BuiltData(about.get("name", where.name), str(where.resolve()), *sizes)
    return own_variant(data, row)


def own_variant(data: BuiltData | PuzzleData, row: str = "") -> Preset:
    """The preset of `own_preset` for its data. Raises UserError if there is no such row."""
    rows = {("trm" if r.name == "" else r.name): r for r in paper.ROWS}
    if (row or "trm") not in rows:
        hint = nearest(row, rows, f"there are {', '.join(rows)}.")
        raise UserError(f"There is no network '{row}'; {hint}", "row")
    chosen, name = rows[row or "trm"], data.puzzle_name
    large = data.seq_len > LARGE
    trm = TRMConfig(
        vocab_size=data.vocab_size,
        seq_len=data.seq_len,
        hidden_size=96 if large else 48,
        puzzle=name,
        **MINI_SHAPE,
    )
    model = trm if chosen.name == "" else paper.mini_model(chosen, trm)
    on_cpu = getattr(model, "mixing", "attention") == "mlp"
    usual = dataclasses.replace(ON_9X9, steps=3_000) if large else MINI
    recipe = dataclasses.replace(usual, bfloat16=on_cpu, **chosen.recipe)
    suffix = "" if chosen.name == "" else f"-{chosen.name}"
    return Preset(f"{name}{suffix}", chosen.about, data, model, recipe)


def usual_preset(preset: Preset) -> Preset | None:
    """The preset from which one of the same name may differ; None if there is none."""
    if preset.name in PRESETS or not isinstance(preset.data, BuiltData | PuzzleData):
        return PRESETS.get(preset.name)
    row = preset.name.removeprefix(preset.model.puzzle).removeprefix("-")
    try:
        return own_variant(preset.data.usual(), row)
    except UserError:  # its data is gone, or it was called something else
        return None


def variant(base: str, row: str) -> Preset:
    """The row called `row` of the paper's tables as a variant of the preset `base`."""
    if row in ("", "trm"):
        return get_preset(base)
    return own_preset(Path(base), row) if is_own(base) else get_preset(f"{base}-{row}")


def is_own(name: str) -> bool:
    """Whether a name is that of a puzzle file or of a data folder, and not of a preset."""
    return name not in PRESETS and (name.endswith(".py") or (Path(name) / "about.json").exists())


def get_preset(name: str) -> Preset:
    """The preset called `name`, or the one for a puzzle file or a data folder of that name.

    Raises UserError, with similar names, if there is none.
    """
    if name in PRESETS:
        return PRESETS[name]
    if is_own(name):
        return own_preset(Path(name))
    if name.lower().endswith((".csv", ".tsv")):
        raise UserError(
            f"{name} is a table; make data of it first, with 'trm-lite data {name}', and then name "
            "the folder that this makes."
        )
    where = Path(name)
    if (where / "preset.json").exists():
        raise UserError(f"{name} is a run; name the puzzle file or the data folder that it is of.")
    if where.is_dir():
        raise UserError(f"{name} is no data folder; build one with 'trm-lite data'.")
    if where.exists():
        raise UserError(f"{name} is no puzzle file, whose name ends with .py, and no data folder.")
    if len(where.parts) > 1 and not Path(f"{name}.py").exists():
        raise UserError(f"There is no data folder {name}, and no preset of that name.")
    known = [*PRESETS, f"{name}.py"] if Path(f"{name}.py").exists() else PRESETS
    hint = nearest(name, known, "'trm-lite list' shows all of them.")
    raise UserError(f"There is no preset '{name}'; {hint}")


def preset_table(presets: Iterable[Preset]) -> str:
    """Presets as a table of text.

    The columns are parameters, layers per supervision step (depth), forward passes per optimiser
    step, optimiser steps, and a description.
    """
    rows = [
        (
            preset.name,
            f"{preset.model.parameters:,}",
            preset.model.effective_depth,
            preset.recipe.forward_passes,
            f"{preset.recipe.steps:,}",
            preset.about,
        )
        for preset in presets
    ]
    headings = ("preset", "parameters", "depth", "passes", "steps", "what it is")
    return columns(rows, headings, align="<>>>>")
