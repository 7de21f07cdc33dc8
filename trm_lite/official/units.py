"""Compare single parts with golden numbers: optimisers, losses, schedule, layers, initialisation.

Each function compares one group of arrays in a golden file; see `official.parity`.
"""

import re

import torch
from torch import Tensor, nn

from trm_lite.nets.layers import (
    TRUNCATION_STD_CORRECTION,
    PuzzleEmbedding,
    Rotary,
    SwiGLU,
    rms_norm,
    truncated_normal_,
)
from trm_lite.official.golden import Golden
from trm_lite.training.losses import cell_losses, log_stablemax
from trm_lite.training.optim import AdamAtan2, SignSGD, schedule, set_learning_rate

ROUNDING = 1e-6  # explained by a few roundings of float32
SAMPLING = 1e-2  # explained by chance, between the statistics of two samples of 200,000


def adam(golden: Golden) -> None:
    """Several steps of `AdamAtan2`, with betas 0.9 and 0.95 and weight decay 0.5."""
    parameter = nn.Parameter(golden["adam/p0"].clone())
    optimizer = AdamAtan2([parameter], betas=(0.9, 0.95), weight_decay=0.5)
    after = []
    for rate, gradient in zip(golden["adam/lr"], golden["adam/grad"], strict=True):
        set_learning_rate(optimizer, float(rate))
        parameter.grad = gradient.clone()
        optimizer.step()
        after.append(parameter.detach().clone())
    golden.check("adam/p_after", torch.stack(after), ROUNDING)
    golden.check("adam/exp_avg", optimizer.state[parameter]["m"], ROUNDING)
    golden.check("adam/exp_avg_sq", optimizer.state[parameter]["v"], ROUNDING)


def sign(golden: Golden) -> None:
    """One step of `SignSGD`, with rate 0.1, weight decay 0.2 and repeated identifiers."""
    table = golden["sign/w0"]
    embedding = PuzzleEmbedding(*table.shape, prefix_len=1, hidden_size=table.shape[-1])
    embedding.table.copy_(table)
    embedding(golden["sign/ids"].long())
    embedding.used[0][1].grad = golden["sign/local_grad"].clone()
    SignSGD(embedding, lr=0.1, weight_decay=0.2).step()
    golden.check("sign/w_after", embedding.table, ROUNDING)


def stablemax(golden: Golden) -> None:
    """The stablemax loss, its log-probabilities and its gradient."""
    logits = golden["stablemax/logits"].requires_grad_()
    losses = cell_losses(logits, golden["stablemax/labels"].long())
    losses.sum().backward()
    golden.check("stablemax/loss_f64", losses, 1e-12)
    golden.check("stablemax/logprob_f64", log_stablemax(logits), 1e-12)
    golden.check("stablemax/grad_of_sum", logits.grad, ROUNDING, relative=True)


def softmax(golden: Golden) -> None:
    """The softmax loss."""
    logits, labels = golden["stablemax/logits"], golden["stablemax/labels"].long()
    golden.check("softmax/loss", cell_losses(logits, labels, "softmax"), ROUNDING, relative=True)


def learning_rate(golden: Golden) -> None:
    """The learning rate schedule.

    The file does not hold the full rate and the last step, so the last step that fits best is
    taken, and the rate follows from the first entry.
    """
    for name in dict.fromkeys(name.split("/")[0] for name in golden.names("lr/")):
        match = re.fullmatch(r"warm(\d+)_ratio([\d.]+)", name)
        if not match:
            continue
        steps, rates = golden[f"lr/{name}/step"].tolist(), golden[f"lr/{name}/lr"]

        def fit(total: int, match=match, steps=steps, rates=rates) -> Tensor:
            warmup, ratio = int(match[1]), float(match[2])
            factors = torch.tensor(
                [
                    schedule(step, warmup_steps=warmup, total_steps=total, min_ratio=ratio)
                    for step in steps
                ],
                dtype=torch.float64,
            )
            return factors * rates[0] / factors[0].clamp(min=1e-12)

        best = min(map(fit, steps), key=lambda ours: float((ours - rates).abs().max()))
        golden.check(f"lr/{name}/lr", best, 1e-9, relative=True)


def rope(golden: Golden) -> None:
    """Rotary positions: cosines, sines, and rotated queries and keys."""
    length, head_dim = golden["rope/cos"].shape
    rotary = Rotary(head_dim, length)
    golden.check("rope/cos", rotary.cos, ROUNDING)
    golden.check("rope/sin", rotary.sin, ROUNDING)
    for name in ("q", "k"):  # (B, L, heads, head_dim) in the file
        turned = rotary(golden[f"rope/{name}"].transpose(1, 2)).transpose(1, 2)
        golden.check(f"rope/{name}_rot", turned, ROUNDING)


def rms(golden: Golden) -> None:
    """The norm."""
    golden.check("rms/y", rms_norm(golden["rms/x"]), ROUNDING)


def swiglu(golden: Golden) -> None:
    """Inner widths of SwiGLU layers with expansion 4."""
    name = "swiglu/inter_for_hidden_expansion4"
    with torch.device("meta"):
        widths = [[w, SwiGLU(w).down.in_features] for w in golden[name][:, 0].tolist()]
    golden.check(name, torch.tensor(widths), 0.0)


def initialisation(golden: Golden) -> None:
    """Moments, extremes and quantiles of truncated normal numbers of standard deviation 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sample = truncated_normal_(torch.empty(200_000), std=1.0)
    moments = torch.stack((sample.mean(), sample.std(), sample.min(), sample.max()))
    golden.check("init/std_of_200k_samples", moments, SAMPLING)
    golden.check("init/comp_std_for_std1", TRUNCATION_STD_CORRECTION, 1e-9)
    name = "init/uniform_grid_to_value"
    if name in golden.arrays:
        uniform = golden[name][0]  # uniform numbers, which their code maps to normal ones
        quantiles = (uniform - uniform[0]) / (uniform[-1] - uniform[0])
        ours = sample.quantile(quantiles.clamp(0, 1))
        golden.check(name, torch.stack((uniform, ours)), 2 * SAMPLING)


UNITS = {
    "adam/": adam,
    "sign/": sign,
    "stablemax/": stablemax,
    "softmax/": softmax,
    "lr/": learning_rate,
    "rope/": rope,
    "rms/": rms,
    "swiglu/": swiglu,
    "init/": initialisation,
}
