"""Downloads: public checkpoints and files of data from the Hugging Face Hub, archives from GitHub.

Only checkpoints need the Hub's own library.
"""

import hashlib
import os
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from trm_lite.common.errors import UserError

GITHUB = "https://github.com"
TIMEOUT = 60  # seconds without an answer
PIECE = 1 << 20  # bytes read at once


class DataFile(NamedTuple):
    """A file of a public data set, in one fixed version."""

    repository: str
    revision: str
    name: str
    sha256: str

    @property
    def url(self) -> str:
        """Where it is; the environment variable HF_ENDPOINT names a mirror, as for the Hub's own
        library."""
        hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return f"{hub}/datasets/{self.repository}/resolve/{self.revision}/{self.name}"


class GitHubArchive(NamedTuple):
    """A repository on GitHub as a ZIP file, at one commit."""

    repository: str
    commit: str
    name: str  # of the file here

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{GITHUB}/{self.repository}/archive/{self.commit}.zip"


def fetch_archive(archive: GitHubArchive, folder: Path) -> Path:
    """Download `archive` into `folder`. Its bytes are not known beforehand: check the contents.

    Raises UserError without a connection and for a full disk.
    """
    part = folder / f"{archive.name}.part"
    part.unlink(missing_ok=True)  # packed anew each time, it cannot be continued
    _download(archive, part, "unpack it elsewhere and name the folder with --concept")
    return part.rename(folder / archive.name)


def fetch_data(file: DataFile, folder: Path) -> Path:
    """The path of `file` in `folder`, downloaded if it is not there yet.

    A download that was cut goes on where it ended. Raises UserError without a connection, for a
    full disk, and if the bytes are not those that `file` is known by.
    """
    path = folder / file.name
    if path.exists():
        if sha256(path) != file.sha256:
            raise UserError(f"{path} is damaged; delete it and run again.")
        return path
    part = path.with_name(f"{path.name}.part")
    _download(
        file, part, f"download {file.name} elsewhere and name the folder it is in with --from"
    )
    if sha256(part) != file.sha256:
        part.unlink()
        raise UserError(
            f"What came from {file.url} is not the file that was asked for (its SHA-256 is "
            "another), so it was deleted; run again, or get the file elsewhere and name its folder "
            "with --from."
        )
    part.rename(path)
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file; UserError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror or error}.") from error


def _download(file: DataFile | GitHubArchive, part: Path, instead: str) -> None:
    """Fetch into `part`, from where an earlier attempt ended; what to do `instead`, if it fails."""
    have = part.stat().st_size if part.exists() else 0
    answer = _answer(file, have, instead)
    if answer is None:
        return
    with answer:
        if answer.status != 206:  # not a continuation but the whole file
            have = 0
        coming = int(answer.headers.get("Content-Length") or 0)
        bar = tqdm(total=have + coming, initial=have, unit="B", unit_scale=True, desc=file.name)
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with bar, open(part, "ab" if have else "wb") as out:
                for piece in _pieces(answer):
                    out.write(piece)
                    bar.update(len(piece))
        except OSError as error:
            raise UserError(f"{part} could not be written: {error.strerror or error}.") from error
    if coming and part.stat().st_size < have + coming:
        raise UserError(
            f"The connection was cut at {part.stat().st_size:,} of {have + coming:,} bytes of "
            f"{file.name}; run the same command again, it goes on from there."
        )


def _answer(file: DataFile | GitHubArchive, have: int, instead: str) -> HTTPResponse | None:
    """The bytes of `file` from `have` on; None if there are no more."""
    headers = {"User-Agent": "trm-lite"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return urlopen(Request(file.url, headers=headers), timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError) and error.code == 416 and have:
            return None
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{file.url} could not be fetched ({reason}); check the connection, or {instead}."
        ) from error


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """What comes, until it ends or the connection does."""
    while True:
        try:
            piece = answer.read(PIECE)
        except (OSError, HTTPException):
            return
        if not piece:
            return
        yield piece
