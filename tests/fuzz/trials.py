"""What all fuzz tests share: inputs out of valid ones, and what no input may do.

`make test` tries a small fixed share. `make fuzz` sets TRM_LITE_FUZZ to the seconds that each
reader gets, and tries other inputs each time.
"""

import json
import os
import resource
import signal
import time
from collections import Counter
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from trm_lite.common import UserError

SECONDS = float(os.environ.get("TRM_LITE_FUZZ", "0"))  # for each reader; 0: the fixed share
SLOWEST = 5  # seconds of a CPU that an input may take
TRIED: Counter[str] = Counter()  # inputs by reader, told at the end
READ: Counter[str] = Counter()  # those of them that were not refused
BEGUN: dict[str, float] = {}

if SECONDS:
    settings.register_profile("fuzz", max_examples=10**6, derandomize=False, print_blob=True)
else:
    settings.register_profile("fuzz", max_examples=25, derandomize=True)


def fuzz(test):
    """The settings of a fuzz test."""
    unhurried = settings(
        settings.get_profile("fuzz"),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return unhurried(test)


def spent(reader: str) -> bool:
    """Whether a reader has had its time, so that no more inputs are tried."""
    if not SECONDS:
        return False
    return time.monotonic() - BEGUN.setdefault(reader, time.monotonic()) > SECONDS


@contextmanager
def survives(reader: str):
    """What is done within may raise nothing but a UserError of one line, in a few seconds."""
    TRIED[reader] += 1
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
        READ[reader] += 1
    except UserError as error:
        said = str(error)
        assert said.strip() and "\n" not in said and "Traceback" not in said, said
        said.encode()  # it can be printed
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    assert grown < 1024, f"{grown:.0f} MB of memory for one input"


def _too_slow(*_) -> None:
    raise AssertionError(f"an input took more than {SLOWEST} seconds of a CPU")


@st.composite
def damaged(draw, originals: list[bytes], *, longest: int = 12) -> bytes:
    """One of the originals with a few bytes changed, cut out, put in, doubled or torn off."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(("change", "flip", "cut", "insert", "double", "tear", "swap")))
        length = draw(st.integers(1, longest))
        if kind == "change":
            content[place : place + length] = draw(st.binary(min_size=1, max_size=length))
        elif kind == "flip" and place < len(content):
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[place : place + length * draw(st.sampled_from((1, 100)))]
        elif kind == "insert":
            content[place:place] = draw(st.sampled_from(STRANGE)) * length
        elif kind == "double":
            content[place:place] = content[max(0, place - 20 * length) : place]
        elif kind == "tear":
            del content[place:]
        else:
            content = content[place:] + content[:place]
    return bytes(content)


STRANGE = (
    b"\0", b"\xff", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"{", b"[", b"]", b"}",
    b"-", b"9", b"1e999", b"null", b"NaN", b"\xef\xbb\xbf", b"\xff\xfe", "é".encode(), b"<", b"|",
    "\N{GRINNING FACE}".encode(), b"\\ud800", b"\x1a", b"#", b" ", b"0.5", b"x", b"true",
)  # fmt: skip
ODD_VALUES = st.sampled_from(
    [None, True, False, 0, -1, 1, 2.5, 1e308, 10**30, -(10**9), 10**7, float("nan"), float("inf"),
     "", "x", "\ud800", "\N{GRINNING FACE}", "a" * 300, "../../x", [], {}, [[]], [{}], {"a": 1}]
)  # fmt: skip


@st.composite
def altered(draw, original):
    """A JSON value in which a few parts are replaced by odd ones, removed, doubled or nested."""
    value = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, 3))):
        parent, key = None, None
        node = value
        while isinstance(node, dict | list) and node and (parent is None or draw(st.booleans())):
            parent, key = node, draw(st.sampled_from(list(_keys(node))))
            node = node[key]
        if parent is None:
            return draw(ODD_VALUES)
        kind = draw(st.sampled_from(("odd", "remove", "double", "nest", "move")))
        if kind == "odd":
            parent[key] = draw(ODD_VALUES)
        elif kind == "remove":
            del parent[key]
        elif kind == "nest":
            for _ in range(draw(st.sampled_from((1, 3, 500)))):
                node = [node]
            parent[key] = node
        elif kind == "move" and isinstance(parent, dict):
            parent[draw(st.sampled_from((key.upper(), key + " ", "", "\ud800", "0")))] = node
        elif isinstance(parent, list):
            parent.insert(0, node)
    return value


def _keys(node):
    return node if isinstance(node, dict) else range(len(node))


def written(value) -> bytes:
    """A value as JSON bytes, also with half a character in it."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
