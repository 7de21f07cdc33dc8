"""nbval, and stricter: a cell may run to its end and still report that something went wrong.

What a callback of a widget raises, ipywidgets catches and only prints. So whatever the kernel says
while a cell runs is read: outputs, and the state of widgets. The two checks of assignments that may
take minutes are left to test_masters.py, which grades the solutions. For `pytest -p nbval_strict`.

A kernel picks its ports before it opens them, so another program may take one in between; then it
dies before its first word, and is started once more.
"""

import json
import sys

import pytest

# jsonschema takes it if it is there, to check addresses by a grammar that takes seconds to import.
sys.modules.setdefault("rfc3987_syntax", None)

import nbval.kernel  # noqa: E402
from nbval.plugin import IPyNbCell  # noqa: E402

SWALLOWED = ("Traceback", "Error displaying widget")


def pytest_configure():
    start = nbval.kernel.start_new_kernel

    def start_twice(*arguments, **options):
        try:
            return start(*arguments, **options)
        except RuntimeError:
            return start(*arguments, **options)

    nbval.kernel.start_new_kernel = start_twice


def pytest_collection_modifyitems(config, items):
    long = [item for item in items if isinstance(item, IPyNbCell) and is_long_check(item.cell)]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def is_long_check(cell):
    """Whether the cell is graded, and has a time limit of its own."""
    graded = cell.metadata.get("nbgrader", {}).get("grade", False)
    return graded and "seconds" in cell.metadata.get("trm_lite", {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if not isinstance(item, IPyNbCell):
        return (yield)
    said, listen = [], item.parent.get_kernel_message

    def noting(*arguments, **options):
        message = listen(*arguments, **options)
        said.append(json.dumps(message["content"], default=str))
        return message

    item.parent.get_kernel_message = noting
    try:
        result = yield
    finally:
        item.parent.get_kernel_message = listen
    for words in SWALLOWED:
        if found := next((text for text in said if words in text), ""):
            item.raise_cell_error(f"The cell ran, but said {words!r}", found)
    return result
