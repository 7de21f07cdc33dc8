"""The puzzles that networks learn to solve: `sudoku`, `maze` and `arc`.

The first two speak the same language. A puzzle is a flat numpy uint8 array with one entry per
cell, a batch of B puzzles is (B, cells), and `to_tokens` turns cells into the small integers
that a network reads, where 0 is always padding. ARC's grids are of many sizes, so they stay
two-dimensional until `arc.to_tokens` puts them on a canvas.
"""
