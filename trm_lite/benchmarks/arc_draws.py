"""The random decisions of building ARC: drawn all at once, or as the authors' code draws them."""

from collections.abc import Sequence

import numpy as np

from trm_lite.puzzles.arc import COLOURS, SIDE, TURNS, Task


class Draws:
    """Decisions of numpy's modern generator, many at a time."""

    def __init__(self, seed: int):
        self.generator = np.random.default_rng(seed)

    def shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks in the order in which they are built: as they come."""
        return list(tasks)

    def augmentations(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Turns (count,) and new colours (count, 10) uint8, black kept; each equally likely."""
        colours = np.zeros((count, COLOURS), np.uint8)
        colours[:, 1:] = self.generator.permuted(np.tile(np.arange(1, COLOURS), (count, 1)), axis=1)
        return self.generator.integers(len(TURNS), size=count), colours

    def places(self, heights: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns (A, E) of the corners of grids (A, E) so high and wide, anywhere.

        In each row of A, one chosen at random stays at (0, 0).
        """
        rows = self.generator.integers(SIDE + 1 - heights)
        columns = self.generator.integers(SIDE + 1 - widths)
        count, examples = heights.shape
        still = np.arange(count), self.generator.integers(examples, size=count)
        rows[still] = columns[still] = 0
        return rows, columns


class OfficialDraws(Draws):
    """The same distribution, in the order of calls and with the generator of the authors' code.

    That is numpy's legacy generator, one decision after the other.
    """

    def __init__(self, seed: int):
        self.state = np.random.RandomState(seed)

    def shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks in a random order."""
        tasks = list(tasks)
        self.state.shuffle(tasks)
        return tasks

    def augmentations(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        turns, colours = np.empty(count, np.int64), np.zeros((count, COLOURS), np.uint8)
        colours_without_black = np.arange(1, COLOURS)
        for row in range(count):
            turns[row] = self.state.randint(0, len(TURNS))
            colours[row, 1:] = self.state.permutation(colours_without_black)
        return turns, colours

    def places(self, heights: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.zeros((2, *heights.shape), np.int64)
        count, examples = heights.shape
        for puzzle in range(count):
            still = self.state.randint(0, examples)
            for example in range(examples):
                if example != still:
                    most = SIDE + 1 - heights[puzzle, example], SIDE + 1 - widths[puzzle, example]
                    rows[puzzle, example] = self.state.randint(0, most[0])
                    columns[puzzle, example] = self.state.randint(0, most[1])
        return rows, columns
