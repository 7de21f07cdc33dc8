"""Whose is which file: the folders and zips that learning platforms make of a class's work.

Moodle names a file or folder NAME_123_assignsubmission_file, Canvas NAME_123_456_FILE, nbgrader
lays STUDENT/ASSIGNMENT/FILE; and STUDENT.ipynb or STUDENT/FILE is understood as well. Only regular
files are read. Links, pipes and devices are named, and so is whatever is too large.
"""

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from trm_lite.common.errors import UserError

LARGEST = 50_000_000  # bytes; larger notebooks are not read
MOST_FILES = 200  # of one student
MOST_LEVELS = 8  # of folders
MOODLE = re.compile(r"_(?P<id>\d+)_assignsubmission_(?P<way>[a-z]*).*$")
CANVAS = re.compile(r"^(?P<student>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+$")
NOTEBOOK = re.compile(r"\.ipynb(\.(txt|json|html))?$", re.IGNORECASE)
ENDING = re.compile(r"(\.ipynb)?\.\w{1,5}$", re.IGNORECASE)  # of a file's name
# Names of what computers and learning platforms leave beside students' work, and what we wrote.
HOUSEKEEPING = {"desktop.ini", "thumbs.db", "ehthumbs.db", "__macosx", "grades.csv",
                "results.json", "summary.html", "feedback", "timestamp.txt",
                "$recycle.bin"}  # fmt: skip
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError,
              IndexError, struct.error)  # fmt: skip
OUR_PAGE = b'<meta name="generator" content="trm-lite classroom">'


@dataclass(frozen=True)
class Document:
    """A file that was handed in."""

    name: str  # safe to show
    read: Callable[[], bytes]  # raises UserError with a sentence on why it cannot be read

    @property
    def is_notebook(self) -> bool:
        """Whether its name says that it is a notebook."""
        return NOTEBOOK.search(self.name) is not None


class Entry(NamedTuple):
    """A file or folder of a class's work."""

    name: str  # safe to show
    student: str  # the student's name
    id: str  # the participant's number on the platform, or ""
    documents: list[Document]


def entries(place: Path) -> Iterator[Entry]:
    """The files and folders in a folder or zip of submissions, each with its student.

    Raises UserError if `place` is neither.
    """
    if place.suffix.lower() == ".zip" and place.is_file():
        found = _of_class_zip(place)
    elif place.is_dir():
        found = _of_class_folder(place)
    else:
        raise UserError(f"There is no folder {place} of submissions; check the path.")
    for name, documents in found:
        kept = [document for document in documents if not _is_our_page(document)]
        if not _is_housekeeping(name) and (kept or not documents):
            is_file = name.lower().endswith(".zip") or name in {one.name for one in documents}
            yield Entry(name, *_whose(ENDING.sub("", name) if is_file else name), kept)


def safe_name(name: str) -> str:
    """A name of a file as text that can be shown and written: one form, no strange characters."""
    text = os.fsencode(name).decode("utf-8", errors="replace")
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return unicodedata.normalize("NFC", shown)


def read_regular(path: Path) -> bytes:
    """Read a file if it is a regular one, of a size that a notebook can have.

    Raises UserError if it is not, and if it cannot be read.
    """
    name = safe_name(path.name)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UserError(f"{name} is not a regular file, but a link, a pipe or a device.")
        # Between the two looks it could become a pipe, on which opening would wait.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
                         | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))  # fmt: skip
        with open(number, "rb") as file:
            return _at_most(file.read(LARGEST + 1), name)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from error


def _at_most(content: bytes, name: str) -> bytes:
    if len(content) > LARGEST:
        raise UserError(f"{name} is larger than {LARGEST:,} bytes.")
    return content


def _whose(entry: str) -> tuple[str, str]:
    """The student's name and number that the name of a file or folder tells."""
    if moodle := MOODLE.search(entry):
        return MOODLE.sub("", entry), moodle["id"]
    if canvas := CANVAS.match(entry):
        return canvas["student"], canvas["id"]
    return entry, ""


def _is_housekeeping(name: str) -> bool:
    """Whether a file of this name is nobody's work; a learning platform's table is none either."""
    return name.startswith((".", "~$")) or name.casefold() in HOUSEKEEPING or name.endswith(".csv")


def _is_our_page(document: Document) -> bool:
    try:
        return document.name.endswith(".html") and OUR_PAGE in document.read()[:1000]
    except UserError:
        return False


def _of_class_folder(place: Path) -> Iterator[tuple[str, list[Document]]]:
    for path in sorted(place.iterdir()):
        folder = path.is_dir() and not path.is_symlink()
        yield safe_name(path.name), list(_of_folder(path) if folder else _of_file(path))


def _of_class_zip(place: Path) -> Iterator[tuple[str, list[Document]]]:
    try:
        with zipfile.ZipFile(place) as archive:
            grouped: dict[str, list[Document]] = {}
            for document in _in_zip(archive):
                first, _, rest = document.name.partition("/")
                inner = replace(document, name=rest or first)
                grouped.setdefault(first, []).extend(_opened(inner))
            yield from sorted(grouped.items())
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{place} is not a zip that can be read ({error}).") from error


def _of_folder(folder: Path) -> Iterator[Document]:
    count = 0
    for where, folders, files in os.walk(folder):
        depth = len(Path(where).relative_to(folder).parts)
        inner = [name for name in folders if not _is_housekeeping(safe_name(name))]
        folders[:] = sorted(inner) if depth < MOST_LEVELS else []
        for name in sorted(files)[: MOST_FILES - count]:
            if not _is_housekeeping(safe_name(name)):
                yield from _of_file(Path(where) / name)
            count += 1


def _of_file(path: Path) -> Iterator[Document]:
    return _opened(Document(safe_name(path.name), lambda: read_regular(path)))


def _opened(document: Document) -> Iterator[Document]:
    """The document, or what is in it if it is a zip that can be read."""
    if document.name.lower().endswith(".zip"):
        try:
            yield from list(_in_zip(zipfile.ZipFile(BytesIO(document.read()))))
            return
        except (UserError, *BROKEN_ZIP):
            pass
    yield document


def _in_zip(archive: zipfile.ZipFile) -> Iterator[Document]:
    for about in archive.infolist()[: 100 * MOST_FILES]:
        name = safe_name(about.filename.encode(errors="replace").decode().replace("\\", "/"))
        parts = name.strip("/").split("/")
        if not about.is_dir() and ".." not in parts and not any(map(_is_housekeeping, parts)):
            yield Document("/".join(parts), partial(_unpacked, archive, about, parts[-1]))


def _unpacked(archive: zipfile.ZipFile, about: zipfile.ZipInfo, name: str) -> bytes:
    try:
        with archive.open(about) as file:
            content = file.read(LARGEST + 1)
    except (RuntimeError, *BROKEN_ZIP) as error:  # RuntimeError: it has a password
        raise UserError(f"{name} cannot be unpacked ({error}).") from error
    return _at_most(content, name)
