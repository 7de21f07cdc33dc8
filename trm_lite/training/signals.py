"""Ctrl-C and SIGTERM during training: a request to save and stop, not an end in mid-step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_requests() -> Iterator[list]:
    """Collect Ctrl-C and SIGTERM in the yielded list; only a second Ctrl-C stops at once."""
    requests: list[int] = []

    def note(number, frame):
        if requests and number == signal.SIGINT:
            raise KeyboardInterrupt
        requests.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield requests  # only the main thread can catch signals, so this list stays empty
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
