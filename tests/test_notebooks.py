"""Every lesson runs, in seconds, and is stored as a reader should find it."""

import json
import re
from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
ASSIGNMENTS = sorted((ROOT / "notebooks" / "assignments").glob("*.ipynb"))  # see test_assignments


@pytest.fixture(params=NOTEBOOKS + ASSIGNMENTS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def run(path: Path, output: Path, **parameters):
    """papermill, but a misspelled parameter is an error instead of a warning."""
    unknown = parameters.keys() - papermill.inspect_notebook(str(path)).keys()
    assert not unknown, f"{path.name} has no parameter {unknown}"
    return papermill.execute_notebook(
        str(path), str(output), parameters, cwd=str(path.parent), progress_bar=False
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_in_the_smoke_profile(path, tmp_path, monkeypatch):
    monkeypatch.delenv("TRM_LITE_PROFILE", raising=False)
    done = run(path, tmp_path / path.name, profile="smoke")
    text = json.dumps(done)
    # ipywidgets may swallow what goes wrong in a callback and only print it
    assert "Traceback" not in text and "Error displaying widget" not in text


def test_a_misspelled_profile_stops_with_a_sentence(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="no profile 'smok'"):
        run(NOTEBOOKS[0], tmp_path / "x.ipynb", profile="smok")


def test_it_is_stored_executed_in_order_and_without_errors(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", f"a warning is stored: {output.text[:200]}"


def test_it_is_stored_clean(path, notebook):
    assert path.stat().st_size < 1_500_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata, "widget state is not stored"
    text = path.read_text()
    assert not re.search(r"/(home|root|work|Users|tmp)/", text), "a path of somebody's machine"
    sources = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(sources) == 1 and 'profile: str = "mini"' in sources[0].source


def test_its_links_lead_somewhere(path, notebook):
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"
