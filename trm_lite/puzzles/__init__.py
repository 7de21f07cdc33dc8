"""The puzzles that networks learn to solve: `sudoku` and `maze`.

Both modules speak the same language. A puzzle is a flat numpy uint8 array with one entry per
cell, a batch of B puzzles is (B, cells), and `to_tokens` turns cells into the small integers
that a network reads, where 0 is always padding.
"""
