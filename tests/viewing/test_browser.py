"""The microscope in a real browser: JupyterLab opens, everything runs, and every control works.

Skipped where playwright or a Chromium is missing. Screenshots and the measured latency are left in
build/browser, or in the folder that TRM_LITE_SCREENSHOTS names.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (on Debian: apt install chromium)"
)
playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install playwright)"
)
# Both boards are filled, and differ in some cell that is marked as different.
DIFFERENT = """() => {
  const boards = [...document.querySelectorAll('.trm-board')].map(
    board => [...board.querySelectorAll('button')].map(cell => cell.innerText).join());
  return boards.every(board => /[1-6]/.test(board)) && boards[0] !== boards[1]
    && document.querySelectorAll('.trm-differs').length > 0;
}"""
PATIENCE = 180_000  # milliseconds, generous: the machine may be slow and busy

# Presses keys on the focused slider, and measures from each press until the picture has changed.
MEASURE = """async (count) => {
  const marker = () => getComputedStyle(document.querySelector('.trm-marker')).left;
  const handle = document.querySelector('.trm-frame .noUi-handle'), times = [];
  for (let i = 0; i < count; i++) {
    const before = marker(), started = performance.now();
    const key = i % 10 < 5 ? 'ArrowRight' : 'ArrowLeft';
    handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    while (marker() === before && performance.now() - started < 5000)
      await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);  // and the change has been painted
    times.push(performance.now() - started);
  }
  return times;
}"""


@pytest.fixture(scope="module")
def shots():
    folder = Path(os.environ.get("TRM_LITE_SCREENSHOTS", ROOT / "build" / "browser"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the course, with settings of its own; its address and token."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    shutil.copytree(ROOT / "assets", home / "assets", ignore=shutil.ignore_patterns("weights"))
    shutil.copy(ROOT / "README.md", home)
    quiet = home / "SETTINGS" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "TRM_LITE_PROFILE": "smoke",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **{f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "RUNTIME")},
        **{f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS", "WORKSPACES")},
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=here", f"--ServerApp.root_dir={home}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    ask(f"{address}/api/status")
                    break
                except OSError:
                    assert server.poll() is None, (home / "log").read_text()
                    time.sleep(0.2)
            yield address
        finally:
            server.terminate()
            server.wait(20)


def ask(address: str, method: str = "GET"):
    request = urllib.request.Request(
        address, headers={"Authorization": "token here"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or "null")


@pytest.fixture(scope="module")
def page(lab):
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1100})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def waiting_kernel(lab: str) -> dict:
    """The microscope's kernel as the server describes it, once a page is connected and it waits."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        for session in ask(f"{lab}/api/sessions"):
            kernel = session["kernel"]
            ready = kernel["connections"] > 0 and kernel["execution_state"] == "idle"
            if ready and "10_the" in session["path"]:
                return kernel
        time.sleep(0.2)
    raise AssertionError("No page was connected to a waiting kernel of the microscope.")


def run_all(lab: str, page) -> None:
    """Run the microscope's notebook, not before it has a kernel: JupyterLab would run nothing."""
    waiting_kernel(lab)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def text(page, part: str) -> str:
    return page.locator(f".trm-{part}").first.inner_text()


def digits(page, board: int = 0) -> list[str]:
    return page.locator(".trm-board").nth(board).locator("button").all_inner_texts()


def wait_for(page, part: str, words: str) -> None:
    playwright_api.expect(page.locator(f".trm-{part}").first).to_contain_text(
        words, timeout=PATIENCE
    )


def cell(page, row: int, column: int):
    return page.locator(f'.trm-board button[title="row {row}, column {column}"]').first


