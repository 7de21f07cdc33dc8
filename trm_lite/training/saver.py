"""Save a run while it goes on: when, and in a thread, so that saving costs at most one per cent.

A save has two parts. The state is copied while training waits; that takes as long as memory is
slow. A thread then turns the copy into a file. What both parts cost is measured, and the next save
comes once a hundred times as much has passed, so that saves of gigabytes come less often.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from trm_lite.training.run_folder import RunFolder

LEAST_SECONDS = 60.0  # between two saves, however quick they are
MOST_SHARE = 0.01  # of the time that saves may cost


def snapshot(state: object, copies: dict | None = None) -> object:
    """A copy of a state, its tensors on the CPU, which training no longer changes.

    Tensors that share memory, such as the table of puzzle embeddings, are copied once.
    """
    copies = {} if copies is None else copies
    if isinstance(state, Tensor):
        key = (state.untyped_storage()._cdata, state.storage_offset(), state.shape, state.dtype)
        if key not in copies:
            copies[key] = state.detach().to("cpu", copy=True)
        return copies[key]
    if isinstance(state, dict):
        return {key: snapshot(value, copies) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)([snapshot(value, copies) for value in state])
    return state


class Saver:
    """Writes states into a run folder, one at a time, as a context that waits for the last one.

    Args:
        folder: where to, or None to write nothing, as in all processes but the first.
    """

    def __init__(self, folder: RunFolder | None):
        self.folder = folder
        self.writing: Future | None = None
        self.began, self.cost = time.monotonic(), 0.0  # of the latest save, in seconds

    def __enter__(self) -> "Saver":
        self.thread = ThreadPoolExecutor(1, "saving")
        return self

    def __exit__(self, *problem) -> None:
        self.thread.shutdown()
        if problem[0] is None:
            self.finish()

    def due(self) -> bool:
        """Whether it is time to save. Raises UserError if the latest state could not be written."""
        if self.writing is not None and self.writing.done():
            self.finish()
        wait = max(LEAST_SECONDS, self.cost / MOST_SHARE)
        idle = self.folder is not None and self.writing is None
        return idle and time.monotonic() - self.began > wait

    def begin(self, state: dict, waited: float) -> None:
        """Begin to write a state that nobody changes; `waited` is how long its copy took."""
        self.finish()
        self.began, self.cost = time.monotonic(), waited
        if self.folder is not None:
            self.writing = self.thread.submit(self._write, state)

    def finish(self) -> None:
        """Wait until the latest state is written. Raises UserError if it could not be."""
        if self.writing is not None:
            result, self.writing = self.writing, None
            self.cost += result.result()

    def _write(self, state: dict) -> float:
        """Write a state; returns the seconds of a CPU core that this took."""
        began = time.thread_time()
        self.folder.save_state(state)
        return time.thread_time() - began
