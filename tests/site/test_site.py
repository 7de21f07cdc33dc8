"""The course as a site: built once, every link followed, nothing fetched from elsewhere."""

import json
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """What a page links to, what it loads, its anchors, and its pictures without words."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loads, self.anchors, self.mute = [], [], set(), []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.anchors |= {said.get("id"), said.get("name")}
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        if tag in ("script", "img", "iframe", "source") and said.get("src"):
            self.loads.append(said["src"])
        if tag == "link" and said.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(said["href"])
        if tag == "img" and not said.get("alt"):
            self.mute.append(said.get("src"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx", reason="make site installs it")
    out = tmp_path_factory.mktemp("site") / "site"
    built = subprocess.run(
        [sys.executable, ROOT / "site" / "build.py", out], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return {path: Page(path) for path in out.rglob("*.html") if "_static" not in path.parts}


def test_every_lesson_is_a_page(site):
    here = {path.stem for path in site}
    assert here >= {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert "index" in here and not any("### BEGIN" in path.read_text() for path in site)


def test_links_lead_somewhere(site):
    for path, page in site.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert target.exists(), f"{path.name}: {link}"
            if address.fragment and target in site:
                assert unquote(address.fragment) in site[target].anchors, f"{path.name}: {link}"


def test_nothing_is_fetched_from_elsewhere(site):
    for path, page in site.items():
        for source in page.loads:
            if not source.startswith("data:"):
                address = urlsplit(source)
                assert not address.netloc, f"{path.name}: {source}"
                assert (path.parent / unquote(address.path)).exists(), f"{path.name}: {source}"


def test_pictures_are_described_and_formulas_are_drawn(site):
    lessons = {path: page for path, page in site.items() if re.match(r"\d\d_", path.name)}
    for path, page in lessons.items():
        assert not page.mute, path.name
        words = re.sub("<(pre|code).*?</\\1>", "", path.read_text(), flags=re.DOTALL)
        assert "<math" in words or "$" not in words.split("<article")[-1], path.name


@pytest.mark.parametrize("page", ["index", "assets/results/README", "notebooks/06_hrm"])
def test_a_phone_shows_a_page(site, browser, page):
    """No wider than the phone, without complaints, and what scrolls does so by keyboard, too."""
    path = next(path for path in site if path.as_posix().endswith(f"site/{page}.html"))
    complaints = []
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    phone.goto(path.as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    stuck = "all => all.filter((e) => e.scrollWidth > e.clientWidth && e.tabIndex < 0).length"
    assert phone.locator(".formula, pre").evaluate_all(stuck) == 0
    phone.close()
    assert not complaints


@pytest.mark.pages  # it reads Sphinx's settings
def test_no_assignment_is_launched_with_its_solutions():
    without_launch = runpy.run_path(str(ROOT / "site" / "conf.py"))["without_launch"]
    left = []
    for page in ("notebooks/assignments/a1_direct", "notebooks/00_watch_it_think"):
        context = {"header_buttons": [{"label": "launch-buttons"}, {"label": "download"}]}
        without_launch(None, page, "page.html", context, None)
        left.append(len(context["header_buttons"]))
    assert left == [1, 2]


def test_panels_became_links_to_the_thinking_page(site):
    lesson = next(path for path in site if path.name.startswith("00_"))
    assert "../play/index.html" in site[lesson].links
    assert "An interactive panel" not in lesson.read_text()
    stored = json.loads((ROOT / "notebooks" / "00_watch_it_think.ipynb").read_text())
    assert "An interactive panel" in json.dumps(stored)
