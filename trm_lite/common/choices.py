"""Values that options can take, kept in a file of their own that does not import torch."""

from typing import Literal

MAX_STEPS = 16  # supervision steps per puzzle, N_sup in the paper

# How a slot decides to stop before the last step ("adaptive computation time"). "off" means never.
Act = Literal["halt", "q_learning", "off", "random"]

OptimizerName = Literal["adam_atan2", "adamw", "muon"]  # what trains the network

Latent = Literal["y", "z"]  # the answer, or the latent beside it

# What the halting head learns to believe: that the answer is the label, or that it breaks no rule.
HaltOn = Literal["exact", "valid"]

LossName = Literal["stablemax", "softmax"]  # how the scores of a cell become probabilities

# Which of several attempts at a puzzle counts; see `trm_lite.evaluation.breadth`.
Choice = Literal["halting", "residual", "latent", "majority"]
