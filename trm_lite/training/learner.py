"""Learning, step by step: what a network in training consists of, and its optimiser step.

`Trainer` in the next file repeats this step, and keeps the run on disk. README.md in this folder
goes through the step line by line, and says what the CPU does while a GPU works.
"""

from contextlib import AbstractContextManager
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from trm_lite.common.device import (
    compiles_by_default,
    pick_device,
    precision,
    sendable,
)
from trm_lite.common.errors import UserError, check_range
from trm_lite.common.ranks import join
from trm_lite.data.dataset import Batch, Splits
from trm_lite.evaluation.scoring import keeps_rules
from trm_lite.nets.build import build_network
from trm_lite.nets.compiling import compile_hot
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.thinking import Carry, advance, empty_carry, refill, worth_of_going_on
from trm_lite.training.batches import Batches
from trm_lite.training.losses import StepLoss, step_loss, together
from trm_lite.training.muon import network_optimizer
from trm_lite.training.optim import MovingAverage, SignSGD, schedule, set_learning_rate
from trm_lite.training.recipe import Preset
from trm_lite.training.saved_state import check_state
from trm_lite.training.start import carry_as_asked, weights_for


class Learner:
    """A network in training, with its slots, optimisers and batches.

    Args:
        preset: the experiment.
        splits: puzzles to use instead of the preset's own.
        device: see `pick_device`.
        compile: use torch.compile, faster after about a minute; by default on NVIDIA GPUs.
        graphs: also replay the compiled network as CUDA graphs, for small ones; see `compiled`.
        micro_batch: most slots in the network at once, to save memory; 0 for all.
        recompute: a third more work for less memory, see `Stack`.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        splits: Splits | None = None,
        device: str = "auto",
        compile: bool | None = None,
        graphs: bool = False,
        micro_batch: int = 0,
        recompute: bool = False,
    ):
        self.preset, self.recipe = preset, preset.recipe
        self.ranks, self.device = join(pick_device(device))
        self.splits = (splits or preset.data.build()).checked(preset.model)
        recipe = self.recipe
        self.slots = self.ranks.rows(recipe.batch_size)  # this process's share of all slots
        check_range("micro_batch", micro_batch, 0)
        self.micro_batch = micro_batch or recipe.batch_size
        self.model = self.new_network()
        self.ema = MovingAverage(self.model, recipe.ema_rate)
        for module in self.model.modules():
            if isinstance(module, Stack):
                module.recompute = recompute
        if graphs and recipe.act == "q_learning":
            raise UserError(
                "Q-learning asks the network twice per step, which a CUDA graph cannot replay; "
                "leave graphs out.",
                "graphs",
            )
        usual = compiles_by_default(self.device)
        if graphs or (usual if compile is None else compile):
            compile_hot(self.model, graphs)
            if usual:  # elsewhere compiling takes longer than the validations
                compile_hot(self.ema.module, graphs)
        self.optimizer = network_optimizer(self.model.parameters(), recipe)
        self.batches = Batches(preset, self.splits.train, self.slots, self.device, self.step_draws)
        self.steps_done = 0
        self.seconds = 0.0  # of training, over all starts
        self.history: list[dict] = []
        self.prepare_slots()

    def new_network(self) -> torch.nn.Module:
        """The preset's network on the device, with random weights or those that it starts from."""
        preset, recipe = self.preset, self.recipe
        with torch.random.fork_rng(devices=[]):  # leaves the caller's random state alone
            torch.manual_seed(preset.seed)
            model = build_network(preset.model)
        model.puzzle = puzzle = self.splits.train.puzzle
        if recipe.halt_on == "valid" and (puzzle is None or puzzle.breaks is None):
            raise UserError(
                "No rules are known for these puzzles, so the halting head cannot learn from them; "
                "let it learn from the label.",
                "halt_on",
            )
        if recipe.start_from:
            model.load_state_dict(weights_for(preset.model, recipe.start_from))
        carry_as_asked(model, recipe, self.device)
        return model if model.device == self.device else model.to(self.device)

    def prepare_slots(self) -> None:
        """Make empty slots, and the optimiser of the puzzle embeddings."""
        recipe = self.recipe
        if not self.preset.model.in_slots:
            raise UserError(
                f"A network of the kind {self.preset.model.network} is not trained in slots; let "
                "trainer_for choose its trainer."
            )
        if self.model.draws:  # each process draws for its own slots
            seed = self.preset.seed + 1_000_003 * self.ranks.rank
            self.model.generator = torch.Generator(self.device).manual_seed(seed)
        self.carry = empty_carry(self.model, self.next_batch(step=0, symmetric=False))
        self.puzzle_optimizer = SignSGD(
            self.model.puzzle_embedding, recipe.puzzle_lr, recipe.puzzle_weight_decay, self.ranks
        )

    def next_batch(self, step: int, symmetric: bool = True) -> Batch:
        """This process's share of batch `step`, with random symmetries and hints if `symmetric`."""
        return self.batches.batch(step, symmetric)

    # --- learning -------------------------------------------------------------------------

    def step(self) -> StepLoss:
        """One optimiser step: one supervision step of every slot, then new weights."""
        loss = self.supervise(*self.batches.at(self.steps_done))
        self.update_weights()
        return loss

    def supervise(self, fresh: Batch, draws: Tensor | None = None) -> StepLoss:
        """Refill halted slots from `fresh`, then one supervision step of all, with gradients.

        `draws` are what `step_draws` returned; drawn here if None.
        """
        self.model.train()
        draws = self.step_draws() if draws is None else draws
        carry = self.carry = refill(self.model, self.carry, fresh)  # frees the old carry
        parts = [self.supervise_part(carry.rows(rows)) for rows in self.micro_batches()]
        thoughts, losses = zip(*parts, strict=True)
        latents = zip(*(thought.latents for thought in thoughts), strict=True)
        thought = Thought(
            Latents(*map(torch.cat, latents)),
            logits=None,
            halt_logit=torch.cat([thought.halt_logit for thought in thoughts]),
            continue_logit=torch.cat([thought.continue_logit for thought in thoughts]),
        )
        self.carry = advance(
            carry,
            thought,
            act=self.recipe.act,
            max_steps=self.recipe.max_steps,
            exploration=self.recipe.exploration,
            draws=draws,
        )
        return together(losses)

    def supervise_part(self, part: Carry) -> tuple[Thought, StepLoss]:
        """The step of some of the slots, which do not depend on each other."""
        with self.precision():
            thought = self.model(part.latents, part.batch.inputs, part.batch.puzzle_ids)
            continue_target = self.continue_target(part, thought)
        loss = step_loss(
            thought.logits,
            thought.halt_logit,
            part.batch.labels,
            self.recipe.loss,
            thought.continue_logit,
            continue_target,
            self.done(part, thought),
        )
        self.backward(loss)
        return thought._replace(logits=None), loss.detached()

    def precision(self) -> AbstractContextManager:
        """The number format of the matrix products, as a context."""
        return precision(self.device, self.recipe.bfloat16)

    def continue_target(self, part: Carry, thought: Thought) -> Tensor | None:
        """The target (B,) of the continue logit in Q-learning; otherwise None."""
        if self.recipe.act != "q_learning":
            return None
        later = Carry(thought.latents, part.batch, part.steps + 1, part.halted)
        return worth_of_going_on(self.model, later, self.recipe.max_steps)

    def done(self, part: Carry, thought: Thought) -> Tensor | None:
        """The target (B,) of the halt logit where it is validity; otherwise None."""
        if self.recipe.halt_on == "exact":
            return None
        answers = thought.logits.argmax(-1)
        valid = keeps_rules(self.splits.train.puzzle, part.batch, answers)
        return sendable(valid, self.device).to(self.device, non_blocking=True)

    def backward(self, loss: StepLoss) -> None:
        """Add the gradients of a part of the batch to those of the other parts."""
        (loss.total / self.recipe.batch_size).backward()

    def micro_batches(self) -> list[slice]:
        """The parts of this process's slots that go through the network one after the other.

        They are of one size, or nearly so, because each size is compiled anew.
        """
        count = self.slots.stop - self.slots.start
        parts = -(-count // self.micro_batch)
        ends = [count * part // parts for part in range(parts + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def step_draws(self) -> Tensor | None:
        """What a step draws beside its batch: for the exploration in `advance`."""
        if self.recipe.exploration == 0 or self.recipe.max_steps == 1:
            return None
        generator = self.batches.generator
        return torch.rand(2, self.recipe.batch_size, generator=generator)[:, self.slots]

    def update_weights(self) -> None:
        """Update puzzle embeddings, network and moving average from the gradients."""
        recipe = self.recipe
        self.ranks.add_up([p.grad for p in self.model.parameters() if p.grad is not None])
        if recipe.clip_norm:
            self.grad_norm = clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        factor = self.rate_factor()
        self.steps_done += 1
        for optimizer, rate in self.optimizers_and_rates():
            set_learning_rate(optimizer, factor * rate)
            optimizer.step()
            optimizer.zero_grad()
        self.ema.update_parameters(self.model)

    def rate_factor(self) -> float:
        """The share of the full learning rates that the coming update uses."""
        recipe = self.recipe
        return schedule(
            self.steps_done + recipe.first_step,
            warmup_steps=recipe.warmup_steps,
            total_steps=recipe.steps,
            min_ratio=recipe.min_lr_ratio,
            cooldown_steps=recipe.cooldown_steps,
        )

    def optimizers_and_rates(self) -> list[tuple[Optimizer, float]]:
        """The optimisers, each with its full learning rate."""
        return [
            (self.puzzle_optimizer, self.recipe.puzzle_lr),
            (self.optimizer, self.recipe.lr),
        ]

    # --- going on elsewhere -------------------------------------------------------------------

    def state(self) -> dict:
        """Everything that the rest of the run depends on, as tensors and numbers."""
        return (
            self.slot_state()
            | self.batches.state()
            | {
                "model": self.model.state_dict(),
                "ema": self.ema.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "steps_done": self.steps_done,
                "seconds": self.seconds,
                "history": self.history,
            }
        )

    def slot_state(self) -> dict:
        """The slots of all processes, so that any number of processes can continue."""
        carry, gather = self.carry, self.ranks.gather_to_first
        drawn = {}
        if self.model.draws:
            drawn["draws"] = self.ranks.gather_objects(self.model.generator.get_state())
        return drawn | {
            "puzzle_optimizer": self.puzzle_optimizer.state_dict(),
            "latents": tuple(map(gather, carry.latents)),
            "batch": tuple(map(gather, carry.batch)),
            "slot_steps": gather(carry.steps),
            "halted": gather(carry.halted),
        }

    def load(self, state: dict) -> None:
        """Restore what `state` returned. Raises UserError if it is the state of another run."""
        own = self.state()
        if "deck" not in state:  # of an earlier version
            own.pop("deck", None)
        check_state(state, own, list(self.model.parameters()))
        try:
            self.model.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.load_slots(state)
            self.batches.load(state)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(f"the state is not one of this run ({error}).") from error
        self.steps_done, self.seconds = state["steps_done"], state["seconds"]
        self.history = state["history"]

    def load_slots(self, state: dict) -> None:
        """Restore this process's share of the slots that `slot_state` returned."""
        self.puzzle_optimizer.load_state_dict(state["puzzle_optimizer"])
        if self.model.draws and self.ranks.size == len(state["draws"]):
            self.model.generator.set_state(state["draws"][self.ranks.rank])

        def mine(tensor: Tensor) -> Tensor:
            return tensor[self.slots].to(self.device)

        # Another device may have carried them in another format.
        formats = [latent.dtype for latent in self.carry.latents]
        latents = [
            mine(saved).to(own) for saved, own in zip(state["latents"], formats, strict=True)
        ]
        self.carry = Carry(
            Latents(*latents),
            Batch(*map(mine, state["batch"])),
            mine(state["slot_steps"]),
            mine(state["halted"]),
        )
