"""TODO."""

import re
from pathlib import Path
from typing import Protocol

from trm_lite.common.errors import UserError

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
    "hrm-sudoku": "sapientinc/HRM-checkpoint-sudoku-extreme",
    "hrm-maze": "sapientinc/HRM-checkpoint-maze-30x30-hard",
    "hrm-arc-2": "sapientinc/HRM-checkpoint-ARC-2",
}
CHECKPOINT = re.compile(r"(^|/)(step_(\d+)|checkpoint|[^/]+\.(pt|pth|ckpt|safetensors))$")


class Hub(Protocol):
    """The two functions of `huggingface_hub` that are used here."""

    def list_repo_files(self, repo_id: str) -> list[str]: ...

    def hf_hub_download(self, repo_id: str, filename: str, *, local_dir: Path) -> str: ...


def fetch(name: str, folder: Path, hub: Hub | None = None) -> Path:
    """Download the checkpoint called `name` into `folder` and return the file.

    Of several checkpoints in a repository the one of the latest step is taken. Raises UserError
    for an unknown name, without the library, and without a connection.
    """
    if name not in REPOSITORIES:
        raise UserError(
            f"There is no public checkpoint called '{name}'; there are {', '.join(REPOSITORIES)}."
        )
    if hub is None:
        try:
            import huggingface_hub as hub
        except ImportError as error:
            raise UserError(
                "Downloading needs one more package: pip install huggingface_hub."
            ) from error
    repository = REPOSITORIES[name]
    try:
        files = [file for file in hub.list_repo_files(repository) if CHECKPOINT.search(file)]
        if not files:
            raise UserError(f"https://huggingface.co/{repository} holds no checkpoint file.")
        path = hub.hf_hub_download(repository, max(files, key=_step), local_dir=folder / name)
    except UserError:
        raise
    except Exception as error:  # offline, moved, forbidden: the library has many names for it
        raise UserError(
            f"https://huggingface.co/{repository} could not be fetched "
            f"({type(error).__name__}); check the connection, or download a file there by hand."
        ) from error
    return Path(path)


def _step(file: str) -> tuple[int, str]:
    match = CHECKPOINT.search(file)
    return int(match[3] or -1), file
