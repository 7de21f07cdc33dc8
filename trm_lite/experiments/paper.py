"""The tables of the TRM paper (arXiv 2510.04871) as data, in which every row is an experiment.

`presets.py` makes two presets of each row, one at full size and one for a laptop.
"""

from dataclasses import dataclass, field, replace

from trm_lite.data.arc_tasks import CONCEPT_PAIRS
from trm_lite.nets.configs import (
    AutoregressiveConfig,
    DirectConfig,
    HRMConfig,
    NetConfig,
    RSMConfig,
    SERRMConfig,
    TRMConfig,
    URMConfig,
)


@dataclass(frozen=True)
class Row:
    """One experiment: how it differs from the standard TRM, and the paper's figures for it."""

    name: str  # second part of the preset's name, after the benchmark
    about: str  # what it is, in a line
    accuracy: float | None = None  # exact match on Sudoku-Extreme, in per cent
    depth: int | None = None  # layers per supervision step
    passes: int | None = None  # forward passes per optimiser step
    millions: int | None = None  # millions of parameters
    network: type[NetConfig] = TRMConfig  # class of the network's config
    model: dict = field(default_factory=dict)  # fields of that config that differ
    mini: dict = field(default_factory=dict)  # further fields that differ at mini size
    recipe: dict = field(default_factory=dict)  # fields of the recipe that differ
    full: dict = field(default_factory=dict)  # further fields that differ at full size


AS_PUBLISHED = {"act": "q_learning", "ema_rate": 0.0}  # how HRM's authors train it
ONE_PASS = {"max_steps": 1, "exploration": 0.0}  # no deep supervision

# Networks simpler than HRM, which answer at once or token by token.
LADDER = (
    Row("direct", "direct prediction, no recursion", 0.0, None, None, 27,
        DirectConfig, recipe=ONE_PASS),
    Row("direct-deep", "direct prediction, as deep as TRM with all layers of their own",
        network=DirectConfig, model={"mixing": "mlp", "prefix_len": 16, "num_layers": 42},
        mini={"prefix_len": 1, "num_layers": 16}, recipe=ONE_PASS),
    Row("tokens", "token by token, like a language model",
        network=AutoregressiveConfig, recipe=ONE_PASS),
    Row("tokens-scratch", "token by token, after worked-out steps (chain of thought)",
        network=AutoregressiveConfig, model={"scratch_len": 131}, mini={"scratch_len": 61},
        recipe=ONE_PASS),
    Row("tied", "weight-tied recursion, no deep supervision", network=DirectConfig,
        model={"mixing": "mlp", "prefix_len": 16, "num_layers": 2, "loops": 21},
        mini={"prefix_len": 1, "loops": 8}, recipe=ONE_PASS),
    Row("tied-supervised", "weight-tied recursion with deep supervision", network=DirectConfig,
        model={"mixing": "mlp", "prefix_len": 16, "num_layers": 2, "loops": 21},
        mini={"prefix_len": 1, "loops": 8}),
)  # fmt: skip

# Table 1, and the variants of section 4.
ABLATIONS = (
    Row("hrm", "HRM as published: Q-learning, no EMA", 55.0, 24, 2, 27, HRMConfig,
        recipe=AS_PUBLISHED),
    Row("", "TRM", 87.4, 42, 1, 5),
    Row("hrm-act", "TRM with the Q-learning of HRM", 86.1, 42, 2, 5,
        recipe={"act": "q_learning"}),
    Row("two-nets", "TRM with separate networks to think and to answer", 82.4, 42, 1, 10,
        model={"shared_net": False}),
    Row("no-ema", "TRM without the moving average of the weights", 79.9, 42, 1, 5,
        recipe={"ema_rate": 0.0}),
    Row("4-layers", "TRM with 4 layers and half the recursion", 79.5, 48, 1, 10,
        model={"num_layers": 4, "n": 3}, mini={"n": 1}),
    Row("att", "TRM with self-attention", 74.7, 42, 1, 7,
        model={"mixing": "attention"}, mini={"num_heads": 4}),
    Row("shallow", "TRM with fewer recursions", 73.7, 12, 1, 5,
        model={"T": 2, "n": 2}, mini={"T": 1}),
    Row("one-step", "TRM with the 1-step gradient of HRM", 56.5, 42, 1, 5,
        model={"gradient": "one_step"}),
    Row("multi-scale", "TRM with a latent for each update", 77.6, 42, 1, 5,
        model={"num_latents": 6}, mini={"num_latents": 3}),
    Row("single", "TRM with one feature for answer and latent", 71.9, 42, 1, 5,
        model={"num_latents": 0}),
)  # fmt: skip

