"""Compare what only SE-RRM has with golden numbers: its axes, other boards, variants."""

import re

import torch
from torch import Tensor

from trm_lite.data.dataset import Batch
from trm_lite.nets.build import resized
from trm_lite.nets.layers import BoardRotary
from trm_lite.nets.reasoner import Latents, Thought
from trm_lite.nets.se_rrm import SERRM
from trm_lite.official import checkpoints as official
from trm_lite.official.config import config_from_settings
from trm_lite.official.golden import EXACT, LATENT, OUTPUT, Golden
from trm_lite.official.gradients import check_gradients
from trm_lite.official.metrics import check_metrics
from trm_lite.official.rerun import GoldenTrainer, in_probabilities
from trm_lite.official.state_dicts import find_network
from trm_lite.thinking import Carry, think
from trm_lite.training.losses import StepLoss, step_loss
from trm_lite.training.optim import SignSGD

ROUNDING = 1e-5
VARIANT = 2e-3  # of a variant's fourth step
BFLOAT16 = 1.0  # of a run in the authors' own data type


def compare_the_rest(golden: Golden, entry: dict, trainer: GoldenTrainer) -> None:
    """Compare everything but the main evaluation, training step and trajectory.

    Args:
        golden: the file.
        entry: the authors' settings.
        trainer: a fresh one.
    """
    model = trainer.model.eval()
    with torch.no_grad():
        _compare_layers(golden, model)
        _compare_symmetry(golden, model)
    batch = golden.batch("eval/batch/")
    _compare_steps(golden, "bf16/eval/", trainer, batch, (BFLOAT16, BFLOAT16))
    golden.check("bf16/embed_scale", torch.tensor([model.config.vocab_size**0.5]).bfloat16(), EXACT)
    if golden.names("other_board/"):
        other = golden.batch("other_board/batch/")
        symbols = golden["other_board/step1/logits"].shape[-1]
        trainer.model = resized(model, symbols, other.inputs.shape[1])
        trainer.model.register_forward_hook(lambda *given: in_probabilities(given[-1]))
        _compare_steps(golden, "other_board/", trainer, other, (OUTPUT, LATENT))
        trainer.model = model
    if golden.names("bf16/train/"):
        thought, loss = _training_step(golden, trainer, golden.batch("train/batch/"))
        golden.check("bf16/train/loss", loss.total, BFLOAT16)
        golden.check("bf16/train/logits", thought.logits, BFLOAT16)
    for name in dict.fromkeys(n.split("/")[0] for n in golden.names("variants/")):
        _compare_variant(golden, entry, name)


def _compare_steps(
    golden: Golden,
    place: str,
    trainer: GoldenTrainer,
    batch: Batch,
    tolerances: tuple[float, float],
) -> None:
    """Compare supervision steps.

    Args:
        golden: the file.
        place: where in it.
        trainer: has the network.
        batch: the puzzles.
        tolerances: of the first step, and of later ones.
    """
    numbers = [int(name.split("/")[0]) for name in golden.names(f"{place}step")]
    thoughts = think(trainer.model, batch.inputs, batch.puzzle_ids, steps=max(numbers, default=0))
    for step, thought in enumerate(thoughts, start=1):
        name, tolerance = f"{place}step{step}", tolerances[step > 1]
        golden.check(f"{name}/logits", thought.logits, tolerance)
        golden.check(f"{name}/q_halt_logits", thought.halt_logit, tolerance)
        loss = step_loss(thought.logits, thought.halt_logit, batch.labels, trainer.recipe.loss)
        golden.check(f"{name}/loss", loss.total, tolerance)
        steps = torch.full((len(batch.inputs),), step)
        halted = steps >= trainer.recipe.max_steps
        golden.check(f"{name}/steps", steps, EXACT)
        golden.check(f"{name}/halted", halted, EXACT)
        golden.check(f"{name}/all_finished", halted.all(), EXACT)
        if tolerance != BFLOAT16:
            golden.check_best(name, thought.logits.argmax(-1), tolerance)
            carry = Carry(thought.latents, batch, steps, halted)
            check_metrics(golden, f"{name}/metrics/", loss, thought, carry)


def _training_step(
    golden: Golden, trainer: GoldenTrainer, fresh: Batch, ids: Tensor | None = None
) -> tuple[Thought, StepLoss]:
    """A training step from the slots in the file, cut to the cells that the network has.

    Args:
        golden: the file.
        trainer: whose step it is.
        fresh: puzzles for halted slots.
        ids: puzzle identifiers of the slots, if they differ from those in the file.
    """
    trainer.fill_slots(golden)
    carry, cells = trainer.carry, trainer.model.config.length
    carry.latents = Latents(carry.latents.y[:, :, :cells], carry.latents.z)
    if ids is not None:
        carry.batch = carry.batch._replace(puzzle_ids=ids)
    trainer.halting_draws = [golden["train/u"]]
    loss = trainer.supervise(fresh)
    return trainer.heard[0], loss


