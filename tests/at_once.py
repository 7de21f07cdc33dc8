"""A network without weights, for tests of what is done with an answer."""

from types import SimpleNamespace

import torch

from trm_lite.nets import Latents, Thought
from trm_lite.puzzles import get_puzzle


class AtOnce(torch.nn.Module):
    """A network for 6x6 boards that answers `says(inputs)` after one step, and is sure of it."""

    config = SimpleNamespace(seq_len=36, vocab_size=8)
    device, draws, puzzle = torch.device("cpu"), False, get_puzzle("sudoku-6x6")

    def __init__(self, says):
        super().__init__()
        self.says = says

    def initial_latents(self, count):
        return Latents(torch.zeros(count, 1), torch.zeros(count, 1))

    def forward(self, latents, inputs, puzzle_ids=None):
        sure = torch.full((len(inputs),), 9.0)
        logits = torch.nn.functional.one_hot(self.says(inputs), 8).float()
        return Thought(latents, logits, sure, sure)
