"""A deck of slides from each lesson: its headings, pictures and questions, the words as notes."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from trm_lite.classroom.course import find_lessons
from trm_lite.classroom.web import render
from trm_lite.common.files import write_atomically

REVEAL = "https://cdn.jsdelivr.net/npm/reveal.js@5.2.1"
HEADING = re.compile(r"^#{1,3} .+$", re.MULTILINE)
# What of a page's words is worth looking at together; the rest is said.
SEEN = re.compile(
    r"^\*\*After this lesson you can\*\*\n(?:.+\n?)+"  # the goals
    r"|!\[[^\]]*\]\([^)]+\)"  # a picture
    r"|^> \*\*Predict first\.\*\*.*\n?(?:^>.*\n?)*"
    r"|^\$\$(?s:.+?)\$\$"  # a formula
    r"|^\|.*\|\n(?:^\|.*\|\n?)+",  # a table
    re.MULTILINE,
)
ANCHOR = re.compile(r'<a class="anchor-link".*?</a>')


@dataclass
class Slide:
    """What one slide shows, and what is said about it, both as HTML."""

    shown: str
    notes: str = ""
    bare: bool = False  # only a heading so far


def make_decks(folder: Path, names: Sequence[str] = (), reveal: str = "") -> list[Path]:
    """Write a deck for each lesson into `folder`; returns the files.

    A deck is one HTML file for any browser, which loads reveal.js when it is opened.

    Args:
        folder: where to write.
        names: numbers of lessons; all if none.
        reveal: address or folder of reveal.js, if not from the network.
    """
    written = []
    for path in find_lessons(names):
        parts = deck(path)
        title = re.sub("<[^>]+>", "", parts[0][0].shown).split("\n")[0].strip()
        target = folder / f"{path.stem}.html"
        page = render("slides.html", title=title, parts=parts, reveal=reveal or REVEAL)
        write_atomically(target, page)
        written.append(target)
    return written


def deck(lesson: Path) -> list[list[Slide]]:
    """The slides of a lesson: one list for each of its sections."""
    parts: list[list[Slide]] = []
    for cell in nbformat.read(lesson, as_version=4).cells:
        if cell.cell_type == "code":
            for figure in _figures(cell):
                _add(figure, parts[-1])
        elif "solution" not in cell.metadata.get("tags", ()):
            _add_words(cell.source, lesson.parent, parts)
    return parts


def _add_words(text: str, folder: Path, parts: list[list[Slide]]) -> None:
    """Divide the words of a cell: headings begin a part, what is to be seen is a slide."""
    if headings := HEADING.findall(text):
        parts.append([Slide(_html("\n\n".join(headings), folder), bare=True)])
    for match in SEEN.finditer(text):
        _add(_html(match.group(), folder), parts[-1])
    said = SEEN.sub("", HEADING.sub("", text)).strip()
    parts[-1][-1].notes += _html(said, folder)


def _add(shown: str, part: list[Slide]) -> None:
    """Show something under the heading if there is nothing yet, else on a slide of its own."""
    if part[-1].bare:
        part[-1].shown, part[-1].bare = part[-1].shown + shown, False
    else:
        part.append(Slide(shown))


def _figures(cell: NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        if picture := output.get("data", {}).get("image/png"):
            alt = output.metadata.get("image/png", {}).get("alt", "")
            yield f'<img src="data:image/png;base64,{picture.strip()}" alt="{escape(alt)}">'


def _html(text: str, folder: Path) -> str:
    """Markdown as HTML, with the pictures of `folder` inside of it."""
    from nbconvert.filters import markdown2html

    def embedded(match: re.Match) -> str:
        path = folder / match[1]
        if not path.is_file():
            return match[0]
        kind = path.suffix[1:].replace("svg", "svg+xml")
        return f"(data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()})"

    found = re.sub(r"\(([^()\s]+\.(?:svg|png|gif))\)", embedded, text)
    return ANCHOR.sub("", markdown2html(found))
