"""Work out a network's configuration from the authors' state dicts or settings.

The shapes in a state dict tell most of it: the class, the layers and the widths. The rest is
assumed to be as in the authors' settings, unless it is given.
"""

import math
import re

from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.nets.base_config import inner_width
from trm_lite.nets.configs import (
    DirectConfig,
    HRMConfig,
    ReasonerConfig,
    RSMConfig,
    SERRMConfig,
    TRMConfig,
    URMConfig,
)
from trm_lite.nets.weights import ANCHOR
from trm_lite.puzzles.known import name_by_sizes
from trm_lite.training.recipe import Recipe

# Settings of networks whose continue logit is not trained: TRM's, EqR's and URM's.
WITHOUT_CONTINUE = ("no_ACT_continue", "lambda_", "loops")
# Cells of Sudokus, of Maze-Hard and of ARC-AGI by vocabulary size, the authors' puzzles first.
CELLS = {6: (900, 16), 8: (36,), 11: (81,), 12: (900,), 18: (256,)}
EQR = {"random_start": True, "damping": 0.05, "noise": 0.01}  # options of TRM


def infer(state: dict[str, Tensor], **given) -> ReasonerConfig:
    """Infer a network's configuration from the shapes of its tensors.

    What the shapes do not tell is as in the authors' settings. Raises UserError if `state` is not
    such a network, or does not fit the `given` fields.

    Args:
        state: tensors by the authors' names, without prefix.
        given: fields of the configuration that are known already.
    """
    if any(".attn_t." in name for name in state):
        return _infer_se_rrm(state, given)
    H_layers = _count(state, r"H_level\.layers\.([0-9]+)\.")
    L_layers = _count(state, r"L_level\.layers\.([0-9]+)\.")
    network: type[ReasonerConfig]
    fields: dict
    if H_layers and L_layers:
        network, fields = HRMConfig, {"H_layers": H_layers, "L_layers": L_layers}
    elif L_layers:
        multi_scale = _count(state, r"L([0-9]+)_init", first=1)
        num_latents = multi_scale or int("H_init" in state)
        network, fields = TRMConfig, {"num_layers": L_layers, "num_latents": num_latents}
        if multi_scale < 1 and "L_init" not in state:  # EqR draws its initial latents
            fields |= {"num_latents": 1} | EQR
    elif H_layers:
        network, fields = DirectConfig, {"num_layers": H_layers}
    elif layers := _count(state, r"core\.layers\.(\d+)\."):
        network, fields = RSMConfig, {"num_layers": layers}
    elif layers := _count(state, r"layers\.(\d+)\."):
        network, fields = URMConfig, {"num_layers": layers, "conv_kernel": _kernel(state)}
        given = _in_loops(given)
    else:
        raise UserError("The state dict holds no layers of a TRM, HRM or URM; use another file.")
    tokens = matrix(state, ANCHOR)
    fields["vocab_size"], fields["hidden_size"] = tokens
    fields["mixing"] = "mlp" if any(".mlp_t." in name for name in state) else "attention"
    fields |= _lengths(state, network, tokens, fields["mixing"], given)
    if fields["mixing"] == "attention":
        fields["num_heads"] = _heads(state, network, tokens[1])
    if network is TRMConfig:
        fields["T"], fields["n"] = 3, 4 if fields["seq_len"] == 900 else 6
    fields |= given
    fields.setdefault("puzzle", name_by_sizes(fields["vocab_size"], fields["seq_len"]))
    try:
        return network(**(fields | _inner_widths(state, fields)))
    except TypeError as error:
        raise UserError(f"A {network.network} has no such field ({error}); omit it.") from error


def _count(state: dict[str, Tensor], pattern: str, first: int = 0) -> int:
    """How many different numbers `pattern` finds in names; they must go up from `first`."""
    found = {match[1] for name in state if (match := re.match(pattern, name))}
    wanted = {str(first + number) for number in range(len(found))}
    if found != wanted:
        raise UserError(
            f"The state dict has a layer or latent with the number {max(found - wanted)[:20]} but "
            f"none with the number {min(wanted - found)}; use another file."
        )
    return len(found)


