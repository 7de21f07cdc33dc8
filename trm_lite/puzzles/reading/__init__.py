"""Finds boards in texts of many formats, as strings of cells; knows no puzzle's rules."""
