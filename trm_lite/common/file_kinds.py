"""Tell from its first bytes what a file is that should hold weights."""

import re
import zipfile
from pathlib import Path

from trm_lite.common.errors import UserError

# Bytes that describe the tensors of a file, without their numbers. There are about a hundred per
# tensor, so this is room for 5,000 tensors. Descriptions are parsed before anything can be checked,
# into objects that take up to a hundred times as much memory.
LARGEST_DESCRIPTION = 500_000

TORCH_PICKLE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # written by torch.save before 1.6

SIGNS = {
    rb"\Z": "is empty; copy or download it again",
    rb"version https://git-lfs": "is a Git LFS pointer, a few lines that stand for the file; "
    "fetch the file itself, for example with git lfs pull",
    rb"(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|body|\?xml)": "is a web page; "
    "download the file itself instead of the page about it",
    rb"\x1f\x8b|7z\xbc\xaf|\xfd7zXZ|BZh|Rar!|.{257}ustar": "is a packed archive; unpack it first",
    rb"\x89HDF": "is an HDF5 file, as Keras writes them; use a file for PyTorch",
    rb"GGUF": "is a GGUF file for language models; use another file",
    rb"\x93NUMPY": "is a single NumPy array; use a file with all the weights of a network",
    rb"[\t\n\r -~]{8}": "is a text file; use a file of weights",
}


def mistaken(path: Path) -> str:
    """What a file is if it cannot hold weights, and what to do: "is a web page; download ...".

    Returns "" if it may hold weights. Raises UserError if it cannot be read, or if it describes
    more tensors than any network has.
    """
    if path.is_dir():
        return "is a folder; name a file in it"
    if is_safetensors(path):  # whose first bytes are a number, and so can look like anything
        return ""
    start = _start(path, 300)
    for sign, words in SIGNS.items():
        if re.match(sign, start, re.IGNORECASE | re.DOTALL):
            return words
    if start.startswith(b"\x80") and not start.startswith(TORCH_PICKLE):
        return "is a pickle that PyTorch did not write, so it was not opened; use a state dict"
    if not start.startswith(b"PK"):
        return ""
    parts = zip_parts(path)
    if parts is None:
        return "is incomplete or damaged; copy or download it again"
    names = [part.filename for part in parts]
    if any(name.endswith("data.pkl") for name in names):
        return ""
    if any(name.endswith(".npy") for name in names):
        return "is an archive of NumPy arrays; use a file of weights"
    return "is a zip archive that PyTorch did not write; unpack it first"


def written_by_torch(path: Path) -> bool:
    """Whether a file that is not `mistaken` is a pickle, alone or in the zip of torch.save."""
    return not is_safetensors(path) and _start(path, 2) in (b"PK", b"\x80\x02")


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: a number of bytes, then as much JSON.

    Raises UserError if the JSON is longer than any network needs.
    """
    start = _start(path, 10)
    length = int.from_bytes(start[:8], "little")
    if not re.match(rb"\{[\"} ]", start[8:]) or length > path.stat().st_size:
        return False
    if length > LARGEST_DESCRIPTION:
        raise UserError(
            f"{path} describes its tensors in {length:,} bytes, which no network here needs; "
            "use another file."
        )
    return True


def zip_parts(path: Path) -> list[zipfile.ZipInfo] | None:
    """The table of contents of a zip file; None if it is damaged or not one.

    Raises UserError if the table is longer than any file of arrays needs.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65_557))  # the end may have a comment
            _, found, end = file.read().rpartition(b"PK\5\6")
            if found and int.from_bytes(end[8:12], "little") > LARGEST_DESCRIPTION:
                raise UserError(f"{path} has too long a table of contents; use another file.")
        with zipfile.ZipFile(path) as packed:
            return packed.infolist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None


def _start(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
