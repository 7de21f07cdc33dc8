"""The controls of lessons 07 and 08: two halting biases, and training without early halting.

    python assets/results/slots_and_bias.py

All runs are the 6x6 demo with lesson 07's length. A run that is in the file is not done again.
"""

import json
from pathlib import Path

import torch

from trm_lite.evaluation import evaluate
from trm_lite.experiments import get_preset
from trm_lite.thinking import think
from trm_lite.training import Trainer, replace, step_loss

ARMS = {"bias -5": (-5, "halt"), "bias 0": (0, "halt"), "never halts": (-5, "off")}
FILE, EVERY = Path(__file__).with_name("slots-and-bias.json"), 115


def on_fixed_puzzles(model, batch):
    """Loss, and boards right, after each of 8 steps: the same 64 puzzles at every look."""
    count, losses, right = len(batch.inputs), [], []
    for thought in think(model.eval(), batch.inputs, steps=8):
        loss = step_loss(thought.logits, thought.halt_logit, batch.labels, "softmax")
        losses.append(round(loss.total.item() / count, 4))
        right.append(int(loss.correct.sum()))
    return losses, right


def one_run(bias, act, seed):
    """Train once; what stood in the slots, the loss on fixed puzzles, and the test."""
    preset = replace(get_preset("sudoku-6x6"), seed=seed, act=act, steps=1150, max_steps=8)
    trainer = Trainer(preset, device="cpu", progress=False)
    torch.nn.init.constant_(trainer.model.halt_head.bias, bias)
    torch.nn.init.constant_(trainer.ema.module.halt_head.bias, bias)
    unseen, trained = (part.first(64).batch(slice(None))
                       for part in (trainer.splits.validation, trainer.splits.train))  # fmt: skip
    looks, mean_steps, puzzles, window = [], [], 0, []
    for step in range(1, preset.recipe.steps + 1):
        loss, slots = trainer.step(), trainer.carry
        mean_steps.append(round(slots.steps.float().mean().item(), 2))
        puzzles += int(slots.halted.sum())
        first = (slots.steps == 1).float().mean().item()
        window.append((loss.total.item() / 32, first, loss.correct.float().mean().item()))
        if step % EVERY == 0:
            said, first, right = [round(x, 4) for x in torch.tensor(window).mean(0).tolist()]
            look = {"step": step, "loss": said, "first_answers": first, "right": right}
            fixed = {"average": (trainer.ema.module, unseen), "unseen": (trainer.model, unseen),
                     "trained": (trainer.model, trained)}  # fmt: skip
            for name, asked in fixed.items():
                look[f"{name}_loss"], look[f"{name}_right"] = on_fixed_puzzles(*asked)
            looks.append(look)
            window = []
    seen = evaluate(trainer.ema.module, trainer.splits.test)
    halting, steps = seen.when_halting()
    return {"seed": seed, "puzzles": puzzles, "mean_steps": mean_steps[:120], "looks": looks,
            "test_puzzles": seen.correct.shape[1], "right_by_step": seen.correct.sum(1).tolist(),
            "right_when_halting": round(halting.value * halting.count),
            "steps_when_halting": round(steps, 2)}  # fmt: skip


torch.set_num_threads(1)
table = json.loads(FILE.read_text()) if FILE.exists() else {arm: [] for arm in ARMS}
for arm, (bias, act) in ARMS.items():
    for seed in range(len(table[arm]), 3):
        table[arm].append(one_run(bias, act, seed))
        FILE.write_text(json.dumps(table) + "\n")
