"""What one more stream costs, drawn over the number of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from rtswap.commands.reports.chart import ticks
from rtswap.commands.reports.drawing import (
    AMBER,
    BLUE,
    BOLD,
    GREEN,
    GREY,
    PALE,
    PAPER,
    RED,
    VIOLET,
    Color,
    dots,
    lines,
    text,
)
from rtswap.core.types import Image

WIDTH, HEIGHT, HEAD = 900, 250, 64
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 40, 40


@dataclass(frozen=True, slots=True)
class Curve:
    """A value for each number of streams; None where it was not measured."""

    name: str
    values: Sequence[float | None]
    color: Color


def draw_streams(found: Mapping[int, Mapping[str, Any]], subtitle: str) -> bytes:
    """A PNG. ``found``: number of streams -> the figures of all of them together."""
    counts, figures = list(found), list(found.values())

    def of(name: str, *inside: str) -> list[float | None]:
        values = []
        for one in figures:
            value: Any = one[name]
            for key in inside:
                value = value.get(key)
            values.append(value)
        return values

    networks = [sum(net["ms_per_frame"] or 0.0 for net in one["networks"].values()) or None for one in figures]
    charts = [
        (
            "Cost of one frame of one stream, ms",
            [
                Curve("processor", of("cpu_ms_per_frame"), BLUE),
                Curve("GPU", of("gpu_ms_per_frame"), GREEN),
                Curve("in networks", networks, VIOLET),
            ],
            None,
        ),
        (
            "Age of a frame when it leaves, ms",
            [Curve(p, of("frame_age_ms", p), color) for p, color in (("p50", GREEN), ("p95", AMBER), ("p99", RED))],
            (1000 / 30, "one frame at 30 fps"),
        ),
        (
            "Frames per second of each stream",
            [Curve("mean", of("fps_of_each", "mean"), BLUE), Curve("least", of("fps_of_each", "least"), RED)],
            (30.0, "30"),
        ),
    ]
    picture = np.full((HEAD + HEIGHT * len(charts), WIDTH, 3), PAPER, np.uint8)
    text(picture, "Streams that share the networks", (_LEFT, 30), size=20, weight=BOLD)
    text(picture, subtitle, (_LEFT, 52), size=13, color=GREY)
    for number, (title, curves, level) in enumerate(charts):
        part = picture[HEAD + number * HEIGHT : HEAD + (number + 1) * HEIGHT]
        _draw_chart(part, title, counts, curves, level)
    return cv2.imencode(".png", picture)[1].tobytes()


def _draw_chart(
    image: Image, title: str, counts: Sequence[int], curves: Sequence[Curve], level: tuple[float, str] | None
) -> None:
    """One chart; its columns, one for each number of streams, are equally far apart."""
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    known = [value for curve in curves for value in curve.values if value is not None]
    most = 1.1 * max([*known, level[0] if level else 0.0, 1e-3])

    def x(column: int) -> float:
        return _LEFT + (column + 0.5) * (right - _LEFT) / len(counts)

    def y(value: float) -> float:
        return bottom - value / most * (bottom - _TOP)

    for tick in ticks(0, most, 4):
        lines(image, [np.array([[_LEFT, y(tick)], [right, y(tick)]])], PALE)
        text(image, f"{tick:g}", (_LEFT - 8, y(tick) + 5), size=13, color=GREY, align=1)
    for column, count in enumerate(counts):
        name = f"{count} stream{'s' if count > 1 else ''}"
        text(image, name, (x(column), bottom + 20), size=13, color=GREY, align=0.5)
    lines(image, [np.array([[_LEFT, _TOP], [_LEFT, bottom], [right, bottom]])], GREY)
    if level is not None:
        lines(image, [np.array([[_LEFT, y(level[0])], [right, y(level[0])]])], (120, 116, 230))
        text(image, level[1], (right, y(level[0]) - 4), size=12, color=(120, 116, 230), align=1)
    at = _LEFT + text(image, title, (_LEFT, 22), size=16, weight=BOLD) + 26
    for curve in curves:
        points = np.array([(x(n), y(value)) for n, value in enumerate(curve.values) if value is not None])
        if not len(points):
            continue
        lines(image, [points], curve.color, 2)
        dots(image, points, np.tile(np.array(curve.color, np.uint8), (len(points), 1)), 4)
        lines(image, [np.array([[at, 17], [at + 20, 17]])], curve.color, 2)
        at += 26 + text(image, curve.name, (at + 26, 22), size=14) + 20
