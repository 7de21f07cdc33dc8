"""Writing files so that nothing is lost, and saying how large they are."""

import os
import zipfile
import zlib
from pathlib import Path

from trm_lite.common.errors import UserError

# What comes with the course: beside the package in a clone, inside it where it was installed.
PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = PACKAGE / "assets" if (PACKAGE / "assets").is_dir() else PACKAGE.parent / "assets"


def write_atomically(path: Path, content: bytes) -> None:
    """Write so that `path` is at any moment the whole old file or the whole new one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        if path.parent.is_dir():
            unfinished.unlink(missing_ok=True)
        raise UserError(f"{path} could not be written: {error.strerror}.") from error


def in_words(size: int) -> str:
    """Bytes to read: "4.7 GB", "64 MB" or "3 kB"."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


# What reading a broken .npz file can raise.
DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    ValueError,
    UserError,
    zipfile.BadZipFile,
    zlib.error,
)


def cache_folder() -> Path:
    """Where generated puzzles are kept: $TRM_LITE_CACHE, or .cache/trm_lite in the home folder."""
    return Path(os.environ.get("TRM_LITE_CACHE", Path.home() / ".cache" / "trm_lite"))