def _compare_variant(golden: Golden, entry: dict, name: str) -> None:
    """Compare a variant of the network: some steps, and a training step with its gradients."""
    place, changes = f"variants/{name}/", entry["variants"][name]
    settings = entry | changes | {"arch": entry["arch"] | changes}
    state = {n: golden[f"state/{n}"] for n in golden.names("state/")}
    state |= {n: golden[f"{place}state/{n}"] for n in golden.names(f"{place}state/")}
    state, prefix = find_network(state, "The golden file")[:2]
    config = config_from_settings(settings, state)
    kept = {n: state[n] for n in official.places(config)}
    trainer = GoldenTrainer(golden, settings, config, official.from_official(kept, config))
    batch, fresh, ids = golden.batch("eval/batch/"), golden.batch("train/batch/"), None
    if f"{place}puzzle_identifiers" in golden.arrays:
        ids = golden[f"{place}puzzle_identifiers"].long()
        batch, fresh = batch._replace(puzzle_ids=ids), fresh._replace(puzzle_ids=ids.flip(0))
    with torch.no_grad():
        x = trainer.model.eval().embed(batch.inputs, batch.puzzle_ids)
    golden.check(f"{place}embed_x", x, ROUNDING)
    _compare_steps(golden, f"{place}eval/", trainer, batch, (OUTPUT, VARIANT))
    if not golden.names(f"{place}train/"):
        return
    thought, loss = _training_step(golden, trainer, fresh, ids)
    golden.check(f"{place}train/loss", loss.total, OUTPUT)
    golden.check(f"{place}train/logits", thought.logits, OUTPUT)
    check_gradients(golden, f"{place}train/", trainer.model, prefix)
    for rule in golden.names(f"{place}train/weights_after_sign_"):
        rate, decay = map(float, re.fullmatch(r"lr([\d.]+)_wd([\d.]+)", rule).groups())
        embedding = trainer.model.puzzle_embedding
        SignSGD(embedding, lr=rate, weight_decay=decay).step()
        golden.check(f"{place}train/weights_after_sign_{rule}", embedding.table, ROUNDING)


def _compare_symmetry(golden: Golden, model: SERRM) -> None:
    """Compare puzzles with renamed digits, and puzzles in which some digits do not occur."""
    for place in ("perm", "units/absent"):
        steps = [int(name.split("/")[0]) for name in golden.names(f"{place}/step")]
        if not steps:
            continue
        inputs = golden[f"{place}/inputs"].long()
        for step, thought in enumerate(think(model, inputs, steps=max(steps)), start=1):
            tolerance = OUTPUT if (place, step) == ("perm", 1) else LATENT
            golden.check(f"{place}/step{step}/logits", thought.logits, tolerance)
            if place == "perm" and f"eval/step{step}/logits" in golden.arrays:
                renamed = thought.logits[..., golden["perm/map"].long()]
                apart = (renamed - golden[f"eval/step{step}/logits"]).abs().max()
                golden.check(f"perm/step{step}/max_diff", apart, tolerance)


def _compare_layers(golden: Golden, model: SERRM) -> None:
    """Compare rotary positions, embedding, attention along both axes, block, stack and head."""
    for name in dict.fromkeys(n.split("/")[0] for n in golden.names("units/rope2d/")):
        cells, features = golden[f"units/rope2d/{name}/cos"].shape
        rotary = BoardRotary(features, cells)
        golden.check(f"units/rope2d/{name}/cos", rotary.cos, ROUNDING)
        golden.check(f"units/rope2d/{name}/sin", rotary.sin, ROUNDING)
    if golden.names("units/rope_apply/"):
        turned = model.net.rotary(golden["units/rope_apply/q"].transpose(1, 2)).transpose(1, 2)
        golden.check("units/rope_apply/q_rot", turned, ROUNDING)
    if golden.names("units/embed/"):
        x = model.embed(golden["units/embed/inputs"].long())
        golden.check("units/embed/x", x, ROUNDING)
        golden.check("units/embed/scale", torch.tensor([model.config.vocab_size**0.5]), ROUNDING)
    if "units/h" not in golden.arrays:
        return
    h, block, rotary = golden["units/h"], model.net.blocks[0], model.net.rotary
    columns = h.transpose(1, 2)
    along_symbols = block.symbols.attend(columns.flatten(0, 1)).view(columns.shape)
    for name, positions in (("y", rotary), ("y_norope", None)):
        along_cells = block.cells.attend(h.flatten(0, 1), positions).view_as(h)
        golden.check(f"units/attn_cells/{name}", along_cells, ROUNDING)
    golden.check("units/attn_symbols/y", along_symbols.transpose(1, 2), ROUNDING)
    golden.check("units/block/y", block(h, rotary), ROUNDING)
    if golden.names("units/net/"):
        golden.check("units/net/y", model.net(h + golden["units/net/injection"]), ROUNDING)
    thought = model.read(Latents(h, h[:, :0]))
    golden.check("units/head/logits", thought.logits, ROUNDING)
    golden.check("units/head/q", thought.halt_logit.sigmoid(), ROUNDING)
