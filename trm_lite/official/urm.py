"""Compare what only URM has with golden numbers: its convolution, Muon, runs in bfloat16."""

import torch
from torch import nn

from trm_lite.nets.urm import ConvSwiGLU
from trm_lite.official.golden import EXACT, Golden
from trm_lite.official.rerun import GoldenTrainer, latents_by_name
from trm_lite.thinking import think
from trm_lite.training.losses import step_loss
from trm_lite.training.muon import Muon, orthogonalised
from trm_lite.training.optim import set_learning_rate

# Runs of the authors' code in their own data types, which ours in float32 can only be near.
IN_BFLOAT16 = {"bf16conv": 5e-2, "bf16all": 0.2}
ROUNDING = 1e-5
MUON = 2e-5
SAMPLING = 1e-2  # explained by chance, between two samples of 6,400 numbers


def compare_roughly(golden: Golden, name: str, trainer: GoldenTrainer, tolerance: float) -> None:
    """Compare evaluation and a training step with a run in bfloat16.

    Args:
        golden: the file.
        name: the run.
        trainer: ours.
        tolerance: of everything but steps and flags, which have to be equal.
    """
    model, batch = trainer.model.eval(), golden.batch("eval/batch/")
    thoughts = think(model, batch.inputs, batch.puzzle_ids, steps=trainer.recipe.max_steps)
    for step, thought in enumerate(thoughts, start=1):
        place = f"{name}/eval/step{step}/"
        loss = step_loss(thought.logits, thought.halt_logit, batch.labels, trainer.recipe.loss)
        _check_thought(golden, place, thought, tolerance)
        for latent_name, latent in latents_by_name(thought.latents, model.config).items():
            golden.check(place + latent_name, latent, tolerance)
        golden.check(f"{place}loss", loss.total, tolerance)
    trainer.fill_slots(golden)
    loss = trainer.supervise(golden.batch("train/batch/"))
    _check_thought(golden, f"{name}/train/out/", trainer.heard[0], tolerance)
    golden.check(f"{name}/train/loss", loss.total, tolerance)
    for latent_name, latent in latents_by_name(trainer.carry.latents, model.config).items():
        golden.check(f"{name}/train/carry_out/{latent_name}", latent, tolerance)
    golden.check(f"{name}/train/carry_out/steps", trainer.carry.steps, EXACT)
    golden.check(f"{name}/train/carry_out/halted", trainer.carry.halted, EXACT)


def _check_thought(golden: Golden, place: str, thought, tolerance: float) -> None:
    golden.check(f"{place}logits", thought.logits, tolerance)
    golden.check(f"{place}q_halt_logits", thought.halt_logit, tolerance)
    golden.check(f"{place}q_continue_logits", thought.continue_logit, tolerance)


def compare_units(golden: Golden) -> None:
    """Compare layers and optimiser."""
    for kernel in dict.fromkeys(n.split("/")[0] for n in golden.names("units/convswiglu_k")):
        _compare_convolution(golden, f"units/convswiglu_k{kernel}/", int(kernel))
    for name in ("muon", "muon_plain"):
        if golden.names(f"units/{name}/"):
            _compare_muon(golden, f"units/{name}/")
    for name in golden.names("units/msign/"):
        shape, what = name.split("/")
        if what != "x":
            found = orthogonalised(golden[f"units/msign/{shape}/x"], int(what[1:]))
            golden.check(f"units/msign/{name}", found, 1e-4)  # ten iterations amplify rounding
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = ConvSwiGLU(16, 300, 1, 2).conv.weight  # of 3,200 channels
    golden.check("units/conv_init/weight_abs_max", weight.abs().max(), SAMPLING)
    golden.check("units/conv_init/weight_std", weight.std(), SAMPLING)


def _compare_convolution(golden: Golden, place: str, kernel: int) -> None:
    """Compare `ConvSwiGLU` and its gradients with the authors', for a size of the kernel."""
    x = golden[f"{place}x"].requires_grad_()
    inner, width = x.shape[-1], golden[f"{place}w/down_proj.weight"].shape[1]
    layer = ConvSwiGLU(inner, 1.5 * width / inner, 1, kernel)
    names = {
        "gate_up_proj.weight": layer.gate_up.weight,
        "dwconv.weight": layer.conv.weight,
        "dwconv.bias": layer.conv.bias,
        "down_proj.weight": layer.down.weight,
    }
    with torch.no_grad():
        for name, parameter in names.items():
            parameter.copy_(golden[f"{place}w/{name}"])
    y = layer(x)
    golden.check(f"{place}y", y, ROUNDING)
    golden.check(f"{place}y_bf16conv", y, IN_BFLOAT16["bf16conv"])
    (y * golden[f"{place}dy"]).sum().backward()
    golden.check(f"{place}grad_x", x.grad, ROUNDING)
    for name, parameter in names.items():
        golden.check(f"{place}grad/{name}", parameter.grad, ROUNDING)


def _compare_muon(golden: Golden, place: str) -> None:
    """Compare several steps of Muon on matrices, and of its AdamW on other parameters."""
    names = golden.names(f"{place}p0/")
    parameters = {name: nn.Parameter(golden[f"{place}p0/{name}"].clone()) for name in names}
    given = {name: float(golden[f"{place}hyper/{name}"]) for name in golden.names(f"{place}hyper/")}
    optimizer = Muon(
        parameters.values(),
        weight_decay=given["weight_decay"],
        momentum=given["momentum"],
        nesterov=bool(given["nesterov"]),
        iterations=int(given["ns_steps"]),
        rms=given["matched_adamw_rms"],
    )
    for group in optimizer.param_groups:
        if not group["matrices"]:
            group["weight_decay"] = 0.1
    after: dict[str, list] = {name: [] for name in names}
    for step, rate in enumerate(golden[f"{place}lr"]):
        set_learning_rate(optimizer, float(rate))
        for name, parameter in parameters.items():
            parameter.grad = golden[f"{place}grad/{name}"][step].clone()
        optimizer.step()
        for name, parameter in parameters.items():
            after[name].append(parameter.detach().clone())
    for name, parameter in parameters.items():
        golden.check(f"{place}p_after/{name}", torch.stack(after[name]), MUON)
        state = optimizer.state[parameter]
        for theirs, ours in (("momentum", "momentum"), ("exp_avg", "m"), ("exp_avg_sq", "v")):
            if ours in state:
                golden.check(f"{place}final_{theirs}/{name}", state[ours], ROUNDING)