# Not in the paper, but questions that a careful reader will ask.
FURTHER = (
    Row("hrm-ema", "HRM with the moving average of TRM", network=HRMConfig,
        recipe={"act": "q_learning"}),
    Row("no-act", "TRM that never halts early in training", recipe={"act": "off"}),
)  # fmt: skip


def _sweep(k: int, T: int, hrm: float, trm: float | None) -> tuple[Row, Row]:
    """One line of the recursion sweep: HRM with 4 layers and n = k, TRM with 2 and n = 2k."""
    return (
        Row(f"hrm-k{k}-T{T}", f"HRM, n={k}, T={T}", hrm, 4 * (k + 1) * T, 2, 27, HRMConfig,
            {"n": k, "T": T}, recipe=AS_PUBLISHED),
        Row(f"k{k}-T{T}", f"TRM, n={2 * k}, T={T}", trm, 2 * (2 * k + 1) * T, 1, 5,
            model={"n": 2 * k, "T": T}),
    )  # fmt: skip


# Table 3. Its lines k=T=2 of HRM and k=T=3 of TRM are the standard networks above.
SWEEP = (
    *_sweep(1, 1, 46.4, 63.2),
    *_sweep(2, 2, 55.0, 81.9),
    *_sweep(3, 3, 61.6, 87.4),
    *_sweep(4, 4, 59.5, 84.2),
    *_sweep(3, 6, 58.8, 85.8),
    *_sweep(6, 3, 62.3, None),  # TRM ran out of memory
)

ROWS = (*LADDER, *ABLATIONS, *FURTHER, *SWEEP)

CORE = ("direct", "hrm-ema", "one-step")  # the most important rows to compare TRM with

# Sizes of the other networks at mini size. `Row.model` and then `Row.mini` change them further.
MINI_SIZES: dict[type[NetConfig], dict] = {
    HRMConfig: {"H_layers": 2, "L_layers": 2, "mixing": "mlp", "prefix_len": 1},
    DirectConfig: {"num_layers": 2, "mixing": "mlp", "prefix_len": 1},
    RSMConfig: {"prefix_len": 1},
    URMConfig: {},
    SERRMConfig: {},
    AutoregressiveConfig: {"hidden_size": 64, "num_layers": 4, "num_heads": 4},
}


def full_model(row: Row) -> NetConfig:
    """The network of a row at the paper's size."""
    sizes = {name: getattr(SUDOKU, name) for name in ("vocab_size", "seq_len", "puzzle")}
    return row.network(**sizes, **row.model)


