"""Read and write checkpoints in the layout of the authors' code of TRM and its relatives.

`load` turns a state dict of the authors' code, or of a fork, into a network of this package, and
`to_official` turns a network back into one. Names there and here:

    H_init, L_init                   y_init, z_init                   (URM: init_hidden is y_init)
    L_level.layers.0.mlp_t...        net.blocks.0.mixer.swiglu...     (HRM: f_L.blocks...)
    L_level.layers.0.self_attn...    net.blocks.0.mixer...
    H_level.layers.0...              f_H.blocks.0...                  (baseline: net.blocks...)
    layers.0.mlp.dwconv...           net.blocks.0.swiglu.conv...      (URM)
    L_level.layers.0.attn_t...       net.blocks.0.symbols...          (SE-RRM; attn: cells)
    puzzle_emb.weights               puzzle_embedding.table

A state dict does not tell everything, such as the number of heads and recursions. What its shapes
leave open is taken from the authors' settings, or can be given.
"""

import re
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.nets.build import network_with, shapes
from trm_lite.nets.config_ranges import LARGEST
from trm_lite.nets.configs import ReasonerConfig, TRMConfig
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import ANCHOR, load_weights, save_weights
from trm_lite.official.config import CELLS, infer, matrix
from trm_lite.official.state_dicts import AVERAGE, find_network, read_content

COMPILED, PLAIN = "_orig_mod.model.inner.", "model.inner."  # prefixes of all names
INIT_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

LEVELS = {
    "TRM": {"net": "L_level."},
    "Direct": {"net": "H_level."},
    "HRM": {"f_H": "H_level.", "f_L": "L_level."},
    "URM": {"net": ""},
    "SERRM": {"net": "L_level."},
    "RSM": {"net": "core."},
}
STARTS = {"URM": "init_hidden", "SERRM": "Z_init"}
NAMES = {
    "token_embedding.weight": ANCHOR,
    "position_embedding.weight": "embed_pos.embedding_weight",
    "head.weight": "lm_head.weight",
    "halt_head.weight": "q_head.weight",
    "halt_head.bias": "q_head.bias",
    "puzzle_embedding.table": "puzzle_emb.weights",
    "special_embedding": "embed_special_tokens",
    "special_cells": "add_tokens_special",
    "symbol_cells": "add_tokens",
    "position_embedding": "pos_embedding",  # SE-RRM
    "cells.qkv.weight": "attn.qkv_proj.weight",
    "cells.out.weight": "attn.o_proj.weight",
    "symbols.qkv.weight": "attn_t.qkv_proj.weight",
    "symbols.out.weight": "attn_t.o_proj.weight",
    "mixer.qkv.weight": "self_attn.qkv_proj.weight",
    "mixer.out.weight": "self_attn.o_proj.weight",
    "mixer.swiglu.gate_up.weight": "mlp_t.gate_up_proj.weight",
    "mixer.swiglu.down.weight": "mlp_t.down_proj.weight",
    "swiglu.gate_up.weight": "mlp.gate_up_proj.weight",
    "swiglu.conv.weight": "mlp.dwconv.weight",
    "swiglu.conv.bias": "mlp.dwconv.bias",
    "swiglu.down.weight": "mlp.down_proj.weight",
}


class Place(NamedTuple):
    """Which tensor of this package corresponds to one of the authors' tensors."""

    name: str  # its name here
    row: int | None  # its row in the stacked `z_init` of a multi-scale TRM; otherwise None
    shape: torch.Size  # its shape, the same in both


def places(config: ReasonerConfig) -> dict[str, Place]:
    """For each tensor of a network with this `config`: the authors' name, and its place here.

    Raises UserError if the authors' code has no such network.
    """
    is_theirs = config.network in LEVELS
    if isinstance(config, TRMConfig):
        is_theirs = config.shared_net and config.num_latents in (0, 1, 6)
    if not is_theirs:
        raise UserError("The authors' code has no network like this one; export another one.")
    found = {}
    for name, shape in shapes(config).items():
        if shape.numel() == 0:
            continue  # a table of puzzle embeddings that is not there
        if name == "z_init" and len(shape) == 2:
            found |= {f"L{i + 1}_init": Place(name, i, shape[1:]) for i in range(shape[0])}
        else:
            found[_official_name(name, config)] = Place(name, None, shape)
    return found


