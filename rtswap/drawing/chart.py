"""Draw line charts with matplotlib, imported on first use."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.isolation import elsewhere
from rtswap.core.text import printable
from rtswap.core.types import Image
from rtswap.drawing.strokes import GREY, INK, PALE, RED, Color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float32]
FONT_SIZE, CHUNK = 9.5, 20_000
"""Font size in points; points per Agg path, since long clips exceed Agg's limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve of a chart."""

    name: str
    values: Values | Sequence[float | None]
    """(N,) NaN or None: a gap."""
    color: Color
    width: float = 1.6


@dataclass(frozen=True, slots=True)
class Span:
    """A shaded range of the x axis, named in the legend at the top."""

    start: float
    end: float
    color: Color
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Several curves over one x axis. The y axis shows at least ``low`` to ``high``."""

    title: str
    curves: Sequence[Curve]
    x: Values | Sequence[str]
    """(N,) numbers, or names at equal distances."""
    x_label: str = ""
    unit: str = ""
    """Unit after each number of the y axis."""
    low: float = math.nan
    high: float = math.nan
    level: tuple[float, str] | None = None
    """A value to mark with a horizontal line, and its label."""
    spans: Sequence[Span] = ()
    logarithmic: bool = False
    """The y axis, fitted to the values: all must be above 0."""


def draw_charts(title: str, note: str, rows: Sequence[Sequence[Chart]], size: tuple[int, int]) -> Image:
    """Return a picture of ``rows`` of charts, each about ``size`` (width, height) px, as (H, W, 3) BGR uint8. No row
    is longer than those above. Of charts in a column that share ``x``, only the lowest has axis labels."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it logs that it builds its font cache
    with elsewhere():
        import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    charts = [chart for row in rows for chart in row]
    shared = len(charts) > 1 and len({tuple(curve.name for curve in chart.curves) for chart in charts}) == 1
    with matplotlib.rc_context({"font.size": FONT_SIZE, "agg.path.chunksize": CHUNK}):
        wide, high = size[0] * len(rows[0]), size[1] * len(rows) + 74
        layout = ConstrainedLayoutEngine(rect=(0.005, 0.005, 0.99, 0.99 - 62 / high), hspace=0.04)
        figure = Figure(figsize=(wide / 100, high / 100), dpi=100, layout=layout, facecolor="white")
        figure.text(16 / wide, 1 - 14 / high, printable(title), size=15, weight="bold", va="top", color=_rgb(INK))
        figure.text(16 / wide, 1 - 42 / high, printable(note), va="top", color=_rgb(GREY))
        canvas: Any = FigureCanvasAgg(figure)
        grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
        for number, row in enumerate(rows):
            below = rows[number + 1] if number + 1 < len(rows) else []
            for axes, chart, next_one in zip_longest(grid[number], row, below):
                if chart is None:
                    axes.set_axis_off()
                else:
                    _draw(axes, chart, legend=not shared, labelled=next_one is None or next_one.x is not chart.x)
        named = {span.name: span.color for chart in charts for span in chart.spans}
        handles: list[Any] = [Patch(color=_rgb(color), label=name) for name, color in named.items()]
        handles += grid[0][0].get_legend_handles_labels()[0] if shared else []
        if handles:
            figure.legend(handles=handles, loc="upper right", ncols=len(handles), frameon=False)
        canvas.draw()
        return np.asarray(cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR), np.uint8)


def _draw(axes: Axes, chart: Chart, *, legend: bool, labelled: bool) -> None:
    by_name = not isinstance(chart.x, np.ndarray)
    x: Any = np.arange(len(chart.x)) if by_name else chart.x
    for span in chart.spans:
        axes.axvspan(span.start, span.end, color=_rgb(span.color), lw=0)
    for curve in chart.curves:
        values = np.array(curve.values, np.float32)
        axes.plot(x, values, color=_rgb(curve.color), lw=curve.width, label=curve.name, marker="o" if by_name else "")
        known = np.concatenate([[False], np.isfinite(values), [False]])
        lone = known[1:-1] & ~known[:-2] & ~known[2:]
        if not by_name and lone.any():  # a line needs two points
            axes.plot(x[lone], values[lone], ".", color=_rgb(curve.color), ms=3)
    _limit(axes, chart, x, by_name)
    if chart.level is not None and chart.level[0] <= axes.get_ylim()[1]:
        axes.axhline(chart.level[0], color=_rgb(RED), lw=1, ls="--")
        axes.annotate(chart.level[1], (1, chart.level[0]), (-3, 4), xycoords=("axes fraction", "data"), ha="right",
                      textcoords="offset points", size=8.5, color=_rgb(RED),
                      zorder=1.5, bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
    axes.set_title(chart.title, loc="left", size=11, weight="bold", color=_rgb(INK))
    if legend and any(curve.name for curve in chart.curves):
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(chart.curves), frameon=False,
                    borderaxespad=0, columnspacing=1.4, handlelength=1.6)  # fmt: skip
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}{chart.unit}")
    axes.grid(color=_rgb(PALE), lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_rgb(GREY))
    axes.tick_params(colors=_rgb(GREY), labelbottom=labelled)
    axes.set_xlabel(chart.x_label if labelled else "", color=_rgb(GREY))


def _limit(axes: Axes, chart: Chart, x: Any, by_name: bool) -> None:
    """Set the axis limits to the values, ``low``, ``high`` and a small margin. Up to 1 % of the values may be cut off
    at the top, so that a peak does not flatten the rest."""
    values = np.concatenate([np.array(curve.values, np.float64) for curve in chart.curves])
    values = values[np.isfinite(values)]
    shown = [value for value in (chart.low, chart.high) if not math.isnan(value)]
    if len(values):
        cut = max([3 * float(np.percentile(values, 99)), 1.3 * chart.level[0] if chart.level else 0.0, *shown])
        shown += [float(values.min()), min(float(values.max()), cut)]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    room = 0.04 * max(high - low, 1e-3)
    if chart.logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(low if low == chart.low else low - room, high + room)
    if by_name:
        axes.set_xticks(x, chart.x)
        axes.set_xlim(-0.5, len(x) - 0.5)
    elif len(x):
        axes.set_xlim(float(x[0]), max(float(x[-1]), float(x[0]) + 1e-3))


def _rgb(color: Color) -> tuple[float, float, float]:
    return color[2] / 255, color[1] / 255, color[0] / 255
