"""Safe writing of files, their sizes in words, and the folders that the course uses."""

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from trm_lite.common.errors import UserError

# Files that come with the course. They lie beside the package in a clone, and inside it once
# it is installed.
PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = PACKAGE / "assets" if (PACKAGE / "assets").is_dir() else PACKAGE.parent / "assets"


def write_atomically(path: Path, content: bytes, old: Path | None = None) -> None:
    """Write a file so that a crash leaves either the complete old file or the complete new one.

    Missing folders are created. Raises UserError if the file cannot be written.

    Args:
        path: the file.
        content: all its bytes.
        old: where to keep the file that was at `path`, if there was one.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None and path.exists():
            _second_name(path, old)
        os.replace(unfinished, path)
    except OSError as error:
        if path.parent.is_dir():
            unfinished.unlink(missing_ok=True)
        raise UserError(f"{path} could not be written: {error.strerror}.") from error


def _second_name(path: Path, other: Path) -> None:
    """Make `other` a second name of the file at `path`, or a copy of it where that is impossible.

    At no moment is either name without a complete file.
    """
    unfinished = other.with_name(f".{other.name}.{os.getpid()}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        try:
            os.link(path, unfinished)
        except OSError:  # some file systems have no links
            shutil.copyfile(path, unfinished)
        os.replace(unfinished, other)
    finally:
        unfinished.unlink(missing_ok=True)  # still there if both were names of one file already


def in_words(size: int) -> str:
    """A number of bytes in words: "4.7 GB", "64 MB" or "3 kB"."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


# Exceptions that reading a damaged .npz file can raise.
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
    """The folder for generated puzzles: $TRM_LITE_CACHE, or .cache/trm_lite in the home folder."""
    return Path(os.environ.get("TRM_LITE_CACHE", Path.home() / ".cache" / "trm_lite"))


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `path`, in which to prepare what will be moved to `path`.

    Afterwards the hidden folder is removed, and so are parent folders that were made for it and
    are still empty. Raises UserError if nothing can be written there.
    """
    missing = [folder for folder in path.parents if not folder.exists()]  # the innermost first
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):  # raised if something is in it
                folder.rmdir()
