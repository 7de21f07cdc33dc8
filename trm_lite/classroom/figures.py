"""Every figure of the course as a file of its own, for slides."""

import base64
import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trm_lite.classroom.assignment import source_of
from trm_lite.common.errors import UserError
from trm_lite.common.files import write_atomically

Format = Literal["png", "svg"]
MIME = {"png": "image/png", "svg": "image/svg+xml"}
LESSONS = Path(__file__).parents[2] / "notebooks"
INLINE = "module://matplotlib_inline.backend_inline"
SECONDS = 1800  # for a cell of a lesson that is run again


class Picture(NamedTuple):
    """A figure, and the heading that it stands under."""

    heading: str
    content: bytes


def export(
    notebooks: tuple[Path, ...], out: Path, *, format: Format = "png", profile: str = "mini"
) -> int:
    """Write the figures of `notebooks` (all lessons if none) and an index.html; how many."""
    paths = list(notebooks) or sorted(LESSONS.glob("[0-9]*.ipynb"))
    if not paths:
        raise UserError(f"There are no lessons in {LESSONS}; name notebooks.")
    index, count = [], 0
    for path in paths:
        cells = _read(path)
        if format == "svg":
            cells = _run_again(path, profile)
        index.append(f"<h2>{html.escape(path.stem)}</h2>")
        for number, picture in enumerate(pictures(cells, MIME[format]), 1):
            name = f"{path.stem}-{number:02}-{_slug(picture.heading)}.{format}"
            write_atomically(out / name, picture.content)
            index.append(
                f'<figure><img src="{name}" style="max-width:100%"><figcaption>'
                f"{html.escape(picture.heading)}: {name}</figcaption></figure>"
            )
            count += 1
    page = '<!doctype html><meta charset="utf-8"><title>Figures</title>' + "\n".join(index)
    write_atomically(out / "index.html", page.encode())
    return count


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
                yield Picture(heading, raw)


def _run_again(path: Path, profile: str) -> list[dict]:
    """The cells of a lesson after a run in which figures are drawn as SVG."""
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise UserError("Running notebooks needs JupyterLab: pip install jupyterlab.") from error
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
