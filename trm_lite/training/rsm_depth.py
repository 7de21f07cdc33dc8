"""How long the thoughts of a Recursive Stem Model (RSM) are at each step of its training."""

from trm_lite.nets.configs import RSMConfig
from trm_lite.training.recipe import Preset, Recipe

# The authors' shares of the run after which thoughts grow: outer steps, inner steps.
SUDOKU_GROWTH = (
    (0.201, 0.401, 0.551, 0.651, 0.751, 0.851),
    (0.301, 0.501, 0.701, 0.801, 0.841, 0.861, 0.881, 0.901, 0.921, 0.941),
)
MAZE_GROWTH = (
    (0.201, 0.401, 0.551, 0.651, 0.751, 0.851, 0.951),
    (0.301, 0.501, 0.701),
)


def depth(recipe: Recipe, config: RSMConfig, step: int) -> tuple[int, int]:
    """The outer and the inner steps of a thought in optimiser step `step`, counted from 1.

    At the end they are `recipe.max_steps` and `config.n`.
    """

    def still_to_come(growth: tuple[float, ...]) -> int:
        return sum(step < share * recipe.steps for share in growth)

    outer = recipe.max_steps - still_to_come(recipe.outer_growth)
    return max(2, outer), max(1, config.n - still_to_come(recipe.inner_growth))


def ramp(recipe: Recipe, config: RSMConfig, step: int) -> float:
    """The share of the learning rate after a growth, in 0..1: 0 at that step, then a line to 1."""
    now = depth(recipe, config, step)
    for since in range(min(recipe.growth_ramp, step - 1)):
        if depth(recipe, config, step - since - 1) != now:
            return since / recipe.growth_ramp
    return 1.0


def mean_applications(preset: Preset) -> tuple[float, float]:
    """How often the network is applied per optimiser step, on average over the run.

    Returns all applications, and those with a gradient.
    """
    recipe, config = preset.recipe, preset.model
    depths = [depth(recipe, config, step) for step in range(1, recipe.steps + 1)]
    forward = sum(outer * (inner + 1) for outer, inner in depths)
    learning = sum(inner + 1 for _, inner in depths)
    return forward / recipe.steps, learning / recipe.steps + recipe.keep_history
