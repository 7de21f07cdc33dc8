"""What is learnt, by which network, and how: an experiment as a value."""

import dataclasses
from dataclasses import dataclass, field

from trm_lite.common.choices import Act, LossName
from trm_lite.common.errors import UserError
from trm_lite.data.settings import DATA, Data
from trm_lite.nets.configs import NetConfig, config_from_dict


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. Rates are per optimiser step; the defaults are the paper's."""

    start_from: str = ""  # weights to begin with: a file, or the name of some in assets/weights
    steps: int = 65_104  # optimiser steps, each one supervision step of every slot
    batch_size: int = 768  # slots
    lr: float = 1e-4
    warmup_steps: int = 2_000
    weight_decay: float = 1.0
    betas: tuple[float, float] = (0.9, 0.95)
    puzzle_lr: float = 1e-4
    puzzle_weight_decay: float = 1.0
    ema_rate: float = 0.999
    loss: LossName = "stablemax"
    min_lr_ratio: float = 1.0  # share of the rate at the last step, along a cosine; 1 is constant
    cooldown_steps: int = 0  # last steps in which a constant rate falls to nothing
    max_steps: int = 16  # supervision steps per puzzle, N_sup
    act: Act = "halt"  # how a slot decides that it is done
    exploration: float = 0.1  # probability that a slot has to think on
    hints: float = 0.0  # share of training puzzles in which some cells of the answer are told
    most_hints: float = 1.0  # at most this part of the cells
    bfloat16: bool = True
    eval_every: int = 5_000  # optimiser steps between looks at validation puzzles
    patience: int = 0  # looks in a row without a better one that end the training; 0: never
    official_epochs: int = 0  # deal as the authors' code, in iterations of so many epochs; 0: not

    @property
    def forward_passes(self) -> int:
        """Forward passes per optimiser step; Q-learning needs a second one for its target."""
        return 2 if self.act == "q_learning" else 1


@dataclass(frozen=True)
class Preset:
    """An experiment: what is learnt, by which network, and how."""

    name: str
    about: str
    data: Data
    model: NetConfig
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0

    def __post_init__(self):
        if (self.model.vocab_size, self.model.seq_len) != (self.data.vocab_size, self.data.seq_len):
            raise UserError(
                f"The model of '{self.name}' reads {self.model.seq_len} cells of "
                f"{self.model.vocab_size} tokens, but its puzzles have {self.data.seq_len} cells "
                f"of {self.data.vocab_size} tokens; make the two agree."
            )


def replace(preset: Preset, **changes) -> Preset:
    """`preset` with fields changed, wherever they stand: `replace(p, hidden_size=64, steps=20)`."""
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
    """`preset` with as many puzzle identifiers as its data has; ARC's depend on settings."""
    identifiers = preset.data.identifiers
    return preset if identifiers == 1 else replace(preset, num_puzzles=identifiers)


def from_dict(described: dict) -> Preset:
    """The preset that `dataclasses.asdict` turned into `described`, for example in a file."""

    def revive(kind: type, fields: dict):
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})

    try:
        return Preset(
            name=described["name"],
            about=described["about"],
            data=revive(DATA[described["data"]["source"]], described["data"]),
            model=config_from_dict(described["model"]),
            recipe=revive(Recipe, described["recipe"]),
            seed=described["seed"],
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"This is no description of a preset ({error}); train it again.") from error
