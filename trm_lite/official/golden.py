"""Golden files: numbers that the authors' code computed, for comparison with ours."""

import math
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trm_lite.common.errors import UserError
from trm_lite.common.file_kinds import zip_parts
from trm_lite.common.files import DAMAGED, in_words

LARGEST = 100_000_000  # bytes of all arrays of a golden file; the authors' have a few million


class Check(NamedTuple):
    """The comparison of one quantity with the authors'."""

    name: str  # as in the golden file
    deviation: float  # the largest difference of an entry
    tolerance: float  # how large it may be

    @property
    def ok(self) -> bool:
        """Whether the deviation is within its tolerance."""
        return self.deviation <= self.tolerance


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
    except (*DAMAGED, TypeError) as error:
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
        self.unread.discard(name)
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
        ours = torch.as_tensor(ours, dtype=torch.float64).detach().cpu()
        if ours.shape != theirs.shape:
            deviation = math.inf
        elif theirs.numel() == 0:
            deviation = 0.0
        else:
            deviation = float((ours - theirs).abs().max())
            if relative:
                deviation /= max(float(theirs.abs().max()), 1e-30)
        self.checks.append(Check(name, math.inf if math.isnan(deviation) else deviation, tolerance))

    def check_text(self, name: str, ours: str) -> None:
        """Compare a text; does nothing if the file does not have it."""
        if name in self.arrays:
            self.unread.discard(name)
            self.checks.append(Check(name, float(str(self.arrays[name]) != ours), 0.0))
