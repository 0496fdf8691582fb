"""What a person looks at while a network learns: curves, and sheets of tiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.files import replacing, write_atomic
from rtswap.core.types import Image

SHOWN_PX = 128
"""Least width of a picture on a sheet."""


def read_picture(path: Path) -> Image:
    """(H, W, 3) BGR. Raises FileNotFoundError for what is missing or no picture."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f"{path} is missing or is not a picture; expected the faces named in faces.npz")
    return np.asarray(image, np.uint8)


def sheet(tiles: Iterable[Image], columns: int, *, gap: int = 0, zoom: float = 1.0) -> Image:
    """Tiles of one size side by side, ``columns`` of them, a white ``gap`` in pixels after each."""
    row = [cv2.copyMakeBorder(tile, 0, 0, 0, gap, cv2.BORDER_CONSTANT, value=(255, 255, 255)) for tile in tiles]
    row += [np.zeros_like(row[0])] * (-len(row) % columns)
    whole = np.vstack([np.hstack(row[i : i + columns]) for i in range(0, len(row), columns)])
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(whole, None, fx=zoom, fy=zoom, interpolation=how), np.uint8)


def write_sheet(path: Path, columns: Sequence[Sequence[Image]], *, beside: int = 1) -> None:
    """A sheet of ``columns`` of pictures of one size, ``beside`` rows next to each other; small pictures are enlarged
    to ``SHOWN_PX``."""
    tiles = [tile for row in zip(*columns, strict=True) for tile in row]
    picture = sheet(tiles, beside * len(columns), zoom=max(1.0, SHOWN_PX / tiles[0].shape[1]))
    write_atomic(path, cv2.imencode(".png", picture)[1].tobytes())


def curves(history: list[dict[str, float]], path: Path) -> None:
    """A PNG with one plot per recorded name over the minutes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted({name for row in history for name in row} - {"minutes", "step"})
    rows = max(1, (len(names) + 2) // 3)
    figure, axes = pyplot.subplots(rows, 3, figsize=(13, 2.6 * rows))
    for axis, name in zip(np.ravel(axes), names, strict=False):
        points = [(row["minutes"], row[name]) for row in history if name in row]
        axis.plot(*zip(*points, strict=True))
        axis.set_title(name)
        if all(value > 0 for _, value in points):
            axis.set_yscale("log")
        axis.grid(True, alpha=0.3)
    figure.tight_layout()
    with replacing(path) as file:
        figure.savefig(file, dpi=70, format="png")
    pyplot.close(figure)
