"""The trainer: one loop for a laptop and for many GPUs, which can stop and continue exactly."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from trm_lite.common.device import Fetched, finish
from trm_lite.common.errors import UserError
from trm_lite.common.ranks import Wishes
from trm_lite.evaluation.scoring import evaluate
from trm_lite.training.learner import Learner
from trm_lite.training.losses import StepLoss
from trm_lite.training.recipe import Preset
from trm_lite.training.run_folder import RunFolder
from trm_lite.training.saver import Saver, snapshot
from trm_lite.training.signals import stop_requests

SHOW_EVERY = 20  # steps between two looks at the loss, on the progress bar


class Trainer(Learner):
    """Trains the network of a preset.

    Args:
        preset: the experiment.
        folder: where to keep the run; None keeps nothing.
        progress: show a progress bar.
        how: see `Learner`.

    Example:
        >>> trainer = Trainer(get_preset("sudoku-6x6"))
        >>> trainer.train()
        >>> solver = trainer.ema.module
    """

    def __init__(self, preset: Preset, *, folder: Path | None = None, progress: bool = True, **how):
        super().__init__(preset, **how)
        self.progress = progress and self.ranks.first
        self.folder = None
        if folder is not None:
            self._open(folder)

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
        alone = self.folder.in_use() if self.folder and self.ranks.first else nullcontext()
        with alone, bar, stop_requests() as stop, self._saver() as saver:
            if self.folder and self.ranks.first:
                self.folder.begin(self.history)
            self._repeat(goal, bar, stop, saver)
            self._begin_saving(saver)
        return self.steps_done >= goal or self.out_of_patience

    def _repeat(self, goal: int, bar: tqdm, stop: list, saver: Saver) -> None:
        """Take steps up to `goal`, or until all processes agree to stop."""
        shown: dict[str, str] = {}
        wishes, seen = Wishes(self.ranks), None
        while self.steps_done < goal and not self.out_of_patience:
            stopping, saving = wishes.agreed(bool(stop), saver.due())
            if stopping:
                return
            if saving:
                self._begin_saving(saver)
            started = time.perf_counter()
            loss = self.step()
            looks = self.steps_done % self.recipe.eval_every == 0 or self.steps_done == goal
            if looks:
                finish(self.device)
            self.seconds += time.perf_counter() - started
            bar.update()
            if self.progress and self.steps_done % SHOW_EVERY == 0:
                seen = Fetched(loss.total)
            if seen is not None and (value := seen.value) is not None:
                shown["loss"], seen = f"{value / len(loss.correct):.3f}", None
                bar.set_postfix(shown, refresh=False)
            if looks:
                bar.set_description("validating")
                look = self.look(loss)
                bar.set_description("training", refresh=False)
                shown["unseen solved"] = f"{look['exact']:.1%}"
                bar.set_postfix(shown)

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

    # --- keeping and continuing -----------------------------------------------------------

    def save(self) -> None:
        """Write the full state into the run folder, if there is one, and wait until it is there."""
        with self._saver() as saver:
            self._begin_saving(saver)

    def _saver(self) -> Saver:
        return Saver(self.folder if self.ranks.first else None)

    def _begin_saving(self, saver: Saver) -> None:
        """Copy the full state and let a thread write it, if there is a run folder."""
        if self.folder is not None:
            saver.finish()  # one state at a time, so that memory holds a single copy
            finish(self.device)
            started = time.monotonic()
            state = self.state()
            saver.begin(snapshot(state) if self.ranks.first else {}, time.monotonic() - started)

    def _open(self, path: Path) -> None:
        """Continue the run in the folder `path`, or start a new one there."""
        self.folder = RunFolder(path, self.preset)
        state = self.folder.saved_state(mapped=self.ranks.size > 1)
        if state is not None:
            try:
                self.load(state)
            except UserError as error:
                problem = f"{path / 'last.pt'} cannot be continued: {error}"
                raise UserError(problem, "out") from error
