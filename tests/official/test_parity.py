"""The package computes what the authors' code computes, and the comparison can fail."""

import io
import json
import shutil
import tracemalloc
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from trm_lite import thinking
from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.experiments import PRESETS
from trm_lite.nets import Latents, layers, reasoner, rsm, se_rrm, trm, urm
from trm_lite.official import eqr as breadth_checks
from trm_lite.official.checkpoints import places
from trm_lite.official.golden import Golden
from trm_lite.official.parity import check_parity
from trm_lite.training import learner as training
from trm_lite.training import losses, optim, rsm_trainer

FOLDER = Path(__file__).parents[1] / "golden"
OTHER = ("arc_evaluator", "datasets", "sampler")  # golden files that other tests read
FILES = [path for path in sorted(FOLDER.glob("*.npz")) if path.stem not in OTHER]


checked = cache(check_parity)  # for files that do not change


def failed(path: Path) -> set[str]:
    return {check.name for check in check_parity(path).checks if not check.ok}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parity(path):
    golden = checked(path)
    assert [check for check in golden.checks if not check.ok] == []
    assert golden.unread == set()  # nothing in the file is passed over


def test_everything_is_covered():
    names = {check.name for path in FILES for check in checked(path).checks}
    for name in (
        "eval/step1/logits",
        "eval/step4/z_L",
        "eval/step4/z_L6",
        "eval/step4/halted",
        "train/loss",
        "train/out/target_q_continue",
        "train/carry_out/halted",
        "train/grad/puzzle_emb_local_weights",
        "train/grad/model.inner.L_level.layers.0.mlp_t.gate_up_proj.weight",
        "traj/q_continue_loss",
        "traj/final/model.inner.puzzle_emb.weights",
        "traj/ema/model.inner.L_level.layers.1.mlp.down_proj.weight",
        "adam/p_after",
        "sign/w_after",
        "lr/warm10_ratio0.1/lr",
        "init/uniform_grid_to_value",
        "rollouts/scores",
        "units/residual/window3/chosen",
        "units/muon/p_after/wide",
        "units/convswiglu_k2/grad_x",
        "other_board/step1/logits",
        "variants/arc/train/loss",
        "train_keep/grad/model.embed_tokens.embedding_weight",
        "att/traj/lr_mult",
        "units/schedule/maze/change_steps",
    ):
        assert name in names


