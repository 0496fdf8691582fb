"""Plot cost, frame age and frame rate over the number of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2

from rtswap.core.text import plural
from rtswap.drawing.chart import Chart, Curve, draw_charts
from rtswap.drawing.strokes import AMBER, BLUE, GREEN, RED, VIOLET

SIZE = (900, 250)


def draw_streams(found: Mapping[int, Mapping[str, Any]], subtitle: str) -> bytes:
    """Return a PNG file. ``found``: number of streams -> their combined figures. Values that were not measured get no
    curve."""
    names = [plural(count, "stream") for count in found]

    def of(key: str, *inside: str) -> list[float | None]:
        values: list[Any] = [one[key] for one in found.values()]
        for name in inside:
            values = [value.get(name) for value in values]
        return values

    def chart(title: str, unit: str, curves: Sequence[Curve], level: tuple[float, str] | None = None) -> list[Chart]:
        known = [curve for curve in curves if any(value is not None for value in curve.values)]
        return [Chart(title, known, names, unit=unit, low=0, high=1.2 * level[0] if level else 1, level=level)]

    networks = [sum(net["ms_per_frame"] or 0.0 for net in one["networks"].values()) or None for one in found.values()]
    costs = (
        Curve("CPU", of("cpu_ms_per_frame"), BLUE),
        Curve("GPU", of("gpu_ms_per_frame"), GREEN),
        Curve("in networks", networks, VIOLET),
    )
    ages = [Curve(p, of("frame_age_ms", p), color) for p, color in (("p50", GREEN), ("p95", AMBER), ("p99", RED))]
    rates = Curve("mean", of("fps_of_each", "mean"), BLUE), Curve("least", of("fps_of_each", "least"), RED)
    rows = [
        chart("Cost of one frame of one stream", " ms", costs),
        chart("Age of a frame when it leaves", " ms", ages, (1000 / 30, "one frame at 30 fps")),
        chart("Frames per second of each stream", "", rates, (30.0, "30 fps")),
    ]
    return cv2.imencode(".png", draw_charts("Streams that share the networks", subtitle, rows, SIZE))[1].tobytes()