def _infer_se_rrm(state: dict[str, Tensor], given: dict) -> SERRMConfig:
    """The configuration of an SE-RRM; shapes tell neither the board nor the heads."""
    given = _in_loops(given)
    hidden_size, shared = state["Z_init"].shape[0], "embed_symbols" not in state
    widths = [matrix(state, f".{axis}.o_proj.weight")[1] for axis in ("attn", "attn_t")]
    heads = [max(1, width // 64) for width in widths]
    fields = {
        "num_layers": _count(state, r"L_level\.layers\.(\d+)\."),
        "hidden_size": hidden_size,
        "mixing": "attention",
        "shared_symbols": shared,
        "extra_cells": state["add_tokens"].shape[2] if "add_tokens" in state else 0,
        "num_heads": heads[0],
        "symbol_heads": heads[1],
        "vocab_size": 11,
    }
    if not shared:
        fields["vocab_size"] = state["embed_symbols"].shape[1]
    if "puzzle_emb.weights" in state:
        fields["num_puzzles"], size = matrix(state, "puzzle_emb.weights")
        fields["vocab_size"] = size - hidden_size
    if "pos_embedding" in state:
        fields |= {"positions": "learned", "seq_len": state["pos_embedding"].shape[2]}
    fields |= given
    fields.setdefault("seq_len", CELLS.get(fields["vocab_size"], (81,))[0])
    fields.setdefault("head_size", widths[0] // fields["num_heads"])
    fields.setdefault("symbol_head_size", widths[1] // fields["symbol_heads"])
    try:
        return SERRMConfig(**(fields | _inner_widths(state, fields)))
    except TypeError as error:
        raise UserError(f"An SE-RRM has no such field ({error}); omit it.") from error


def _kernel(state: dict[str, Tensor]) -> int:
    """The size of URM's convolutions; 0 if it has none."""
    kernels = [t.shape[-1] for name, t in state.items() if name.endswith("dwconv.weight")]
    return kernels[0] if kernels else 0


def _in_loops(given: dict) -> dict:
    """The fields with T cycles of n loops each, of which the last has a gradient, as loops."""
    given = dict(given)
    cycles, loops = given.pop("T", None), given.pop("n", None)
    if (cycles is None) != (loops is None):
        raise UserError("The loops are T times n; give both.", "T", "n")
    if cycles is not None:
        given |= {"loops": cycles * loops, "loops_with_gradient": loops}
    return given


def matrix(state: dict[str, Tensor], end: str) -> tuple[int, int]:
    """The shape of the first matrix whose name ends with `end`."""
    for name, tensor in state.items():
        if name.endswith(end):
            if tensor.dim() != 2 or 0 in tensor.shape:
                raise UserError(f"'{name}' in the state dict should be a matrix; use another file.")
            return tuple(tensor.shape)
    raise UserError(f"The state dict lacks '{end}'; use another file.")


def _lengths(state, network: type[ReasonerConfig], tokens, mixing: str, given: dict) -> dict:
    """The fields about the puzzle table, the prefix, and the length of a puzzle."""
    vocab_size, hidden_size = tokens
    fields: dict = {"prefix_len": 0}
    if "puzzle_emb.weights" in state:
        fields["num_puzzles"], size = matrix(state, "puzzle_emb.weights")
        fields["puzzle_embedding_size"] = size
        trm = issubclass(network, TRMConfig)
        fields["prefix_len"] = 16 if trm else math.ceil(size / hidden_size)
    length = None
    if mixing == "mlp":
        length = matrix(state, "mlp_t.down_proj.weight")[0]
    if "embed_pos.embedding_weight" in state:
        fields["positions"] = "learned"
        length = matrix(state, "embed_pos.embedding_weight")[0]
    fields |= {name: given[name] for name in ("seq_len", "prefix_len") if name in given}
    if length is None:
        if "seq_len" not in fields:
            fields["seq_len"] = _usual_cells(vocab_size, hidden_size)
        return fields
    # Prefix and puzzle together, so that either one gives the other.
    if "seq_len" not in fields:
        fields["seq_len"] = length - fields["prefix_len"]
        for cells in CELLS.get(vocab_size, ()):
            if "prefix_len" not in given and 0 <= length - cells <= 16:
                fields["seq_len"] = cells
    if not 1 <= fields["seq_len"] <= length:
        raise UserError(
            f"The network works on {length} positions, which cannot hold {fields['seq_len']} cells "
            f"and {fields['prefix_len']} positions before them; say how many cells a puzzle has.",
            "seq_len",
        )
    return fields | {"prefix_len": length - fields["seq_len"]}


def _usual_cells(vocab_size: int, hidden_size: int) -> int:
    """The cells of a puzzle of a network with attention, whose shapes do not tell."""
    usual = CELLS.get(vocab_size, ())
    if len(usual) == 1 or (usual and hidden_size == 512):  # as in all of the authors' settings
        return usual[0]
    which = f"may have {' or '.join(map(str, usual))} cells" if usual else "may have any length"
    raise UserError(
        f"The shapes do not tell how long puzzles are, and those of {vocab_size} tokens {which}; "
        "say how many cells they have.",
        "seq_len",
    )


def _heads(state, network: type[ReasonerConfig], hidden_size: int) -> int:
    """The number of attention heads: the authors' if it fits, else heads of 64 features."""
    width = matrix(state, "self_attn.o_proj.weight")[1]
    likely = (network.num_heads if hidden_size == 512 else max(1, hidden_size // 64), 12, 8)
    for heads in (*likely, *range(1, hidden_size // 2 + 1)):
        size = hidden_size // heads
        if heads * size == width and size % 2 == 0:  # rotary positions rotate pairs of features
            return heads
    raise UserError(
        f"No number of heads on {hidden_size} features gives an attention {width} wide; "
        "use another file."
    )


def _inner_widths(state, fields: dict) -> dict:
    """An `expansion` and a `multiple_of` that give the inner widths of the SwiGLU layers.

    The authors' code always rounds up to multiples of 256, but networks of this package may not.
    """
    if "expansion" in fields:
        return {}
    ends = (".mlp.down_proj.weight", ".mlp_t.down_proj.weight")
    shapes = [matrix(state, end) for end in ends[: 1 + (fields["mixing"] == "mlp")]]
    for multiple_of in (256, 128, 64, 32, 16, 8, 4, 2, 1):
        for expansion in (4.0, 1.0, 2.0, 3.0, 6.0, 8.0):
            if all(inner_width(w, expansion, multiple_of) == inner for w, inner in shapes):
                return {"expansion": expansion, "multiple_of": multiple_of}
    raise UserError("No expansion fits the inner widths in the state dict; use another file.")


def config_from_settings(settings: dict, state: dict[str, Tensor]) -> ReasonerConfig:
    """Our configuration for the authors' settings, the contents of their YAML files.

    The class is inferred from `state`, the tensors by name, without prefix. Raises KeyError for a
    missing setting, and UserError for one that this package cannot reproduce.
    """
    arch = settings["arch"]
    for name, value in (("forward_dtype", "float32"), ("rms_norm_eps", 1e-5),
                        ("rope_theta", 10_000.0)):  # fmt: skip
        if arch.get(name, value) != value:
            raise UserError(
                f"A network with {name} {arch[name]} cannot be built here; {name} must be {value}."
            )
    if "num_heads_t" in arch:
        return _se_rrm_from_settings(settings, state)
    prefix_len = arch.get("puzzle_emb_len")
    given = {
        "seq_len": settings["seq_len"],
        "prefix_len": prefix_len or math.ceil(arch.get("puzzle_emb_ndim", 0) / arch["hidden_size"]),
        "num_heads": arch["num_heads"],
        "expansion": float(arch["expansion"]),
        "mixing": "mlp" if arch.get("mlp_t") else "attention",
        "positions": "rotary" if arch["pos_encodings"] == "rope" else arch["pos_encodings"],
    }
    network = type(infer(state, **given))
    if network is RSMConfig:
        given |= {"num_layers": arch["L_layers"], "n": settings["eval_L_cycles"]}
    elif network is DirectConfig:
        given |= {"num_layers": arch["H_layers"], "loops": arch["H_cycles"]}
    elif network is URMConfig:
        given |= {"num_layers": arch["num_layers"]} | _in_loops(
            {"T": arch["H_cycles"], "n": arch["L_cycles"]}
        )
    else:
        given |= {"T": arch["H_cycles"], "n": arch["L_cycles"]}
    if network is HRMConfig:
        given |= {"H_layers": arch["H_layers"], "L_layers": arch["L_layers"]}
    elif network is TRMConfig:
        given |= {"num_layers": arch["L_layers"]}
    if "lambda_" in arch:
        given |= {"damping": 1 - arch["lambda_"], "noise": arch["noise_scale"]}
    return infer(state, **given)


def _se_rrm_from_settings(settings: dict, state: dict[str, Tensor]) -> SERRMConfig:
    arch = settings["arch"]
    return infer(
        state,
        vocab_size=settings["vocab_size"],
        seq_len=settings["seq_len"],
        num_heads=arch["num_heads"],
        head_size=arch["head_dim"],
        symbol_heads=arch["num_heads_t"],
        symbol_head_size=arch["head_dim_t"],
        expansion=float(arch["expansion"]),
        positions={"rope2d": "board", "rope": "rotary"}.get(arch["pos_encodings"], "learned"),
        extra_cells=arch["add_tokens"],
        T=arch["H_cycles"],
        n=arch["L_cycles"],
    )


def _rsm_growth(settings: dict) -> dict:
    """The fields of the recipe that only an RSM has, and the final number of outer steps."""
    arch, hyper = settings["arch"], settings["hyper"]

    def growth(which: str, added: str) -> tuple[float, ...]:
        steps = zip(hyper[f"curriculum{which}_milestones"], hyper[added], strict=True)
        return tuple(percent / 100 for percent, count in steps for _ in range(count))

    outer = growth("", "curriculum_heads_to_add")
    return {
        "max_steps": max(2, arch["H_cycles"]) + len(outer),
        "outer_growth": outer,
        "inner_growth": growth("_L", "curriculum_L_to_add"),
        "clip_norm": hyper["grad_clip_norm"],
        "growth_ramp": hyper.get("transition_lr_warmup_steps", 0),
        "growth_memory": hyper["optimizer_reset_scale"],
        "keep_history": 1 - arch["prob_detach_prev_H"],
        "freeze_embedding": arch["freeze_emb_prc"] / 100,
    }


def recipe_from_settings(settings: dict) -> Recipe:
    """Our recipe for the authors' settings. Raises KeyError for a missing setting."""
    arch, hyper = settings["arch"], settings["hyper"]
    most = arch["loops"] if "loops" in arch else arch["halt_max_steps"]
    growth = _rsm_growth(settings) if "prob_detach_prev_H" in arch else {}
    no_continue = any(name in arch for name in WITHOUT_CONTINUE)
    return Recipe(
        steps=settings["traj_total_steps"],
        batch_size=hyper["global_batch_size"],
        lr=hyper["lr"],
        warmup_steps=hyper["lr_warmup_steps"],
        min_lr_ratio=hyper["lr_min_ratio"],
        weight_decay=hyper["weight_decay"],
        betas=(hyper["beta1"], hyper["beta2"]),
        puzzle_lr=hyper.get("puzzle_emb_lr", 0.0),
        puzzle_weight_decay=hyper.get("puzzle_emb_weight_decay", 0.0),
        ema_rate=hyper["ema_rate"] if hyper["ema"] else 0.0,
        loss="stablemax" if "stablemax" in arch["loss"]["loss_type"] else "softmax",
        **({"max_steps": most} | growth),
        act="random" if "num_heads_t" in arch else "halt" if no_continue else "q_learning",
        exploration=arch.get("halt_exploration_prob", 0.0),
        first_step=0 if "loops" in arch else 1,
        bfloat16=False,
    )
