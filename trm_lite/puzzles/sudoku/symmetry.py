"""Random symmetries of Sudoku, which show a network each puzzle in many guises.

A symmetry renames the digits, reorders the bands and the rows within each band, and does the same
to stacks and columns. Where boxes are square, it may also transpose the board. A puzzle with one
solution remains a puzzle with one solution.
"""

from typing import NamedTuple

import torch

from trm_lite.puzzles.sudoku.board import geometry


class Symmetry(NamedTuple):
    """A symmetry for each of B boards."""

    cells: torch.Tensor  # (B, n*n) int64, which old cell each new cell is copied from
    tokens: torch.Tensor  # (B, n + 2) int64, the new token of each old token


def random_symmetry(batch: int, size: int, generator: torch.Generator) -> Symmetry:
    """Draw symmetries, each uniformly from all symmetries of boards of one size.

    Args:
        batch: how many symmetries.
        size: size of the boards, 4, 6 or 9.
        generator: source of the random draws; the result is on its device.
    """
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
    """Apply to each board of `tokens` (B, n*n), of any integer type, its own symmetry."""
    cells, table = symmetry.cells.to(tokens.device), symmetry.tokens.to(tokens.device)
    return table.gather(1, tokens.long().gather(1, cells)).to(tokens.dtype)


def undo(symmetry: Symmetry, tokens: torch.Tensor) -> torch.Tensor:
    """The boards of tokens (B, n*n) from which `apply` made `tokens`."""
    cells, table = symmetry.cells.to(tokens.device), symmetry.tokens.to(tokens.device)
    old = table.argsort(1).gather(1, tokens.long())
    return old.scatter(1, cells, old).to(tokens.dtype)


def augment(
    inputs: torch.Tensor, labels: torch.Tensor, size: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply a random symmetry to each puzzle, and the same one to its solution.

    Args:
        inputs: (B, n*n) tokens of the puzzles.
        labels: (B, n*n) tokens of their solutions.
        size: size of the boards, 4, 6 or 9.
        generator: source of the random draws.
    """
    symmetry = random_symmetry(len(inputs), size, generator)
    return apply(symmetry, inputs), apply(symmetry, labels)
