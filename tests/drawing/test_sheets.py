"""Contact sheets draw every picture unchanged, with its text inside its own tile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rtswap.commands.reports.marked_sheet import save_sheet, without_swap
from rtswap.core.errors import OutputError
from rtswap.core.types import Image
from rtswap.drawing.sheet import GAP, MARGIN, Section, Tile, draw_sheet, fitting, wrap
from rtswap.drawing.strokes import RED, text_width

WORDS = "a sentence that is much too long for one line below a small picture, and for two as well"


def picture(value: int, wide: int = 120) -> Image:
    return np.full((90, wide, 3), (value, 30, 200), np.uint8)


def places(sheet: Image, value: int) -> list[tuple[int, int]]:
    """Top left corners of the pictures of this value."""
    mask = (sheet == (value, 30, 200)).all(2).astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    whole = [box for box in boxes[1:count] if (box[2], box[3], box[4]) == (120, 90, 120 * 90)]
    return sorted((int(y), int(x)) for x, y, *_ in whole)


def test_every_picture_is_complete_in_rows_of_the_requested_length() -> None:
    tiles = [Tile(picture(n), f"no {n}", WORDS, f"frame {n}", RED) for n in range(7)]
    sheet = draw_sheet("Title " * 40, [WORDS * 3], [Section("All", tiles), Section("None", [])], columns=3)
    found = [places(sheet, n) for n in range(7)]
    assert all(len(where) == 1 for where in found)
    rows = [where[0][0] for where in found]
    assert len(set(rows)) == 3
    assert rows == sorted(rows)
    assert sheet.shape[1] == 2 * MARGIN + 3 * (120 + GAP) - GAP


def test_words_do_not_leave_their_picture_s_place() -> None:
    """Between two pictures there is nothing but paper."""
    tiles = [Tile(picture(n), WORDS, WORDS, "frame 1234567", RED) for n in range(2)]
    sheet = draw_sheet("", [], [Section("", tiles)], columns=2)
    (top, left), (_, right) = places(sheet, 0)[0], places(sheet, 1)[0]
    assert (sheet[top:, left + 120 + 1 : right - 1] == 255).all()
    assert (sheet[top + 90 :, left : left + 120] < 200).any()


@pytest.mark.parametrize("width", [30, 90, 160, 2000])
def test_what_does_not_fit_is_cut_off_with_dots(width: int) -> None:
    assert text_width(fitting(WORDS, width), 14) <= width
    lines = wrap(WORDS, width)
    assert len(lines) <= 2
    assert all(text_width(line, 14) <= width for line in lines)
    assert lines[-1].endswith("...") == (width < 2000)
    assert wrap("", width) == []


def test_empty_sheet_has_a_title() -> None:
    assert draw_sheet("Nothing", [], [Section("", [])], columns=6).std() > 5


@pytest.mark.parametrize("name", ["sheet.txt", "missing/sheet.png", "sheet", "."])
def test_a_sheet_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError):
        save_sheet(tmp_path / name, without_swap(picture(1)))


def test_sheet_does_not_replace_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    save_sheet(path, without_swap(picture(1)))
    with pytest.raises(OutputError, match="exists"):
        save_sheet(path, without_swap(picture(2)))
    save_sheet(path, without_swap(picture(2)), overwrite=True)
    np.testing.assert_array_equal(cv2.imread(str(path)), picture(2))