def test_command_line(capsys):
    assert main(["parity", str(FOLDER / "units.npz")]) == 0
    out = capsys.readouterr().out
    assert "adam/p_after" in out and out.count(" ok\n") == 20
    assert main(["parity", str(FOLDER / "units.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


# --- it can fail --------------------------------------------------------------------------


@pytest.fixture
def changed(tmp_path):
    """A copy of a golden file in which one array was changed."""

    def change(stem: str, name: str, by) -> Path:
        arrays = dict(np.load(FOLDER / f"{stem}.npz"))
        arrays[name] = by(arrays[name])
        np.savez(tmp_path / f"{stem}.npz", **arrays)
        configs = (FOLDER / "model_configs.json").read_text()
        (tmp_path / "model_configs.json").write_text(configs)
        return tmp_path / f"{stem}.npz"

    return change


def test_a_disturbed_weight_fails(changed, capsys):
    name = "state/model.inner.L_level.layers.0.mlp.down_proj.weight"
    path = changed("trm_mlp", name, lambda weight: weight + 1e-2 * (np.arange(256) == 7))
    assert main(["parity", str(path)]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert main(["parity", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("trm_mlp", "eval/step4/halted"),
        ("trm_att", "traj/steps"),
        ("hrm", "train/out/target_q_continue"),
        ("trm_mlp", "traj/ema/model.inner.lm_head.weight"),
        ("units", "rope/q_rot"),
    ],
)
def test_a_wrong_number_fails(changed, stem, name):
    def by(array):
        return ~array if array.dtype == bool else (array + 1e-2 * array.max()).astype(array.dtype)

    if name == "traj/steps":
        by = np.roll
        assert failed(changed(stem, name, lambda array: np.roll(array, 1))) == {name}
    else:
        assert failed(changed(stem, name, by)) == {name}


def float32_stablemax(logits):
    s = torch.where(logits < 0, 1 / (1 - logits), logits + 1)
    return (s / s.sum(-1, keepdim=True)).log()


class CorrectedInside(optim.AdamAtan2):
    """The first-moment correction inside the atan2, as in the textbook."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["t"] = group.get("t", 0) + 1
            lr, (b1, b2) = group["lr"], group["betas"]
            for p in group["params"]:
                state = self.state[p] or dict(m=torch.zeros_like(p), v=torch.zeros_like(p))
                self.state[p] = state
                p.mul_(1 - lr * group["weight_decay"])
                state["m"].lerp_(p.grad, 1 - b1)
                state["v"].lerp_(p.grad**2, 1 - b2)
                m, v = state["m"] / (1 - b1 ** group["t"]), state["v"] / (1 - b2 ** group["t"])
                p.sub_(lr * torch.atan2(m, v.sqrt()))


def norm_over_features(mixer, h, rotary=None):
    return layers.rms_norm(h + mixer.swiglu(h.transpose(1, 2)).transpose(1, 2))


def gradient_through_everything(model, x, latents):
    for _ in range(model.config.T):
        latents = model.full_recursion(x, *latents)
    return latents


def ema_before_the_step(trainer):
    trainer.ema.update_parameters(trainer.model)
    average, trainer.ema.update_parameters = trainer.ema.update_parameters, lambda model: None
    UPDATE(trainer)
    trainer.ema.update_parameters = average


def keep_old_latents(model, carry, fresh):
    new = REFILL(model, carry, fresh)
    return thinking.Carry(carry.latents, new.batch, new.steps, new.halted)


UPDATE, REFILL = training.Learner.update_weights, thinking.refill

WRONG = {
    "the norm of the mixer over the length": (
        "rsm", rsm.FeatureNormMixer, "forward", layers.TokenMixer.forward, "eval/H1/logits"),
    "history never kept": (
        "rsm", rsm.RSM, "think_through",
        lambda model, *thought: THOUGHT(model, *thought[:4]), "train_keep/grad"),
    "thoughts that grow one step late": (
        "rsm", rsm_trainer, "depth",
        lambda recipe, config, step: GROWN(recipe, config, step - 1), "traj/H"),
    "rows and columns swapped": (
        "se_rrm", layers.BoardRotary, "forward",
        lambda rotary, x: TURNED(rotary, x.roll(x.shape[-1] // 4, -1)).roll(-x.shape[-1] // 4, -1),
        "units/attn_cells/y"),
    "symbols before cells": (
        "se_rrm", se_rrm.SymbolBlock, "forward",
        lambda block, h, rotary=None: MIXED(block, h.transpose(1, 2)).transpose(1, 2),
        "units/block/y"),
    "a convolution that looks ahead": (
        "urm", urm.ConvSwiGLU, "forward",
        lambda layer, x: CONVOLVED(layer, x.flip(1)).flip(1), "eval/step1/logits"),
    "gradient through all loops": (
        "urm", urm, "looped",
        lambda net, state, seen, loops, with_gradient: LOOPED(net, state, seen, loops, loops),
        "train/grad"),
    "the learning rate counted from 1": (
        "urm", training, "schedule",
        lambda step, **options: optim.schedule(step + 1, **options), "traj/lr"),
    "Muon without rounding": (
        "urm", torch.Tensor, "bfloat16", torch.Tensor.float, "units/muon/p_after/wide"),
    "noise scaled by lambda": (
        "eqr", trm.TRM, "update",
        lambda model, net, state, seen, draw=None: APPLY(model, net, state, seen,
                                                          None if draw is None else 0.95 * draw),
        "eval/step1/z_H"),
    "the first start for y, the second for z": (
        "eqr", trm.TRM, "initial_latents",
        lambda model, count, needed=None: Latents(*reversed(START(model, count, needed))),
        "eval/step1/z_H"),
    "residual over all steps": (
        "eqr", breadth_checks, "residual", lambda changes, window=3: changes.mean(0),
        "units/residual/window1/scores"),
    "gradient through all recursions": (
        "trm_mlp", trm.TRM, "recurse", gradient_through_everything, "train/grad_l2/"),
    "loss in float32": ("trm_att", losses, "log_stablemax", float32_stablemax, "train/loss_dtype"),
    "correction inside the atan2": (
        "units", None, "AdamAtan2", CorrectedInside, "adam/p_after"),
    "EMA before the optimiser": (
        "trm_mlp", training.Learner, "update_weights", ema_before_the_step, "traj/ema/"),
    "norm of the mixer over features": (
        "trm_mlp", layers.TokenMixer, "forward", norm_over_features, "eval/step1/logits"),
    "halted slots keep their latents": (
        "trm_att", training, "refill", keep_old_latents, "train/out/logits"),
    "a tighter norm": (
        "hrm", F, "rms_norm",
        lambda x, shape, eps: x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt(),
        "eval/step1/logits"),
    "no scale on the question": (
        "trm_att", reasoner.Reasoner, "embed",
        lambda model, inputs, ids=None: EMBED(model, inputs, ids) * 0.99, "eval/step1/logits"),
}  # fmt: skip
THOUGHT, GROWN = rsm.RSM.think_through, rsm_trainer.depth
TURNED, MIXED = layers.BoardRotary.forward, se_rrm.SymbolBlock.forward
CONVOLVED, LOOPED = urm.ConvSwiGLU.forward, reasoner.looped
APPLY, START = trm.TRM.update, trm.TRM.initial_latents
EMBED = reasoner.Reasoner.embed


@pytest.fixture
def part(tmp_path):
    """A copy of a golden file without what it says of other things than `thing`, such as "traj"."""

    def copy(stem: str, thing: str) -> Path:
        kept = ("state/", "eval/", "train/", f"{thing}/")  # the first three serve all others
        arrays = np.load(FOLDER / f"{stem}.npz")
        path = tmp_path / f"{stem}.npz"
        np.savez(path, **{name: arrays[name] for name in arrays if name.startswith(kept)})
        shutil.copy(FOLDER / "model_configs.json", tmp_path)
        return path

    return copy


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_semantics_fail(mistake, monkeypatch, part):
    stem, place, name, wrong, where = WRONG[mistake]
    path = part(stem, where.split("/")[0])
    if place is None:
        from trm_lite.official import units as place
    monkeypatch.setattr(place, name, wrong)
    assert any(check.startswith(where) for check in failed(path))


# --- bad input ----------------------------------------------------------------------------


def test_bad_files_end_with_status_2(tmp_path, capsys):
    (tmp_path / "text.npz").write_text("no numbers")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], dtype=object))
    np.savez(tmp_path / "unknown.npz", **dict(np.load(FOLDER / "trm_mlp.npz")))
    arrays = dict(np.load(FOLDER / "trm_mlp.npz"))
    lacking = {n: a for n, a in arrays.items() if not n.endswith("lm_head.weight")}
    np.savez(tmp_path / "trm_mlp.npz", **lacking)
    (tmp_path / "model_configs.json").write_text((FOLDER / "model_configs.json").read_text())
    for name in ("text", "other", "pickled", "unknown", "trm_mlp", "missing"):
        assert main(["parity", str(tmp_path / f"{name}.npz")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("trm-lite: ") and error.count("\n") == 1
    (tmp_path / "model_configs.json").write_text("{")
    assert main(["parity", str(tmp_path / "unknown.npz")]) == 2
    (tmp_path / "model_configs.json").write_text('{"unknown": {"arch": {"hidden_size": 64}}}')
    assert main(["parity", str(tmp_path / "unknown.npz")]) == 2


ODD_ARRAYS = {
    "text": (lambda a: np.array(["x"]), "is not an array of numbers"),
    "dates": (lambda a: a.astype("M8[s]"), "is not an array of numbers"),
    "complex": (lambda a: a.astype(complex), "is not an array of numbers"),
    "objects": (lambda a: np.array([{}]), "not a complete .npz file of plain arrays"),
    "no axes": (lambda a: np.array(3), "do not fit together"),
    "one row": (lambda a: a[0], "do not fit together"),
    "many rows": (lambda a: np.zeros((10_000, 16), int), "do not fit together"),
    "tokens": (lambda a: np.full_like(a, 10**6), "do not fit together"),
}


@pytest.mark.parametrize("what", ODD_ARRAYS)
def test_odd_arrays_are_one_sentence(changed, capsys, what):
    by, words = ODD_ARRAYS[what]
    assert main(["parity", str(changed("trm_mlp", "eval/batch/inputs", by))]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_the_order_of_bytes_does_not_matter(changed):
    path = changed("units", "rms/x", lambda a: a.astype(a.dtype.newbyteorder(">")))
    assert not failed(path)


def test_endless_settings_are_refused(changed):
    path = changed("trm_mlp", "eval/batch/inputs", np.copy)
    settings = json.loads(path.with_name("model_configs.json").read_text())
    for name in ("halt_max_steps", "H_cycles"):
        entry = {**settings["trm_mlp"], "arch": settings["trm_mlp"]["arch"] | {name: 10**9}}
        path.with_name("model_configs.json").write_text(json.dumps({"trm_mlp": entry}))
        with pytest.raises(UserError, match=f"{name} is 1000000000|T=1000000000"):
            check_parity(path)


def test_arrays_that_unpack_to_more_than_is_sensible_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("trm_lite.official.golden.LARGEST", 4_000_000)

    def archive(content: bytes, size: int) -> Path:
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("rms/x.npy", content + bytes(size))
        return path

    def header(count: int) -> bytes:
        content = io.BytesIO()
        described = {"descr": "<f4", "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(content, described)
        return content.getvalue()

    for count, size, words in (
        (5_000_000, 20_000_000, "unpacks to 20 MB, but golden files have less than 4 MB"),
        (10**13, 400, "not a complete .npz file"),
    ):
        path = archive(header(count), size)
        tracemalloc.start()
        with pytest.raises(UserError, match=words):
            Golden(path)
        assert tracemalloc.get_traced_memory()[1] < 2e6
        tracemalloc.stop()


def test_a_lacking_array_is_named():
    golden = Golden(FOLDER / "units.npz")
    with pytest.raises(UserError, match="lacks 'adam/p1'"):
        golden["adam/p1"]


# --- full size ----------------------------------------------------------------------------

COUNTS = json.loads((FOLDER / "param_counts.json").read_text())
OURS = {
    "sudoku_mlp": "sudoku-extreme-mlp",
    "sudoku_att": "sudoku-extreme-att",
    "maze_att": "maze-hard",
    "maze_mlp(not official)": "maze-hard-mlp",
    "arc1_att": "arc-agi-1",
    "arc2_att": "arc-agi-2",
    "hrm_sudoku": "sudoku-extreme-hrm",
    "hrm_maze": "maze-hard-hrm",
    "hrm_arc1": "arc-agi-1-hrm",
    "hrm_arc2": "arc-agi-2-hrm",
    "eqr_sudoku": "sudoku-extreme-eqr",
    "eqr_sudoku_attention": "sudoku-extreme-eqr-att",
    "urm_sudoku": "sudoku-extreme-urm",
    "urm_arc1": "arc-agi-1-urm",
    "urm_arc2": "arc-agi-2-urm",
    "rsm_sudoku": "sudoku-extreme-rsm",
    "se_rrm_sudoku": "sudoku-extreme-se-rrm",
    "transformers_baseline_sudoku": "sudoku-extreme-direct",
    "transformers_baseline_maze": "maze-hard-direct",
    "transformers_baseline_arc1": "arc-agi-1-direct",
    "transformers_baseline_arc2": "arc-agi-2-direct",
}


@pytest.mark.parametrize("theirs", OURS)
def test_full_size_networks_have_the_authors_shapes(theirs):
    expected, config = COUNTS[theirs], PRESETS[OURS[theirs]].model
    assert config.parameters == expected["parameters"]
    shapes = {name: list(place.shape) for name, place in places(config).items()}
    if config.network == "RSM":  # its head is the token embedding
        shapes["lm_head.weight"] = shapes["embed_tokens.embedding_weight"]
    for name, shape in expected["state_dict_keys"].items():
        name = name.removeprefix("inner.")
        assert shapes.pop(name) == shape
    assert not shapes
