"""The systems of the year after TRM as rows of the tables, with the figures of their papers.

Equilibrium Reasoners (EqR, arXiv 2605.21488), the Universal Reasoning Model (URM, arXiv
2512.14693), the Recursive Stem Model (RSM, arXiv 2603.15641) and the Symbol-Equivariant Recurrent
Reasoning Model (SE-RRM, arXiv 2603.02193). Settings at full size are those of the authors'
published scripts. Only SE-RRM's attention dropout is left out, which stays on in evaluation there.
"""

from trm_lite.experiments.paper import Row, ablation_name
from trm_lite.nets.configs import RSMConfig, SERRMConfig, URMConfig
from trm_lite.training.rsm_depth import SUDOKU_GROWTH

# RI is the random initial state, NI the damping and the noise.
RI = {"prefix_len": 0, "random_start": True}
NI = {"damping": 0.05, "noise": 0.01}
MINI_EQR = {"prefix_len": 1}  # as the small TRM, so that they differ by these additions alone
EQR_RUN = {"steps": 50_000}
URM_RUN = {"first_step": 0, "eval_every": 15_625}

# Whole thoughts of up to 8 outer steps; the inner growth is that of the small network.
RSM_RUN = {
    "max_steps": 8, "weight_decay": 0.1, "betas": (0.8, 0.9), "min_lr_ratio": 0.02,
    "clip_norm": 1.0, "exploration": 0.0, "outer_growth": SUDOKU_GROWTH[0],
    "inner_growth": (0.301, 0.501),
}  # fmt: skip
MINI_RSM = {"num_layers": 2, "n": 4}

ROWS = (
    Row("eqr-ri", "EqR with the random start alone (RI)", 86.0, model=RI,
        mini=MINI_EQR, full=EQR_RUN),
    Row("eqr", "EqR: random start, damping and noise (RI + NI)", 86.4, model=RI | NI,
        mini=MINI_EQR, full=EQR_RUN),
    Row("eqr-att", "EqR with self-attention", 74.7, model=RI | NI | {"mixing": "attention"},
        mini=MINI_EQR | {"num_heads": 4}, full=EQR_RUN),
    Row("urm", "Universal Reasoning Model", 77.6, network=URMConfig,
        mini={"num_layers": 2, "num_heads": 4, "loops": 8, "loops_with_gradient": 4},
        full=URM_RUN | {"steps": 390_625, "batch_size": 128}),
    # Its paper's 97.5 % are after training on all 3.8 million puzzles instead of 1,000.
    Row("rsm", "Recursive Stem Model", network=RSMConfig, recipe=RSM_RUN,
        mini=MINI_RSM,
        full={"steps": 14_968, "batch_size": 512, "lr": 1e-3, "outer_growth": SUDOKU_GROWTH[0],
              "inner_growth": SUDOKU_GROWTH[1]}),
    Row("se-rrm", "Symbol-Equivariant Recurrent Reasoning Model", 93.7, network=SERRMConfig,
        recipe={"act": "random", "exploration": 0.05},
        mini={"num_heads": 1, "symbol_heads": 1, "symbol_head_size": 48, "extra_cells": 1,
              "loops": 8, "loops_with_gradient": 4},
        full={"steps": 36_764, "batch_size": 272}),
)  # fmt: skip

# The symbols of a maze are not alike, so SE-RRM shares nothing between them, as its authors do.
ON_MAZES = {"se-rrm": {"shared_symbols": False}}
# What `trm-lite compare` puts beside TRM; the first rows are of the TRM paper.
COMPARED = ("direct", "hrm-ema", "one-step", "att", "eqr-ri", "eqr", "rsm", "urm", "se-rrm")

_ARC = URM_RUN | {"puzzle_lr": 1e-2, "weight_decay": 0.1, "puzzle_weight_decay": 0.1}
# On ARC: pass@1 in per cent, and the fields of the recipe that differ.
URM_ON_ARC = {
    "arc-agi-1": (53.8, _ARC | {"steps": 1_036_452}),
    "arc-agi-2": (16.0, _ARC | {"steps": 1_444_197, "optimizer": "muon"}),
}


def tables() -> dict[str, dict[str, float | None]]:
    """The papers' figures by title and full-size preset."""
    on_arc = {f"{name}-urm": figure for name, (figure, _) in URM_ON_ARC.items()}
    return {
        "Sudoku-Extreme, after TRM": {ablation_name(row): row.accuracy for row in ROWS},
        "ARC-AGI, pass@1, after TRM": on_arc,
    }
