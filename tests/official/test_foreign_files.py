"""Checkpoints of other layouts are read or named, and hostile ones take neither time nor memory."""

import io
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.nets import HRMConfig, TRMConfig, build_network, load_weights
from trm_lite.official import checkpoints as official
from trm_lite.official import state_dicts
from trm_lite.official.checkpoints import COMPILED
from trm_lite.official.state_dicts import read_content

TINY = dict(hidden_size=32, multiple_of=256)
SUDOKU = TRMConfig(**TINY, vocab_size=8, seq_len=36)


def official_state(config, seed=0, prefix=COMPILED):
    torch.manual_seed(seed)
    return official.to_official(build_network(config), prefix)


def converted(content, tmp_path, **given):
    torch.save(content, tmp_path / "c")
    return official.load(tmp_path / "c", **given)


# --- sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        TRMConfig(**TINY, vocab_size=6, seq_len=16),  # a 4x4 Sudoku has as many tokens as a maze
        TRMConfig(**TINY, vocab_size=6, seq_len=900, n=4),
        TRMConfig(**TINY, vocab_size=6, seq_len=25),
        TRMConfig(**TINY, vocab_size=8, seq_len=36),
        TRMConfig(**TINY, vocab_size=8, seq_len=36, prefix_len=1),
        TRMConfig(**TINY, vocab_size=11, seq_len=81, prefix_len=0),
        TRMConfig(**TINY, vocab_size=8, seq_len=36, mixing="attention", num_heads=1),
        TRMConfig(**TINY, seq_len=81, mixing="attention", num_heads=1, prefix_len=0),
        TRMConfig(**TINY, vocab_size=6, seq_len=16, mixing="attention", num_heads=1,
                  positions="learned"),
        HRMConfig(**TINY, vocab_size=6, seq_len=16, mixing="mlp", H_layers=1, L_layers=1),
    ],
)  # fmt: skip
def test_sizes_follow_from_vocabulary_and_shapes(config):
    found = official.infer(official_state(config, prefix=""))
    for name in ("seq_len", "prefix_len", "mixing", "positions", "T", "n"):
        assert getattr(found, name) == getattr(config, name), name


def test_attention_on_six_tokens_may_be_two_puzzles(tmp_path, capsys):
    small = TRMConfig(**TINY, vocab_size=6, seq_len=16, mixing="attention", num_heads=1)
    torch.save(official_state(small), tmp_path / "c")
    assert main(["convert", str(tmp_path / "c")]) == 2
    error = capsys.readouterr().err
    assert "may have 900 or 16 cells; say how many" in error and "--seq-len" in error
    assert main(["convert", str(tmp_path / "c"), "--seq-len", "16"]) == 0
    # The authors' networks for mazes are 512 wide.
    wide = TRMConfig(vocab_size=6, seq_len=900, mixing="attention", num_layers=1)
    model, about = converted(official_state(wide), tmp_path)
    assert model.config.seq_len == 900
    assert "puzzles of 6 tokens may also have 16 cells" in official.describe(model, about, {})
    assert "may also" not in official.describe(model, about, {"seq_len": 900})


@pytest.mark.parametrize("cells", ["0", "60", "1000000000"])
def test_cells_that_cannot_be(tmp_path, capsys, cells):
    torch.save(official_state(SUDOKU), tmp_path / "c")
    assert main(["convert", str(tmp_path / "c"), "--seq-len", cells]) == 2
    assert f"cannot hold {cells} cells" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--T", "--n", "--num-heads", "--prefix-len"])
