"""What a newcomer meets: `make lab` opens the course, and its links and pictures lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest
from browser_pages import LAPTOP, ROOT, in_view, make_lab, wait_for

OPENS = ["lab", "--notebook-dir=.", "notebooks/00_watch_it_think.ipynb"]


def test_make_and_readme_start_the_same(tmp_path):
    """Both from the repository's folder, so that it becomes the root of the server."""
    makefile = ROOT / "Makefile"
    (tmp_path / "Makefile").write_text(makefile.read_text())
    command = make_lab(tmp_path)
    assert [part for part in command[1:] if part != "--allow-root"] == OPENS
    (line,) = re.findall(r"^\S*jupyter (lab\b[^#\n]*)", (ROOT / "README.md").read_text(), re.M)
    assert line.split() == OPENS


@pytest.mark.parametrize(("user", "allowed"), [("0", True), ("1000", False)])
def test_only_root_is_allowed_to_be_root(tmp_path, monkeypatch, user, allowed):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert ("--allow-root" in make_lab(tmp_path)) == allowed


def test_the_first_screen_says_how_to_run_it(lab):
    lab.switch_to("00")
    lab.page.set_viewport_size(LAPTOP)
    assert lab.page.url.startswith("http://localhost:") and "/lab/tree/notebooks/00" in lab.page.url
    title = lab.notebook.get_by_role("heading", name="00 · Watch it think")
    title.evaluate("title => title.scrollIntoView()")
    wait_for(lambda: in_view(lab.notebook.locator("p", has_text="Shift+Enter")))
    assert in_view(lab.notebook.locator("em", has_text="Run > Run All Cells"))


def test_every_link_and_picture_of_every_lesson_is_found_by_the_server(lab):
    """JupyterLab asks the server for them, by their path from its root."""
    asked = set()
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:  # JupyterLab's own copies
            continue
        folder = path.parent.relative_to(ROOT)
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                    if "://" not in target:
                        asked.add(Path(*_flat(folder / target)).as_posix())
    assert {"README.md", "assets/playground.png", "assets/weights/README.md"} <= asked
    for target in sorted(asked):
        assert lab.ask(f"/api/contents/{target}?content=0")["path"] == target


def _flat(path: Path) -> list[str]:
    """The parts of a path without `..`."""
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return parts


def test_pictures_are_seen_and_links_open_documents(lab):
    lab.switch_to("00")
    picture = lab.notebook.locator("img[alt^='Only a picture']")
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("img => img.naturalWidth") > 0)
    for words, heading in (
        ("the course map", "Recursive reasoning with tiny networks"),
        ("assets/weights", "Trained weights"),
    ):
        lab.switch_to("00")
        lab.notebook.get_by_role("link", name=words, exact=True).click()
        page = lab.page.locator(".jp-FileEditor:visible, .jp-MarkdownViewer:visible")
        page.get_by_text(heading).first.wait_for()


@pytest.mark.parametrize(
    ("lesson", "link", "heading"),
    [("00", "a puzzle of your own", "4 · Your puzzle"), ("10", "section 2", "2 · The microscope")],
)
def test_links_within_a_page_scroll(lab, request, lesson, link, heading):
    request.getfixturevalue(f"lesson_{lesson}")
    lab.switch_to(lesson)
    link = lab.notebook.get_by_role("link", name=link, exact=True)
    link.scroll_into_view_if_needed()
    heading = lab.notebook.get_by_role("heading", name=heading)
    assert not in_view(heading)
    link.click()
    # JupyterLab draws the cells above while it scrolls past them, and so misses by some pixels.
    wait_for(lambda: abs(heading.bounding_box()["y"]) < 1400)
    for _ in range(3):  # each click has more cells drawn already
        lab.page.wait_for_timeout(500)
        if in_view(heading):
            return
        link.click()
    wait_for(lambda: in_view(heading))
