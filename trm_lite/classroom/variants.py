"""Private variants of assignments, which solutions that are public do not fit as they are."""

import copy
import hashlib
import io
import re
import tokenize

from trm_lite.classroom.assignment import assignment_of, source_of, top_level_names
from trm_lite.common.errors import UserError

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
CODE_IN_WORDS = re.compile(r"`[^`\n]+`|<code>.*?</code>", re.DOTALL)


def private_variant(notebook: dict, secret: str) -> dict:
    """A master with other names for what students write, and other numbers to find.

    Args:
        notebook: the master, as it is stored.
        secret: equal secrets give equal variants; keep it to yourself.
    """
    assignment = assignment_of("", notebook)
    names = set().union(*(top_level_names(cell.source) for cell in assignment.exercises))
    if not names:
        raise UserError("This assignment has no functions to write, so nothing can be varied.")
    new = {name: f"{name}_{_syllable(secret + name)}" for name in sorted(names)}
    varied = copy.deepcopy(notebook)
    for cell in varied["cells"]:
        text = source_of(cell)
        cell["source"] = (
            _renamed_words(text, new) if cell["cell_type"] == "markdown" else
            _renamed_code(text, new).replace("seed_of(student)", f"seed_of({secret!r} + student)")
        )  # fmt: skip
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return varied


def _syllable(text: str) -> str:
    """Three letters that can be spoken, from a hash of the text."""
    numbers = hashlib.sha256(text.encode()).digest()
    letters = (CONSONANTS, VOWELS, CONSONANTS)
    return "".join(kind[n % len(kind)] for kind, n in zip(letters, numbers, strict=False))


def _renamed_words(text: str, new: dict[str, str]) -> str:
    """Text in which the names in pieces of code are the new ones."""
    fenced = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    for place, part in enumerate(fenced):
        if part.startswith("```"):
            fenced[place] = _by_words(part, new)
        else:
            fenced[place] = CODE_IN_WORDS.sub(lambda match: _by_words(match[0], new), part)
    return "".join(fenced)


def _by_words(code: str, new: dict[str, str]) -> str:
    pattern = rf"(?<![\w.])({'|'.join(new)})\b"
    return re.sub(pattern, lambda match: new[match[1]], code)


def _renamed_code(code: str, new: dict[str, str]) -> str:
    """Python code in which functions have their new names; attributes and keywords keep theirs."""
    found = list(tokenize.generate_tokens(io.StringIO(code).readline))
    depth, changes = 0, []
    for before, token, after in zip(found[:1] + found, found, found[1:] + found[-1:], strict=False):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        if token.type == tokenize.NAME and token.string in new:
            is_keyword = depth > 0 and after.string == "="
            if before.string != "." and not is_keyword:
                changes.append((token, new[token.string]))
        elif token.type == tokenize.STRING and token.string[0] in "fF":
            changes.append((token, _in_braces(token.string, new)))
        elif token.type == tokenize.COMMENT or _is_docstring(before, token):
            changes.append((token, _renamed_words(token.string, new)))
    return _replaced(code, changes)


def _replaced(code: str, changes: list[tuple[tokenize.TokenInfo, str]]) -> str:
    """The code with other texts in the places of some tokens."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token, text in reversed(changes):  # from the end, so that the places before stay right
        start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        code = code[:start] + text + code[end:]
    return code


def _in_braces(text: str, new: dict[str, str]) -> str:
    """The text of an f-string in which what is computed uses the new names."""
    return re.sub(r"{[^{}]*}", lambda match: _by_words(match[0], new), text)


def _is_docstring(before: tokenize.TokenInfo, token: tokenize.TokenInfo) -> bool:
    return token.type == tokenize.STRING and before.type in (tokenize.INDENT, tokenize.NEWLINE)
