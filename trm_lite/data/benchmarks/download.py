"""Files of public data sets, from the Hugging Face Hub and from GitHub, whole or not at all.

The Hub's own library goes on by itself when the connection is cut. It reads the environment
variables HF_ENDPOINT, which names a mirror, and HF_HUB_OFFLINE=1, which forbids all this.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from trm_lite.common.errors import UserError
from trm_lite.common.files import unfinished_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

GITHUB = "https://github.com"
TIMEOUT = 60  # seconds without an answer
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk's fault, not the connection's


class DataFile(NamedTuple):
    """A file of a public data set, in one fixed version."""

    repository: str
    revision: str
    name: str
    sha256: str

    @property
    def url(self) -> str:
        """Where it is."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(
            self.repository,
            self.name,
            repo_type="dataset",
            revision=self.revision,
            endpoint=hub().endpoint,
        )


class GitHubArchive(NamedTuple):
    """A repository on GitHub as a ZIP file, at one commit."""

    repository: str
    commit: str

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{GITHUB}/{self.repository}/archive/{self.commit}.zip"


def fetch_data(file: DataFile, folder: Path) -> Path:
    """The path of `file` in `folder`, downloaded if it is not there yet.

    Raises UserError without a connection, for a full disk, and if the bytes are not those that
    `file` is known by.
    """
    path = folder / file.name
    if path.exists():
        if sha256(path) != file.sha256:
            raise UserError(f"{path} is damaged; delete it and run again.")
        return path
    elsewhere = f"download {file.name} elsewhere and name the folder it is in"
    with unfinished_folder(path) as unfinished:
        with explained(file.url, elsewhere, "source"):
            part = hub().hf_hub_download(
                file.repository,
                file.name,
                repo_type="dataset",
                revision=file.revision,
                local_dir=unfinished,
            )
        if sha256(Path(part)) != file.sha256:
            raise UserError(
                f"What came from {file.url} is not the file that was asked for (its SHA-256 is "
                f"another), so it was deleted; run again, or {elsewhere}.",
                "source",
            )
        return Path(part).rename(path)


def fetch_archive(archive: GitHubArchive, path: Path) -> None:
    """Download `archive` to `path`. Its bytes are not known beforehand: check the contents.

    Raises UserError without a connection, OSError for a full disk.
    """
    with explained(archive.url, "unpack it elsewhere and name that folder when you build"):
        request = Request(archive.url, headers={"User-Agent": "trm-lite"})
        with urlopen(request, timeout=TIMEOUT) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)


def sha256(path: Path) -> str:
    """The SHA-256 of a file; UserError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror or error}.") from error


def hub() -> "HfApi":
    """The Hub, or its mirror; the library itself looks at HF_ENDPOINT only once, when imported."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT", "").rstrip("/") or None)


@contextmanager
def explained(url: str, instead: str, *options: str) -> Iterator[None]:
    """Turn whatever a download of `url` fails with into a UserError; a full disk stays an OSError.

    Args:
        url: What is fetched, for the message.
        instead: What else can be done; begins the last half of the sentence.
        options: The parameters that it is done with.
    """
    try:
        yield
    except Exception as error:  # of the library, of the one below it, of the one below that
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        reason, mend = _reason(error)
        raise UserError(
            f"{url} could not be fetched ({reason}); {mend}, or {instead}.", *options
        ) from error


def _reason(error: Exception) -> tuple[str, str]:
    """Why a download failed, and what may mend it."""
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, OfflineModeIsEnabled):
            return "the environment variable HF_HUB_OFFLINE forbids it", "unset it"
        if isinstance(cause, GatedRepoError):
            return (
                "its owner asks for a login",
                "accept the terms on its page and run 'hf auth login'",
            )
        if isinstance(cause, RepositoryNotFoundError):
            return "there is no such repository, or it is private", "look for its new place"
        status = cause.code if isinstance(cause, HTTPError) else None
        status = getattr(getattr(cause, "response", None), "status_code", status)
        if status is not None:
            return f"{status} {responses.get(status, '')}".strip(), "try again later"
    # The inmost cause is the plainest: "Connection refused", "Name or service not known".
    texts = [getattr(cause, "strerror", None) or str(cause) for cause in causes]
    text = next((text for text in reversed(texts) if text), type(error).__name__)
    return text.splitlines()[0].rstrip("."), "check the connection"
