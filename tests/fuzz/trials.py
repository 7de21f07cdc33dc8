"""What all fuzz tests share: inputs out of valid ones, and what no input may do.

`make test` tries a small fixed share. `make fuzz` sets TRM_LITE_FUZZ to the seconds that each
reader gets, and tries other inputs each time.
"""

import json
import os
import random
import resource
import signal
import time
import unittest
from collections import Counter
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import wraps

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


class TimeIsOver(unittest.SkipTest):
    """Raised when a reader has had its time; Hypothesis ends at once then."""


def fuzz(test):
    """The settings of a fuzz test."""
    unhurried = settings(
        settings.get_profile("fuzz"),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(test)

    @wraps(unhurried)
    def for_a_while(*arguments, **named):
        with suppress(TimeIsOver):
            unhurried(*arguments, **named)

    return for_a_while


@contextmanager
def survives(reader: str):
    """What is done within may raise nothing but a UserError of one line, in a few seconds."""
    if SECONDS and time.monotonic() - BEGUN.setdefault(reader, time.monotonic()) > SECONDS:
        raise TimeIsOver
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
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    assert grown < 1024, f"{grown:.0f} MB of memory for one input"


def _too_slow(*_) -> None:
    raise AssertionError(f"an input took more than {SLOWEST} seconds of a CPU")


# One draw for each input, because drawing takes longer than most readers; a failing input is
# printed as it is.
DICE = st.integers(0, 2**64 - 1).map(random.Random)


def damaged(originals: list[bytes], *, longest: int = 12):
    """One of the originals with a few bytes changed, cut out, put in, doubled or torn off."""

    def damage(dice: random.Random) -> bytes:
        content = bytearray(dice.choice(originals))
        for _ in range(dice.randint(0, 4)):
            place, length = dice.randint(0, len(content)), dice.randint(1, longest)
            kind = dice.choice(("change", "flip", "cut", "insert", "double", "tear", "swap"))
            if kind == "change":
                content[place : place + length] = dice.randbytes(length)
            elif kind == "flip" and place < len(content):
                content[place] ^= 1 << dice.randrange(8)
            elif kind == "cut":
                del content[place : place + length * dice.choice((1, 100))]
            elif kind == "insert":
                content[place:place] = dice.choice(STRANGE) * length
            elif kind == "double":
                content[place:place] = content[max(0, place - 20 * length) : place]
            elif kind == "tear":
                del content[place:]
            elif kind == "swap":
                content = content[place:] + content[:place]
        return bytes(content)

    return DICE.map(damage)


STRANGE = (
    b"\0", b"\xff", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"{", b"[", b"]", b"}",
    b"-", b"9", b"1e999", b"null", b"NaN", b"\xef\xbb\xbf", b"\xff\xfe", "é".encode(), b"<", b"|",
    "\N{GRINNING FACE}".encode(), b"\\ud800", b"\x1a", b"#", b" ", b"0.5", b"x", b"true",
)  # fmt: skip
ODD_VALUES = (
    None, True, False, 0, -1, 1, 2.5, 1e308, 10**30, -(10**9), 10**7, float("nan"), float("inf"),
    "", "x", "\ud800", "\N{GRINNING FACE}", "a" * 300, "../../x", [], {}, [[]], [{}], {"a": 1},
)  # fmt: skip


def altered(original):
    """A JSON value in which a few parts are replaced by odd ones, removed, doubled or nested."""

    def alter(dice: random.Random):
        value = deepcopy(original)
        for _ in range(dice.randint(0, 3)):
            parent, key, node = None, None, value
            while (
                isinstance(node, dict | list) and node and (parent is None or dice.random() < 0.7)
            ):
                parent, key = node, dice.choice(list(_keys(node)))
                node = node[key]
            if not parent:
                return deepcopy(dice.choice(ODD_VALUES))
            kind = dice.choice(("odd", "remove", "double", "nest", "move"))
            if kind == "odd":
                parent[key] = deepcopy(dice.choice(ODD_VALUES))
            elif kind == "remove":
                del parent[key]
            elif kind == "nest":
                for _ in range(dice.choice((1, 3, 200))):
                    node = [node]
                parent[key] = node
            elif kind == "move" and isinstance(parent, dict):
                parent[dice.choice((key.upper(), key + " ", "", "\ud800", "0"))] = node
            elif isinstance(parent, list):
                parent.insert(0, node)
        return value

    return DICE.map(alter)


def _keys(node):
    return node if isinstance(node, dict) else range(len(node))


def written(value) -> bytes:
    """A value as JSON bytes, also with half a character in it."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
