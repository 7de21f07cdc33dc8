"""Writing files so that nothing is lost, and saying how large they are."""

import os
from pathlib import Path

from trm_lite.errors import UserError

ASSETS = Path(__file__).resolve().parent.parent / "assets"  # what comes with the course


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
