"""Random choices in building ARC data: which augmentations, and where grids lie on the canvas.

They are drawn quickly, or in the order of the authors' code to reproduce their data exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trm_lite.puzzles import arc
from trm_lite.puzzles.arc import COLOURS, SIDE, TURNS, Augmentation, Pair, Task


class Draws:
    """Random choices by numpy's modern generator, many at a time."""

    def __init__(self, seed: int):
        self.generator = np.random.default_rng(seed)

    def shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks in the order in which to build them: unchanged."""
        return list(tasks)

    def augmentations(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Random augmentations, all equally likely: turns (count,) and colours (count, 10) uint8.

        The colours give the new colour of each old one; black stays black.
        """
        colours = np.zeros((count, COLOURS), np.uint8)
        colours[:, 1:] = self.generator.permuted(np.tile(np.arange(1, COLOURS), (count, 1)), axis=1)
        return self.generator.integers(len(TURNS), size=count), colours

    def places(self, heights: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Random places on the canvas for the grids of A puzzles with E examples each.

        Returns the row and the column of each grid's upper left corner, both (A, E). One random
        example of each puzzle stays at (0, 0). `heights` and `widths` are (A, E), and each is the
        larger one of an example's two grids.
        """
        rows = self.generator.integers(SIDE + 1 - heights)
        columns = self.generator.integers(SIDE + 1 - widths)
        count, examples = heights.shape
        still = np.arange(count), self.generator.integers(examples, size=count)
        rows[still] = columns[still] = 0
        return rows, columns


class OfficialDraws(Draws):
    """The same distribution, drawn exactly as the authors' code draws it.

    It uses numpy's legacy generator, one choice after the other.
    """

    def __init__(self, seed: int):
        self.state = np.random.RandomState(seed)

    def shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks in a random order."""
        tasks = list(tasks)
        self.state.shuffle(tasks)
        return tasks

    def augmentations(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        before = self.state.get_state()
        # An augmentation takes 11.2 words on average, so these are enough by far.
        words = self.state.randint(1 << 32, size=13 * count + 200, dtype=np.uint32)
        after = {most: _after_a_number(words, most) for most in range(1, COLOURS - 1)}
        # A turn is a number up to 7; then numpy shuffles nine colours, from the last place on.
        order = (len(TURNS) - 1, *range(COLOURS - 2, 0, -1))
        jump = np.arange(len(words) + 1)
        for most in order:
            jump = after[most][jump]
        jump, ends = jump.tolist(), [0]
        for _ in range(count):
            ends.append(jump[ends[-1]])
        self.state.set_state(before)
        self.state.randint(1 << 32, size=ends[-1], dtype=np.uint32)

        places, rows, numbers = np.array(ends[:-1], np.int64), np.arange(count), []
        for most in order:
            places = after[most][places]
            numbers.append((words[places - 1] & _mask(most)).astype(np.int64))
        colours = np.arange(COLOURS, dtype=np.uint8)[None].repeat(count, axis=0)
        for place, number in zip(order[1:], numbers[1:], strict=True):
            here, there = colours[:, place + 1].copy(), colours[rows, number + 1]
            colours[rows, number + 1], colours[:, place + 1] = here, there
        return numbers[0], colours

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


def _mask(most: int) -> int:
    return (1 << most.bit_length()) - 1


def _after_a_number(words: np.ndarray, most: int) -> np.ndarray:
    """For each place in the words (N,), the place after a number 0 to `most` that is drawn there.

    The legacy generator takes the lowest bits of a word, and those of the next one while they are
    too large. N stands for the end, and for numbers that are not finished there.
    """
    end = len(words)
    places = np.where(words & _mask(most) <= most, np.arange(1, end + 1), end)
    return np.append(np.minimum.accumulate(places[::-1])[::-1], end)


# Draws per requested augmentation. A task with few different augmentations ends up with fewer.
TRIALS = 5


@dataclass(frozen=True, eq=False)
class Group:
    """A task and its augmentations, which are A puzzles; the first is the original."""

    task: Task
    tested: bool  # whether its test pairs are kept for the test split
    first: int  # puzzle identifier of the original; those of the others follow
    turns: np.ndarray  # (A,) indices into arc.TURNS
    colours: np.ndarray  # (A, 10) uint8, the new colour of each old one

    def __len__(self) -> int:
        return len(self.turns)

    def augmentations(self) -> list[Augmentation]:
        """The augmentation that makes each puzzle from the task."""
        return [
            Augmentation(int(turn), tuple(colours.tolist()))
            for turn, colours in zip(self.turns, self.colours, strict=True)
        ]

    def names(self) -> list[str]:
        """The name of each puzzle."""
        return [augmentation.name(self.task.id) for augmentation in self.augmentations()]

    def pairs(self, split: str) -> tuple[Pair, ...]:
        """The task's pairs that belong to the split "train" or "test".

        If the task is not tested, all of its pairs are for training.
        """
        if self.tested:
            return self.task.train if split == "train" else self.task.test
        return self.task.pairs if split == "train" else ()


def draw_augmentations(task: Task, count: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Draw up to `count` augmentations of a task that all give different puzzles.

    Draws that repeat a puzzle are rejected, and after `TRIALS * count` draws there are no more.
    Returns turns (A,) and colours (A, 10), with the original first.

    Args:
        task: the task.
        count: how many augmentations beside the original.
        draws: source of the random choices.
    """
    fingerprints = Fingerprints(task)
    turns, colours = [np.zeros(1, int)], [np.arange(arc.COLOURS, dtype=np.uint8)[None]]
    seen = set(fingerprints(turns[0], colours[0]))
    left = TRIALS * count
    while (missing := count + 1 - len(seen)) and left:
        some_turns, some_colours = draws.augmentations(min(missing, left))
        left -= len(some_turns)
        fresh = []
        for row, fingerprint in enumerate(fingerprints(some_turns, some_colours)):
            if fingerprint not in seen:
                seen.add(fingerprint)
                fresh.append(row)
        turns.append(some_turns[fresh])
        colours.append(some_colours[fresh])
    return np.concatenate(turns), np.concatenate(colours)


class Fingerprints:
    """Tells whether two augmentations of a task give the same puzzle, without making their grids.

    Every cell of the canvas has a random weight. The fingerprint of a grid is the sum of weight
    times (colour + 1) over its cells, modulo 2**64. For this, the sum of the weights of each
    colour is enough, computed once for each turn. Then an augmentation costs only ten products
    per grid. Two different grids have equal fingerprints with a probability of about 1e-18.
    """

    weights = np.random.default_rng(0).integers(
        1 << 64, size=(2, arc.SIDE, arc.SIDE), dtype=np.uint64
    )

    def __init__(self, task: Task):
        shape = (len(arc.TURNS), len(task.pairs), arc.COLOURS)
        self.totals = np.zeros(shape, np.uint64)  # by turn, pair and old colour
        for turn in range(len(arc.TURNS)):
            for totals, pair in zip(self.totals[turn], task.pairs, strict=True):
                for weights, grid in zip(self.weights, pair, strict=True):
                    turned = arc.turn(grid, turn)
                    rows, columns = turned.shape
                    np.add.at(totals, turned, weights[:rows, :columns])

    def __call__(self, turns: np.ndarray, colours: np.ndarray) -> list[bytes]:
        """The fingerprint of each augmentation, whatever the order of the task's pairs.

        `turns` are (A,) and `colours` (A, 10).
        """
        new = colours[:, None].astype(np.uint64) + np.uint64(1)  # (A, 1, 10)
        of_pairs = np.sort((self.totals[turns] * new).sum(-1), axis=1)  # (A, pairs)
        return of_pairs.view(f"V{of_pairs.itemsize * of_pairs.shape[1]}")[:, 0].tolist()
