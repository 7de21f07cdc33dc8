"""An executed lesson as a web page that stands alone, for those who read without running."""

import base64
import mimetypes
import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

from nbconvert import HTMLExporter

from trm_lite.classroom.web import TEMPLATES

# What a Markdown cell points to, and what stands before it: an image, a link, or either in HTML.
LINK = re.compile(r"""(?P<before>!\[[^\]]*\]\(|\]\(|src="|href=")(?P<to>[^)"\s#]+)""")
IMAGE = ("![", 'src="')


def lesson_page(executed: Path, home: Path, pages: Collection[str]) -> bytes:
    """The notebook `executed` as HTML: pictures inside, each with its description.

    Args:
        executed: The notebook, in the folder that the page is for.
        home: The folder in which the notebook was written, where its links lead from.
        pages: The lessons that have a page in that folder; links to them lead to their pages.
    """
    exporter = HTMLExporter(extra_template_paths=[str(TEMPLATES)], template_file="lesson.html.j2")

    def mend(match: re.Match) -> str:
        to = _mended(match["to"], match["before"].startswith(IMAGE), home, executed.parent, pages)
        return match["before"] + to

    def mend_all(notebook, resources):
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = LINK.sub(mend, cell.source)
        return notebook, resources

    exporter.register_preprocessor(mend_all, enabled=True)
    page, _ = exporter.from_filename(str(executed))
    return page.encode()


def _mended(to: str, is_image: bool, home: Path, folder: Path, pages: Collection[str]) -> str:
    """Where a link of a notebook in `home` leads from a page in `folder`."""
    path = home / unquote(to)
    if not os.path.isfile(path):  # a web address, or code that only looks like a link
        return to
    if path.suffix == ".ipynb" and path.parent == home and path.stem in pages:
        return f"{path.stem}.html"
    if is_image:
        media_type, _ = mimetypes.guess_type(path)
        return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return Path(os.path.relpath(path, folder)).as_posix()
