"""Put the thinking page together: `python site/assemble.py build/site/play`.

The page is a folder of static files. Its scripts lie in `site/play`, the weights in
`assets/weights`, the boards and films that it shares with the notebooks in
`trm_lite/viewing/browser`; the examples are made here. Nothing of it is kept twice.
"""

import gzip
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from trm_lite.common.files import ASSETS
from trm_lite.data import sudoku_set
from trm_lite.evaluation import evaluate
from trm_lite.experiments import get_preset
from trm_lite.nets import shipped
from trm_lite.puzzles import maze, sudoku
from trm_lite.viewing import browser_parts, looks

PAGE = Path(__file__).parent / "play"
SHARED = ("grid.js", "thought.js", "editor.js")  # with the notebooks
NETWORKS = (
    "sudoku-6x6", "sudoku-6x6-hrm-ema", "sudoku-6x6-direct", "sudoku-extreme-laptop", "maze-7x7",
    "mini-arc",
)  # fmt: skip
SEED = 2026  # no weights were trained on puzzles of this seed
EACH = 6  # examples of a grade of difficulty


def assemble(folder: Path) -> None:
    """Write the page into `folder`, which is emptied first if it holds an older one."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PAGE, folder)
    for name in SHARED:
        shutil.copy(browser_parts.FOLDER / name, folder)
    (folder / "look.css").write_text(browser_parts.css(), "utf-8")
    (folder / "weights").mkdir()
    for name in NETWORKS:
        content = (ASSETS / "weights" / f"{name}.safetensors").read_bytes()
        (folder / "weights" / f"{name}.gz").write_bytes(packed(content))
    course = {"marks": list(looks.MARKS.items()), "examples": examples()}
    (folder / "course.json").write_text(json.dumps(course, separators=(",", ":")), "utf-8")


def packed(content: bytes) -> bytes:
    """A weights file without loss in 85 % of its size.

    The first bytes of all four-byte numbers come first, then the second ones, and so on: bytes
    that are alike stand together, which gzip makes use of.
    """
    whole = np.frombuffer(content + bytes(-len(content) % 4), np.uint8)
    return gzip.compress(whole.reshape(-1, 4).T.tobytes(), mtime=0)


def examples() -> dict[str, list[dict]]:
    """By kind of puzzle, the grades of difficulty: each a name and a list of boards."""
    return {
        "sudoku-6": [
            grade | {"boards": longest_first(grade["boards"])}
            for grade in sudokus(6, {"easy": 12, "medium": 18})
        ],
        "sudoku-9": [*sudokus(9, {"easy": 40, "medium": 48}), bred()],
        "maze-7": mazes(),
        "arc-6": arc_tasks(),
    }


def sudokus(size: int, blanks: dict[str, int]) -> list[dict]:
    """Fresh Sudokus by difficulty: with so many blanks, and minimal ones."""
    grades = []
    for name, count in blanks.items():
        puzzles, _ = sudoku.generate(EACH, size, seed=SEED, minimal=False, blanks=count)
        grades.append({"name": name, "boards": [sudoku.to_line(p) for p in puzzles]})
    puzzles, _ = sudoku.generate(8 * EACH, size, seed=SEED)
    rating = sudoku.rate(puzzles)
    order = np.lexsort((rating.rounds, rating.guesses))
    for name, rows in (("hard", order[:EACH]), ("very hard", order[-EACH:])):
        grades.append({"name": name, "boards": [sudoku.to_line(p) for p in puzzles[rows]]})
    return grades


def longest_first(lines: list[str]) -> list[str]:
    """6x6 Sudokus, those first about which the network changes its mind for longest."""
    puzzles = np.stack([sudoku.parse(line) for line in lines])
    found = evaluate(shipped("sudoku-6x6")[0], sudoku_set(puzzles, sudoku.solve(puzzles).boards))
    steps_to_go = (~found.correct).sum(0).numpy()
    return [lines[row] for row in np.argsort(-steps_to_go, kind="stable")]


def bred() -> dict:
    """Some of the hardest Sudokus, which were bred; see `assets/puzzles`."""
    lines = (ASSETS / "puzzles" / "bred-9x9.csv").read_text().splitlines()[1 : EACH + 1]
    return {"name": "bred to be hard", "boards": [line.split(",")[0] for line in lines]}


def mazes() -> list[dict]:
    """Mazes by the length of their paths."""
    cells, answers = maze.generate(60, 7, seed=SEED)
    order = np.argsort((answers == maze.PATH).sum(1), kind="stable")
    parts = {"short way": order[:EACH], "medium": order[27:][:EACH], "long way": order[-EACH:]}
    return [
        {"name": name, "boards": [maze.render(cells[row]).replace("\n", "") for row in rows]}
        for name, rows in parts.items()
    ]


def arc_tasks() -> list[dict]:
    """Small ARC tasks, whose test pairs no network was trained on, by whether ours solves them."""
    data, (model, _) = get_preset("mini-arc").data, shipped("mini-arc")
    tested = data.groups[data.validation :]
    questions = data.examples("test", tested, guises=1)
    solved = iter(evaluate(model, questions, steps=1).correct[-1].tolist())
    grades = {True: [], False: []}
    for group in tested:
        guises = [[int(g.turn), "".join(map(str, g.colours))] for g in group.augmentations()]
        for pair in group.task.test:
            grades[next(solved)].append(
                {
                    "task": group.task.id,
                    "shown": [[grid.tolist() for grid in shown] for shown in group.task.train],
                    "question": pair.input.tolist(),
                    "answer": pair.output.tolist(),
                    "first": group.first,  # the identifier of the first guise
                    "guises": guises,
                }
            )
    return [
        {"name": "it solves", "boards": grades[True]},
        {"name": "it does not solve", "boards": grades[False]},
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    assemble(Path(sys.argv[1]))
