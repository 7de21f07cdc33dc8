"""Compare with the authors' code: read their checkpoints, and reproduce their numbers."""
