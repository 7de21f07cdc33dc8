"""Recursive reasoning with tiny networks: the networks, trainers and puzzles of the course."""
