"""An experiment as a value: which puzzles, which network, and how to train it."""

import dataclasses
from dataclasses import dataclass, field

from trm_lite.common.choices import Act, HaltOn, LossName, OptimizerName
from trm_lite.common.errors import UserError, check_range
from trm_lite.data.settings import DATA, BuiltData, Data
from trm_lite.nets.configs import NetConfig, config_from_dict


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the paper's."""

    start_from: str = ""  # weights to start from: a file, or a name in assets/weights
    steps: int = 65_104  # optimiser steps; in each, every slot takes one supervision step
    batch_size: int = 768  # number of slots
    lr: float = 1e-4  # learning rate of the network
    warmup_steps: int = 2_000  # optimiser steps in which the learning rates rise from 0
    weight_decay: float = 1.0  # weight decay of the network
    optimizer: OptimizerName = "adam_atan2"
    betas: tuple[float, float] = (0.9, 0.95)  # decay rates of the two moments of Adam-atan2
    puzzle_lr: float = 1e-4  # learning rate of the puzzle embeddings
    puzzle_weight_decay: float = 1.0  # weight decay of the puzzle embeddings
    ema_rate: float = 0.999  # rate of the moving average of the weights, per optimiser step
    loss: LossName = "stablemax"  # how the scores of a cell become probabilities
    min_lr_ratio: float = 1.0  # final share of the learning rate, on a cosine; 1 keeps it constant
    first_step: int = 1  # number of the first step in the warm-up; URM's code counts from 0
    cooldown_steps: int = 0  # last steps, in which a constant learning rate falls to nearly 0
    max_steps: int = 16  # most supervision steps per puzzle, N_sup in the paper
    act: Act = "halt"  # how a slot decides that it is done
    halt_on: HaltOn = "exact"  # what the halting head learns: the label is met, or all rules are
    # Probability that a slot must take a random number of steps first; with act "random", that it
    # is done after a step.
    exploration: float = 0.1
    clip_norm: float = 0.0  # largest norm of the gradient of the network; 0 does not clip
    # RSM: the shares of the run after which its thoughts get an outer, or inner, step longer.
    outer_growth: tuple[float, ...] = ()
    inner_growth: tuple[float, ...] = ()
    growth_ramp: int = 0  # steps in which the learning rate rises from 0 after each growth
    growth_memory: float = 1.0  # what is kept of the optimiser's moments when thoughts grow
    keep_history: float = 0.01  # probability of a gradient through the answer before the last step
    freeze_embedding: float = 1.0  # share of the run after which the embedding stays as it is
    hints: float = 0.0  # share of training puzzles in which some cells are filled in
    most_hints: float = 1.0  # fill in at most this share of their cells
    bfloat16: bool = True  # multiply matrices in bfloat16 where that is faster
    # Then also keep x, y, z and the sums in the blocks in bfloat16, as the authors' code does.
    bfloat16_carry: bool = False
    eval_every: int = 5_000  # optimiser steps between two validations
    patience: int = 0  # stop after so many validations without improvement; 0 never stops
    official_epochs: int = 0  # batches of the authors' code, so many epochs per iteration; 0: ours

    def __post_init__(self):
        """Raise UserError for numbers that make no sense."""
        for name in ("steps", "batch_size", "max_steps", "eval_every"):
            check_range(name, getattr(self, name), 1)
        for name in ("warmup_steps", "cooldown_steps", "patience", "official_epochs", "lr",
                     "weight_decay", "puzzle_lr", "puzzle_weight_decay", "clip_norm",
                     "growth_ramp"):  # fmt: skip
            check_range(name, getattr(self, name), 0)
        for name in ("ema_rate", "min_lr_ratio", "exploration", "hints", "most_hints",
                     "growth_memory", "keep_history", "freeze_embedding"):  # fmt: skip
            check_range(name, getattr(self, name), 0, 1)
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise UserError(f"'betas' must be at least 0 and less than 1, not {beta}.", "betas")
        self._check_growth()

    def _check_growth(self) -> None:
        growth = (*self.outer_growth, *self.inner_growth)
        longest = max(len(self.outer_growth), len(self.inner_growth))
        if any(not 0 < share <= 1 for share in growth) or longest > self.steps:
            raise UserError(
                f"Thoughts that grow {longest} times, up to {max(growth):.0%} of the run, do not "
                f"fit into {self.steps} steps; train for longer, or let them grow less.",
                "outer_growth", "inner_growth", "steps",
            )  # fmt: skip
        if self.outer_growth and len(self.outer_growth) >= self.max_steps:
            raise UserError(
                f"Thoughts of {self.max_steps} steps cannot have grown {len(self.outer_growth)} "
                "times; take more steps, or let them grow less.",
                "outer_growth", "max_steps",
            )  # fmt: skip

    @property
    def grows(self) -> bool:
        """Whether thoughts get longer during the run, so that a part of it is no shorter run."""
        return bool(self.outer_growth or self.inner_growth)

    @property
    def aim(self) -> str:
        """The figure of a validation by which weights are better than others."""
        return "any_valid" if self.halt_on == "valid" else "exact"

    @property
    def forward_passes(self) -> int:
        """Forward passes per optimiser step. Q-learning needs a second one for its target."""
        return 2 if self.act == "q_learning" else 1


