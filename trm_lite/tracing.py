"""Record what a network thinks, step by step, without changing what it thinks."""

from dataclasses import dataclass

import numpy as np
import torch

from trm_lite.errors import UserError
from trm_lite.nets.reasoner import Reasoner
from trm_lite.puzzles import sudoku
from trm_lite.thinking import MAX_STEPS, think


@dataclass(frozen=True)
class Trace:
    """One Sudoku in a network's mind, after each of S supervision steps."""

    puzzle: np.ndarray  # (n*n,)
    boards: np.ndarray  # (S, n*n) the answer as it stood
    confidence: np.ndarray  # (S, n*n) probability given to the digit shown, 0..1
    halt: np.ndarray  # (S,) the network's belief that its whole answer is right, 0..1
    solution: np.ndarray | None = None  # (n*n,) the right answer, if it is unique

    def __len__(self) -> int:
        return len(self.boards)

    def faults(self) -> np.ndarray:
        """(S, n*n) which cells are wrong; without a known solution, which break a rule."""
        if self.solution is not None:
            return self.boards != self.solution
        changed_clues = (self.puzzle != 0) & (self.boards != self.puzzle)
        return sudoku.violations(self.boards) | changed_clues

    def until_settled(self, margin: int = 1) -> "Trace":
        """The trace up to `margin` steps after the board changed for the last time."""
        changed = (self.boards[1:] != self.boards[:-1]).any(1)
        last = int(np.flatnonzero(changed).max()) + 2 if changed.any() else 1
        end = min(len(self), last + margin)
        return Trace(
            self.puzzle, self.boards[:end], self.confidence[:end], self.halt[:end], self.solution
        )


@torch.inference_mode()
def trace(model: Reasoner, puzzle: np.ndarray, steps: int = MAX_STEPS) -> Trace:
    """Let `model` think `steps` supervision steps about `puzzle` (n*n,), and write it down.

    A puzzle with no or several solutions is allowed; what breaks a rule is then all that can be
    said against an answer.
    """
    if puzzle.size != model.config.seq_len:
        raise UserError(
            f"This network reads boards of {model.config.seq_len} cells, not of {puzzle.size}."
        )
    found = sudoku.solve(puzzle[None])
    inputs = torch.from_numpy(sudoku.to_tokens(puzzle[None])).long().to(model.device)
    boards, confidence, halt = [], [], []
    for thought in think(model, inputs, steps=steps):
        probabilities, tokens = thought.logits[0].float().softmax(-1).max(-1)
        boards.append(sudoku.from_tokens(tokens.cpu().numpy()))
        confidence.append(probabilities.cpu().numpy())
        halt.append(thought.halt_logit.sigmoid().item())
    return Trace(
        puzzle,
        np.stack(boards),
        np.stack(confidence),
        np.array(halt),
        found.boards[0] if found.counts[0] == 1 else None,
    )
