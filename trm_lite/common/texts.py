"""Texts from anywhere: a byte-order mark tells the encoding, and what is no text is named."""

import codecs
import io
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from trm_lite.common.errors import UserError

LARGEST = 100_000_000  # bytes of a file that is read as a whole
# UTF-32 comes first, because its mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
KINDS = (  # how files begin that people take for texts
    (b"PK\x03\x04", "a ZIP file, as .xlsx and .ods files are"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)


def encoding_of(content: bytes) -> str:
    """The encoding of a text that begins with `content`: by its byte-order mark, else UTF-8."""
    return next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")


def decode(content: bytes, name: str) -> str:
    """The text in `content`. Raises UserError, beginning with `name`, if it is no text."""
    kind = next((kind for beginning, kind in KINDS if content.startswith(beginning)), None)
    if kind:
        raise UserError(f"{name} is {kind}, not a text file; save it as plain text or CSV.")
    try:
        text = content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not a text file in UTF-8; save it as UTF-8.") from error
    if "\0" in text:
        raise UserError(
            f"{name} is not a text file in UTF-8, but perhaps in UTF-16 without a byte-order mark; "
            "save it as UTF-8."
        )
    return text


def read_text(path: Path | None) -> str:
    """The text in a file, or of standard input if `path` is None.

    Raises UserError if it cannot be read, is no text or larger than `LARGEST`.
    """
    name = str(path) if path else "standard input"
    try:
        with open(path, "rb") if path else nullcontext(sys.stdin.buffer) as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise UserError(f"{name} is larger than {LARGEST // 1_000_000} MB; divide it.")
    return decode(content, name)


def parse_json(text: str) -> object:
    """The value of a JSON text. Raises ValueError, also for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def text_lines(text: str) -> io.StringIO:
    """The lines of `text`, each with its end, which may be that of any system."""
    return io.StringIO(text, newline="")
