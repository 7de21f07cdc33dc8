"""Every lesson runs, in seconds, and is stored as a reader should find it."""

import ast
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import papermill
import pytest

from trm_lite.classroom.course import spoken

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
APPENDICES = sorted((ROOT / "notebooks").glob("appendix*.ipynb"))
PAGES = sorted(
    page for page in ROOT.rglob("*.md")
    if not page.relative_to(ROOT).parts[0].startswith((".", "runs", "build"))
)  # fmt: skip
TIMES = ROOT / "assets" / "results" / "times.json"
ASSIGNMENTS = sorted((ROOT / "notebooks" / "assignments").glob("*.ipynb"))  # see test_masters


@pytest.fixture(params=NOTEBOOKS + APPENDICES + ASSIGNMENTS, ids=lambda path: path.stem)
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


# A quick one goes through papermill, as in `trm-lite course`. Every lesson goes through nbval in
# `make test`, made stricter by nbval_strict.py; to run each twice would cost minutes.
@pytest.mark.parametrize("path", [NOTEBOOKS[1]], ids=lambda path: path.stem)
def test_papermill_runs_it_in_the_smoke_profile(path, tmp_path, monkeypatch):
    monkeypatch.delenv("TRM_LITE_PROFILE", raising=False)
    done = run(path, tmp_path / path.name, profile="smoke")
    text = json.dumps(done)
    # ipywidgets may swallow what goes wrong in a callback and only print it
    assert "Traceback" not in text and "Error displaying widget" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_reader_can_choose_its_profile(path, notebook):
    assert papermill.inspect_notebook(str(path))["profile"]["default"] == '"mini"'
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    calls = [
        node
        for node in ast.walk(ast.parse(re.sub(r"(?m)^[%!].*", "", code)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "by_profile"
    ]
    assert calls and all(ast.unparse(call.args[0]) == "profile" for call in calls)


REPORTED = {
    "printed": (
        "import traceback\ntry:\n    1 / 0\nexcept ArithmeticError:\n    traceback.print_exc()"
    ),
    "swallowed by a button": (
        "import ipywidgets\nbutton = ipywidgets.Button()\nbutton.on_click(lambda _: 1 / 0)\n"
        "button.click()"
    ),
    "inside a widget": "ipywidgets.HTML('Error displaying widget')",
}


def test_nbval_fails_where_an_error_is_only_reported(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("print('well')", *REPORTED.values())]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, tmp_path / "reports.ipynb")
    strict = ["-p", "nbval_strict", "--nbval-lax"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-n", "0", *strict,
         "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "3 failed, 1 passed" in done.stdout, done.stdout
    assert "FAILED ::Cell 0" not in done.stdout
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "--nbval" in line)
    said = line.removesuffix(" \\")
    assert said.endswith(" ".join([*strict, "notebooks"])), "make test runs it so"


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
    text = path.read_text()
    assert "widgets" not in notebook.metadata, "widget state is not stored"
    assert "widget-view+json" not in text, "a panel without its state shows an error"
    assert not re.search(r"/(home|root|work|Users|tmp)/", text), "a path of somebody's machine"
    assert not re.search(r"%\|[^\n]*%\|", text), "a progress bar in all its states"
    sources = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(sources) == 1 and 'profile: str = "mini"' in sources[0].source


def test_its_links_lead_somewhere(path, notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    check_links("\n\n".join(prose), path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_pages_lead_somewhere(page):
    check_links(page.read_text(), page)


def check_links(text: str, file: Path) -> None:
    """Every relative link of a Markdown text leads to a file, and every anchor to a heading."""
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if target.startswith("http"):
            continue
        goal = file.parent / target if target else file
        assert goal.exists(), f"{file.name} links to {target}"
        if anchor:
            assert anchor in anchors(goal), f"{file.name} links to {target}#{anchor}"


def anchors(file: Path) -> set[str]:
    """What links to a place in a page can name.

    In a notebook that is an `<a id="...">` in ASCII: JupyterLab and GitHub name headings in two
    ways, and JupyterLab does not find a name with a dot in its middle (·). In a page of Markdown
    it is a heading, as GitHub names it.
    """
    if file.suffix == ".ipynb":
        cells = nbformat.read(file, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        return set(re.findall(r'^<a id="([a-z0-9-]+)"></a>$', text, re.MULTILINE))
    headings = re.findall(r"^#+ +(.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", NOTEBOOKS + APPENDICES, ids=lambda path: path.stem)
def test_every_figure_is_described(notebook):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt) > 20, f"a figure without description:\n{cell.source[-300:]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_has_the_parts_of_a_lesson(path, notebook):
    head = notebook.cells[0].source
    assert head.startswith(f"# {path.stem[:2]} · ")
    assert "**After this lesson you can**" in head and "**Time:**" in head
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("**Predict first.**", "## Exercises", "<summary>Hint</summary>"):
        assert part in prose
    place = NOTEBOOKS.index(path)
    ending = notebook.cells[-1].source.splitlines()[-1]
    for neighbour in NOTEBOOKS[max(0, place - 1) : place] + NOTEBOOKS[place + 1 : place + 2]:
        assert f"({neighbour.name})" in ending, f"no link to {neighbour.stem} at the end"
    assert "(../README.md)" in ending


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stated_time_is_the_measured_one_and_nobody_waits_long(path, notebook):
    """By `trm-lite course`, whose times.json is kept in assets/results."""
    times = json.loads(TIMES.read_text())["lessons"][path.stem]
    assert times["seconds"] <= 240 and times["longest_wait"] <= 90
    words = spoken(times["seconds"])
    assert f"**Time:** {words} of computing" in notebook.cells[0].source
    readme = (ROOT / "README.md").read_text().splitlines()
    (row,) = (line for line in readme if f"](notebooks/{path.name}) |" in line)
    assert row.endswith(f"| {words} |")


def test_the_whole_course_runs_in_half_an_hour():
    lessons = json.loads(TIMES.read_text())["lessons"]
    assert len(lessons) == len(NOTEBOOKS)
    assert sum(times["seconds"] for times in lessons.values()) <= 35 * 60


# These build nothing that the package holds too: one looks, one looks closer, one tests claims.
BUILD_NOTHING = ("00", "10", "14")
ONE_BY_ONE = ("16",)  # builds four things, and holds each against the package at once


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem[:2] not in BUILD_NOTHING], ids=lambda path: path.stem
)
def test_what_it_builds_equals_the_package(path, notebook):
    heading = re.compile(r"^## \d+ · (The same in the package|It is the same model)", re.MULTILINE)
    places = [i for i, cell in enumerate(notebook.cells) if heading.search(cell.source)]
    (place,) = [0] if path.stem[:2] in ONE_BY_ONE else places
    proof = "\n".join(cell.source for cell in notebook.cells[place:] if cell.cell_type == "code")
    assert re.search(r"\bassert ", proof) or "assert_close" in proof


def has_tag(cell, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


WITH_EXERCISES = [
    path
    for path in NOTEBOOKS + APPENDICES
    if any(has_tag(cell, "exercise") for cell in nbformat.read(path, as_version=4).cells)
]


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_its_checked_exercises_wait_and_can_be_solved(notebook, capsys, monkeypatch):
    """An exercise, its check and its solution follow each other.

    They need no cell but those tagged "parameters" or "exercise-setup" above them.
    """
    monkeypatch.setenv("TRM_LITE_PROFILE", "smoke")
    page: dict = {}

    def said(source: str) -> str:
        exec(source, page)
        return capsys.readouterr().out

    for place, cell in enumerate(notebook.cells):
        if has_tag(cell, "parameters") or has_tag(cell, "exercise-setup"):
            exec(cell.source, page)
        if not has_tag(cell, "exercise"):
            continue
        check, solution = notebook.cells[place + 1 : place + 3]
        assert has_tag(check, "check") and has_tag(solution, "solution"), cell.source
        assert "<summary>Hint</summary>" in solution.source
        capsys.readouterr()  # what the cells above print
        said(cell.source)
        assert said(check.source).startswith(("Not done yet.", "Not yet")), check.source
        (solved,) = re.findall(r"(?ms)^ *```python\n(.*?)^ *```$", solution.source)
        said(textwrap.dedent(solved))
        assert said(check.source) == "Right.\n", check.source


@pytest.mark.parametrize("path", NOTEBOOKS + APPENDICES, ids=lambda path: path.stem)
def test_without_the_package_the_first_cell_says_how_to_get_it(path, notebook, monkeypatch):
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    exec(first, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"get the course's package: pip install git\+"):
        exec(first, {})
