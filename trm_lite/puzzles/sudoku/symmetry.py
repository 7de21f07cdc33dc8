"""Random symmetries of Sudoku, for showing a network each puzzle in many guises.

A symmetry renames the digits, reorders the bands and the rows within each band, does the same
with stacks and columns, and, where boxes are square, may transpose the board. It turns puzzles
with one solution into puzzles with one solution.
"""

from typing import NamedTuple

import torch

from trm_lite.puzzles.sudoku.board import geometry


class Symmetry(NamedTuple):
    """One symmetry per board of a batch."""

    cells: torch.Tensor  # (B, n*n) int64, the old cell that each new cell is taken from
    tokens: torch.Tensor  # (B, n+2) int64, the new token of each old token


def random_symmetry(batch: int, size: int, generator: torch.Generator) -> Symmetry:
    """`batch` symmetries, each drawn uniformly from all symmetries of boards of `size`."""
    shape = geometry(size)
    bands, stacks = size // shape.box_rows, size // shape.box_columns

    def permutations(*lengths: int) -> torch.Tensor:
        return torch.rand(batch, *lengths, generator=generator, device=generator.device).argsort(-1)

    # Sorting each band's rows, and then the bands, reaches every order that keeps bands together.
    rows = permutations(bands)[:, :, None] * shape.box_rows + permutations(bands, shape.box_rows)
    columns = permutations(stacks)[:, :, None] * shape.box_columns
    columns = columns + permutations(stacks, shape.box_columns)
    rows, columns = rows.view(batch, size, 1), columns.view(batch, 1, size)
    cells = rows * size + columns
    if shape.box_rows == shape.box_columns:
        transposed = torch.rand(batch, 1, 1, generator=generator, device=generator.device) < 0.5
        cells = torch.where(transposed, cells.transpose(1, 2), cells)

    tokens = torch.zeros(batch, size + 2, dtype=torch.int64, device=generator.device)
    tokens[:, 1] = 1  # padding (0) and blanks (1) keep their tokens
    tokens[:, 2:] = permutations(size) + 2
    return Symmetry(cells.reshape(batch, size * size), tokens)


def apply(symmetry: Symmetry, tokens: torch.Tensor) -> torch.Tensor:
    """Boards of `tokens` (B, n*n), any integer type, each under its own symmetry."""
    cells, table = symmetry.cells.to(tokens.device), symmetry.tokens.to(tokens.device)
    return table.gather(1, tokens.long().gather(1, cells)).to(tokens.dtype)


def undo(symmetry: Symmetry, tokens: torch.Tensor) -> torch.Tensor:
    """Boards as they stood before `apply`."""
    cells, table = symmetry.cells.to(tokens.device), symmetry.tokens.to(tokens.device)
    old = table.argsort(1).gather(1, tokens.long())
    return old.scatter(1, cells, old).to(tokens.dtype)


def augment(
    inputs: torch.Tensor, labels: torch.Tensor, size: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give each pair of `inputs` and `labels`, tokens (B, n*n), one random symmetry of its own."""
    symmetry = random_symmetry(len(inputs), size, generator)
    return apply(symmetry, inputs), apply(symmetry, labels)
