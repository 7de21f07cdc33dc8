"""What the tests of Sudoku draw from."""

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from trm_lite.puzzles import sudoku

SIZES = st.sampled_from([4, 6, 9])
SEEDS = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None, derandomize=True)


def tokens(boards: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(sudoku.to_tokens(boards)).long()
