"""Divide puzzles into splits so that no two of a family, and no copies, stand in different ones."""

import numpy as np


def assign(rows: np.ndarray, families: np.ndarray, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Fill one split after the other with `rows`, so that no family is in two splits.

    `families` (N,) is the family of each puzzle, and `sizes` says how many each split needs.
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
