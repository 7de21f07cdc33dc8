"""The package's trainer, started from golden weights and slots, with the authors' random draws."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.data.dataset import Batch, PuzzleSet, Splits
from trm_lite.nets.build import Uninitialised
from trm_lite.nets.configs import ReasonerConfig, SERRMConfig
from trm_lite.nets.direct import Direct
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.official.config import recipe_from_settings
from trm_lite.official.golden import Golden
from trm_lite.thinking import Carry, empty_carry
from trm_lite.training.losses import StepLoss
from trm_lite.training.recipe import Preset, Recipe
from trm_lite.training.trainer import Trainer

MOST_STEPS = 1_000  # supervision steps, or optimiser steps


@dataclass(frozen=True)
class Shape:
    """In place of the data of a preset, of which only these sizes matter here."""

    vocab_size: int
    seq_len: int
    puzzle_name: str = ""


def as_run(batch: Batch, config: ReasonerConfig, recipe: Recipe) -> tuple[Preset, Splits]:
    """A preset for a network on golden puzzles, and splits of which only the shapes matter."""
    batch = batch.to(torch.device("cpu"))
    puzzles = PuzzleSet(batch.inputs, batch.labels.clamp(min=0), batch.puzzle_ids)
    data = Shape(config.vocab_size, config.seq_len)
    return Preset(config.network, "", data, config, recipe), Splits(puzzles, puzzles, puzzles)


class FromGoldenWeights:
    """Makes a trainer start from the weights `golden_state`, for which none are drawn first."""

    golden_state: dict[str, Tensor]

    def new_network(self) -> torch.nn.Module:
        """As usual, but with the golden weights."""
        with Uninitialised():
            network = super().new_network()
        network.load_state_dict(self.golden_state)
        return network


class GoldenTrainer(FromGoldenWeights, Trainer):
    """The package's trainer, started from golden weights, which records its network's thoughts.

    Args:
        golden: the file, of which some batch is taken for the shapes.
        entry: the authors' settings.
        config: the network.
        state: its weights.
    """

    def __init__(self, golden: Golden, entry: dict, config: ReasonerConfig, state: dict):
        if golden.names("traj/batches/"):
            batch = golden.batch("traj/batches/", 0)
        else:
            batch = golden.batch("train/batch/" if golden.names("train/") else "eval/batch/")
        recipe = recipe_from_settings(entry)
        if not 1 <= recipe.max_steps <= MOST_STEPS:
            raise ValueError(f"halt_max_steps is {recipe.max_steps}")
        if recipe.exploration and recipe.act != "random":
            raise UserError(
                "A run with random exploration cannot be compared; use one without exploration."
            )
        preset, splits = as_run(batch, config, recipe)
        self.golden_state = state
        super().__init__(preset, splits=splits, device=str(golden.device), compile=False,
                         progress=False)  # fmt: skip
        torch.set_float32_matmul_precision("highest")  # TF32 would be other numbers
        self.carry = empty_carry(self.model, batch)
        self.halting_draws: list[Tensor] = []
        if isinstance(config, SERRMConfig):
            self.model.register_forward_hook(lambda *given: in_probabilities(given[-1]))
        self.heard: list[Thought] = []
        self.model.register_forward_hook(lambda model, inputs, thought: self.heard.append(thought))

    def supervise(self, fresh: Batch, draws: Tensor | None = None) -> StepLoss:
        """As usual, but only the thoughts of this step are remembered."""
        self.heard = []
        return super().supervise(fresh, draws)

    def continue_target(self, part: Carry, thought: Thought) -> Tensor | None:
        """As usual, but the authors' baseline never trains the continue logit that it asks."""
        return None if isinstance(self.model, Direct) else super().continue_target(part, thought)

    def step_draws(self) -> Tensor | None:
        """The authors' draws for halting at random, if there are any left."""
        if not self.halting_draws:
            return super().step_draws()
        return self.halting_draws.pop(0).to(self.device).expand(2, -1)

    def fill_slots(self, golden: Golden) -> None:
        """Put the slots of the file's training step in mid-thought into the trainer."""
        names = latents_by_name(self.carry.latents, self.model.config)
        first, *rest = (golden[f"train/carry_in/{name}"].to(self.device) for name in names)
        z = self.carry.latents.z
        if rest:
            z = rest[0] if len(rest) == 1 else torch.stack(rest, dim=1)
        self.carry = Carry(
            Latents(first, z),
            golden.batch("train/carry_in/current_data/"),
            golden["train/carry_in/steps"].long().to(self.device),
            golden["train/carry_in/halted"].bool().to(self.device),
        )


def in_probabilities(thought: Thought) -> Thought:
    """The thought of an SE-RRM whose belief is a probability, which its code uses like a logit."""
    chance = thought.halt_logit.sigmoid()
    return thought._replace(halt_logit=chance, continue_logit=chance)


def latents_by_name(latents: Latents, config: ReasonerConfig) -> dict[str, Tensor]:
    """The latents by the names that they have in the authors' code."""
    match config.num_latents:
        case 0:
            return {"z_H" if config.network == "Direct" else "z_L": latents.y}
        case 1:
            return {"z_H": latents.y, "z_L": latents.z}
        case count:
            return {"z_H": latents.y} | {f"z_L{i + 1}": latents.z[:, i] for i in range(count)}
