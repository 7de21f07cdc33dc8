"""Weights, checkpoints, states, golden files and run folders: read, or refused in one line."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz.trials import altered, damaged, fuzz, survives, written
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save as to_safetensors
from shared_settings import SMALL

from trm_lite.experiments import get_preset
from trm_lite.experiments.report import collect
from trm_lite.nets import TRMConfig, build_network, load_weights
from trm_lite.official import checkpoints as official
from trm_lite.official.parity import check_parity
from trm_lite.training import replace
from trm_lite.training.run_folder import load_state, preset_of

CONFIG = TRMConfig(**SMALL, T=1, n=1)
NETWORK = build_network(CONFIG)
OFFICIAL = official.to_official(NETWORK)
STATES = {"ours": NETWORK.state_dict(), "theirs": OFFICIAL}  # by name, because a failure is printed
PRESET = replace(get_preset("sudoku-6x6"), **SMALL, T=1, n=1)
DESCRIBED = json.loads(json.dumps(dataclasses.asdict(PRESET)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def weights(config: object = dataclasses.asdict(CONFIG), state: dict | None = None) -> bytes:
    state = NETWORK.state_dict() if state is None else state
    return to_safetensors(state, {"config": json.dumps(config), "about": "{}"})


WEIGHTS = weights()
HEADER = int.from_bytes(WEIGHTS[:8], "little")
ODD_TENSORS = st.sampled_from([
    torch.zeros(0), torch.zeros(1, 1, 1), torch.ones(3, dtype=torch.int64), torch.tensor(1.0),
    torch.zeros(8, 16), torch.full((16, 16), torch.nan), torch.zeros(2, dtype=torch.bool),
    torch.zeros(70_000, 1).expand(70_000, 4).contiguous(), torch.ones(2, dtype=torch.complex64),
])  # fmt: skip
ODD_NAMES = ["head.weight", "x", "", "a" * 300, "layers.999999999.x", "model.inner.lm_head.weight"]


@st.composite
def other_tensors(draw, which):
    """A state, by its name, in which some tensors are missing, renamed, or others."""
    state = dict(STATES[which])
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*state, *ODD_NAMES]))
        kind = draw(st.sampled_from(("replace", "remove", "rename")))
        if kind == "replace":
            state[name] = draw(ODD_TENSORS).clone()  # no two may share their memory
        elif kind == "remove":
            state.pop(name, None)
        elif name in state:
            state[draw(st.sampled_from(["_orig_mod.", "module.", "ema."])) + name] = state.pop(name)
    return state


@fuzz
@given(
    st.one_of(
        damaged([WEIGHTS, WEIGHTS[: HEADER + 8]]),
        altered(dataclasses.asdict(CONFIG)).map(weights),
        other_tensors("ours").map(lambda state: weights(state=state)),
    )
)
def test_weights_of_any_bytes(folder, content):
    (folder / "some.safetensors").write_bytes(content)
    with survives("weights"):
        load_weights(folder / "some.safetensors")


def saved(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


CHECKPOINT = saved(OFFICIAL)
OTHER_PICKLES = st.sampled_from([
    [], {}, 3, None, "text", torch.zeros(3), {"model": 3}, {"model": {}}, {1: torch.zeros(2)},
    {"model": OFFICIAL, "step": 3}, {"ema": {"shadow": OFFICIAL}}, {"net": {"weights": OFFICIAL}},
]).map(saved)  # fmt: skip


@fuzz
@given(
    st.one_of(
        damaged([CHECKPOINT, WEIGHTS]),
        other_tensors("theirs").map(saved),
        OTHER_PICKLES,
        st.sampled_from([b"version https://git-lfs.github.com/spec/v1", b"<html>", b""]),
    )
)
def test_checkpoints_of_any_bytes(folder, content):
    (folder / "step_7").write_bytes(content)
    with survives("checkpoints"):
        official.load(folder / "step_7", seq_len=36)


STATE = saved({"model": NETWORK.state_dict(), "steps_done": 3, "history": [], "seconds": 1.0})


@fuzz
@given(st.one_of(damaged([STATE]), OTHER_PICKLES))
def test_states_of_any_bytes(folder, content):
    (folder / "last.pt").write_bytes(content)
    with survives("states"):
        load_state(folder / "last.pt")


UNITS_FILE = Path(__file__).parents[1] / "golden" / "units.npz"
UNITS = dict(np.load(UNITS_FILE))
ODD_ARRAYS = st.sampled_from([
    np.zeros(0), np.zeros((1, 1, 1)), np.ones(3, np.int64), np.array(1.0), np.array("text"),
    np.full((2, 3), np.nan), np.zeros(4, bool), np.ones(2, complex), np.zeros((3, 0, 2)),
])  # fmt: skip


@st.composite
def other_arrays(draw):
    arrays = dict(UNITS)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*arrays, "x", "state/x", "traj/steps"]))
        if draw(st.booleans()):
            arrays[name] = draw(ODD_ARRAYS)
        else:
            arrays.pop(name, None)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def huge_npz() -> bytes:
    """An array that says it has 10**13 entries, and has none."""
    buffer, header = io.BytesIO(), io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("lr/values.npy", header.getvalue())
    return buffer.getvalue()


GOLDEN = [UNITS_FILE.read_bytes(), huge_npz()]


@fuzz
@given(st.one_of(damaged(GOLDEN), other_arrays(), st.just(GOLDEN[1])))
def test_golden_files_of_any_bytes(folder, content):
    (folder / "units.npz").write_bytes(content)
    with survives("golden files"):
        check_parity(folder / "units.npz")


SHARE = {"value": 0.5, "low": 0.4, "high": 0.6, "count": 10}
AROUND = {"device": "cpu", "torch": "2", "commit": None, "look": {"step": 3}}
EXAM = {"preset": "sudoku-6x6", "seed": 0, "exact": SHARE, "puzzles": 10, "circumstances": AROUND,
        "tries": 1, "noise": 0.0, "split": "test", "weights": "last"}  # fmt: skip


@fuzz
@given(
    st.one_of(altered(DESCRIBED).map(written), damaged([written(DESCRIBED)])),
    st.one_of(altered(EXAM).map(written), damaged([written(EXAM)]), st.just(written(EXAM))),
)
def test_run_folders_of_any_bytes(folder, described, exam):
    (folder / "preset.json").write_bytes(described)
    (folder / "test-last.json").write_bytes(exam)
    with survives("run folders"):
        preset_of(folder)
    with survives("run folders"):
        collect([folder])
