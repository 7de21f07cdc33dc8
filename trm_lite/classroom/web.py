"""Web pages from the templates beside this file; whatever goes into them is escaped."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, **values: object) -> bytes:
    """The page that the template `name` makes of `values`, as UTF-8."""
    return (_environment().get_template(name).render(values) + "\n").encode(errors="replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "counted": counted}
    return environment


def number(value: float) -> str:
    """Points to read: 2 and 2.5, not 2.0."""
    return f"{value:g}"


def counted(count: float, noun: str) -> str:
    """Things in number: "1 submission", "2 submissions"."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"
