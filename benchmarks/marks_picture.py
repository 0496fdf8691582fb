"""Draw docs/marks.png: the watermark's score over one parameter at a time, with the share of windows found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rtswap.core.types import Image
from rtswap.drawing.chart import Chart, Curve, draw_charts
from rtswap.drawing.strokes import BLUE, GREEN

PANELS = (
    ("h264_kbit", "H.264, 1280x720, 30 frames a second", "kbit/s"),
    ("vp8_640x360_kbit", "VP8 call, 640x360", "kbit/s"),
    ("h264_crf", "H.264, constant quality", "CRF"),
    ("scale", "scaled to", "x"),
    ("crop", "cropped: width and height kept", "share"),
    ("window_frames_crf28", "window, after H.264 CRF 28", "frames"),
)
SIZE = (500, 300)
MOST = 25.0
"""The score's axis."""


def draw(figures: dict[str, Any], threshold: float) -> Image:
    """Draw the chart. ``figures``: results of benchmarks/marks.py; ``threshold``: lowest score of a found mark."""
    charts = [panel(figures["curves"][kind], title, unit, threshold) for kind, title, unit in PANELS]
    note = "score over what was done; below: share of 2-second windows in which the mark was found"
    title = "The invisible mark after what happens to videos"
    return draw_charts(title, note, [charts[:3], charts[3:]], SIZE)


def panel(points: Sequence[dict[str, Any]], title: str, unit: str, threshold: float) -> Chart:
    """Draw one curve with equally spaced points, whatever their values."""
    below = [f"{point['at']:g}\n{100 * point['found']:.0f} %" for point in points]
    curves = [
        Curve(name, [min(max(point[key], 0.0), MOST) for point in points], color)
        for key, name, color in (("score_median", "median", BLUE), ("score_p5", "lowest 5 %", GREEN))
    ]
    return Chart(title, curves, below, unit, low=0, high=MOST, level=(threshold, "found from here"))
