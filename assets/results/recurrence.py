"""The controls of lessons 04 and 05: each changes one thing about how a small network recurs.

    python assets/results/recurrence.py runs/recurrence

Each seed of each variant takes a minute or two on one core. What is done is not done again;
recurrence.json in that folder has all results.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from trm_lite.common import precision
from trm_lite.common.device import compiled
from trm_lite.data import Deck, SudokuData
from trm_lite.evaluation import evaluate
from trm_lite.experiments import get_preset
from trm_lite.nets import Direct, Latents
from trm_lite.training import AdamAtan2
from trm_lite.training.optim import MovingAverage

MOST = 16  # the most supervision steps per puzzle
UNTIED = "untied, x in every round"  # lesson 04
SUPERVISED, FEW = "deep supervision", "asked once, few puzzles"  # lesson 05, both tied
STEPS = {UNTIED: 1000, SUPERVISED: 1500, FEW: 1500}  # optimiser steps
# Puzzles at once. With 5, asking once begins about as many puzzles as deep supervision with 32,
# or more.
SLOTS = {UNTIED: 32, SUPERVISED: 32, FEW: 5}


class Untied(Direct):
    """Sixteen blocks, used once each, that read the question before every second block."""

    def recurse(self, x, latents):
        """Eight rounds of two blocks on the question x (B, P + L, D)."""
        y = latents.y
        for number, block in enumerate(self.net.blocks):
            y = block(y + x if number % 2 == 0 else y)
        return Latents(y, latents.z)


def train(model, splits, seed, steps, slots, keep):
    """Train; returns the averaged network, and how many puzzles the slots have begun.

    Where `keep` is true, a slot keeps its puzzle and its answer until that is right, at most
    16 supervision steps. Otherwise every slot takes a new puzzle in every step.
    """
    optimizer = AdamAtan2(model.parameters(), lr=2e-3, weight_decay=1.0)
    average = MovingAverage(model, 0.995)
    if slots == 32:  # for smaller batches it is not worth its time
        model.recurse = compiled(model.recurse)
    deck, generator = Deck(splits.train, slots, seed), torch.Generator().manual_seed(seed)
    y, z = start = model.initial_latents(slots)
    tokens = labels = torch.zeros(slots, splits.train.inputs.shape[1], dtype=torch.long)
    new, age, begun = torch.ones(slots, dtype=torch.bool), torch.zeros(slots), 0
    for step in range(steps):
        fresh = splits.train.batch(deck.rows(step), generator)
        tokens = torch.where(new[:, None], fresh.inputs, tokens)
        labels = torch.where(new[:, None], fresh.labels, labels)
        y = torch.where(new[:, None, None], start.y, y)
        begun += int(new.sum())
        with precision(torch.device("cpu"), bfloat16=True):
            latents, logits, *_ = model(Latents(y, z), tokens)
        F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 50)
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(model)
        y, age = latents.y.float(), torch.where(new, 1, age + 1)
        if keep:
            new = (logits.argmax(-1) == labels).all(1) | (age >= MOST)
    return average.module, begun


def measure(name, seed, splits, steps):
    """Train a variant, and test it."""
    torch.manual_seed(seed)
    config = get_preset("sudoku-6x6-tied").model
    tied = name != UNTIED
    model = Direct(config) if tied else Untied(replace(config, num_layers=16))
    model, begun = train(model, splits, seed, steps, SLOTS[name], keep=name == SUPERVISED)
    seen = evaluate(model, splits.test, steps=MOST if tied else 1)
    return {
        "seed": seed,
        "steps": steps,
        "slots": SLOTS[name],
        "fresh_puzzles": begun,
        "puzzles": seen.correct.shape[1],
        "correct_by_step": seen.correct.sum(1).tolist(),
        "cells_after_one": seen.cells[0].mean().item(),
    }


def main(folder: Path, steps=STEPS, seeds=3, test=1000):
    """Every variant with every seed; writes recurrence.json into `folder`."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    splits, table = SudokuData(test=test).build(), {name: [] for name in steps}
    for seed in range(seeds):
        for name in steps:
            file = folder / f"{name}, seed {seed}.json"
            if not file.exists():
                found = measure(name, seed, splits, steps[name])
                file.write_text(json.dumps(found))
            table[name].append(json.loads(file.read_text()))
            (folder / "recurrence.json").write_text(json.dumps(table, indent=1) + "\n")
            print(name, table[name][-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
