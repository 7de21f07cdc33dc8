"""Where the CSV files of a benchmark come from: the Hub, or a place of your own."""

from pathlib import Path

from trm_lite.errors import UserError
from trm_lite.hub import DataFile, fetch_data, sha256
from trm_lite.puzzles.generated import cache_folder


def public_files(repository: str, revision: str, **sha256s: str) -> list[DataFile]:
    """The files train.csv and test.csv of a data set on the Hub, with their SHA-256."""
    return [
        DataFile(repository, revision, f"{split}.csv", sha256) for split, sha256 in sha256s.items()
    ]


def find_files(files: list[DataFile], source: Path | None) -> tuple[list[Path], dict[str, str]]:
    """Where the training and the test file are, if they need not be fetched, and their SHA-256.

    `source` is a folder with files of these names, or a single file, which then is to give all
    splits. Without it they are those of the Hub; see `fetched`.
    """
    if source is None:
        return [], {file.name: file.sha256 for file in files}
    paths = [source / file.name for file in files] if source.is_dir() else [source]
    for path in paths:
        if not path.is_file():
            names = " and ".join(file.name for file in files)
            raise UserError(
                f"There is no file {path}; name with --from a folder that holds {names}, or one "
                "CSV file for all splits."
            )
    return paths, {path.name: sha256(path) for path in paths}


def fetched(files: list[DataFile]) -> list[Path]:
    """The `files` of the Hub, downloaded once and kept in the cache folder."""
    return [
        fetch_data(file, cache_folder() / "hub" / file.repository / file.revision[:8])
        for file in files
    ]
