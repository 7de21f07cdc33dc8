"""Other people's checkpoints: read and write the layout of the authors' code of TRM and HRM.

`load` turns a state dict of the official code, or of a fork, into a network of this package;
`to_official` is the way back. Names there and here:

    H_init, L_init                   y_init, z_init
    L_level.layers.0.mlp_t...        net.blocks.0.mixer.swiglu...     (HRM: f_L.blocks...)
    L_level.layers.0.self_attn...    net.blocks.0.mixer...
    H_level.layers.0...              f_H.blocks.0...                  (baseline: net.blocks...)
    puzzle_emb.weights               puzzle_embedding.table

A state dict does not say everything (how many heads, how long the puzzles, how many recursions);
what its shapes leave open is guessed from the authors' settings and can be given instead.
"""

import re
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically
from trm_lite.nets.build import build_network
from trm_lite.nets.configs import ReasonerConfig, TRMConfig
from trm_lite.nets.reasoner import Reasoner
from trm_lite.nets.weights import load_weights, save_weights
from trm_lite.official.config import ANCHOR, infer

COMPILED, PLAIN = "_orig_mod.model.inner.", "model.inner."  # what stands before every name
INIT_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RECOMPUTED = ("rotary_emb.", "puzzle_emb.local_")  # buffers that some forks save

LEVELS = {"TRM": {"net": "L_level"}, "Direct": {"net": "H_level"}}
LEVELS["HRM"] = {"f_H": "H_level", "f_L": "L_level"}
NAMES = {
    "token_embedding.weight": ANCHOR,
    "position_embedding.weight": "embed_pos.embedding_weight",
    "head.weight": "lm_head.weight",
    "halt_head.weight": "q_head.weight",
    "halt_head.bias": "q_head.bias",
    "puzzle_embedding.table": "puzzle_emb.weights",
    "mixer.qkv.weight": "self_attn.qkv_proj.weight",
    "mixer.out.weight": "self_attn.o_proj.weight",
    "mixer.swiglu.gate_up.weight": "mlp_t.gate_up_proj.weight",
    "mixer.swiglu.down.weight": "mlp_t.down_proj.weight",
    "swiglu.gate_up.weight": "mlp.gate_up_proj.weight",
    "swiglu.down.weight": "mlp.down_proj.weight",
}


class Place(NamedTuple):
    """Where a tensor of the authors' stands here."""

    name: str
    row: int | None  # of the stacked `z_init` of a multi-scale TRM, else None
    shape: torch.Size


def places(config: ReasonerConfig) -> dict[str, Place]:
    """The authors' name of every tensor of a network of this `config`, and its place here."""
    is_theirs = config.network in LEVELS
    if isinstance(config, TRMConfig):
        is_theirs = config.shared_net and config.num_latents in (0, 1, 6)
    if not is_theirs:
        raise UserError("The authors' code has no network like this one, so no layout for it.")
    with torch.device("meta"):
        state = build_network(config).state_dict()
    found = {}
    for name, tensor in state.items():
        if tensor.numel() == 0:
            continue  # a table of puzzle embeddings that is not there
        if name == "z_init" and tensor.dim() == 2:
            rows = enumerate(tensor)
            found |= {f"L{i + 1}_init": Place(name, i, row.shape) for i, row in rows}
        else:
            found[_official_name(name, config)] = Place(name, None, tensor.shape)
    return found


def _official_name(name: str, config: ReasonerConfig) -> str:
    if name in ("y_init", "z_init"):
        single = isinstance(config, TRMConfig) and config.num_latents == 0
        return "L_init" if name == "z_init" or single else "H_init"
    if match := re.fullmatch(r"(\w+)\.blocks\.(\d+)\.(.+)", name):
        stack, layer, rest = match.groups()
        return f"{LEVELS[config.network][stack]}.layers.{layer}.{NAMES[rest]}"
    return NAMES[name]


def from_official(state: dict[str, Tensor], config: ReasonerConfig) -> dict[str, Tensor]:
    """Our state dict from the authors' `state` (names without prefix), checked tensor by tensor."""
    wanted = places(config)
    what = f"a {config.network} network of this configuration"
    missing, extra = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    for problem, names in ((f"lacks '%s', which {what} has", missing),
                           (f"holds '%s', which {what} has not", extra)):  # fmt: skip
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise UserError(f"The state dict {problem % min(names)}{more}.")
    ours: dict[str, Tensor] = {}
    stacked: dict[str, dict[int, Tensor]] = {}
    for name, place in wanted.items():
        tensor = state[name]
        if tensor.shape != place.shape:
            raise UserError(
                f"'{name}' in the state dict is {tuple(tensor.shape)}, "
                f"but {what} has it as {tuple(place.shape)}."
            )
        if place.row is None:
            ours[place.name] = tensor.float()
        else:
            stacked.setdefault(place.name, {})[place.row] = tensor.float()
    for name, rows in stacked.items():
        ours[name] = torch.stack([rows[row] for row in sorted(rows)])
    if not config.prefix_len:
        ours["puzzle_embedding.table"] = torch.zeros(config.num_puzzles, 0)
    return ours


