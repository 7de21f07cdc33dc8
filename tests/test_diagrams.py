"""The drawings of the lessons: one style, readable, described, and complete in their README."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from trm_lite.viewing import style

FOLDER = Path(__file__).parents[1] / "assets" / "diagrams"
DRAWINGS = sorted(FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
SMALLEST = 15  # of 720 units of width: 7.5 pixels at half size


def looks(text):
    """What all drawings share: the style and the arrow head."""
    return re.search(r"<style>.*?</defs>", text, re.DOTALL)[0]


def described():
    """The alternative text of each file in the README."""
    rows = re.findall(
        r"^\| `(.+?)` \| .+? \| (.+?) \|$", (FOLDER / "README.md").read_text("utf-8"), re.M
    )
    return dict(rows)


def test_the_readme_names_every_drawing_and_no_other():
    assert sorted(described()) == [path.name for path in DRAWINGS]


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_is_described_readable_and_stands_alone(path):
    text = path.read_text("utf-8")
    root = ElementTree.fromstring(text)
    words = {name: " ".join(root.findtext(SVG + name, "").split()) for name in ("title", "desc")}
    assert words["title"] and words["desc"] == described()[path.name]

    assert root.get("width") == "720"
    assert root.get("viewBox") == f"0 0 720 {root.get('height')}"
    assert "scale(" not in text
    sizes = re.findall(r"font(?:-size)?\s*[:=][\s\"']*([\d.]+)", text)
    assert sizes and min(map(float, sizes)) >= SMALLEST

    assert not re.search(r"(?:https?:|data:|file:|//)", text.replace(SVG[1:-1], ""))
    assert not re.search(r"<(?:script|image|foreignObject)|@import|url\((?!#)", text)
    assert looks(text) == looks(DRAWINGS[0].read_text("utf-8"))


def test_the_style_uses_the_colours_of_the_plots():
    used = set(re.findall(r"#[0-9a-f]{6}", looks(DRAWINGS[0].read_text("utf-8"))))
    wanted = ("INK", "FAINT", "PAPER", "RIGHT", "WRONG", "CHANGED", "HALT", "CLUE_PAPER")
    assert {getattr(style, name) for name in wanted} <= used


@pytest.mark.parametrize(
    ("name", "network"),
    [("hrm", "HRM"), ("trm", "TRM"), ("tied", "tied"), ("tokens", "token by token")],
)
def test_a_network_has_the_colour_that_it_has_in_the_plots(name, network):
    css = looks(DRAWINGS[0].read_text("utf-8"))
    assert re.search(rf"\.{name}\b[^{{]*{{ fill: (#\w+);", css)[1] == style.NETWORKS[network]
