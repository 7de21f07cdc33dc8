"""A check counts only if it really ran, and a hidden test stays hidden."""

import pytest
from classroom.sums import LIMITS, RIGHT, graded, hand_in

from trm_lite.classroom.assignment import read_master
from trm_lite.classroom.checks import Part, parts, told, unusual, with_probes
from trm_lite.classroom.kernel import Kernel, Outcome
from trm_lite.classroom.pages import as_csv, feedback

CHECK = """first = 1
### BEGIN HIDDEN TESTS
second = first
assert second == 2, f"{second} is not two"
### END HIDDEN TESTS
third = 3"""
# Ways of getting hidden tests out, onto the page of one's own feedback.
LEAKS = {
    "the code of the check": (
        "import sys\ndef add(a, b):\n    if a:\n"
        "        raise AssertionError(str(sys._getframe(1).f_code.co_consts))\n    return 0"),
    "its messages as an error's name": (
        "import sys\ndef add(a, b):\n    if a:\n        code = sys._getframe(1).f_code\n"
        "        raise type(str(code.co_consts), (Exception,), {})\n    return 0"),
    "its source": (
        "import linecache\ndef add(a, b):\n    if a:\n"
        "        raise ValueError(str(linecache.cache) + str(globals()))\n    return 0"),
    "its names": (
        "import gc\ndef add(a, b):\n    if a:\n        raise KeyError(str([o for o in\n"
        "            gc.get_objects() if isinstance(o, dict) and 'source' in o]))\n    return 0"),
}  # fmt: skip


def test_a_check_is_cut_where_hidden_tests_begin():
    assert [(part.source.split("\n")[0], part.hidden) for part in parts(CHECK)] == [
        ("first = 1", False), ("second = first", True), ("third = 3", True)]  # fmt: skip
    within = "if True:\n    a = 1\n    ### BEGIN HIDDEN TESTS\n    b = 2\n    ### END HIDDEN TESTS"
    assert [part.hidden for part in parts(within)] == [True], "all of it, in one piece"


def test_probes_gather_their_words_if_asserts_work():
    source, name, words = with_probes(
        "def f(x):\n    return x\nassert f(2) == 2, 'no'\na = 1; b = 2"
    )
    assert with_probes("a = 1")[2] != words
    with Kernel(LIMITS) as kernel:
        outcome = kernel.check(source, 5, name, True)
        assert outcome.ok and outcome.proof == words and len(words) == 3
        source, name, words = with_probes("assert f(2) == 3, 'no'")
        assert kernel.check(source, 5, name, False).message == "no", "f is still there"


@pytest.mark.parametrize("what", LEAKS)
def test_a_hidden_test_is_not_told(master, notebook, tmp_path, what):
    path = hand_in(tmp_path, notebook, "eve", RIGHT | {"add": LEAKS[what]})
    result, points = graded(master, path)
    assert points == {"add": 0, "times": 3, "both": 5}
    shown = feedback(master.assignment, result).decode() + as_csv(master.assignment, [result])
    assert "try other numbers" not in shown and "add(2, 3)" not in shown
    assert "cannot see" in result.marks[0].outcome.message


@pytest.mark.parametrize(
    ("error", "message", "told_as"),
    [
        ("AssertionError", "1 is not two", "1 is not two"),
        ("AssertionError", "1e-05 is not two", "1e-05 is not two"),
        ("AssertionError", "['the', 'test'] is not two", "failed in a test that you cannot see."),
        ("ValueError", "assert second == 2", "in a test that you cannot see."),
        ("Time", "The cell ran for longer.", "The cell ran for longer."),
    ],
)
def test_words_about_a_hidden_test_are_the_tests_own(error, message, told_as):
    part = parts(CHECK)[1]
    assert told(Outcome(False, error, message), part).message == told_as
    seen = Outcome(False, error, message)
    assert told(seen, Part(part.source, False)) == seen
    assert told(Outcome(False, "second == 2", message), part).error == "Exception"


def test_solutions_use_nothing_unusual(master, master_path):
    assert not any(unusual(cell.source) for cell in read_master(master_path)[0].exercises)
    assert unusual("import gc\n'__eq__'\nx.f_back") == ["__eq__", "f_back", "gc"]
