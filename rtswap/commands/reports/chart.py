"""Line charts drawn with OpenCV: axes with units, a light grid, anti-aliased lines, gaps where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.reports.drawing import BOLD, GREY, INK, PALE, PAPER, Color, dots, lines, text
from rtswap.core.types import Image

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a chart."""

    name: str
    values: Values
    """(N,) NaN: a gap."""
    color: Color
    width: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Several curves over one axis. ``low`` and ``high``: what the axis shows at least."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    low: float = math.nan
    high: float = math.nan
    level: tuple[float, str] | None = None
    """A value worth a line of its own, and what it is called."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time shaded in all charts."""

    start_s: float
    end_s: float
    color: Color


def draw_chart(
    image: Image, chart: Chart, times: Values, spans: Sequence[Span], *, seconds: tuple[float, float], labelled: bool
) -> None:
    """Fill ``image`` with one chart. ``times`` (N,) seconds; ``labelled``: with the time axis in words."""
    height, width = image.shape[:2]
    left, right, top, bottom = 62, width - 16, 34, height - (40 if labelled else 12)
    frame = _Frame((left, right), (bottom, top), seconds, _limits(chart))
    image[:] = PAPER
    for span in spans:
        x1, x2 = (int(min(max(frame.x(at), left), right)) for at in (span.start_s, span.end_s))
        image[top:bottom, x1 : max(x2, x1 + 2)] = span.color
    _grid(image, frame, labelled, chart.unit)
    if chart.level is not None and frame.high[0] <= chart.level[0] <= frame.high[1]:
        y = frame.y(chart.level[0])
        lines(image, [np.array([[left, y], [right, y]])], (120, 116, 230))
        text(image, chart.level[1], (right - 4, float(y) - 4), size=12, color=(120, 116, 230), align=1)
    for curve in chart.curves:
        _draw_curve(image, frame, curve, times)
    x = left + text(image, chart.title, (left, 22), size=16, weight=BOLD) + 26
    for curve in chart.curves:
        lines(image, [np.array([[x, 17], [x + 20, 17]])], curve.color, max(2, curve.width))
        x += 26 + text(image, curve.name, (x + 26, 22), size=14, color=INK) + 20


@dataclass(frozen=True, slots=True)
class _Frame:
    """From values to pixels."""

    across: tuple[int, int]
    down: tuple[int, int]
    wide: tuple[float, float]
    high: tuple[float, float]

    def x(self, time_s: NDArray[np.floating] | float) -> NDArray[np.floating] | float:
        share = (time_s - self.wide[0]) / max(self.wide[1] - self.wide[0], 1e-9)
        return self.across[0] + share * (self.across[1] - self.across[0])

    def y(self, value: NDArray[np.floating] | float) -> NDArray[np.floating] | float:
        share = (value - self.high[0]) / (self.high[1] - self.high[0])
        return self.down[0] + share * (self.down[1] - self.down[0])


def _draw_curve(image: Image, frame: _Frame, curve: Curve, times: Values) -> None:
    """Pieces between gaps; a lone value is a dot. Twice as many points as pixels are thinned to their extremes."""
    x, y = np.asarray(frame.x(times)), np.asarray(frame.y(curve.values))
    y = np.clip(y, frame.down[1] - 3, frame.down[0] + 3)
    known = np.flatnonzero(np.isfinite(y) & np.isfinite(x))
    if not len(known):
        return
    points = np.stack([x, y], 1)
    pieces = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    lines(image, [_thinned(points[piece]) for piece in pieces if len(piece) > 1], curve.color, curve.width)
    lone = np.array([piece[0] for piece in pieces if len(piece) == 1], int)
    dots(image, points[lone], np.tile(np.array(curve.color, np.uint8), (len(lone), 1)), 1.5)


def _thinned(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of many points in one pixel column the lowest and the highest."""
    columns = points[:, 0].astype(int)
    if len(points) <= 4 * (columns[-1] - columns[0] + 1):
        return points
    starts = np.flatnonzero(np.diff(columns, prepend=columns[0] - 1))
    low, high = np.minimum.reduceat(points[:, 1], starts), np.maximum.reduceat(points[:, 1], starts)
    return np.stack([np.repeat(points[starts, 0], 2), np.stack([low, high], 1).ravel()], 1)


def _grid(image: Image, frame: _Frame, labelled: bool, unit: str) -> None:
    (left, right), (bottom, top) = frame.across, frame.down
    for value in ticks(*frame.high, 4):
        y = float(frame.y(value))
        lines(image, [np.array([[left, y], [right, y]])], PALE)
        text(image, f"{value:g}{unit}", (left - 8, y + 5), size=13, color=GREY, align=1)
    for value in ticks(*frame.wide, max(2, (right - left) // 110)):
        x = float(frame.x(value))
        lines(image, [np.array([[x, top], [x, bottom]])], PALE)
        if labelled:
            text(image, f"{value:g} s", (x, bottom + 20), size=13, color=GREY, align=0.5)
    lines(image, [np.array([[left, top], [left, bottom], [right, bottom]])], GREY)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    rough = max((high - low) / max(about, 1), 1e-9)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [round(n * step, 10) for n in range(first, last + 1)]


def _limits(chart: Chart) -> tuple[float, float]:
    """What is known, with a little room above, and what the chart must show at least. One wild value in a hundred
    may leave the picture."""
    parts = [curve.values[np.isfinite(curve.values)] for curve in chart.curves]
    known = np.concatenate([*parts, np.array([v for v in (chart.low, chart.high) if v == v], np.float32)])
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    low = chart.low if chart.low == chart.low and low >= chart.low else low
    room = 0.06 * max(high - low, 1e-3)
    return low - (0 if low == chart.low else room), high + room
