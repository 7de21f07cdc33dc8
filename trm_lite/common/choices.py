"""Values that options can take; they stand here so that reading them needs no torch."""

from typing import Literal

MAX_STEPS = 16  # supervision steps per puzzle, N_sup in the paper

# How a slot decides to stop before the last step ("adaptive computation time"); "off": never.
Act = Literal["halt", "q_learning", "off"]

LossName = Literal["stablemax", "softmax"]  # what turns the scores of a cell into probabilities
