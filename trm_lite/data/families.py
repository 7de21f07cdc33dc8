"""Divide puzzles into splits so that no two of a family, and no copies, stand in different ones."""

import numpy as np


def assign(
    rows: np.ndarray, families: np.ndarray, sizes: dict[str, int], evenly: bool = False
) -> dict[str, np.ndarray]:
    """Fill the splits with `rows`, so that no family is in two of them.

    Args:
        rows: numbers of puzzles, those to use first in front.
        families: (N,) the family of each puzzle.
        sizes: how many each split needs.
        evenly: fill all splits together, which few large families need, instead of one after the
            other.
    """
    filled: dict[str, list[int]] = {name: [] for name in sizes}
    home: dict[int, str] = {}  # which split each family is in
    for row in rows:
        family = int(families[row])
        if family not in home:
            with_room = [name for name, size in sizes.items() if len(filled[name]) < size]
            if not with_room:
                break
            home[family] = with_room[0]
            if evenly:
                filled_to = {name: len(filled[name]) / sizes[name] for name in with_room}
                home[family] = min(with_room, key=filled_to.get)
        if len(filled[home[family]]) < sizes[home[family]]:
            filled[home[family]].append(row)
    return {name: np.array(chosen, dtype=int) for name, chosen in filled.items()}


class Families:
    """Numbers the families of examples as they come; equal questions are of one family."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}
        self.seen: set[bytes] = set()

    def number(self, question: np.ndarray, answer: np.ndarray, family: object) -> int | None:
        """The number of an example's family.

        None if the example has come before, or would join two families into one.

        Args:
            question: (L,) tokens.
            answer: (L,) tokens.
            family: what its family is called.
        """
        pair = question.tobytes() + answer.tobytes()
        names = [("family", family), ("question", question.tobytes())]
        known = {self.numbers[name] for name in names if name in self.numbers}
        if pair in self.seen or len(known) > 1:
            return None
        self.seen.add(pair)
        number = known.pop() if known else len(self.seen)
        self.numbers |= dict.fromkeys(names, number)
        return number
