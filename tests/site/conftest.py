"""The thinking page, put together once and served to a real browser."""

import functools
import http.server
import runpy
import threading
from pathlib import Path

import pytest
from browser_pages import PATIENCE, ROOT


class Files(http.server.SimpleHTTPRequestHandler):
    """The page, and under /assets the files that come with the course."""

    def translate_path(self, path):
        if path.startswith("/assets/"):
            return str(ROOT) + path
        return super().translate_path(path)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def play(tmp_path_factory) -> Path:
    """The folder of the page."""
    folder = tmp_path_factory.mktemp("site") / "play"
    runpy.run_path(str(ROOT / "site" / "assemble.py"))["assemble"](folder)
    return folder


@pytest.fixture(scope="session")
def address(play):
    files = functools.partial(Files, directory=play)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def page(browser, address):
    """The page on a phone; everything is fetched, and nothing went wrong on the way."""
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.set_default_timeout(1000 * PATIENCE)
    page.requests, errors = [], []
    page.on("response", lambda response: page.requests.append(response))
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    assert not errors
    page.close()
