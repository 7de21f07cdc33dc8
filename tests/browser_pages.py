"""JupyterLab in a real browser, started by the very command that users start.

What tests of the browser share, besides the fixtures of `conftest`.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds, generous: the machine may be slow and busy
LAPTOP = {"width": 1024, "height": 700}
LESSONS = {"00": "00_watch_it_think.ipynb", "10": "10_the_microscope.ipynb"}


def make_lab(folder: Path, **environment: str) -> list[str]:
    """The command of `make lab` in `folder`, with the Jupyter of this Python."""
    words = ["make", "-n", "-o", ".venv/ready", "lab", f"BIN={Path(sys.executable).parent}"]
    # `make test` would hand its own flags down, and its name to everything that is printed.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    found = subprocess.run(
        words, cwd=folder, env=outer | environment, capture_output=True, text=True, check=True
    )
    return shlex.split(found.stdout)


class Lab:
    """A running JupyterLab on a copy of the course, and a page in which it was opened."""

    def __init__(self, address: str, page):
        from playwright.sync_api import TimeoutError

        self.address, self.page, self._too_late = address, page, TimeoutError

    def ask(self, path: str, method: str = "GET"):
        """What the server answers."""
        request = urllib.request.Request(
            self.address + path, headers={"Authorization": "token here"}, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def kernel(self, lesson: str) -> dict:
        """The kernel of a lesson as the server describes it, once a page is connected to it."""
        return wait_for(lambda: next(
            (session["kernel"] for session in self.ask("/api/sessions")
             if session["path"].endswith(LESSONS[lesson]) and session["kernel"]["connections"]),
            None,
        ))  # fmt: skip

    def wait_until_idle(self, lesson: str) -> None:
        """Wait until the kernel has done everything: idle, with no sign of life in between."""

        def still() -> bool:
            before = self.kernel(lesson)
            time.sleep(0.4)
            after = self.kernel(lesson)
            return after["execution_state"] == "idle" and before == after

        wait_for(still)

    def menu(self, *path: str) -> None:
        """Choose an item of the menu bar; again if it closes, as it does when a page loads."""
        for _ in range(5):
            try:
                self._choose(*path)
                return
            except self._too_late:
                self.page.keyboard.press("Escape")
        raise AssertionError(f"there is no {' > '.join(path)} in the menus")

    def _choose(self, top: str, *path: str) -> None:
        bar = self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{top}$"))
        bar.click(timeout=10_000)
        for name in path:
            label = self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{name}$"))
            label.last.hover(timeout=10_000)
        label.last.click(timeout=10_000)

    def run_all(self, lesson: str) -> None:
        """Run a whole lesson, not before it has a kernel: JupyterLab would run nothing."""
        self.wait_until_idle(lesson)
        self.menu("Run", "Run All Cells")

    def switch_to(self, lesson: str) -> None:
        """Bring the tab of an open lesson to the front."""
        tabs = self.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel")
        tabs.filter(has_text=LESSONS[lesson]).click()

    @property
    def notebook(self):
        """The notebook in the tab in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def in_view(locator) -> bool:
    """Whether all of something is seen without scrolling."""
    return locator.count() == 1 and locator.evaluate(
        "e => { const r = e.getBoundingClientRect(); "
        "return r.height > 0 && r.top >= 0 && r.bottom <= innerHeight; }"
    )


def wait_for(look):
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE} seconds in vain")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def settle(home: Path, port: int) -> None:
    """Settings that leave the command as it is: port and token, and no news from outside."""
    config = home / "CONFIG" / "jupyter_server_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({
        "ServerApp": {"port": port},
        "IdentityProvider": {"token": "here"},
        "LabApp": {"check_for_updates_class": "jupyterlab.NeverCheckForUpdate"},
    }))  # fmt: skip
    quiet = home / "SETTINGS" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
