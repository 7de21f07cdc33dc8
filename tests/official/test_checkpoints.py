"""Checkpoints of the authors' code: read, written back, and refused when they are none."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.nets import (
    AutoregressiveConfig,
    DirectConfig,
    HRMConfig,
    TRMConfig,
    build_network,
    load_weights,
    save_weights,
)
from trm_lite.official import checkpoints as official
from trm_lite.official.checkpoints import COMPILED, PLAIN
from trm_lite.official.config import infer
from trm_lite.puzzles import sudoku

GOLDEN = Path(__file__).parents[1] / "golden"
ARCH = {n: e["arch"] for n, e in json.loads((GOLDEN / "model_configs.json").read_text()).items()}
MODELS = list(ARCH)


def state_of(name: str) -> dict[str, torch.Tensor]:
    stem, prefix = name, "state/"
    if name.startswith(("eqr", "rsm")):  # files with two networks
        stem, prefix = name[:3], "att/state/" if name.endswith("_att") else "state/"
    arrays = np.load(GOLDEN / f"{stem}.npz")
    names = [name for name in arrays.files if name.startswith(prefix)]
    return {name.removeprefix(prefix): torch.from_numpy(arrays[name]) for name in names}


def given_of(stem: str) -> dict:
    given = {"seq_len": 16, "num_heads": ARCH[stem]["num_heads"]}
    if stem == "se_rrm":  # its shapes tell neither the symbols nor the heads
        given |= {"vocab_size": 6, "symbol_heads": 2}
    return given


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of the authors' layout for 6x6 Sudoku, and the network in it."""
    torch.manual_seed(0)
    model = build_network(TRMConfig(vocab_size=8, seq_len=36, hidden_size=32, T=1, n=1)).eval()
    path = tmp_path / "step_10"
    torch.save(official.to_official(model), path)
    return path, model


# --- there and back -----------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [PLAIN, COMPILED, "module.inner."])
@pytest.mark.parametrize("stem", MODELS)
def test_round_trip_is_exact(stem, prefix, tmp_path):
    own = "model." if stem.startswith("rsm") else PLAIN
    state = {name.replace(own, prefix): tensor for name, tensor in state_of(stem).items()}
    torch.save(state, tmp_path / "step_7")
    model, about = official.load(tmp_path / "step_7", **given_of(stem))
    assert about["official"]["prefix"] == prefix
    back = official.to_official(model, prefix)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)
    assert getattr(model.config, "random_start", False) == (stem == "eqr_mlp")


def test_command_line_round_trip(checkpoint, tmp_path, capsys):
    path, model = checkpoint
    given = ["--seq-len", "36", "--T", "1", "--n", "1"]
    assert main(["convert", str(path), *given, "--out", str(tmp_path / "w.safetensors")]) == 0
    out = capsys.readouterr().out
    assert "TRM, mlp mixing, 32 features" in out and "prefix_len=16" in out and "T=" not in out
    converted, _ = load_weights(tmp_path / "w.safetensors")
    assert converted.config.T == 1 and converted.config.hidden_size == 32
    inputs = torch.randint(1, 8, (3, 36))
    with torch.no_grad():
        logits = [m(m.initial_latents(3), inputs).logits for m in (model, converted)]
    assert torch.equal(*logits)
    back = tmp_path / "back"
    command = ["convert", str(tmp_path / "w.safetensors"), "--export", "--out", str(back)]
    assert main(command) == 0
    first, second = torch.load(path), torch.load(back)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bfloat16_starts_come_back_as_they_were(checkpoint, tmp_path):
    path, _ = checkpoint
    state = torch.load(path)
    for name in state:
        if name.endswith("_init"):
            state[name] = state[name].bfloat16()
    torch.save(state, path)
    model, about = official.load(path, seq_len=36)
    assert model.y_init.dtype == torch.float32
    save_weights(model, tmp_path / "w.safetensors", about)
    assert main(["convert", str(tmp_path / "w.safetensors"), "--export"]) == 0
    back = torch.load(tmp_path / "w")
    assert all(back[n].dtype == t.dtype and torch.equal(back[n], t) for n, t in state.items())


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_wrapped_and_safetensors_files(checkpoint, tmp_path, wrapper):
    path, model = checkpoint
    state = torch.load(path)
    torch.save({wrapper: state, "step": 10}, tmp_path / "wrapped")
    save_file(state, tmp_path / "them.safetensors")
    for file in (tmp_path / "wrapped", tmp_path / "them.safetensors"):
        loaded, _ = official.load(file, seq_len=36)
        assert torch.equal(loaded.head.weight, model.head.weight)


