"""Every figure of the course as a file of its own, for slides."""

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trm_lite.classroom.assignment import source_of
from trm_lite.classroom.course import find_lessons
from trm_lite.classroom.web import render
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically

Format = Literal["png", "svg"]
MIME = {"png": "image/png", "svg": "image/svg+xml"}
INLINE = "module://matplotlib_inline.backend_inline"
SECONDS = 1800  # for a cell of a lesson that is run again


class Picture(NamedTuple):
    """A figure, the heading that it stands under, and what it shows, in words."""

    heading: str
    content: bytes
    alt: str


def export(
    notebooks: tuple[Path, ...], out: Path, *, format: Format = "png", profile: str = "mini"
) -> int:
    """Write the figures of `notebooks` (all lessons if none) and an index.html; how many."""
    lessons: dict[str, dict[str, Picture]] = {}
    for path in notebooks or find_lessons():
        cells = _read(path)
        if format == "svg":
            cells = _run_again(path, profile)
        lessons[path.stem] = {
            f"{path.stem}-{number:02}-{_slug(picture.heading)}.{format}": picture
            for number, picture in enumerate(pictures(cells, MIME[format]), 1)
        }
        for name, picture in lessons[path.stem].items():
            write_atomically(out / name, picture.content)
    write_atomically(out / "index.html", render("figures.html", lessons=lessons))
    return sum(map(len, lessons.values()))


def _read(path: Path) -> list[dict]:
    try:
        return json.loads(path.read_text("utf-8"))["cells"]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a notebook; name notebooks (.ipynb).") from error


def pictures(cells: list[dict], mime: str) -> Iterator[Picture]:
    """The pictures in the outputs of `cells`, in their order."""
    heading = ""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            found = re.findall(r"^#+ (.*)$", source_of(cell), re.MULTILINE)
            heading = found[-1] if found else heading
        for output in cell.get("outputs", ()):
            content = output.get("data", {}).get(mime)
            if content is not None:
                text = "".join(content)
                raw = base64.b64decode(text) if mime == MIME["png"] else text.encode()
                # Where a figure is described; the same in a run that draws SVG.
                about = output.get("metadata", {}).get(MIME["png"], {})
                yield Picture(heading, raw, about.get("alt", ""))


def _run_again(path: Path, profile: str) -> list[dict]:
    """The cells of a lesson after a run in which figures are drawn as SVG."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = re.sub('= "mini"', f"= {json.dumps(profile)}", cell.source)
    first = nbformat.v4.new_code_cell("%config InlineBackend.figure_formats = ['svg']")
    notebook.cells.insert(0, first)
    place = {"metadata": {"path": str(path.parent)}}
    try:
        client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place)
        client.execute(env=os.environ | {"MPLBACKEND": INLINE})
    except CellExecutionError as error:
        raise UserError(f"{path} does not run ({error.ename}: {error.evalue}).") from error
    return notebook.cells


def _slug(heading: str) -> str:
    """A heading as part of a file name."""
    words = re.findall(r"[a-z0-9]+", heading.lower())
    return "-".join(words)[:50].strip("-") or "figure"
