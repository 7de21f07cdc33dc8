"""Writing files so that nothing is lost, and saying how large they are."""

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

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


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, to make in it what is to become `path` at the end.

    It is gone afterwards, and so are the folders that were made for it, if nothing came of them.
    Raises UserError where nothing can be written.
    """
    missing = [folder for folder in path.parents if not folder.exists()]  # the inmost first
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):  # something is in it
                folder.rmdir()