def test_converted_weights_evaluate_and_solve(checkpoint, tmp_path, capsys):
    path, _ = checkpoint
    weights = str(tmp_path / "w.safetensors")
    assert main(["convert", str(path), "--T", "1", "--n", "1", "--out", weights]) == 0
    preset = ["--preset", "sudoku-6x6", "--steps", "1", "--json"]
    capsys.readouterr()
    assert main(["evaluate", weights, *preset]) == 0
    assert json.loads(capsys.readouterr().out)["puzzles"] == 500
    puzzle = sudoku.to_line(sudoku.generate(1, 6, seed=0)[0][0])
    (tmp_path / "p.txt").write_text(puzzle)
    solve = ["solve", str(tmp_path / "p.txt"), "--weights", weights, "--max-steps", "1"]
    assert main(solve) == 1  # untrained: an answer, and it is wrong


# --- what the shapes tell -----------------------------------------------------------------

FULL = {
    "sudoku_mlp": TRMConfig(),
    "sudoku_att": TRMConfig(mixing="attention"),
    "maze_att": TRMConfig(vocab_size=6, seq_len=900, mixing="attention", n=4),
    "arc1_att": TRMConfig(vocab_size=12, seq_len=900, mixing="attention", n=4, num_puzzles=876_406),
    "hrm_sudoku": HRMConfig(),
    "hrm_maze": HRMConfig(vocab_size=6, seq_len=900),
    "transformers_baseline_sudoku": DirectConfig(),
    "trm_singlez_sudoku": TRMConfig(mixing="attention", num_latents=0),
    "trm_hier6_sudoku": TRMConfig(mixing="attention", num_latents=6),
}


@pytest.mark.parametrize("name", FULL)
def test_full_size_checkpoints_are_recognised(name):
    shapes = json.loads((GOLDEN / "param_counts.json").read_text())[name]["state_dict_keys"]
    state = {
        key.removeprefix("inner."): torch.empty(shape, device="meta")
        for key, shape in shapes.items()
    }
    found = infer(state)
    assert found.puzzle_embedding_size == 512
    expected = FULL[name]
    for field in vars(expected):
        if field not in ("puzzle_embedding_size", "puzzle"):
            assert getattr(found, field) == getattr(expected, field), field
    names = {11: "sudoku-9x9", 6: "maze-30x30", 12: "arc-30x30"}
    assert found.puzzle == names[found.vocab_size]


def test_other_widths_are_recognised():
    wide = dict(vocab_size=11, seq_len=81, hidden_size=48)
    for config in (
        TRMConfig(**wide, mixing="attention", expansion=2.0),
        TRMConfig(**wide, mixing="attention", expansion=3.0, multiple_of=8),
        TRMConfig(**wide, multiple_of=32),
        HRMConfig(**wide, mixing="mlp", multiple_of=32, H_layers=1, L_layers=2),
    ):
        state = official.to_official(build_network(config), "")
        found = infer(state)
        build_network(found).load_state_dict(official.from_official(state, found))
    with pytest.raises(UserError, match="inner widths"):
        infer({**state, "H_level.layers.0.mlp.down_proj.weight": torch.ones(48, 7)})


def test_puzzle_table_is_kept_dropped_or_resized(tmp_path):
    state = state_of("trm_mlp")
    torch.save(state, tmp_path / "c")
    table = state["model.inner.puzzle_emb.weights"]
    tables = {
        puzzles: official.load(tmp_path / "c", seq_len=16, puzzles=puzzles)[0].puzzle_embedding
        for puzzles in ("keep", "drop", "3", 9)
    }
    assert torch.equal(tables["keep"].table, table)
    assert tables["drop"].table.shape == (1, 64) and not tables["drop"].table.any()
    assert torch.equal(tables["3"].table, table[:3])
    assert torch.equal(tables[9].table[:5], table)
    assert torch.allclose(tables[9].table[5:], table.mean(0).expand(4, -1))
    for wrong in ("all", "0", "-2"):
        with pytest.raises(UserError, match="keep, drop or a number"):
            official.load(tmp_path / "c", seq_len=16, puzzles=wrong)


