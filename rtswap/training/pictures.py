"""What a person looks at while a network learns: curves, and sheets of tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.app.marking import payload
from rtswap.core.files import write_atomic
from rtswap.core.types import Image
from rtswap.disclosure.stamp import Stamp
from rtswap.disclosure.watermark import Watermark
from rtswap.drawing.chart import Chart, Curve, draw_charts
from rtswap.drawing.sheet import Section, Tile, draw_sheet
from rtswap.drawing.strokes import BLUE
from rtswap.vision.resample import resized

SHOWN_PX = 128
"""Least width of a picture on a sheet."""
_DECADE = 10
"""Values that span less are shown on a linear axis, whose numbers are plain."""


def read_picture(path: Path) -> Image:
    """(H, W, 3) BGR. Raises FileNotFoundError for what is missing or no picture."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f"{path} is missing or is not a picture; expected the faces named in faces.npz")
    return np.asarray(image, np.uint8)


def as_jpeg(picture: Image, quality: int) -> Image:
    """What JPEG of this quality, 0 to 100, leaves of a picture (H, W, 3) or (H, W)."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def write_sheet(path: Path, columns: Mapping[str, Sequence[Image]], *, beside: int = 1) -> None:
    """A sheet of ``columns`` of pictures of one size by name, ``beside`` rows next to each other; small pictures
    are enlarged to ``SHOWN_PX``. It shows swaps, so it carries the invisible mark."""
    side = max(SHOWN_PX, next(iter(columns.values()))[0].shape[0])
    tiles = [
        Tile(resized(picture, (side, side), cv2.INTER_CUBIC), name)
        for row in zip(*columns.values(), strict=True)
        for name, picture in zip(columns, row, strict=True)
    ]
    sheet = draw_sheet("", [], [Section("", tiles)], columns=beside * len(columns))
    write_png(path, Stamp(None, Watermark(payload())).apply(sheet).image)


def curves(history: list[dict[str, float]], path: Path) -> None:
    """A PNG with one plot per recorded name over the minutes."""
    names = sorted({name for row in history for name in row} - {"minutes", "step"})
    charts = [chart_of(name, [(row["minutes"], row[name]) for row in history if name in row]) for name in names]
    rows = [charts[first : first + 3] for first in range(0, len(charts), 3)]
    if rows:
        write_png(path, draw_charts("Training", "over minutes", rows, (420, 190)))


def chart_of(name: str, points: list[tuple[float, float]]) -> Chart:
    """The plot of one name. ``points``: (minutes, value)."""
    minutes, values = np.asarray(points, np.float32).T
    wide = bool((values > 0).all() and values.max() > _DECADE * values.min())
    return Chart(name.replace("_", " "), [Curve("", values, BLUE)], minutes, logarithmic=wide)


def write_png(path: Path, picture: Image) -> None:
    """Write a picture, complete or not at all."""
    write_atomic(path, cv2.imencode(".png", picture)[1].tobytes())
