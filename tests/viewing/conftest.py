"""JupyterLab in a browser. Skipped where playwright or a Chromium is missing.

One server and one page serve all tests of a session.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import browser_pages
import pytest
from browser_pages import LAPTOP, PATIENCE, ROOT, Lab, free_port, make_lab, settle, wait_for


@pytest.fixture(scope="session")
def shots() -> Path:
    """Where screenshots and measured latencies are left."""
    folder = Path(os.environ.get("TRM_LITE_SCREENSHOTS", ROOT / "build" / "browser"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shorten(path: Path, after: str) -> None:
    """Let a notebook run no code after the cell that says `after`; nbval runs it whole."""
    notebook = json.loads(path.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    last = next(i for i, cell in enumerate(code) if after in "".join(cell["source"]))
    for cell in code[last + 1 :]:
        cell["cell_type"] = "raw"
        del cell["outputs"], cell["execution_count"]
    path.write_text(json.dumps(notebook), "utf-8")


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """`make lab` in a copy of the course; the page is what it opened."""
    home = tmp_path_factory.mktemp("lab")
    for folder in ("notebooks", "assets", "site"):
        shutil.copytree(ROOT / folder, home / folder)
    for file in ("README.md", "Makefile"):
        shutil.copy(ROOT / file, home)
    for lesson, panel in (("00", "Playground("), ("10", "Microscope(")):
        shorten(home / "notebooks" / browser_pages.LESSONS[lesson], after=panel)
    port, opened = free_port(), home / "opened"
    settle(home, port)
    note = home / "browser.py"  # stands in for the user's browser, and notes what it is to open
    note.write_text(f"import sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])\n")
    environment = os.environ | {
        "TRM_LITE_PROFILE": "smoke",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "BROWSER": f"{sys.executable} {note} %s",
        **{f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "RUNTIME")},
        **{f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS", "WORKSPACES")},
    }
    with (home / "log").open("w") as log:
        server = subprocess.Popen(make_lab(home), cwd=home, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: server.poll() is not None or (opened.exists() and opened.read_text()))
            assert server.poll() is None, (home / "log").read_text()
            page = browser.new_page(viewport=LAPTOP)
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(opened.read_text())
            yield Lab(f"http://127.0.0.1:{port}", page)
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="session")
def lesson_00(lab):
    """The lesson that is opened first, with everything run."""
    lab.switch_to("00")
    lab.run_all("00")
    lab.page.locator(".trm-playground").wait_for()
    lab.wait_until_idle("00")
    return lab


@pytest.fixture(scope="session")
def lesson_10(lab):
    """The microscope, opened by a click in lesson 00, with everything run."""
    lab.switch_to("00")
    lab.notebook.get_by_role("link", name="recursion microscope").first.click()
    lab.switch_to("10")
    lab.notebook.get_by_role("heading", name="2 · The microscope").wait_for()
    lab.run_all("10")
    lab.page.locator(".trm-microscope").wait_for()
    return lab
