"""ConceptARC, from GitHub: 160 tasks in 16 groups, which the paper also learns from.

The commit is fixed, but GitHub packs archives anew and promises no bytes, so there is no SHA-256 to
hold one against. What is checked instead is the number of tasks and of their pairs.
"""

import re
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from trm_lite.common.errors import PuzzleError, UserError
from trm_lite.common.files import unfinished_folder
from trm_lite.data.arc_tasks import CONCEPT_PAIRS, load_tasks
from trm_lite.data.benchmarks.download import GitHubArchive, fetch_archive

NAME = "concept-arc"
ARCHIVE = GitHubArchive(
    "victorvikram/ConceptARC",
    "bd8a5dd10231130d2f274f2e0f37734f3c210ec2",  # of 2024, when the MIT licence was added
)
TASKS = 160
MEMBER = re.compile(r"[^/]+/corpus/(\w+)/(\w+\.json)")


def fetch_concept_arc(folder: Path) -> Path:
    """The folder `concept-arc` in `folder` with all tasks, downloaded if it is not there yet.

    Raises UserError without a connection, for a full disk, and if other tasks came.
    """
    target = folder / NAME
    if target.exists():
        check_whole(target, f"delete {target} and run again.")
        return target
    with unfinished_folder(target) as unfinished:
        archive, tasks = unfinished / "archive.zip", unfinished / NAME
        fetch_archive(ARCHIVE, archive)
        unpack(archive, tasks)
        check_whole(tasks, "run again, or name a copy of your own when you build.")
        tasks.rename(target)
    return target


def unpack(archive: Path, folder: Path) -> None:
    """Put the tasks in a ZIP file of the repository into `folder`, a folder for each group."""
    try:
        with ZipFile(archive) as packed:
            for name in packed.namelist():
                if match := MEMBER.fullmatch(name):
                    path = folder.joinpath(*match.groups())
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(packed.read(name))
    except (BadZipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"What came from {ARCHIVE.url} is no whole ZIP file, so it was deleted; run again."
        ) from error


def check_whole(folder: Path, advice: str) -> None:
    """UserError, ending in `advice`, unless `folder` holds as many tasks and pairs as it should."""
    try:
        tasks = load_tasks(folder)
    except (UserError, PuzzleError) as error:
        raise UserError(f"That is not ConceptARC ({error}); {advice}") from error
    pairs = sum(len(task.pairs) for task in tasks)
    if (len(tasks), pairs) != (TASKS, CONCEPT_PAIRS):
        raise UserError(
            f"There are {len(tasks)} tasks with {pairs} pairs, but ConceptARC has {TASKS} with "
            f"{CONCEPT_PAIRS}; {advice}"
        )