def _official_name(name: str, config: ReasonerConfig) -> str:
    if name == "y_init" and config.network in STARTS:
        return STARTS[config.network]
    if name == "symbol_embedding":
        return "embed_symbol_tokens" if config.shared_symbols else "embed_symbols"
    if name in ("y_init", "z_init"):
        single = isinstance(config, TRMConfig) and config.num_latents == 0
        return "L_init" if name == "z_init" or single else "H_init"
    if match := re.fullmatch(r"(\w+)\.blocks\.(\d+)\.(.+)", name):
        stack, layer, rest = match.groups()
        return f"{LEVELS[config.network][stack]}layers.{layer}.{NAMES[rest]}"
    return NAMES[name]


def from_official(state: dict[str, Tensor], config: ReasonerConfig) -> dict[str, Tensor]:
    """Our state dict from the authors'.

    Raises UserError if a tensor is missing, superfluous, or of the wrong shape.

    Args:
        state: tensors by the authors' names, without prefix.
        config: the configuration of the network.
    """
    if config.network == "RSM":  # the same tensor is there under two names
        state = {name: tensor for name, tensor in state.items() if name != NAMES["head.weight"]}
    wanted = places(config)
    what = f"a {config.network} network of this configuration"
    missing, extra = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    for problem, names in ((f"lacks '%s', which {what} has", missing),
                           (f"holds '%s', which {what} does not have", extra)):  # fmt: skip
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise UserError(f"The state dict {problem % min(names)}{more}.")
    ours: dict[str, Tensor] = {}
    stacked: dict[str, dict[int, Tensor]] = {}
    for name, place in wanted.items():
        tensor = state[name]
        if tensor.shape != place.shape:
            raise UserError(
                f"'{name}' in the state dict has the shape {tuple(tensor.shape)}, "
                f"but in {what} it has {tuple(place.shape)}."
            )
        if place.row is None:
            ours[place.name] = tensor.float()
        else:
            stacked.setdefault(place.name, {})[place.row] = tensor.float()
    for name, rows in stacked.items():
        ours[name] = torch.stack([rows[row] for row in sorted(rows)])
    return ours | _empty_tensors(config)


def _empty_tensors(config: ReasonerConfig) -> dict[str, Tensor]:
    """The tensors without any number, such as a puzzle table where there is no prefix."""
    return {name: torch.zeros(size) for name, size in shapes(config).items() if size.numel() == 0}