def test_other_settings_that_cannot_be(tmp_path, capsys, option):
    torch.save(official_state(SUDOKU), tmp_path / "c")
    assert main(["convert", str(tmp_path / "c"), option, "-1000000000"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- layouts ------------------------------------------------------------------------------


class Stranger:
    """An object of a class that PyTorch does not know, with tensors in it."""

    def __init__(self):
        self.tensor = torch.ones(2)


HEAD = f"{COMPILED}lm_head.weight"
RAW = official_state(SUDOKU, seed=1)
NAMES = {
    "plain": lambda name: name.removeprefix(COMPILED),
    "compiled inside": lambda name: name.replace(COMPILED, "model.").replace(
        "L_level.", "L_level._orig_mod."
    ),
    "compiled embedding": lambda name: name.replace("embed_tokens.", "embed_tokens._orig_mod."),
    "several processes": lambda name: f"module.{name}",
    "both": lambda name: name.replace(COMPILED, "_orig_mod.module.model.inner."),
}
LAYOUTS = {
    "net": lambda s: {"net": s},
    "ema": lambda s: {"ema": s, "step": 3},
    "weights": lambda s: {"weights": {"model": s}},
    "in a list": lambda s: [s, {"lr": 1e-4}],
    "numpy scalar": lambda s: {"model": s, "best": np.float64(0.5)},
    "numpy scalar inside": lambda s: s | {"best": np.float32(0.5), "step": 10},
    "settings": lambda s: {"model": s, "args": Stranger()},
    "optimiser": lambda s: {"optimizer": {"state": {0: {"m": torch.ones(2)}}}, "model": s},
    "recomputed": lambda s: s | {f"{COMPILED}rotary_emb.cos": torch.ones(2)},
}


@pytest.mark.parametrize("names", NAMES)
def test_names_with_all_kinds_of_prefixes(tmp_path, names):
    renamed = {NAMES[names](name): tensor for name, tensor in RAW.items()}
    assert torch.equal(
        converted(renamed, tmp_path)[0].head.weight, RAW[f"{COMPILED}lm_head.weight"]
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_networks_beside_other_things(tmp_path, layout):
    model, _ = converted(LAYOUTS[layout](RAW), tmp_path)
    assert torch.equal(model.head.weight, RAW[HEAD])


def averaged():
    """What the authors' moving average holds: no buffers, because they are not trained."""
    average = official_state(SUDOKU, seed=2)
    return {n: t for n, t in average.items() if "init" not in n and "puzzle_emb" not in n}


@pytest.mark.parametrize(
    "layout",
    [
        lambda raw, ema: {"model": raw, "ema": {"mu": 0.999, "shadow": ema}},
        lambda raw, ema: {"ema_model": ema, "state_dict": raw},
        lambda raw, ema: raw | {f"ema.{name}": tensor for name, tensor in ema.items()},
        lambda raw, ema: {"model": raw, "averaged": {f"module.{n}": t for n, t in ema.items()}},
    ],
)
def test_the_moving_average_is_preferred_and_completed(tmp_path, layout):
    ema = averaged()
    model, about = converted(layout(RAW, ema), tmp_path)
    assert torch.equal(model.head.weight, ema[HEAD])
    assert torch.equal(model.y_init, RAW[f"{COMPILED}H_init"])
    said = official.describe(model, about, {})
    assert "a moving average (EMA)" in said and "passed over: '" in said


def test_weights_beside_no_average_are_said_to_be_those(tmp_path):
    said = official.describe(*converted({"model": RAW}, tmp_path), {})
    assert "weights taken from 'model', which is not called a moving average (EMA)" in said
    assert "taken from" not in official.describe(*converted(RAW, tmp_path), {})


def test_networks_without_puzzle_embeddings_come_back_as_they_were(tmp_path):
    config = TRMConfig(
        **TINY, vocab_size=8, seq_len=36, mixing="attention", num_heads=1, prefix_len=0
    )
    state = official_state(config)
    assert not any("puzzle_emb" in name for name in state)
    model, about = converted(state, tmp_path)
    assert "no puzzle embeddings" in official.describe(model, about, {})
    back = official.to_official(model)
    assert back.keys() == state.keys() and all(torch.equal(back[n], state[n]) for n in state)


def test_two_names_for_one_tensor_are_refused(tmp_path):
    twice = RAW | {name.removeprefix("_orig_mod."): tensor for name, tensor in RAW.items()}
    with pytest.raises(UserError, match="under two names"):
        converted(twice, tmp_path)


def test_solve_and_evaluate_say_that_it_needs_converting(tmp_path, capsys):
    torch.save(RAW, tmp_path / "step_10")
    save_file(RAW, tmp_path / "theirs.safetensors")
    (tmp_path / "p").write_text("...51.......3...2..5.4.34.5...2.....\n")
    for weights in (tmp_path / "step_10", tmp_path / "theirs.safetensors"):
        for command in (["solve", str(tmp_path / "p"), "--weights"], ["evaluate"]):
            assert main([*command, str(weights)]) == 2
            assert f"convert it first: trm-lite convert {weights}" in capsys.readouterr().err


# --- what is no weights file, or should not be read ---------------------------------------

WORDS = {
    "layer": ("999999999 but none with the number 2", "L_level.layers.999999999.mlp.x"),
    "long": ("9 but none with the number 2", f"L_level.layers.{'9' * 5000}.mlp.x"),
}


@pytest.mark.parametrize("which", WORDS)
def test_layers_of_huge_numbers(tmp_path, which):
    words, name = WORDS[which]
    with pytest.raises(UserError, match=words):
        converted(RAW | {COMPILED + name: torch.ones(2)}, tmp_path)


ODD = {
    "sparse": (torch.eye(8, 32).to_sparse(), "'lm_head.weight' .* is a sparse tensor"),
    "meta": (torch.empty(10**6, 10**6, device="meta"), "one without numbers"),
    "whole numbers": (torch.ones(8, 32, dtype=torch.int8), "holds int8 numbers"),
    "complex": (torch.ones(8, 32, dtype=torch.complex64), "holds complex64 numbers"),
    "expanded": (torch.ones(1, 1).expand(10**6, 10**6), "repeat each other's numbers"),
}


@pytest.mark.parametrize("which", ODD)
def test_odd_tensors_are_named(tmp_path, which):
    tensor, words = ODD[which]
    with pytest.raises(UserError, match=words):
        converted(RAW | {HEAD: tensor}, tmp_path)


def zipped(pickled: bytes, compression=zipfile.ZIP_STORED) -> bytes:
    """A file like those of torch.save, around any pickle."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr("c/data.pkl", pickled)
        file.writestr("c/version", "3\n")
        file.writestr("c/byteorder", "little")
    return content.getvalue()


def old_format(pickled: bytes) -> bytes:
    """A file like those of torch.save before 1.6, around any pickle."""
    sizes = {"little_endian": True, "protocol_version": 1001, "type_sizes": {}}
    return b"".join(pickle.dumps(n, 2) for n in (0x1950A86A20F9469CFC6C, 1001, sizes)) + pickled


ZEROS = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."  # 2 GB of them
GLOBALS = b"".join(b"cthere\nis%d\n" % number for number in range(1_000))
HOSTILE = {
    "packed": (zipped(b"\x80\x02" + b"]" * 10**7 + b".", zipfile.ZIP_DEFLATED), "unpacks to more"),
    "many parts": (zipped(b"\x80\x02" + b"]" * 10**6 + b"."), "unpacks to more"),
    "zeros": (zipped(ZEROS), "unpacks to more"),
    "classes": (zipped(b"\x80\x02" + GLOBALS + b"."), "objects of 1000 classes"),
    "many parts, old": (old_format(b"\x80\x02" + b"]" * 10**6 + b"."), "cannot be read safely"),
    "zeros, old": (old_format(ZEROS), "cannot be read safely"),
    "pickle": (pickle.dumps({"a": 1}), "a pickle that PyTorch did not write"),
    "arrays": (zipped(b"").replace(b"data.pkl", b"data.npy"), "an archive of NumPy arrays"),
    "zip": (zipped(b"").replace(b"data.pkl", b"data.txt"), "a zip archive that PyTorch did not"),
    "table": (zipped(b"\x80\x02}.")[:-10] + b"\xff\xff\xff\x00" * 2 + b"\0\0", "table of contents"),
    "a list": (zipped(b"\x80\x02]."), "a Python object of the class 'list'"),
}


@pytest.mark.parametrize("which", HOSTILE)
def test_hostile_files_take_no_memory(tmp_path, which):
    content, words = HOSTILE[which]
    (tmp_path / "c").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(UserError, match=words) as refused:
        official.load(tmp_path / "c")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert "\n" not in str(refused.value)


def test_references_that_multiply_are_followed_once(tmp_path):
    many = {"z": 1}
    for _ in range(60):
        many = {"a": many, "b": many}
    itself = {"model": RAW}
    itself["again"] = itself
    for content in ({"other": many, "model": RAW}, itself):
        assert converted(content, tmp_path)[0].config.seq_len == 36


def test_code_of_other_classes_is_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return eval, (f"open({str(tmp_path / 'it-ran')!r}, 'w')",)

    torch.save({"model": RAW, "settings": Code()}, tmp_path / "c")
    assert read_content(tmp_path / "c")["model"].keys() == RAW.keys()
    assert not (tmp_path / "it-ran").exists()


def test_the_old_format_is_read(tmp_path):
    torch.save(RAW, tmp_path / "c", _use_new_zipfile_serialization=False)
    assert torch.equal(official.load(tmp_path / "c")[0].head.weight, RAW[HEAD])


def test_nothing_is_built_before_the_shapes_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(official, "network_with", lambda *given: pytest.fail("it was built"))
    for name, shape in (("L_level.layers.1.mlp.down_proj.weight", (32, 2)), ("H_init", (31,))):
        with pytest.raises(UserError):
            converted(RAW | {COMPILED + name: torch.ones(shape)}, tmp_path)


def test_a_converted_file_says_what_it_is(tmp_path, capsys):
    torch.save({"net": RAW}, tmp_path / "c.pt")
    assert main(["convert", str(tmp_path / "c.pt")]) == 0
    assert "'net'" in capsys.readouterr().out
    model, about = load_weights(tmp_path / "c.pt.trm_lite.safetensors")
    assert about["official"]["place"] == "net" and model.config.seq_len == 36
    assert state_dicts.find_network({"net": RAW}, "c").place == "net"
