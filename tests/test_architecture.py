"""The house: rooms, doors, and what must not be carried through them."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "trm_lite"
FILES = sorted(PACKAGE.rglob("*.py"))
LESSONS = sorted(
    path for path in (ROOT / "notebooks").rglob("*.ipynb") if path.parent.name[0] != "."
)
FACES = sorted(p.parent.relative_to(ROOT).as_posix().replace("/", ".")
               for p in PACKAGE.rglob("__init__.py"))  # fmt: skip
OPTIONAL = {"tiny_recursive_model", "tensorboard"}  # tried where they are installed


def run(*command, cwd=ROOT, **environment):
    result = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )
    return result.returncode, result.stdout + result.stderr


def test_arrows_run_down_only_and_in_no_circle():
    status, said = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert status == 0 and said.count("KEPT") == 2, said


def test_an_arrow_that_runs_up_is_found(tmp_path):
    """The contract can fail: common must not know puzzles."""
    for part in ("pyproject.toml", "trm_lite"):
        run("cp", "-r", ROOT / part, tmp_path)
    errors = tmp_path / "trm_lite" / "common" / "errors.py"
    late = "\n\ndef up():\n    from trm_lite.puzzles import maze\n\n    return maze\n"
    errors.write_text(errors.read_text() + late)
    tool = Path(sys.executable).with_name("lint-imports")
    status, said = run(tool, "--no-cache", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert status == 1 and "trm_lite.common is not allowed to import trm_lite.puzzles" in said


def test_one_look_shows_the_rooms():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 14
    loose = {path.name for path in entries if path.is_file()}
    assert loose == {"__init__.py", "__main__.py", "thinking.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_files_and_functions_are_short(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_is_there(face):
    module = importlib.import_module(face)
    assert module.__doc__ and module.__doc__.strip().splitlines()[0].endswith((".", ":", "`."))
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None


def test_public_names_are_few_and_mean_one_thing():
    names = {}
    for face in FACES:
        if face not in ("trm_lite", "trm_lite.puzzles.sudoku"):
            for name in getattr(importlib.import_module(face), "__all__", ()):
                names.setdefault(name, set()).add(face)
    assert all(len(places) == 1 for places in names.values())
    assert len(names) <= 90


def imported_from(text):
    """(module, name) of everything of the package that a text imports by name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trm_lite"):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_notebooks_use_the_front_doors(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            for module, name in imported_from("".join(cell["source"])):
                if module not in ("trm_lite.thinking", "trm_lite.puzzles.sudoku"):
                    assert module in FACES, module
                    assert name in importlib.import_module(module).__all__, name


def test_every_import_is_declared():
    wanted = {re.split(r"[\s<>=;\[]", line)[0] for line in requires("trm-lite")}
    wanted = {name.lower().replace("_", "-") for name in wanted}
    provided = packages_distributions()
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    found -= OPTIONAL | {"trm_lite"} | set(sys.stdlib_module_names)
    assert found
    for name in found:
        distributions = {one.lower().replace("_", "-") for one in provided.get(name, ())}
        assert distributions & wanted, f"{name} is imported but not declared"


def test_library_errors_name_no_flags():
    """The command line adds the options; elsewhere a flag would mean nothing."""
    for path in FILES:
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                text = " ".join(
                    part.value for part in ast.walk(node.exc)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )  # fmt: skip
                assert not re.search(r"(^|\s)--[a-z]", text), (path.name, text)


QUICK = """
import resource, sys
from trm_lite.cli.main import main
try:
    main({arguments})
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
print("torch" in sys.modules, used.ru_utime + used.ru_stime, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", "evaluate"),
        ("list", "sudoku-6x6"),
        ("solv", "did you mean solve?"),
        ("train suduko-6x6", "did you mean sudoku-6x6"),
        ("plan sudoku-extreme-mpl", "did you mean sudoku-extreme-mlp"),
        ("compare --base sudoku-6x7", "did you mean sudoku-6x6"),
        ("evaluate somewhere --preset maze7x7", "did you mean maze-7x7"),
        ("classroom grad", "did you mean grade?"),
        ("data sudoku-extrem", "did you mean sudoku-extreme"),
        ("evaluate --help", "--tries"),
    ],
)
def test_small_questions_are_answered_at_once(line, words):
    _, said = run(sys.executable, "-c", QUICK.format(arguments=line.split()))
    loaded, seconds = said.strip().splitlines()[-1].split()
    assert words in said
    assert loaded == "False", "torch was imported"
    assert float(seconds) < 1.0  # half a second on an idle machine; a busy one counts more


def test_the_wheel_stands_alone(tmp_path):
    """It solves, evaluates and opens the microscope where no checkout is beside it."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    status, said = run(*build, "--wheel-dir", tmp_path, ROOT)
    assert status == 0, said
    (wheel,) = tmp_path.glob("*.whl")
    status, said = run(sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "site")
    assert status == 0, said
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "puzzle").write_text("...51.......3...2..5.4.34.5...2.....\n")
    weights = tmp_path / "site" / "trm_lite" / "assets" / "weights" / "sudoku-6x6.safetensors"
    site = {"PYTHONPATH": str(tmp_path / "site"), "TRM_LITE_CACHE": str(tmp_path / "cache")}
    use = f"""
import trm_lite
from trm_lite.cli.main import main
from trm_lite.nets import WEIGHTS_FOLDER, shipped
from trm_lite.puzzles import sudoku
from trm_lite.viewing import Microscope
main(["solve", "puzzle", "--device", "cpu"])
main(["evaluate", {str(weights)!r}, *"--kinds minimal --count 20 --device cpu".split()])
model, _ = shipped("sudoku-6x6")
Microscope({{"TRM": model}}, {{"one": sudoku.generate(1, 6, seed=0)[0][0]}})
print("from", trm_lite.__file__, WEIGHTS_FOLDER)
"""
    status, said = run(sys.executable, "-c", use, cwd=elsewhere, **site)
    assert status == 0, said
    assert "solved" in said and "20 fresh minimal puzzles" in said, said
    assert said.split("from ")[-1].count(str(tmp_path / "site")) == 2, said