def to_official(
    model: Reasoner, prefix: str = COMPILED, init_dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """The state dict of a network in the authors' layout.

    Args:
        model: the network.
        prefix: text before every name.
        init_dtype: type of the tensors that the authors keep in their `forward_dtype`: initial
            latents, URM's convolutions, and SE-RRM's embeddings. Give torch.bfloat16, their
            default, if the network is
            to run in that type there.
    """
    state = model.state_dict()
    exported = {}
    for name, place in places(model.config).items():
        tensor = state[place.name] if place.row is None else state[place.name][place.row]
        dtype = init_dtype if _is_in_forward_dtype(name) else tensor.dtype
        exported[prefix + name] = tensor.detach().to("cpu", dtype, copy=True)
    if model.config.network == "RSM":
        exported[prefix + NAMES["head.weight"]] = exported[prefix + ANCHOR]
    return exported


def _is_in_forward_dtype(name: str) -> bool:
    low = ("init_hidden", "add_tokens", "embed_special_tokens", "embed_symbol", "pos_embedding")
    return name.endswith("_init") or name.startswith(low) or ".dwconv." in name


def load(path: Path | str, *, puzzles: str | int = "keep", **given) -> tuple[Reasoner, dict]:
    """The network in a checkpoint of the authors' code or of a fork, and its `about`.

    Nothing in the file is executed. Raises UserError if it holds no such network.

    Args:
        path: the checkpoint.
        puzzles: what to do with the table of puzzle embeddings: "keep" it, "drop" it for a single
            zero row (enough for Sudoku and mazes), or a number of rows to keep. New rows are the
            mean of the old ones.
        given: fields of the configuration that shapes do not tell, such as `seq_len`,
            `num_heads`, `T` and `n`. The others are as in the authors' settings.
    """
    found = find_network(read_content(path), path)
    state = found.state
    kept = (tensor.dtype for name, tensor in state.items() if _is_in_forward_dtype(name))
    init_dtype = next(kept, torch.float32)
    if "puzzle_emb.weights" in state:
        matrix(state, "puzzle_emb.weights")
        state["puzzle_emb.weights"] = _resized(state["puzzle_emb.weights"], puzzles)
    try:
        config = infer(state, **given)
    except UserError as error:
        raise UserError(f"{path} cannot be converted: {error}", *error.options) from error
    ours = from_official(state, config)  # an error if the shapes do not fit; then none is built
    model = network_with(config, ours)
    about = {
        "official": {
            "file": Path(path).name,
            "place": found.place,
            "passed_over": found.others,
            "prefix": found.prefix,
            "init_dtype": str(init_dtype).removeprefix("torch."),
        }
    }
    return model.eval(), about


def describe(model: Reasoner, about: dict, given: dict) -> str:
    """What `load` found, in words, including what the file did not tell.

    Args:
        model: the network.
        about: what `load` returned with it.
        given: the fields that were given to `load`.
    """
    config = model.config
    count = sum(parameter.numel() for parameter in model.parameters())
    table = f"a table of {config.num_puzzles:,} puzzle embeddings"
    table = table if config.prefix_len else "no puzzle embeddings"
    open_fields = ("seq_len", "prefix_len", "num_heads", "T", "n", "loops", "loops_with_gradient")
    if config.mixing == "mlp":
        open_fields = ("seq_len", "prefix_len", "T", "n")  # their sum is known, not each one
    guessed = [
        f"{name}={getattr(config, name)}"
        for name in open_fields
        if name not in given and hasattr(config, name)
    ]
    source = about["official"]
    lines = [
        f"{source['file']}: {config.network}, {config.mixing} mixing, "
        f"{config.hidden_size} features, {config.effective_depth} layers deep per supervision step",
        f"  {count:,} parameters, and {table}",
        f"  puzzles of {config.seq_len} cells and {config.vocab_size} tokens, "
        f"after {config.prefix_len} positions for the puzzle embedding",
        *_where(source),
        f"  names began with '{source['prefix']}', initial latents were {source['init_dtype']}",
    ]
    if guessed:
        lines.append(
            f"  not told by the file, so as in the authors' settings: {', '.join(guessed)}"
        )
    other = [cells for cells in CELLS.get(config.vocab_size, ()) if cells != config.seq_len]
    if f"seq_len={config.seq_len}" in guessed and config.mixing == "attention" and other:
        lines.append(f"  puzzles of {config.vocab_size} tokens may also have {other[0]} cells")
    return "\n".join(lines)


def _where(source: dict) -> list[str]:
    """Where in a file its network was, and which others were there, as lines of text."""
    if not source["place"] and not source["passed_over"]:
        return []
    average = AVERAGE.search(f"{source['place']}.{source['prefix']}")
    kind = "a moving average (EMA)" if average else "which is not called a moving average (EMA)"
    lines = [f"  weights taken from '{source['place'] or source['prefix']}', {kind}"]
    if source["passed_over"]:
        lines.append(f"  passed over: {', '.join(map(repr, source['passed_over']))}")
    return lines


def _resized(table: Tensor, puzzles: str | int) -> Tensor:
    if puzzles == "keep":
        return table
    if puzzles == "drop":
        return torch.zeros(1, table.shape[-1])
    try:
        rows = int(puzzles)
    except ValueError:
        rows = 0
    if not 1 <= rows <= LARGEST["num_puzzles"]:
        raise UserError(
            f"The puzzle embeddings cannot be '{puzzles}'; say keep, drop or a number.", "puzzles"
        )
    kept = table[:rows].float()
    new = table.float().mean(0).expand(rows - len(kept), -1)
    return torch.cat((kept, new))


def convert(file: Path, out: Path | None, *, export: bool, puzzles: str | int, given: dict) -> int:
    """Convert a checkpoint of the authors' code into ours, or back, and print what was found.

    Args:
        file: a checkpoint of theirs, or with `export` a weights file of ours.
        out: file to write; if None, a name beside `file`.
        export: write the authors' layout.
        puzzles: see `load`.
        given: fields of the configuration, see `load`.
    """
    if export:
        model, about = load_weights(file)
        source = about.get("official", {})
        dtype = INIT_DTYPES.get(source.get("init_dtype"), torch.float32)
        state = to_official(model, source.get("prefix", COMPILED), dtype)
        out = out or file.with_suffix("")
        buffer = BytesIO()
        torch.save(state, buffer)
        write_atomically(out, buffer.getvalue())
        print(f"{len(state)} tensors in the authors' layout: {out}")
        if model.config.multiple_of != 256:
            print(
                "Their code rounds inner widths up to a multiple of 256, and this network to one "
                f"of {model.config.multiple_of}: it loads there only if the widths are the same."
            )
        return 0
    model, about = load(file, puzzles=puzzles, **given)
    print(describe(model, about, given))
    out = out or file.with_name(f"{file.name.removesuffix('.safetensors')}.trm_lite.safetensors")
    save_weights(model, out, about)
    print(f"Saved as {out}")
    return 0
