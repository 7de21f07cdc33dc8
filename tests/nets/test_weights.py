"""Weights files need not be trusted: what does not fit is refused before it is built."""

import dataclasses
import json
import tracemalloc

import pytest
import torch
from nets.networks import CONFIGS, REASONERS, SMALL, fresh, puzzles
from safetensors.torch import save_file

from trm_lite.common import UserError
from trm_lite.nets import TRMConfig, build_network, load_weights, save_weights, weights
from trm_lite.nets.build import network_with, shapes

CONFIG = dataclasses.asdict(TRMConfig(**SMALL, prefix_len=2))


@pytest.fixture
def never_built(monkeypatch):
    def build(config, state):
        raise AssertionError("a network was built")

    monkeypatch.setattr(weights, "network_with", build)


def write(path, config=CONFIG, about=None, edit=lambda state: None, **metadata):
    state = {
        name: t.clone() for name, t in fresh(TRMConfig(**SMALL, prefix_len=2)).state_dict().items()
    }
    edit(state)
    described = {"config": json.dumps(config), "about": json.dumps(about or {}), **metadata}
    save_file(state, path, described)


def test_shapes_are_those_of_the_network():
    for config in (
        TRMConfig(**SMALL, mixing="attention", positions="learned", num_latents=6),
        TRMConfig(**SMALL, shared_net=False),
    ):
        built = {name: tensor.shape for name, tensor in build_network(config).state_dict().items()}
        assert shapes(config) == built


HOSTILE = {
    "more layers": (dict(config=CONFIG | {"num_layers": 20}), r"'net\.blocks\.2\..*' is missing"),
    "far too many": (dict(config=CONFIG | {"num_layers": 10**7}), "num_layers=10000000, which"),
    "endless": (dict(config=CONFIG | {"n": 10**9}), "n=1000000000, which must"),
    "wide": (dict(config=CONFIG | {"hidden_size": 16_000}), r"has the shape \(16,\) and not"),
    "many puzzles": (dict(config=CONFIG | {"num_puzzles": 10**8}), r"and not \(100000000, 16\)"),
    "unknown field": (dict(config=CONFIG | {"colour": 3}), "does not say which network"),
    "a number": (dict(config=3), "does not say which network"),
    "NaN": (dict(config=CONFIG | {"expansion": float("nan")}), "expansion=nan, which must"),
    "about": (dict(about=[1]), "does not say which network"),
    "integers": (dict(edit=lambda s: s.update(y_init=s["y_init"].int())), "'y_init' holds I32"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_is_built_before_it_fits(tmp_path, never_built, what):
    options, words = HOSTILE[what]
    path = tmp_path / "w.safetensors"
    write(path, **options)
    tracemalloc.start()
    with pytest.raises(UserError, match=words) as refused:
        load_weights(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_deep_nesting_is_refused(tmp_path, never_built):
    tensors = fresh(TRMConfig(**SMALL)).state_dict()
    save_file(tensors, tmp_path / "w.safetensors", {"config": "[" * 100_000, "about": "{}"})
    with pytest.raises(UserError, match="does not say which network"):
        load_weights(tmp_path / "w.safetensors")


def test_superfluous_tensors_are_refused(tmp_path):
    write(tmp_path / "w.safetensors", edit=lambda state: state.update(surprise=torch.ones(2)))
    with pytest.raises(UserError, match=r"Unexpected key.*surprise"):
        load_weights(tmp_path / "w.safetensors")


def test_a_description_of_many_megabytes_is_not_read(tmp_path):
    write(tmp_path / "w.safetensors", note=" " * 10**6)
    with pytest.raises(UserError, match=r"describes its tensors in 1,0\d\d,\d\d\d bytes"):
        load_weights(tmp_path / "w.safetensors")


OTHER_FILES = {
    "is empty": b"",
    "is a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 9\n",
    "is a web page": b"\xef\xbb\xbf \n<!DOCTYPE html>\n<html></html>",
    "is a text file": b'{"error": "not found"}',
    "is a packed archive": b"\x1f\x8b\x08\x00" + b"\x00" * 20,
    "is an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "is a single NumPy array": b"\x93NUMPY\x01\x00",
    "is a pickle that PyTorch did not write": b"\x80\x04\x95N.",
    "is incomplete": b"PK\x03\x04 and no end",
    "is not a complete safetensors file": b"\0" * 64,
}


@pytest.mark.parametrize("words", OTHER_FILES)
def test_files_of_other_kinds_are_named(tmp_path, words):
    path = tmp_path / "weights"
    path.write_bytes(OTHER_FILES[words])
    with pytest.raises(UserError, match=f"{path} {words}"):
        load_weights(path)


@pytest.mark.parametrize("length", [0x0280, 0x4B50, 0x8B1F], ids=hex)
def test_the_length_of_a_description_is_not_taken_for_another_kind(tmp_path, length):
    """The first bytes of a safetensors file are this number: 80 02 begins a pickle."""
    path = tmp_path / "w.safetensors"
    description = b'{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    path.write_bytes(length.to_bytes(8, "little") + description.ljust(length) + bytes(4))
    with pytest.raises(UserError, match="does not say which network it holds"):
        load_weights(path)


def test_a_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        load_weights(tmp_path)


@pytest.mark.parametrize("name", REASONERS)
def test_a_network_gets_its_weights_without_drawing_any(name):
    drawn = fresh(CONFIGS[name])
    before = torch.get_rng_state()
    given = network_with(drawn.config, drawn.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    logits = []
    for network in (drawn, given):
        torch.manual_seed(1)
        logits.append(network.eval()(network.initial_latents(4), puzzles()).logits)
    assert torch.equal(*logits)


def test_half_precision_is_read(tmp_path):
    model = fresh(TRMConfig(**SMALL))
    save_weights(model, tmp_path / "w.safetensors", {"a": 1}, half=True)
    again, about = load_weights(tmp_path / "w.safetensors")
    assert about == {"a": 1}
    assert torch.equal(again.head.weight, model.head.weight.half().float())
