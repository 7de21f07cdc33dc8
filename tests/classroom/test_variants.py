"""Private variants of the assignments: public solutions do not fit, their own ones do."""

import ast
import json
import re
from pathlib import Path

import pytest

from trm_lite.classroom.assignment import assignment_of, read_master, top_level_names
from trm_lite.classroom.variants import private_variant
from trm_lite.cli.main import main

MASTERS = sorted((Path(__file__).parents[2] / "notebooks" / "assignments").glob("a*.ipynb"))


def written(notebook):
    cells = assignment_of("", notebook).exercises
    return set().union(*(top_level_names(cell.source) for cell in cells))


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_names_and_seeds_are_others_everywhere(path):
    public = read_master(path)[1]
    private = private_variant(public, "autumn")
    assert private == private_variant(public, "autumn") != private_variant(public, "spring")
    names = written(public)
    assert len(written(private)) == len(names) and not written(private) & names
    code = [cell["source"] for cell in private["cells"] if cell["cell_type"] == "code"]
    called = {
        node.func.id for text in code for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }  # fmt: skip
    assert not called & names and called & written(private)
    assert sum("seed_of('autumn' + student)" in text for text in code) == 1
    words = "".join(c["source"] for c in private["cells"] if c["cell_type"] == "markdown")
    assert not re.search(rf"`({'|'.join(names)})\(", words)


def test_the_command_tries_the_solutions(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TRM_LITE_PROFILE", "smoke")
    master = next(path for path in MASTERS if path.stem.startswith("a3"))
    command = ["classroom", "variant", str(master), "--secret", "autumn", "--out"]
    assert main([*command, str(tmp_path)]) == 0
    assert "its solutions earn all 20 points" in capsys.readouterr().out
    made = json.loads((tmp_path / master.name).read_text())
    assert written(made) == written(private_variant(read_master(master)[1], "autumn"))
    assert main([*command, str(master.parent)]) == 2
    assert "is the public master" in capsys.readouterr().err