def to_official(
    model: Reasoner, prefix: str = COMPILED, init_dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """The state dict of `model` in the authors' layout.

    They keep the initial latents in their `forward_dtype`: give `init_dtype=torch.bfloat16` for a
    network that is to run there in bfloat16, their default.
    """
    state = model.state_dict()
    exported = {}
    for name, place in places(model.config).items():
        tensor = state[place.name] if place.row is None else state[place.name][place.row]
        dtype = init_dtype if name.endswith("_init") else tensor.dtype
        exported[prefix + name] = tensor.detach().to("cpu", dtype, copy=True)
    return exported


def load(path: Path | str, *, puzzles: str | int = "keep", **given) -> tuple[Reasoner, dict]:
    """The network in a checkpoint of the authors' code or a fork, and what was found out about it.

    `puzzles` says what becomes of the table of puzzle embeddings: "keep", "drop" (one zero row,
    enough for Sudoku and mazes) or a number of rows; new rows are the mean of the old ones.
    `given` are fields of the configuration that its shapes do not tell (`seq_len`, `num_heads`,
    `T`, `n`, ...); what is not given is guessed. Nothing in the file is executed.
    Raises UserError for a file that holds no such network.
    """
    state, prefix = split_prefix(read_state(path), path)
    init_dtype = next((t.dtype for n, t in state.items() if n.endswith("_init")), torch.float32)
    if "puzzle_emb.weights" in state:
        state["puzzle_emb.weights"] = _resized(state["puzzle_emb.weights"], puzzles)
    config = infer(state, **given)
    model = build_network(config)
    model.load_state_dict(from_official(state, config))
    about = {
        "official": {
            "file": Path(path).name,
            "prefix": prefix,
            "init_dtype": str(init_dtype).removeprefix("torch."),
        }
    }
    return model.eval(), about


def describe(model: Reasoner, about: dict, given: dict) -> str:
    """What `load` found, in words, and which of it the file does not tell."""
    config = model.config
    count = sum(parameter.numel() for parameter in model.parameters())
    open_fields = ("seq_len", "prefix_len", "num_heads", "T", "n")
    if config.mixing == "mlp":
        open_fields = ("seq_len", "prefix_len", "T", "n")  # one of the lengths tells the other
    guessed = [
        f"{name}={getattr(config, name)}"
        for name in open_fields
        if name not in given and hasattr(config, name)
    ]
    source = about["official"]
    lines = [
        f"{source['file']}: {config.network}, {config.mixing} mixing, "
        f"{config.hidden_size} features, {config.effective_depth} layers deep per supervision step",
        f"  {count:,} parameters, and a table of {config.num_puzzles:,} puzzle embeddings",
        f"  puzzles of {config.seq_len} cells and {config.vocab_size} tokens, "
        f"behind {config.prefix_len} positions for the puzzle embedding",
        f"  names began with '{source['prefix']}', initial latents were {source['init_dtype']}",
    ]
    if guessed:
        lines.append(
            f"  not told by the file, so as in the authors' settings: {', '.join(guessed)}"
        )
    return "\n".join(lines)


def read_state(path: Path | str) -> dict[str, Tensor]:
    """The tensors in a checkpoint, by name; no code in the file is run."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no checkpoint file {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):  # of old pickle protocols
                content = torch.load(
                    path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
                )
    except Exception as error:  # whatever a foreign file makes of the parser
        raise UserError(
            f"{path} is no state dict that can be read safely: it is damaged or holds other "
            "things than tensors. Nothing in it was run."
        ) from error
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise UserError(f"{path} is no state dict: it does not hold tensors by name alone.")
    return dict(content)


def split_prefix(state: dict[str, Tensor], path: Path | str) -> tuple[dict[str, Tensor], str]:
    """The state dict without what stands before all names, such as `_orig_mod.model.inner.`."""
    prefix = next((n.removesuffix(ANCHOR) for n in state if n.endswith(ANCHOR)), None)
    if prefix is None:
        raise UserError(f"{path} holds no TRM or HRM of the authors' code: it has no {ANCHOR}.")
    shorter = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return {n: t for n, t in shorter.items() if not n.startswith(RECOMPUTED)}, prefix


def _resized(table: Tensor, puzzles: str | int) -> Tensor:
    if puzzles == "keep":
        return table
    if puzzles == "drop":
        return torch.zeros(1, table.shape[-1])
    try:
        rows = int(puzzles)
    except ValueError:
        rows = 0
    if rows < 1:
        raise UserError(f"Say keep, drop or a number of puzzles, not '{puzzles}'.")
    kept = table[:rows].float()
    new = table.float().mean(0).expand(rows - len(kept), -1)
    return torch.cat((kept, new))


def convert(file: Path, out: Path | None, *, export: bool, puzzles: str | int, given: dict) -> int:
    """What `trm-lite convert` does: read, say what was found, write."""
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