def test_the_microscope_from_the_first_page_to_a_dead_kernel(lab, page, shots):
    # One click away from the page that `make lab` opens.
    page.goto(f"{lab}/lab/tree/notebooks/00_watch_it_think.ipynb?token=here")
    page.get_by_role("link", name="recursion microscope").first.click()
    page.get_by_role("heading", name="10 · The recursion microscope").wait_for()
    page.screenshot(path=shots / "1-opened.png")
    run_all(lab, page)
    page.locator(".trm-board").first.wait_for()
    page.locator(".trm-board").first.scroll_into_view_if_needed()
    wait_for(page, "caption", "step 1:")

    # The slider moves, and the picture changes.
    before, shown = digits(page), text(page, "caption")
    page.locator(".trm-frame .noUi-handle").press("ArrowRight")
    wait_for(page, "caption", "step 2:")
    assert text(page, "caption") != shown and digits(page) != before
    assert len(digits(page)) == 36
    page.screenshot(path=shots / "2-slider.png")

    # A cell is clicked.
    picture = page.locator(".trm-curves img").get_attribute("src")
    cell(page, 2, 1).click()
    wait_for(page, "caption", "row 2, column 1")
    page.wait_for_function(
        "old => document.querySelector('.trm-curves img').src !== old", arg=picture
    )

    # Two runs in lockstep, in the finest grain.
    page.locator(".trm-second select").select_option("HRM")
    playwright_api.expect(page.locator(".trm-board")).to_have_count(2)
    page.wait_for_function(DIFFERENT)
    page.locator(".trm-microscope").screenshot(path=shots / "microscope.png")
    page.screenshot(path=shots / "3-beside-hrm.png")
    page.locator(".trm-grain select").select_option("every application")
    wait_for(page, "caption", "think 2")

    # How soon does a change show? Reported, and judged on an idle machine.
    page.locator(".trm-second select").select_option("nothing")
    playwright_api.expect(page.locator(".trm-board")).to_have_count(1)
    times = page.evaluate(MEASURE, 40)
    report = {"moves": len(times), "median_ms": float(np.median(times)),
              "p95_ms": float(np.percentile(times, 95)), "load": os.getloadavg()[0]}  # fmt: skip
    (shots / "latency.json").write_text(json.dumps(report, indent=1) + "\n")
    print("\nslider to picture:", report)
    assert max(times) < 5000, "a move of the slider changed nothing"

    # A board is edited; a bad edit is reported at once; the microscope thinks about what is typed.
    page.get_by_text("Your own puzzle: type it here").click()
    inputs = page.locator(".trm-editor input")
    inputs.first.wait_for()
    assert inputs.count() == 36
    values = [field.input_value() for field in inputs.all()]
    clue = next(i for i, value in enumerate(values) if value)
    twin = next(i for i in range(36) if i // 6 == clue // 6 and not values[i])
    inputs.nth(twin).fill(values[clue])
    wait_for(page, "editor .trm-message", "holds two")
    page.screenshot(path=shots / "4-bad-edit.png")
    inputs.nth(twin).fill("x")
    wait_for(page, "editor .trm-message", "type a digit from 1 to 6")
    inputs.nth(twin).fill("")
    wait_for(page, "editor .trm-message", "exactly one solution")
    inputs.nth(clue).fill("")
    wait_for(page, "editor .trm-message", "more than one solution")

    # A file that is none is named; everything else goes on.
    page.locator(".trm-file input").fill("nowhere.safetensors")
    page.locator(".trm-file input").press("Enter")
    wait_for(page, "message", "There is no weights file")

    # The kernel dies: the last picture stays, and running again brings everything back.
    kernel = waiting_kernel(lab)
    ask(f"{lab}/api/kernels/{kernel['id']}/restart", "POST")
    assert len(digits(page)) == 36 and "kernel has stopped" in page.inner_text("body")
    run_all(lab, page)
    page.wait_for_function("() => document.querySelectorAll('.trm-board').length === 1")
    wait_for(page, "caption", "step 1:")
    page.locator(".trm-frame .noUi-handle").press("ArrowRight")
    wait_for(page, "caption", "step 2:")
    page.screenshot(path=shots / "5-after-restart.png")
    errors = page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")
    assert errors.count() == 0
