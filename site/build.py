"""The course as a site: Sphinx renders the pages, and the thinking page stands beside them.

    python site/build.py OUT

The notebooks are not run; what is shown are their stored outputs. Where one holds a panel to play
with, the site shows a picture of it and a link to the page where a network thinks in the browser.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADDRESS = "ADDRESS-OF-THE-REPOSITORY"  # where the first cell of a page says how to install
PANEL = "(An interactive panel"
PLAY = '<a href="{root}play/index.html">{words}</a>'
INSTEAD = "*Here the notebook has a panel to play with.* " + PLAY.format(
    root="../", words="Watch a network think in your browser, with nothing to install."
)
TO_PLAY = r"\[([^\[\]]+)\]\(((?:\.\./)*)site/play/index\.html\)"  # which Sphinx would download
CHAPTERS = {
    "Lessons": "notebooks/[0-9]*.ipynb",
    "Appendices": "notebooks/appendix*.ipynb",
    "Assignments": "notebooks/assignments/*",
    "Puzzles to copy from": "notebooks/puzzles/README.md",
    "Measurements": "assets/*/README.md",
    "How it works": "trm_lite/*/README.md",
    "The authors' numbers": "tests/golden/README.md",
}


def collect(pages: Path) -> None:
    """Copy everything that becomes a page, or is shown on one, into the folder `pages`."""
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(
        ROOT / "assets", pages / "assets", ignore=shutil.ignore_patterns("*.safetensors")
    )
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        copy_notebook(notebook, pages / "notebooks" / notebook.name)
    students = pages / "notebooks" / "assignments"
    hand_out = [
        sys.executable,
        "-m",
        "trm_lite",
        "classroom",
        "build",
        ROOT / "notebooks" / "assignments",
    ]
    subprocess.run(
        [*hand_out, "--out", students.absolute()], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    shutil.copy(ROOT / "notebooks" / "assignments" / "README.md", students)
    examples = pages / "notebooks" / "puzzles"
    shutil.copytree(ROOT / "notebooks" / "puzzles", examples)
    shutil.copy(ROOT / "README.md", pages)
    copy_linked(pages)
    welcome = (pages / "README.md").read_text("utf-8") + contents(pages)
    (pages / "README.md").unlink()
    (pages / "index.md").write_text(welcome, "utf-8")


def copy_linked(pages: Path) -> None:
    """Copy the files of the repository that pages link to; README becomes the front page."""
    pages = pages.resolve()
    for page in [*pages.rglob("*.md"), *pages.rglob("*.ipynb")]:
        text = page.read_text("utf-8")
        text = re.sub(TO_PLAY, r"<a href='\2play/index.html'>\1</a>", text)
        for link in set(re.findall(r"\]\(([^)#:\s]+)", text)):
            target = (page.parent / link).resolve()
            source = ROOT / target.relative_to(pages)
            if target == pages / "README.md":
                text = text.replace(f"]({link}", f"]({link.removesuffix('README.md')}index.md")
            elif source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        page.write_text(text, "utf-8")


def copy_notebook(source: Path, target: Path) -> None:
    """Copy a notebook; its pictures keep their descriptions, and panels become a link."""
    notebook = json.loads(source.read_text("utf-8"))
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        if cell["cell_type"] == "markdown":  # places to jump to, as Sphinx writes them
            text = "".join(cell["source"])
            cell["source"] = re.sub(r'<a id="([\w-]+)"></a>', r"(\1)=", text)
        outputs = [output.get("data", {}) for output in cell.get("outputs", ())]
        if any(PANEL in "".join(data.get("text/plain", "")) for data in outputs):
            cell["outputs"] = []
            link = {"cell_type": "markdown", "metadata": {}, "source": INSTEAD}
            cells.append(link | {"id": f"panel-{len(cells)}"})
        described = [o.get("metadata", {}).get("image/png", {}) for o in cell.get("outputs", ())]
        alt = " ".join(about["alt"] for about in described if "alt" in about)
        if alt:
            cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
    notebook["cells"] = cells
    target.parent.mkdir(parents=True, exist_ok=True)
    known = PROJECT.get("urls", {}).get("Repository", ADDRESS)
    target.write_text(json.dumps(notebook).replace(ADDRESS, known), "utf-8")


def contents(pages: Path) -> str:
    """The table of contents, which the sidebar shows."""
    trees = ""
    for caption, pattern in CHAPTERS.items():
        found = sorted(p for p in pages.glob(pattern) if p.suffix in (".md", ".ipynb"))
        entries = "\n".join(p.relative_to(pages).with_suffix("").as_posix() for p in found)
        trees += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"
    return trees


def main(out: Path) -> None:
    pages = out.parent / "pages"
    collect(pages)
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "auto"]
    subprocess.run([*sphinx, "-c", HERE, pages, out], check=True)
    subprocess.run([sys.executable, HERE / "assemble.py", out / "play"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
