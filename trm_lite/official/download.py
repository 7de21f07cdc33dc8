"""Public checkpoints of TRM and HRM, fetched from the Hugging Face Hub."""

import re
from pathlib import Path
from typing import NamedTuple

from trm_lite.common.errors import UserError
from trm_lite.common.files import in_words, unfinished_folder
from trm_lite.common.tables import columns
from trm_lite.data.benchmarks.download import explained, hub

BY_HAND = "download a file there by hand"
REPOSITORIES = {
    "trm-sudoku-mlp": "Sanjin2024/TinyRecursiveModels-Sudoku-Extreme-mlp",
    "trm-sudoku-attention": "Sanjin2024/TinyRecursiveModels-Sudoku-Extreme-att",
    "trm-maze": "Sanjin2024/TinyRecursiveModel-Maze-Hard",
    "trm-arc-1": "Sanjin2024/TinyRecursiveModels-ARC-AGI-1",
    "trm-arc-2": "Sanjin2024/TinyRecursiveModels-ARC-AGI-2",
    "trm-arcprize": "arcprize/trm_arc_prize_verification",
    "trm-sudoku-alphaxiv": "alphaXiv/trm-model-sudoku",
    "trm-maze-alphaxiv": "alphaXiv/trm-model-maze",
    "trm-arc-1-alphaxiv": "alphaXiv/trm-model-arc-agi-1",
    "trm-sudoku-gar": "MaximeILL/GAR_ckpts",
    "hrm-sudoku": "sapientinc/HRM-checkpoint-sudoku-extreme",
    "hrm-maze": "sapientinc/HRM-checkpoint-maze-30x30-hard",
    "hrm-arc-2": "sapientinc/HRM-checkpoint-ARC-2",
}
CHECKPOINT = re.compile(r"(^|/)(step_(\d+)|checkpoint|[^/]+\.(pt|pth|ckpt|safetensors))$")
# The file to take from a repository whose names do not tell the latest step.
USUAL_FILE = {"MaximeILL/GAR_ckpts": "TRM-MLP-Sudoku-Extreme.pt"}


class Held(NamedTuple):
    """A checkpoint in a repository of the Hub."""

    file: str  # its path there
    size: int  # in bytes

    @property
    def step(self) -> int:
        """The training step in its name, or -1."""
        return int(CHECKPOINT.search(self.file)[3] or -1)


def repository_of(name: str) -> str:
    """The repository of a known checkpoint, or `name` itself if it is OWNER/REPOSITORY.

    Raises UserError for any other name.
    """
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        return name
    if name not in REPOSITORIES:
        raise UserError(
            f"There is no public checkpoint called '{name}'; there are {', '.join(REPOSITORIES)}, "
            "and any OWNER/REPOSITORY of the Hub."
        )
    return REPOSITORIES[name]


def held(name: str) -> list[Held]:
    """The checkpoints in the repository of `name`, the latest step last.

    Raises UserError for an unknown name, without a connection, and if there are none.
    """
    repository = repository_of(name)
    page = f"{hub().endpoint}/{repository}"
    with explained(page, BY_HAND):
        files = [
            Held(entry.path, entry.size)
            for entry in hub().list_repo_tree(repository, recursive=True)
            if hasattr(entry, "size") and _is_checkpoint(entry.path)
        ]
    if not files:
        raise UserError(f"{page} holds no checkpoint file.")
    return sorted(files, key=lambda held: (held.step, held.file))


def fetch(name: str, folder: Path, step: str | None = None) -> Path:
    """Download the checkpoint called `name` into `folder`, unless it is there, and return the file.

    Raises UserError for an unknown name or step, without a connection, and for a full disk.

    Args:
        name: one of REPOSITORIES, or any OWNER/REPOSITORY of the Hub.
        folder: where to keep it, in a folder of that name.
        step: which of several checkpoints: a number, or the name of a file. The latest if None.
    """
    repository = repository_of(name)
    chosen = _chosen(held(name), step or USUAL_FILE.get(repository), name).file
    path = folder / name / chosen
    if path.exists():
        return path
    with unfinished_folder(path) as unfinished:
        with explained(f"{hub().endpoint}/{repository}", BY_HAND):
            part = hub().hf_hub_download(repository, chosen, local_dir=unfinished)
        return Path(part).rename(path)


def _is_checkpoint(file: str) -> bool:
    return bool(CHECKPOINT.search(file)) and ".." not in file.split("/")


def _chosen(there: list[Held], step: str | None, name: str) -> Held:
    """The checkpoint that `step` names, or the latest one."""
    if step is None:
        if len(there) == 1 or there[-1].step >= 0:
            return there[-1]
        problem = "does not tell which of its checkpoints is the latest"
    else:
        matching = [one for one in there if step in (one.file, Path(one.file).name, str(one.step))]
        if len(matching) == 1:
            return matching[0]
        problem = f"has {'several checkpoints' if matching else 'no checkpoint'} called '{step}'"
    names = ", ".join(one.file for one in there)
    raise UserError(f"{name} {problem}; choose one of: {names}.", "step")


def listing(name: str) -> str:
    """The checkpoints in the repository of `name` with their sizes, as a table."""
    return columns([(one.file, in_words(one.size)) for one in held(name)], align="<>")
