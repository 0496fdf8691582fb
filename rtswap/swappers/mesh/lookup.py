"""From the grid of texture coordinates to those of each pixel: interpolated, but for edges that hide a part of the
face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.vision.raster import Map
from rtswap.vision.resample import resized

TORN = 4.0
"""Difference between neighbouring nodes, in their mean distance on the chart, from which the nose hides a part of the
face between them. Seen from the front, the largest is 2.6, at 30 degrees 7 to 9, at 60 degrees 58. Interpolated, it
would be a line of all that is hidden."""


def torn_cells(nodes: Map) -> NDArray[np.bool_] | None:
    """Cells (h - 1, w - 1) between the ``nodes`` (h, w, 2) that such an edge passes; None if none does."""
    most = TORN / max(nodes.shape)
    edges = cv2.absdiff(nodes[:, 1:], nodes[:, :-1]), cv2.absdiff(nodes[1:], nodes[:-1])
    if max(float(cv2.norm(edge, cv2.NORM_INF)) for edge in edges) <= most:
        return None
    across, down = ((edge[..., 0] > most) | (edge[..., 1] > most) for edge in edges)
    return np.asarray(across[:-1] | across[1:] | down[:, :-1] | down[:, 1:])


def dense(nodes: Map, size: tuple[int, int], torn: NDArray[np.bool_] | None) -> Map:
    """Values of each pixel of a picture of ``size`` (width, height), (H, W, 2): between the ``nodes`` (h, w, 2), in
    ``torn`` cells those of the nearest."""
    values = resized(nodes, size)
    if torn is None:
        return values
    (rows, near_rows), (columns, near_columns) = (
        _along(*sides) for sides in zip(size[::-1], nodes.shape, strict=False)
    )
    y, x = (np.flatnonzero(np.any(torn, axis=axis)[cell]) for axis, cell in ((1, rows), (0, columns)))
    inside, part = torn[np.ix_(rows[y], columns[x])], values[np.ix_(y, x)]
    part[inside] = nodes[np.ix_(near_rows[y], near_columns[x])][inside]
    values[np.ix_(y, x)] = part
    return values


def _along(pixels: int, nodes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each of ``pixels`` the cell of the grid that it lies in, and the nearest of ``nodes``."""
    place = (np.arange(pixels) + 0.5) * (nodes / pixels) - 0.5
    return np.floor(place).astype(int).clip(0, nodes - 2), np.floor(place + 0.5).astype(int).clip(0, nodes - 1)