@dataclass(frozen=True)
class Preset:
    """An experiment: the puzzles, the network, and how it is trained."""

    name: str  # name of the experiment
    about: str  # what it is, in a line
    data: Data  # where the puzzles come from
    model: NetConfig  # which network, and its sizes
    recipe: Recipe = field(default_factory=Recipe)  # how it is trained
    seed: int = 0  # seed of the initial weights, the order of the puzzles and all random choices

    def __post_init__(self):
        """Name the network's puzzle; UserError if it does not have the size of the puzzles."""
        if not isinstance(self.data, BuiltData):  # whose folder need not be there yet
            model = dataclasses.replace(self.model, puzzle=self.data.puzzle_name)
            object.__setattr__(self, "model", model)
        if (self.model.vocab_size, self.model.seq_len) != (self.data.vocab_size, self.data.seq_len):
            raise UserError(
                f"The network of '{self.name}' reads {self.model.seq_len} cells of "
                f"{self.model.vocab_size} tokens, but its puzzles have {self.data.seq_len} cells "
                f"of {self.data.vocab_size} tokens; give the network the sizes of the puzzles.",
                "seq_len", "vocab_size",
            )  # fmt: skip


def replace(preset: Preset, **changes) -> Preset:
    """A copy of `preset` with some fields changed, also those of its parts.

    For example `replace(preset, hidden_size=64, steps=20)` changes the network's config and the
    recipe. Raises UserError for a field that does not exist.
    """
    parts = {}
    for part in ("data", "model", "recipe"):
        value = getattr(preset, part)
        names = {f.name for f in dataclasses.fields(value)} & changes.keys()
        parts[part] = dataclasses.replace(value, **{name: changes.pop(name) for name in names})
    unknown = changes.keys() - {f.name for f in dataclasses.fields(preset)}
    if unknown:
        raise UserError(f"A preset has no field '{unknown.pop()}'; check the spelling.")
    return dataclasses.replace(preset, **parts, **changes)


def fit_to_data(preset: Preset) -> Preset:
    """A copy of `preset` whose network has the puzzle and the puzzle identifiers of its data.

    The data can be found from any folder.
    Only ARC has more than one identifier, and how many depends on its settings.
    """
    preset = dataclasses.replace(preset, data=preset.data.settled())
    preset = replace(preset, puzzle=preset.data.puzzle_name)
    identifiers = preset.data.identifiers
    return preset if identifiers == 1 else replace(preset, num_puzzles=identifiers)


def from_dict(described: dict) -> Preset:
    """The preset that `dataclasses.asdict` turned into `described`, for example in a file.

    Raises UserError if it is not the description of a preset.
    """
    try:
        if not isinstance(described["name"], str) or not isinstance(described["seed"], int):
            raise TypeError("it needs a name and a seed")
        return Preset(
            name=described["name"],
            about=described["about"],
            data=_revive(DATA[described["data"]["source"]], described["data"]),
            model=config_from_dict(described["model"]),
            recipe=_revive(Recipe, described["recipe"]),
            seed=described["seed"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"This does not describe a preset ({error}); train it again.") from error


def _revive(dataclass: type, fields: dict):
    """A part of a preset. Raises TypeError for a value of another type than the default's."""
    made = dataclass(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    for part in dataclasses.fields(made):
        value, usual = getattr(made, part.name), part.default
        if not isinstance(value, int | float if isinstance(usual, float) else type(usual)):
            raise TypeError(f"{part.name} is {value!a}")
    return made
