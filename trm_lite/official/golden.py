"""Golden files: numbers that the authors' code computed, for comparison with ours."""

import math
import zipfile
from copy import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.file_kinds import zip_parts
from trm_lite.common.files import DAMAGED, in_words
from trm_lite.data.dataset import Batch

LARGEST = 100_000_000  # bytes of all arrays of a golden file; the authors' have a few million
LARGEST_BATCH = 100_000  # cells, which are thought about at once

# Tolerances that rounding explains, measured by running the authors' code on weights with slight
# noise.
LATENT = 1e-3  # absolute: latents, and logits after several steps, over which errors grow
OUTPUT = 1e-4  # absolute: losses, and logits after one step
GRADIENT = 1e-3  # relative to the largest entry
WEIGHTS = 2e-5  # absolute, after ten optimiser steps
EXACT = 0.0
RATE = 1e-9  # relative to the largest learning rate


class Check(NamedTuple):
    """The comparison of one quantity with the authors'."""

    name: str  # as in the golden file
    deviation: float  # the largest difference of an entry
    tolerance: float  # how large it may be

    @property
    def ok(self) -> bool:
        """Whether the deviation is within its tolerance."""
        return self.deviation <= self.tolerance


def exactly(value) -> Tensor:
    """A number, or a tensor of any device, in float64 on the CPU; a Mac's GPU has no float64."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
    return torch.as_tensor(value, dtype=torch.float64)


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; UserError if it cannot be read, or is too large."""
    parts = zip_parts(path)
    unpacked = sum(part.file_size for part in parts or ())
    if unpacked > LARGEST:
        raise UserError(
            f"{path} unpacks to {in_words(unpacked)}, but golden files have less than "
            f"{in_words(LARGEST)}; use another file."
        )
    try:
        if parts is None:
            raise ValueError("no table of contents")
        with zipfile.ZipFile(path) as packed:
            for part in parts:
                _check_header(packed, part)
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (*DAMAGED, TypeError, RuntimeError) as error:  # RuntimeError: encrypted
        raise UserError(
            f"{path} is not a complete .npz file of plain arrays; copy it again."
        ) from error


def _check_header(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Raise ValueError unless an array has as many bytes as its header says."""
    with packed.open(part) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        if math.prod(shape) * dtype.itemsize != part.file_size - file.tell():
            raise ValueError(f"{part.filename} is not as long as its header says")


class Golden:
    """The arrays of a golden file, and the comparisons that have been made with them.

    Raises UserError if the file cannot be read.
    """

    def __init__(self, path: Path):
        if not path.exists():
            raise UserError(f"There is no file {path}; check the path.")
        self.arrays = _read(path)
        self.unread = set(self.arrays)
        self.checks: list[Check] = []
        self.prefix = ""  # of the names, in a part of a file
        self.device = torch.device("cpu")  # where batches go, to be computed with

    def under(self, prefix: str) -> "Golden":
        """The arrays whose names begin with `prefix`, called without it; the checks are shared."""
        part = copy(self)
        part.arrays = {name: self.arrays[prefix + name] for name in self.names(prefix)}
        part.prefix = self.prefix + prefix
        return part

    def add(self, name: str, deviation: float, tolerance: float) -> None:
        """Note how far a quantity is from the authors'."""
        self.checks.append(Check(self.prefix + name, deviation, tolerance))

    @property
    def ok(self) -> bool:
        """Whether everything compared so far is within its tolerance."""
        return all(check.ok for check in self.checks)

    def names(self, prefix: str) -> list[str]:
        """The names of arrays that begin with `prefix`, without that prefix."""
        return [n.removeprefix(prefix) for n in self.arrays if n.startswith(prefix)]

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.arrays:
            raise UserError(f"The golden file lacks '{name}'; use a complete one.")
        self.unread.discard(self.prefix + name)
        array = self.arrays[name]
        if array.dtype.kind not in "biuf":
            raise UserError(f"'{name}' in the golden file is not an array of numbers; use another.")
        return torch.from_numpy(np.asarray(array, array.dtype.newbyteorder("=")))

    def check(self, name: str, ours, tolerance: float, *, relative: bool = False) -> None:
        """Compare one of our results with the authors'; does nothing if the file does not have it.

        Args:
            name: name of the array in the file.
            ours: our numbers.
            tolerance: the largest allowed difference.
            relative: divide differences by the largest entry of the golden array.
        """
        if name not in self.arrays:
            return
        theirs = self[name].double()
        ours = exactly(ours)
        if ours.shape != theirs.shape:
            deviation = math.inf
        elif theirs.numel() == 0:
            deviation = 0.0
        else:
            apart = torch.where(ours == theirs, 0, ours - theirs)  # infinities can be equal
            deviation = float(apart.abs().max())
            if relative:
                deviation /= max(float(theirs.abs().max()), 1e-30)
        self.add(name, math.inf if math.isnan(deviation) else deviation, tolerance)

    def check_best(self, name: str, best: Tensor, tolerance: float) -> None:
        """Compare the best tokens with `name`/preds, if the file has them.

        Where the scores of two tokens differ by less than the `tolerance`, either may win. Of the
        scores of several steps, the last ones count.
        """
        if f"{name}/preds" in self.arrays:
            preds, scores = self[f"{name}/preds"], self[f"{name}/logits"]
            top = (scores[-1] if scores.dim() > preds.dim() + 1 else scores).topk(2, dim=-1).values
            clear = top[..., 0] - top[..., 1] > 2 * tolerance
            self.add(f"{name}/preds", float(((best.cpu() != preds) & clear).sum()), EXACT)

    def check_text(self, name: str, ours: str) -> None:
        """Compare a text; does nothing if the file does not have it."""
        if name in self.arrays:
            self.unread.discard(self.prefix + name)
            self.add(name, float(str(self.arrays[name]) != ours), 0.0)

    def batch(self, prefix: str, row: int | None = None) -> Batch:
        """The puzzles under `prefix`, or row number `row` of several batches.

        Raises ValueError if their shapes make no sense.
        """
        names = ("inputs", "labels", "puzzle_identifiers")
        arrays = [self[prefix + name] for name in names]
        batch = Batch(*((array if row is None else array[row]).long() for array in arrays))
        if batch.inputs.dim() != 2 or batch.labels.shape != batch.inputs.shape:
            raise ValueError(f"{prefix}inputs are {tuple(batch.inputs.shape)}")
        if batch.inputs.numel() > LARGEST_BATCH or batch.puzzle_ids.shape != batch.inputs.shape[:1]:
            raise ValueError(f"{prefix}puzzle_identifiers are {tuple(batch.puzzle_ids.shape)}")
        return batch.to(self.device)
