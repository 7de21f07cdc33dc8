"""The trainer: one loop, from a laptop to a GPU, that can be stopped anywhere and goes on exactly.

A run lives in a folder:

    preset.json           what is being run
    metrics.jsonl         one JSON object per look at the validation puzzles
    last.pt               the full state: weights, EMA, optimisers, slots, random state, step
    last.safetensors      EMA weights at the last look      } to evaluate, share, solve with
    best.safetensors      EMA weights at the best look      }
"""

import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from trm_lite.checkpoints import load_state, save_state, save_weights
from trm_lite.device import pick_device, precision
from trm_lite.errors import UserError
from trm_lite.evaluation import evaluate
from trm_lite.files import write_atomically
from trm_lite.losses import StepLoss, step_loss
from trm_lite.nets import build_network
from trm_lite.nets.layers import Stack
from trm_lite.nets.reasoner import Latents
from trm_lite.optim import (
    AdamAtan2,
    SignSGD,
    exponential_moving_average,
    schedule,
    set_learning_rate,
)
from trm_lite.presets import Preset, from_dict, replace
from trm_lite.puzzles.dataset import Batch, Deck, Splits
from trm_lite.thinking import Carry, advance, empty_carry, refill, worth_of_going_on

SAVE_EVERY_SECONDS = 60.0


