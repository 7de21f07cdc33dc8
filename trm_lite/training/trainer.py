"""The trainer: one loop for a laptop and for many GPUs, which can stop and continue exactly."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from tqdm import tqdm

from trm_lite.common.device import compiled, pick_device, precision
from trm_lite.common.errors import UserError, check_range
from trm_lite.common.ranks import Wishes, join
from trm_lite.data.dataset import Batch, Deck, Splits, with_hints
from trm_lite.data.official_deck import OfficialDeck
from trm_lite.evaluation.scoring import evaluate, keeps_rules
from trm_lite.nets.build import build_network
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.thinking import Carry, advance, empty_carry, refill, worth_of_going_on
from trm_lite.training.losses import StepLoss, step_loss, together
from trm_lite.training.muon import network_optimizer
from trm_lite.training.optim import (
    SignSGD,
    exponential_moving_average,
    schedule,
    set_learning_rate,
)
from trm_lite.training.recipe import Preset
from trm_lite.training.run_folder import RunFolder
from trm_lite.training.saved_state import check_state
from trm_lite.training.signals import stop_requests
from trm_lite.training.start import weights_for

SAVE_EVERY_SECONDS = 60.0


class Trainer:
    """Trains the network of a preset.

    Args:
        preset: the experiment.
        folder: where to keep the run; None keeps nothing.
        splits: puzzles to use instead of the preset's own.
        device: see `pick_device`.
        compile: use torch.compile; faster after about a minute.
        micro_batch: slots in the network at once, to save memory; 0 for all.
        recompute: a third more work for less memory, see `Stack`.

    Example:
        >>> trainer = Trainer(get_preset("sudoku-6x6"))
        >>> trainer.train()
        >>> solver = trainer.ema.module
    """

    def __init__(
        self,
        preset: Preset,
        *,
        folder: Path | None = None,
        splits: Splits | None = None,
        device: str = "auto",
        progress: bool = True,
        compile: bool = False,
        micro_batch: int = 0,
        recompute: bool = False,
    ):
        self.preset, self.recipe = preset, preset.recipe
        self.ranks, self.device = join(pick_device(device))
        self.progress = progress and self.ranks.first
        self.splits = (splits or preset.data.build()).checked(preset.model)
        recipe = self.recipe
        self.slots = self.ranks.rows(recipe.batch_size)  # this process's share of all slots
        check_range("micro_batch", micro_batch, 0)
        self.micro_batch = micro_batch or recipe.batch_size
        self.generator = torch.Generator().manual_seed(preset.seed)  # symmetries, exploration
        with torch.random.fork_rng(devices=[]):  # leaves the caller's random state alone
            torch.manual_seed(preset.seed)
            self.model = build_network(preset.model).to(self.device)
        self.model.puzzle = puzzle = self.splits.train.puzzle
        if recipe.halt_on == "valid" and (puzzle is None or puzzle.breaks is None):
            raise UserError(
                "No rules are known for these puzzles, so the halting head cannot learn from them; "
                "let it learn from the label.",
                "halt_on",
            )
        if recipe.start_from:
            self.model.load_state_dict(weights_for(preset.model, recipe.start_from))
        self.ema = exponential_moving_average(self.model, recipe.ema_rate)
        for module in self.model.modules():
            if isinstance(module, Stack):
                module.recompute = recompute
        if compile:
            hot = self.model.hot
            setattr(self.model, hot, compiled(getattr(self.model, hot)))
        self.optimizer = network_optimizer(self.model.parameters(), recipe)
        if recipe.official_epochs:
            self.deck = OfficialDeck(
                self.splits.train, recipe.batch_size, preset.seed, recipe.official_epochs
            )
        else:
            self.deck = Deck(self.splits.train, recipe.batch_size, preset.seed)
        self.steps_done = 0
        self.seconds = 0.0  # of training, over all starts
        self.history: list[dict] = []
        self.prepare_slots()
        self.folder = None
        if folder is not None:
            self._open(folder)

    def prepare_slots(self) -> None:
        """Make empty slots, and the optimiser of the puzzle embeddings."""
        recipe = self.recipe
        if self.model.draws:  # each process draws for its own slots
            seed = self.preset.seed + 1_000_003 * self.ranks.rank
            self.model.generator = torch.Generator(self.device).manual_seed(seed)
        self.carry = empty_carry(self.model, self.next_batch(step=0, symmetric=False))
        self.puzzle_optimizer = SignSGD(
            self.model.puzzle_embedding, recipe.puzzle_lr, recipe.puzzle_weight_decay, self.ranks
        )

    # --- learning -------------------------------------------------------------------------

    def step(self) -> StepLoss:
        """One optimiser step: one supervision step of every slot, then new weights."""
        loss = self.supervise(self.next_batch(self.steps_done))
        self.update_weights()
        return loss

    def supervise(self, fresh: Batch) -> StepLoss:
        """Refill halted slots from `fresh`, then one supervision step of all, with gradients."""
        self.model.train()
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
            draws=self._exploration_draws(),
        )
        return together(losses)

    def supervise_part(self, part: Carry) -> tuple[Thought, StepLoss]:
        """The step of some of the slots, which do not depend on each other."""
        with precision(self.device, self.recipe.bfloat16):
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
        return keeps_rules(self.splits.train.puzzle, part.batch, answers).to(self.device)

    def backward(self, loss: StepLoss) -> None:
        """Add the gradients of a part of the batch to those of the other parts."""
        (loss.total / self.recipe.batch_size).backward()

    def micro_batches(self) -> list[slice]:
        """The parts of this process's slots that go through the network one after the other."""
        count = self.slots.stop - self.slots.start
        starts = range(0, count, self.micro_batch)
        return [slice(start, min(start + self.micro_batch, count)) for start in starts]

    def _exploration_draws(self) -> Tensor | None:
        if self.recipe.exploration == 0 or self.recipe.max_steps == 1:
            return None
        return torch.rand(2, self.recipe.batch_size, generator=self.generator)[:, self.slots]

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

    def train(self, steps: int | None = None) -> bool:
        """Train up to optimiser step `steps`, or the recipe's last one if None.

        Returns False if Ctrl-C or SIGTERM interrupted it. Calling again continues exactly, even
        from a new Trainer on the same folder.
        """
        goal = self.recipe.steps if steps is None else steps
        bar = tqdm(
            total=goal,
            initial=self.steps_done,
            disable=not self.progress,
            file=sys.stdout,
            desc="training",
            unit="step",
            mininterval=0.5,
            dynamic_ncols=True,
        )
        shown: dict[str, str] = {}
        alone = self.folder.in_use() if self.folder and self.ranks.first else nullcontext()
        with alone, bar, stop_requests() as stop:
            if self.folder and self.ranks.first:
                self.folder.begin(self.history)
            saved_at = time.monotonic()
            wishes = Wishes(self.ranks)
            while self.steps_done < goal and not self.out_of_patience:
                late = time.monotonic() - saved_at > SAVE_EVERY_SECONDS
                stopping, saving = wishes.agreed(bool(stop), late)
                if stopping:
                    break
                if saving:
                    self.save()
                    saved_at = time.monotonic()
                started = time.perf_counter()
                loss = self.step()
                self.seconds += time.perf_counter() - started
                bar.update()
                if self.steps_done % 20 == 0:
                    shown["loss"] = f"{loss.total.item() / len(loss.correct):.3f}"
                    bar.set_postfix(shown, refresh=False)
                if self.steps_done % self.recipe.eval_every == 0 or self.steps_done == goal:
                    look = self.look(loss)
                    shown["unseen solved"] = f"{look['exact']:.1%}"
                    bar.set_postfix(shown)
            self.save()
        return self.steps_done >= goal or self.out_of_patience

    @property
    def out_of_patience(self) -> bool:
        """Whether none of the last `patience` validations beat the best one before them."""
        patience = self.recipe.patience
        if patience == 0 or len(self.history) <= patience:
            return False
        shares = [look[self.recipe.aim] for look in self.history]
        return max(shares[-patience:]) <= max(shares[:-patience])

    def look(self, loss: StepLoss) -> dict:
        """Validate the EMA weights, and record the result."""
        result = evaluate(
            self.ema.module,
            self.splits.validation,
            steps=self.recipe.max_steps,
            bfloat16=self.recipe.bfloat16,
            ranks=self.ranks,
            rules=True,
        )
        halting, mean_steps = result.when_halting()
        look = {
            "step": self.steps_done,
            "seconds": round(self.seconds, 2),
            "loss": loss.total.item() / len(loss.correct),
            "exact": result.exact().value,
            "exact_after_one": result.exact(1).value,
            "cells": result.cells[-1].mean().item(),
            "exact_when_halting": halting.value,
            "steps_when_halting": mean_steps,
        }
        if result.valid is not None:
            look["any_valid"] = result.valid.float().mean().item()
        best = max((earlier[self.recipe.aim] for earlier in self.history), default=-1.0)
        self.history.append(look)
        if self.folder is not None and self.ranks.first:
            self.folder.note(self.history, self.ema.module, best=look[self.recipe.aim] >= best)
        return look

    def next_batch(self, step: int, symmetric: bool = True) -> Batch:
        """This process's share of batch `step`, with random symmetries and hints if `symmetric`."""
        generator = self.generator if symmetric else None
        batch = self.splits.train.batch(self.deck.rows(step), generator)
        if symmetric and self.recipe.hints:
            batch = with_hints(batch, self.recipe.hints, self.generator, self.recipe.most_hints)
        return batch.rows(self.slots).to(self.device)

    # --- keeping and continuing -----------------------------------------------------------

    def save(self) -> None:
        """Write the full state into the run folder, if there is one."""
        if self.folder is not None:
            state = self.state()
            if self.ranks.first:
                self.folder.save_state(state)

    def state(self) -> dict:
        """Everything that the rest of the run depends on, as tensors and numbers."""
        return self.slot_state() | {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": self.generator.get_state(),
            "steps_done": self.steps_done,
            "seconds": self.seconds,
            "history": self.history,
        }

    def slot_state(self) -> dict:
        """The slots of all processes, so that any number of processes can continue."""
        carry, gather = self.carry, self.ranks.gather
        drawn = {}
        if self.model.draws:
            drawn["draws"] = self.ranks.gather_objects(self.model.generator.get_state())
        return drawn | {
            "puzzle_optimizer": self.puzzle_optimizer.state_dict(),
            "latents": tuple(gather(latent.contiguous()) for latent in carry.latents),
            "batch": tuple(map(gather, carry.batch)),
            "slot_steps": gather(carry.steps),
            "halted": gather(carry.halted),
        }

    def load(self, state: dict) -> None:
        """Restore what `state` returned. Raises UserError if it is the state of another run."""
        check_state(state, self.state(), list(self.model.parameters()))
        try:
            self.model.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.load_slots(state)
            self.generator.set_state(state["random"])
        except (RuntimeError, TypeError, ValueError) as error:
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

        self.carry = Carry(
            Latents(*map(mine, state["latents"])),
            Batch(*map(mine, state["batch"])),
            mine(state["slot_steps"]),
            mine(state["halted"]),
        )

    def _open(self, path: Path) -> None:
        """Continue the run in the folder `path`, or start a new one there."""
        self.folder = RunFolder(path, self.preset)
        state = self.folder.saved_state()
        if state is not None:
            try:
                self.load(state)
            except UserError as error:
                problem = f"{path / 'last.pt'} cannot be continued: {error}"
                raise UserError(problem, "out") from error
