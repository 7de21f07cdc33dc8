"""Random numbers of the authors' runs, handed out again to our networks."""

import torch
from torch import Tensor

from trm_lite.nets.reasoner import Reasoner
from trm_lite.official.golden import Golden


class Replay:
    """Takes the place of a network's own draws; see `TRM.draw_start` and `TRM.draw`."""

    def __init__(self, golden: Golden, prefix: str):
        noise = golden[f"{prefix}noise"].float().to(golden.device)
        self.noise = noise if noise.dim() == 5 else noise[None]  # (steps, A, B, L, D)
        self.golden, self.prefix, self.step = golden, prefix, 0

    @classmethod
    def of(cls, golden: Golden, prefix: str, model: Reasoner) -> None:
        """Let `model` draw what the golden file has under `prefix`, if it has something."""
        if golden.names(prefix):
            replay = cls(golden, prefix)
            model.draw_start, model.draw = replay.draw_start, replay.draw

    def draw_start(self, batch_size: int, needed: Tensor | None = None) -> Tensor:
        rows = torch.ones(batch_size, dtype=torch.bool) if needed is None else needed.cpu()
        start = torch.zeros(2, batch_size, *self.noise.shape[3:])
        if rows.any():
            own = f"{self.prefix}step{self.step}/init_"
            names = own if f"{own}z_H" in self.golden.arrays else f"{self.prefix}init_"
            start[:, rows] = torch.stack(
                [self.golden[f"{names}{z}"] for z in ("z_H", "z_L")]
            ).float()
        return start.to(self.golden.device)

    def draw(self, batch_size: int) -> tuple[Tensor, ...]:
        self.step += 1
        return (self.noise[self.step - 1],)