def mini_model(row: Row, trm: TRMConfig) -> NetConfig:
    """The network of a row at the size of the small TRM `trm`."""
    changes = row.model | row.mini
    if row.network is TRMConfig:
        return replace(trm, **changes)
    shared = ("vocab_size", "seq_len", "hidden_size", "multiple_of", "puzzle")
    sizes = {name: getattr(trm, name) for name in shared} | MINI_SIZES[row.network]
    return row.network(**sizes | changes)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of the paper at full size: its sizes, its training and the paper's results.

    The networks are TRM with "attention" or "mlp" mixing, "hrm", and "direct" prediction. For ARC,
    `learnt` and `tested` are upper bounds, because some tasks have fewer augmentations.
    """

    name: str
    puzzle: str  # name of its puzzle
    vocab_size: int  # different tokens
    seq_len: int  # cells of a puzzle
    accuracy: dict[str, float]  # exact match (ARC: pass@2) in per cent, by network
    learnt: int  # examples for training and validation, as `trm-lite data` stores them
    tested: int  # examples for the test
    download: int = 0  # bytes of the public files, which are kept
    num_puzzles: int = 1  # puzzle identifiers; for ARC, with the authors' 1000 augmentations
    n: int = 6  # latent updates per full recursion of TRM
    recipe: dict = field(default_factory=dict)  # fields of the recipe that differ

    def preset_name(self, network: str) -> str:
        """The name of the preset of a network; the authors' main one has the shortest name."""
        return self.name if network == "attention" else f"{self.name}-{network}"

    @property
    def shape(self) -> dict:
        """The fields of a network's config that follow from the puzzles."""
        return dict(
            vocab_size=self.vocab_size,
            seq_len=self.seq_len,
            num_puzzles=self.num_puzzles,
            puzzle=self.puzzle,
        )

    def networks(self) -> dict[str, NetConfig]:
        """The networks of the paper's main tables (4 and 5) at full size, by name."""
        trm = TRMConfig(**self.shape, n=self.n)
        return {
            "attention": replace(trm, mixing="attention"),
            "mlp": trm,
            "hrm": HRMConfig(**self.shape),
            "direct": DirectConfig(**self.shape),
        }


_ARC = {"puzzle_lr": 1e-2, "weight_decay": 0.1, "puzzle_weight_decay": 0.1}
GUISES = 1_001  # most guises of each ARC task, including the original
SUDOKU = Benchmark(
    "sudoku-extreme", "sudoku-9x9", 11, 81,
    {"attention": 74.7, "mlp": 87.4, "hrm": 55.0, "direct": 0.0},
    2_000, 422_786, 798_000_000,
)  # fmt: skip


def ablation_name(row: Row) -> str:
    """The name of a row's full-size preset, which is on Sudoku-Extreme."""
    return f"{SUDOKU.name}-{row.name or 'mlp'}"


# n = 4 is from the authors' commands; the paper says 6 throughout.
BENCHMARKS = (
    SUDOKU,
    Benchmark(
        "maze-hard", "maze-30x30", 6, 900,
        {"attention": 85.3, "mlp": 0.0, "hrm": 74.5, "direct": 0.0},
        1_000, 1_000, 2 * 1_807_030, n=4,
    ),
    Benchmark(
        "arc-agi-1", "arc-30x30", 12, 900,
        {"attention": 44.6, "mlp": 29.6, "hrm": 40.3, "direct": 21.0},
        GUISES * (1_302 + 416 + 1_363 + CONCEPT_PAIRS), GUISES * 419, 0,
        876_406, 4, _ARC | {"steps": 518_226},
    ),
    Benchmark(
        "arc-agi-2", "arc-30x30", 12, 900,
        {"attention": 7.8, "mlp": 2.4, "hrm": 5.0, "direct": 0.0},
        GUISES * (3_232 + 1_076 + 358 + CONCEPT_PAIRS), GUISES * 172, 0,
        1_191_730, 4, _ARC | {"steps": 722_098},
    ),
)  # fmt: skip


def tables() -> dict[str, dict[str, float | None]]:
    """The paper's tables by title; each has a figure, or None, for every full-size preset."""
    on_sudoku = {
        "below HRM (table 4: direct prediction)": LADDER,
        "ablations (tables 1 and 2)": ABLATIONS,
        "not in the paper": FURTHER,
        "how much recursion (table 3)": SWEEP,
    }
    made = {
        f"Sudoku-Extreme, {title}": {ablation_name(row): row.accuracy for row in rows}
        for title, rows in on_sudoku.items()
    }
    titles = ("Maze-Hard (table 4)", "ARC-AGI-1, pass@2 (table 5)", "ARC-AGI-2, pass@2 (table 5)")
    for title, benchmark in zip(titles, BENCHMARKS[1:], strict=True):
        made[title] = {
            benchmark.preset_name(network): figure for network, figure in benchmark.accuracy.items()
        }
    return made
