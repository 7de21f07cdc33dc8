"""The sketched curves hold what the traces hold, and can be read by eye and by machine."""

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from trm_lite.puzzles import get_puzzle, sudoku
from trm_lite.viewing import Trace
from trm_lite.viewing.curve_sketch import HEIGHT, sketch

PUZZLES, SOLUTIONS = map(sudoku.to_tokens, sudoku.generate(1, 6, seed=5))
SIX = get_puzzle("sudoku-6x6")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def thought():
    """Two wrong cells, then one, then none; z stands still in the third frame."""
    blanks = np.flatnonzero(PUZZLES[0] == sudoku.BLANK)
    boards = np.stack([SOLUTIONS[0]] * 4)
    boards[0, blanks[:2]] = (boards[0, blanks[:2]] - 1) % 6 + 2
    boards[1, blanks[0]] = boards[0, blanks[0]]
    chances = np.zeros((4, 36, 8))
    chances[..., 3], chances[..., 4] = 0.75, 0.25
    return Trace(
        PUZZLES[0], boards, np.full((4, 36), 0.75), np.array([0.0, 0.1, 0.5, 1.0]), SOLUTIONS[0],
        y_residual=np.array([1.0, 0.1, 0.01, 0.001]), z_residual=np.array([1.0, 0.1, 0.0, 0.001]),
        probabilities=chances, puzzle=SIX,
    )  # fmt: skip


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def lines(picture: ET.Element) -> list[np.ndarray]:
    """The points (N, 2) of every curve."""
    return [np.array([[float(v) for v in point.split(",")] for point in line.get("points").split()])
            for line in picture.iter(f"{SVG}polyline")]  # fmt: skip


def heights(line: np.ndarray) -> np.ndarray:
    """How far above its lowest point each point of a curve is, in plots."""
    return (line[:, 1].max() - line[:, 1]) / HEIGHT


def test_curves_have_the_shape_of_what_they_show(thought):
    picture = parse(sketch({"": thought}))
    wrong, y, z, belief = lines(picture)
    assert np.allclose(heights(wrong) / heights(wrong).max(), np.array([2, 1, 0, 0]) / 2, atol=0.02)
    assert np.allclose(np.diff(heights(y)), np.diff(heights(y))[0], atol=0.01)  # a power each frame
    assert len(z) == 3  # on a log scale, no change is no point
    assert np.allclose(heights(belief) / heights(belief).max(), thought.halt, atol=0.02)
    first, apart = float(picture.get("data-first")), float(picture.get("data-apart"))
    assert np.allclose(wrong[:, 0], first + apart * np.arange(4), atol=0.1)
    assert picture.find(f".//{SVG}rect").get("class") == "trm-marker"
    assert "cells wrong" in picture.get("aria-label")


def test_two_runs_and_a_cell_are_told_apart_without_colour(thought):
    other = dataclasses.replace(thought, boards=thought.boards[::-1])
    picture = parse(sketch({"TRM": thought, "<HRM>": other}, cell=3))
    dashed = [line.get("stroke-dasharray") is not None for line in picture.iter(f"{SVG}polyline")]
    assert dashed[:2] == [False, True] and sum(dashed) == 4
    words = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"TRM", "<HRM>", "row 1, column 4"} <= set(words)
    assert words.count("2") >= 1 and words.count("3") >= 1  # written at their curves' peaks


def test_what_there_is_not_is_not_drawn(thought):
    headless = dataclasses.replace(thought, halt=thought.halt * np.nan, z_residual=None)
    picture = parse(sketch({"": headless}))
    assert "no halting head" in [text.text for text in picture.iter(f"{SVG}text")]
    assert len(lines(parse(sketch({"": thought}, latents=False)))) == 2