class Trainer:
    """Trains the model of a preset.

    Example:
        >>> trainer = Trainer(get_preset("sudoku-6x6"))
        >>> trainer.train()
        >>> solver = trainer.ema.module
    """

    def __init__(
        self,
        preset: Preset,
        *,
        folder: Path | None = None,  # where to keep the run; None keeps nothing
        splits: Splits | None = None,  # the preset's own puzzles if None
        device: str = "auto",
        progress: bool = True,
    ):
        self.preset, self.recipe, self.folder = preset, preset.recipe, folder
        self.device, self.progress = pick_device(device), progress
        self.splits = splits or preset.data.build()
        recipe = self.recipe
        self.generator = torch.Generator().manual_seed(preset.seed)  # symmetries, exploration
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            self.model = build_network(preset.model).to(self.device)
        if recipe.compile:
            for module in self.model.modules():
                if isinstance(module, Stack):
                    module.compile()
        self.ema = exponential_moving_average(self.model, recipe.ema_rate)
        self.optimizer = AdamAtan2(
            self.model.parameters(), recipe.lr, recipe.betas, recipe.weight_decay
        )
        self.puzzle_optimizer = SignSGD(
            self.model.puzzle_embedding, recipe.puzzle_lr, recipe.puzzle_weight_decay
        )
        self.deck = Deck(self.splits.train, recipe.batch_size, preset.seed)
        self.carry = empty_carry(self.model, self._next_batch(step=0, symmetric=False))
        self.steps_done = 0
        self.seconds = 0.0  # spent training, over all sittings
        self.history: list[dict] = []
        if folder is not None:
            self._open_folder(folder)

    # --- learning -------------------------------------------------------------------------

    def step(self) -> StepLoss:
        """One optimiser step: every slot thinks one supervision step, and the weights follow."""
        loss = self.supervise(self._next_batch(self.steps_done))
        self.update_weights()
        return loss

    def supervise(self, fresh: Batch) -> StepLoss:
        """One supervision step of every slot, halted ones on `fresh` puzzles: the gradients."""
        recipe = self.recipe
        self.model.train()
        carry = refill(self.model, self.carry, fresh)
        with precision(self.device, recipe.bfloat16):
            thought = self.model(carry.latents, carry.batch.inputs, carry.batch.puzzle_ids)
            self.carry = advance(
                carry,
                thought,
                act=recipe.act,
                max_steps=recipe.max_steps,
                exploration=recipe.exploration,
                generator=self.generator,
            )
            continue_target = self._continue_target()
        loss = step_loss(
            thought.logits,
            thought.halt_logit,
            carry.batch.labels,
            recipe.loss,
            thought.continue_logit,
            continue_target,
        )
        (loss.total / recipe.batch_size).backward()
        return loss

    def _continue_target(self) -> Tensor | None:
        if self.recipe.act != "q_learning":
            return None
        return worth_of_going_on(self.model, self.carry, self.recipe.max_steps)

    def update_weights(self) -> None:
        """Follow the gradients: puzzle embeddings, network, and the moving average of it."""
        recipe = self.recipe
        self.steps_done += 1
        factor = schedule(
            self.steps_done,
            warmup_steps=recipe.warmup_steps,
            total_steps=recipe.steps,
            min_ratio=recipe.min_lr_ratio,
        )
        for optimizer, rate in (
            (self.puzzle_optimizer, recipe.puzzle_lr),
            (self.optimizer, recipe.lr),
        ):
            set_learning_rate(optimizer, factor * rate)
            optimizer.step()
            optimizer.zero_grad()
        self.ema.update_parameters(self.model)

    def train(self, steps: int | None = None) -> bool:
        """Train up to optimiser step `steps` (the recipe's if None), with a progress bar.

        Returns False if it was interrupted (Ctrl-C, SIGTERM); the state is saved, and calling
        again, or a new Trainer on the same folder, continues exactly.
        """
        goal = self.recipe.steps if steps is None else steps
        saved_at = time.monotonic()
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
        with bar, stop_requests() as stop:
            while self.steps_done < goal and not stop:
                started = time.perf_counter()
                loss = self.step()
                self.seconds += time.perf_counter() - started
                bar.update()
                if self.steps_done % 20 == 0:
                    shown["loss"] = f"{loss.total.item() / self.recipe.batch_size:.3f}"
                    bar.set_postfix(shown, refresh=False)
                if self.steps_done % self.recipe.eval_every == 0 or self.steps_done == goal:
                    look = self.look(loss)
                    shown["unseen solved"] = f"{look['exact']:.1%}"
                    bar.set_postfix(shown)
                if time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                    self.save()
                    saved_at = time.monotonic()
        self.save()
        return self.steps_done >= goal

    def look(self, loss: StepLoss) -> dict:
        """Measure the EMA weights on the validation puzzles and write the result down."""
        result = evaluate(
            self.ema.module,
            self.splits.validation,
            steps=self.recipe.max_steps,
            bfloat16=self.recipe.bfloat16,
        )
        halting, mean_steps = result.when_halting()
        look = {
            "step": self.steps_done,
            "seconds": round(self.seconds, 2),
            "loss": loss.total.item() / self.recipe.batch_size,
            "exact": result.exact().value,
            "exact_after_one": result.exact(1).value,
            "cells": result.cells[-1].mean().item(),
            "exact_when_halting": halting.value,
            "steps_when_halting": mean_steps,
        }
        best = max((earlier["exact"] for earlier in self.history), default=-1.0)
        self.history.append(look)
        if self.folder is not None:
            with open(self.folder / "metrics.jsonl", "a") as file:
                file.write(json.dumps(look) + "\n")
            self._save_ema("last.safetensors", look)
            if look["exact"] >= best:
                self._save_ema("best.safetensors", look)
        return look

    def _next_batch(self, step: int, symmetric: bool = True) -> Batch:
        generator = self.generator if symmetric else None
        return self.splits.train.batch(self.deck.rows(step), generator).to(self.device)

    # --- keeping and continuing -----------------------------------------------------------

    def save(self) -> None:
        """Write the full state into the run's folder."""
        if self.folder is not None:
            save_state(self.state(), self.folder / "last.pt")

    def state(self) -> dict:
        """Everything that the rest of the run depends on, as plain tensors and numbers."""
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "puzzle_optimizer": self.puzzle_optimizer.state_dict(),
            "latents": tuple(latent.clone() for latent in self.carry.latents),
            "batch": tuple(self.carry.batch),
            "slot_steps": self.carry.steps,
            "halted": self.carry.halted,
            "random": self.generator.get_state(),
            "steps_done": self.steps_done,
            "seconds": self.seconds,
            "history": self.history,
        }

    def load(self, state: dict) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.puzzle_optimizer.load_state_dict(state["puzzle_optimizer"])
        self.carry = Carry(
            Latents(*(latent.to(self.device) for latent in state["latents"])),
            Batch(*state["batch"]).to(self.device),
            state["slot_steps"].to(self.device),
            state["halted"].to(self.device),
        )
        self.generator.set_state(state["random"])
        self.steps_done, self.seconds = state["steps_done"], state["seconds"]
        self.history = state["history"]

    def _open_folder(self, folder: Path) -> None:
        """Continue the run in `folder`, or begin one."""
        described = json.dumps(dataclasses.asdict(self.preset), indent=1)
        marker = folder / "preset.json"
        if marker.exists():
            # More steps at a constant rate are no other experiment; everything else is.
            old = from_dict(json.loads(marker.read_text()))
            if old.recipe.min_lr_ratio == 1:
                old = replace(old, steps=self.recipe.steps)
            if old != self.preset:
                raise UserError(
                    f"{folder} holds another run; choose another --out folder or delete it."
                )
        write_atomically(marker, described.encode())
        if (folder / "last.pt").exists():
            self.load(load_state(folder / "last.pt"))
        # A killed run may have looked once more after its last save; those lines come again.
        lines = "".join(json.dumps(look) + "\n" for look in self.history)
        write_atomically(folder / "metrics.jsonl", lines.encode())

    def _save_ema(self, name: str, look: dict) -> None:
        about = {"preset": dataclasses.asdict(self.preset), "look": look}
        save_weights(self.ema.module, self.folder / name, about)


@contextmanager
def stop_requests() -> Iterator[list]:
    """Collect Ctrl-C and SIGTERM instead of dying of them: the list is empty until one arrives.

    A second Ctrl-C interrupts at once. Outside the main thread nothing is caught.
    """
    requests: list[int] = []

    def note(number, frame):
        if requests and number == signal.SIGINT:
            raise KeyboardInterrupt
        requests.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
