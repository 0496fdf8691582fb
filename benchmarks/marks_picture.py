"""docs/marks.png: the mark's score over one thing at a time, and below each point the share of windows found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtswap.commands.reports.drawing import BLUE, BOLD, GREEN, GREY, INK, PALE, PAPER, RED, dots, lines, text
from rtswap.core.types import Image

PANELS = (
    ("h264_kbit", "H.264, 1280x720, 30 frames a second", "kbit/s"),
    ("vp8_640x360_kbit", "VP8 call, 640x360", "kbit/s"),
    ("h264_crf", "H.264, constant quality", "CRF"),
    ("scale", "scaled to", "x"),
    ("crop", "cropped: width and height kept", "share"),
    ("window_frames_crf28", "window, after H.264 CRF 28", "frames"),
)
WIDE, HIGH, TOP = 500, 300, 66
MOST = 25.0
"""The score's axis."""


def draw(figures: dict[str, Any], threshold: float) -> Image:
    picture = np.full((TOP + 2 * HIGH, 3 * WIDE, 3), PAPER, np.uint8)
    text(picture, "The invisible mark after what happens to videos", (40, 34), size=22, weight=BOLD)
    x = 40
    for words, color in (("score, median", BLUE), ("its lowest twentieth", GREEN), ("found from here", RED)):
        lines(picture, [np.array([[x, 53], [x + 24, 53]])], color, 2)
        x += 32 + text(picture, words, (x + 32, 58), size=14, color=GREY) + 22
    text(picture, "below: share of 2-second windows in which it was found", (x, 58), size=14, color=INK)
    for index, (kind, title, unit) in enumerate(PANELS):
        down, across = divmod(index, 3)
        part = picture[TOP + down * HIGH : TOP + (down + 1) * HIGH, across * WIDE : (across + 1) * WIDE]
        panel(part, figures["curves"][kind], title, unit, threshold)
    return picture


def panel(image: Image, points: Sequence[dict[str, Any]], title: str, unit: str, threshold: float) -> None:
    """One chart; the points stand at equal distances, whatever their values."""
    left, right, top, bottom = 52, WIDE - 24, 40, HIGH - 64
    x = np.linspace(left + 24, right - 24, len(points))

    def height(score: float) -> float:
        return bottom - (bottom - top) * min(max(score, 0.0), MOST) / MOST

    text(image, title, (left, 26), size=16, weight=BOLD)
    for score in range(0, 26, 5):
        lines(image, [np.array([[left, height(score)], [right, height(score)]])], PALE)
        text(image, str(score), (left - 8, height(score) + 5), size=13, color=GREY, align=1)
    lines(image, [np.array([[left, height(threshold)], [right, height(threshold)]])], RED)
    for key, color in (("score_median", BLUE), ("score_p5", GREEN)):
        path = np.array([[at, height(point[key])] for at, point in zip(x, points, strict=True)])
        lines(image, [path], color, 2)
        dots(image, path, np.tile(np.array(color, np.uint8), (len(path), 1)), 3.5)
    for at, point in zip(x, points, strict=True):
        text(image, f"{point['at']:g}", (at, bottom + 20), size=13, color=GREY, align=0.5)
        share = f"{100 * point['found']:.0f} %"
        text(image, share, (at, bottom + 42), size=13, color=INK if point["found"] >= 0.99 else RED, align=0.5)
    text(image, unit, (left - 8, bottom + 20), size=13, color=GREY, align=1)
