"""Settings that many tests share."""

# What shrinks the mini preset until it trains in a second.
TINY = {"train": 48, "validation": 8, "test": 8, "hidden_size": 16, "batch_size": 8}


# The shape of a network for 6x6 Sudoku that is built in no time.
SMALL = {
    "vocab_size": 8,
    "seq_len": 36,
    "hidden_size": 16,
    "multiple_of": 16,
    "prefix_len": 1,
    "puzzle": "sudoku-6x6",
}
