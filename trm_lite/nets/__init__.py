"""The networks: layers shared by all, and one file per system that the course compares."""
