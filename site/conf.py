"""Sphinx's settings for the course as a site; `build.py` collects the pages and calls it."""

import tomllib
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
REPOSITORY = PROJECT.get("urls", {}).get("Repository", "")

project = "Recursive reasoning with tiny networks"
html_title = project
author = "the authors of the course"
extensions = ["myst_nb"]
exclude_patterns = ["**/nbgrader_config.py"]

nb_execution_mode = "off"  # the stored outputs are the measured ones
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
suppress_warnings = [
    "mystnb.unknown_mime_type",  # of widgets, which stand beside their picture
    "myst.header",  # a page may begin at any level
    "misc.highlighting_failure",  # magics of IPython
]
html_math_renderer = "mathml"  # drawn by every browser of today, without a script

html_theme = "sphinx_book_theme"
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_favicon = "icon.svg"
html_use_index = False  # nothing is defined that it could list
templates_path = ["."]
html_sidebars = {"**": ["sidebar_top.html", "sbt-sidebar-nav.html"]}
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "logo": {"text": project},
    "use_source_button": False,
    "navbar_persistent": [],  # one field for searching is enough
}
if REPOSITORY:  # without an address a button to it would be dead
    html_theme_options |= {
        "repository_url": REPOSITORY,
        "repository_branch": "main",
        "use_repository_button": True,
    }
if "github.com/" in REPOSITORY:  # Colab opens notebooks from nowhere else
    html_theme_options["launch_buttons"] = {
        "colab_url": "https://colab.research.google.com",
        "binderhub_url": "https://mybinder.org",
    }


def write_formula(self, node: nodes.Element) -> None:
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    formula = convert(node.astext(), display=display)
    scrolls = f'<div class="formula" tabindex="0">{formula}</div>'  # a long one on a phone
    self.body.append(scrolls if display == "block" else formula)
    raise nodes.SkipNode


def without_launch(app, page: str, template: str, context: dict, tree) -> None:
    """An assignment is not to be launched: in the repository it holds the lecturers' solutions."""
    if page.startswith("notebooks/assignments/"):
        buttons = context["header_buttons"]
        context["header_buttons"] = [b for b in buttons if b.get("label") != "launch-buttons"]


def setup(app) -> None:
    app.connect("html-page-context", without_launch, priority=502)  # after the theme's own
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
