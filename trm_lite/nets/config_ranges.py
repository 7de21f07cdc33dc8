"""The ranges of sensible values in the configuration of a network. This file needs no torch."""

from dataclasses import fields
from functools import cache
from types import NoneType
from typing import get_args, get_type_hints

from trm_lite.common.errors import UserError

# The largest sensible value of a whole number in a configuration, by field. The sizes in an
# untrusted file are held against these before anything of such a size is made.
LARGEST = {
    "vocab_size": 1_000_000,
    "seq_len": 4_096,  # no file tells it of a network with attention, so its cost is not checked
    "prefix_len": 4_096,
    "num_puzzles": 100_000_000,
    "puzzle_embedding_size": 1_000_000,
    "num_latents": 100,
    "num_layers": 256,
    "H_layers": 256,
    "L_layers": 256,
}
LARGEST_LENGTH = 16_384  # of everything else, such as widths and cells
LARGEST_DEPTH = 1_000  # layers in one supervision step; the paper's TRM has 42
MAY_BE_0 = {"prefix_len", "num_latents", "scratch_len", "puzzle_embedding_size", "conv_kernel",
            "extra_cells"}  # fmt: skip


def check_ranges(config) -> None:
    """Raise UserError if a field of a `NetConfig` has no sensible value."""
    for name, kind in _kinds(type(config)).items():
        if problem := _problem(name, getattr(config, name), kind):
            raise UserError(f"A {config.network} network cannot have {problem}.")
    if config.effective_depth > LARGEST_DEPTH:
        raise UserError(
            f"A {config.network} network of {config.effective_depth:,} layers per step is deeper "
            f"than {LARGEST_DEPTH:,}, the most that is built here."
        )


@cache
def _kinds(config: type) -> dict[str, object]:
    """The type of every field of a configuration, by name."""
    hints = get_type_hints(config)
    return {field.name: hints[field.name] for field in fields(config)}


def _problem(name: str, value: object, kind) -> str:
    """What is wrong with the `value` of a field whose type is `kind`, in words; "" if nothing."""
    choices = get_args(kind)
    if value is None and NoneType in choices:
        return ""
    if int in (kind, *choices):
        least, most = int(name not in MAY_BE_0), LARGEST.get(name, LARGEST_LENGTH)
        right = type(value) is int and least <= value <= most
        wanted = f"a whole number from {least} to {most:,}"
    elif kind is float:
        right = type(value) in (int, float) and 0 <= value <= 1_000
        wanted = "a number, at least 0 and at most 1,000"
    elif kind is str:
        right, wanted = isinstance(value, str), "text"
    elif kind is bool:
        right, wanted = type(value) is bool, "true or false"
    else:
        right, wanted = type(value) is str and value in choices, f"one of {', '.join(choices)}"
    return "" if right else f"{name}={_short(value)}, which must be {wanted}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
