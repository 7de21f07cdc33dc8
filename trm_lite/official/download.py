"""Public checkpoints of TRM and HRM, fetched from the Hugging Face Hub."""

import re
from pathlib import Path

from trm_lite.common.errors import UserError
from trm_lite.common.files import unfinished_folder
from trm_lite.data.benchmarks.download import explained, hub

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


def fetch(name: str, folder: Path) -> Path:
    """Download the checkpoint called `name` into `folder`, unless it is there, and return the file.

    Of several checkpoints in a repository the one of the latest step is taken. Raises UserError
    for an unknown name, without a connection, and for a full disk.
    """
    if name not in REPOSITORIES:
        raise UserError(
            f"There is no public checkpoint called '{name}'; there are {', '.join(REPOSITORIES)}."
        )
    repository = REPOSITORIES[name]
    page = f"{hub().endpoint}/{repository}"
    by_hand = "download a file there by hand"
    with explained(page, by_hand):
        files = [file for file in hub().list_repo_files(repository) if CHECKPOINT.search(file)]
    if not files:
        raise UserError(f"{page} holds no checkpoint file.")
    latest = max(files, key=_step)
    path = folder / name / latest
    if path.exists():
        return path
    with unfinished_folder(path) as unfinished:
        with explained(page, by_hand):
            part = hub().hf_hub_download(repository, latest, local_dir=unfinished)
        return Path(part).rename(path)


def _step(file: str) -> tuple[int, str]:
    match = CHECKPOINT.search(file)
    return int(match[3] or -1), file
