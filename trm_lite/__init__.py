"""Recursive reasoning with tiny networks: models, trainers and puzzles of the course."""