def test_networks_without_a_layout_there_are_refused():
    own = (TRMConfig(shared_net=False), TRMConfig(num_latents=3), AutoregressiveConfig())
    for config in own:
        with pytest.raises(UserError, match="no network like this"):
            official.places(config)


# --- bad input ----------------------------------------------------------------------------


class Bomb:
    """A pickle that runs code when it is read carelessly."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def edited(path: Path, edit) -> None:
    state = torch.load(path)
    edit(state)
    torch.save(state, path)


DOWN = f"{COMPILED}L_level.layers.1.mlp.down_proj.weight"
BROKEN = {
    "missing": (lambda s: s.pop(DOWN), "lacks 'L_level.layers.1.mlp.down_proj.weight'"),
    "extra": (lambda s: s.update({f"{COMPILED}surprise": torch.ones(2)}), "holds 'surprise'"),
    "mis-shaped": (lambda s: s.update({DOWN: s[DOWN][:-1]}), "has the shape (31, 256)"),
    "scalar table": (lambda s: s.update({f"{COMPILED}puzzle_emb.weights": torch.ones(())}),
                     "should be a matrix"),
    "no anchor": (lambda s: s.pop(f"{COMPILED}embed_tokens.embedding_weight"), "no TRM or HRM"),
    "no layers": (lambda s: [s.pop(n) for n in list(s) if "layers" in n], "no layers"),
}  # fmt: skip


@pytest.mark.parametrize("problem", BROKEN)
def test_broken_state_dicts(problem, checkpoint, capsys):
    path, _ = checkpoint
    edit, message = BROKEN[problem]
    edited(path, edit)
    assert main(["convert", str(path), "--seq-len", "36"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_files_that_are_no_state_dict(tmp_path, capsys):
    bomb = tmp_path / "bomb"
    mark = tmp_path / "it-ran"
    torch.save({"model.inner.x": Bomb(mark)}, bomb)
    bare = tmp_path / "bare"
    bare.write_bytes(pickle.dumps(Bomb(mark)))
    torch.save([1, 2, 3], tmp_path / "list")
    torch.save({}, tmp_path / "empty-dict")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "nothing").write_bytes(b"")
    (tmp_path / "cut").write_bytes(bomb.read_bytes()[:100])
    (tmp_path / "fake.safetensors").write_bytes(b"\0" * 64)
    (tmp_path / "folder").mkdir()
    names = ("bomb", "bare", "list", "empty-dict", "text", "nothing", "cut", "fake.safetensors",
             "folder", "absent")  # fmt: skip
    for name in names:
        assert main(["convert", str(tmp_path / name)]) == 2, name
        error = capsys.readouterr().err
        assert error.startswith("trm-lite: ") and error.count("\n") == 1, name
    assert not mark.exists()
    assert pickle.loads(bare.read_bytes()) is None and mark.exists()  # the bomb is live


def test_another_vocabulary_is_refused(checkpoint, tmp_path, capsys):
    path, _ = checkpoint
    torch.save(state_of("trm_att"), tmp_path / "odd")
    assert main(["convert", str(tmp_path / "odd")]) == 2  # puzzles of 7 tokens: of which length?
    assert "--seq-len" in capsys.readouterr().err
    weights = str(tmp_path / "w.safetensors")
    main(["convert", str(path), "--seq-len", "36", "--out", weights])
    capsys.readouterr()
    assert main(["evaluate", weights, "--preset", "sudoku-9x9"]) == 2
    assert "81 cells of 11 tokens" in capsys.readouterr().err
    assert main(["evaluate", weights]) == 2
    assert "--preset" in capsys.readouterr().err


def test_wrong_settings_are_refused(checkpoint):
    path, _ = checkpoint
    with pytest.raises(UserError, match="lacks"):
        official.load(path, seq_len=36, num_layers=5)
    with pytest.raises(UserError, match="no such field"):
        official.load(path, seq_len=36, colour=3)
    with pytest.raises(UserError):
        official.load(path, seq_len=40, prefix_len=20)
