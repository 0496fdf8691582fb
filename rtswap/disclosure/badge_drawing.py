"""Draw the badge, once for each frame size. Planes are (h, w) float32.

OpenCV 5 includes TrueType fonts with Latin, Greek, Cyrillic, Chinese, Japanese and Korean letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.interrupts import hold_interrupts
from rtswap.disclosure.badge_words import Wording

Plane = NDArray[np.float32]

BLACK, WHITE = 16.0, 255.0
PLATE = 0.84
"""Opacity of the plate under the words: letters have a contrast of 10:1 over black and over white."""
CAPITAL = 0.75
"""Height of a capital letter relative to the font's size (OpenCV's sans)."""
BOLD, BOLDEST = 600, 700
LINE = 1.22
"""Line pitch relative to the font's size."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """``out = frame * (1 - coverage) + grey``."""

    coverage: Plane
    """0..1"""
    grey: Plane
    """0..255, multiplied by the coverage."""

    def under(self, coverage: Plane, grey: float) -> Drawing:
        """Paint a layer of one grey over the drawing."""
        rest = 1 - coverage
        return Drawing(coverage + self.coverage * rest, coverage * grey + self.grey * rest)


def draw(wording: Wording, look: str, icon_px: int, word_px: int) -> Drawing:
    """Draw the badge. ``icon_px``: height of the large letters, ``word_px``: font size of the words, 0 for none.

    ``dark`` and ``light`` name the plate under the words. The large letters are on an opaque box of the other shade,
    so that one half of the badge stands out from any frame. ``outline`` has a dark box and no plate.
    """
    icon = letters([wording.icon], round(icon_px / CAPITAL), BOLDEST)
    words = letters(wording.lines, word_px, BOLD) if word_px else np.zeros((0, 0), np.float32)
    pad, word_pad = max(1, round(icon_px * 0.36)), max(2, word_px // 2)
    height = max(icon.shape[0] + 2 * pad, words.shape[0] + word_pad if word_px else 0)
    box = icon.shape[1] + 2 * max(pad, (height - icon.shape[0]) // 3)
    width = box + (words.shape[1] + 2 * word_pad if word_px else 0)
    icon = place(icon, height, width, (box - icon.shape[1]) // 2)
    words = place(words, height, width, box + word_pad)
    whole = rounded_rectangle(height, width, icon_px * 0.3)
    in_box = whole.copy()
    in_box[:, box:] = 0
    empty = Drawing(np.zeros_like(whole), np.zeros_like(whole))
    if look == "outline":
        box_shape = place(rounded_rectangle(height, box, icon_px * 0.3), height, width, 0)
        inner = place(rounded_rectangle(height, box, icon_px * 0.3, rim=max(1.0, icon_px / 12)), height, width, 0)
        base = empty.under(halo(words, word_px), 0).under(box_shape, WHITE).under(inner, BLACK)
        return base.under(np.maximum(icon, words), WHITE)
    plate, other = (BLACK, WHITE) if look == "dark" else (WHITE, BLACK)
    return empty.under(whole * PLATE, plate).under(in_box, other).under(icon, plate).under(words, other)


@hold_interrupts()
def letters(lines: Sequence[str], size_px: int, weight: int) -> Plane:
    """Coverage 0..1 of the lines, one below the other, cropped."""
    font, pitch = cv2.FontFace("sans"), round(size_px * LINE)
    page = np.zeros((size_px * 3 + pitch * (len(lines) - 1), size_px * (max(map(len, lines)) + 4)), np.uint8)
    for row, line in enumerate(lines):
        canvas = np.zeros((size_px * 3, page.shape[1], 3), np.uint8)
        cv2.putText(canvas, line, (size_px, size_px * 2), (255, 255, 255), font, size_px, weight)
        left, _, width, _ = cv2.boundingRect(canvas[..., 0])
        part = page[row * pitch : row * pitch + size_px * 3, :width]
        np.maximum(part, canvas[:, left : left + width, 0], out=part)
    x, y, w, h = cv2.boundingRect(page)
    return np.asarray(page[y : y + h, x : x + w], np.float32) / np.float32(255)


def place(plane: Plane, height: int, width: int, left: int) -> Plane:
    """Paste ``plane`` into an empty (height, width) one, at ``left`` and centred vertically."""
    page = np.zeros((height, width), np.float32)
    top = (height - plane.shape[0]) // 2
    page[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
    return page


def halo(words: Plane, size_px: int) -> Plane:
    """The words, dilated and blurred, 0..1."""
    if not size_px:
        return words
    reach = max(1, round(size_px / 9))
    grown = cv2.dilate(words, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), max(0.6, reach / 2)), np.float32)


def rounded_rectangle(height: int, width: int, radius: float, rim: float = 0.0) -> Plane:
    """A rectangle with rounded corners, (height, width) 0..1, ``rim`` pixels smaller on each side."""
    x = np.arange(width, dtype=np.float32)[None] + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    dx = np.abs(x - width / 2) - (width / 2 - radius)
    dy = np.abs(y - height / 2) - (height / 2 - radius)
    beyond = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    outside = beyond + np.minimum(np.maximum(dx, dy), 0) - radius + rim
    return np.asarray(np.clip(0.5 - outside, 0, 1), np.float32)
