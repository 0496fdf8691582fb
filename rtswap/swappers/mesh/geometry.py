"""Place a face for the swapper ``mesh``: everything that depends on landmarks only, before any pixel is read.

Host (``swapper``) and GPU (``gpu``) share this code, so that they agree.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import BatchedTarget, Matrix, Points, Target
from rtswap.swappers.mesh.expression_transfer import ExpressionTransfer
from rtswap.swappers.mesh.lips import at_edges
from rtswap.swappers.mesh.placement import FEATHER, LIGHT_STEP, Extent, FacePlacement, grid, scaled
from rtswap.swappers.mesh.shape import SourceShape
from rtswap.swappers.mesh.uv_chart import SIZE, SKIRT, chart, skirted
from rtswap.swappers.mesh.wrinkles import shares
from rtswap.vision.geometry import box_of, clip_box, upright_view
from rtswap.vision.raster import Map, rasterize
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, PROFILE, RIGHT_BROW, RIGHT_EYE

MARGIN = 0.12
"""Margin around the face's box, in face sizes: room for the feather and for shapes wider than the target's."""
BLACK_LEVEL_S, BLACK_LEVEL_EVERY_S = 1.0, 0.1
"""Time constant of the target's black level, and the interval between measurements."""
MIDDLE = np.array([*LEFT_BROW, *RIGHT_BROW, *LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER])
"""What the black level is measured between: as on the photo, without the hair beside the face."""
OWN_EYES = 0.25
"""Share of the target's expression below which the eyes are the photo's: they hold still."""
RIM_SHARE = 0.3
"""Share of the rim of lip by which the mouth is smaller than its ring (``lips``). The interior is enlarged to fill
the rest: between the source's thicker lips a mouth looks less open."""
MAP_NODES = 104
"""Nodes of the lookup map along the crop's longer side; values between nodes are interpolated."""


NOSE, IN_PROFILE = 4, 0.4
"""Tip of the nose, and its distance from the oval's middle in widths of the oval from which nothing of the face is
beyond it, at 50 degrees."""
HIDDEN, EXTENDED = 0.3, 6
"""Difference between neighbouring texture coordinates at the edge of a profile, and nodes by which the face is
continued there: beyond, the mask has ended."""


class FaceGeometry:
    """Places one source on any number of targets. Stores the neutral expression of each track.

    ``expression``: share of the target's expression to follow. ``hull``: as in ``FacePlacement``.
    """

    def __init__(self, shape: SourceShape, *, expression: float = 1.0, hull: bool = True) -> None:
        self._transfer, self._hull = ExpressionTransfer(shape, expression), hull

    def place(self, face: Target | BatchedTarget, size: tuple[int, int]) -> FacePlacement | None:
        """Place one face in its crop of ``size`` = (width, height); None if no part of it lies in the crop."""
        destination, motion = self._transfer.destination(face)
        extent = self._extent(destination, size)
        x1, y1, x2, y2 = extent
        if x1 >= x2 or y1 >= y2:
            return None
        origin = np.array([x1, y1, 0], np.float32)
        inner, landmarks = at_edges(destination, RIM_SHARE) - origin, at_edges(face.landmarks) - origin
        expression = self._transfer.expression
        folds = shares(motion, expression, inner, landmarks)
        nodes, wrinkles = _map_nodes(inner, folds, (x2 - x1, y2 - y1))
        width = float(np.ptp(landmarks[:, 0]))
        own_eyes = expression < OWN_EYES
        return FacePlacement(extent, inner, landmarks, nodes, wrinkles, self._hull, width, motion.narrowed, own_eyes)

    def take_over(self, former: FaceGeometry) -> None:
        """Use what ``former`` has learnt of the targets."""
        self._transfer.take_over(former._transfer)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._transfer.forget(track_id)

    def _extent(self, destination: Points, size: tuple[int, int]) -> Extent:
        """The box that the swap can touch. The crop extends a fifth beyond it, for code that reads the face's
        surroundings."""
        reach = 3 * FEATHER + (0.0 if self._hull else SKIRT)
        steps = box_of(destination[[*OVAL, *PROFILE]], reach) / np.float32(LIGHT_STEP)
        width, height = size
        x1, y1, x2, y2 = (
            LIGHT_STEP * edge for edge in clip_box(steps, -(-width // LIGHT_STEP), -(-height // LIGHT_STEP))
        )
        return x1, y1, min(x2, width), min(y2, height)


class BlackLevelTimes:
    """Schedules the measurement of each track's black level. The level is smoothed over time: a hand or a blink
    changes the darkest pixels, the lens stays the same."""

    def __init__(self) -> None:
        self._measured_s: dict[int, float] = {}

    def due(self, track_id: int, time_s: float, placed: FacePlacement) -> tuple[Extent, float] | None:
        """The box to measure, in pixels of the extent, and the weight of the past value, 0..1; None if not due yet or
        the box is empty."""
        since = self._measured_s.get(track_id, -math.inf)
        box = clip_box(box_of(placed.landmarks[MIDDLE]), *placed.size)
        if 0 <= time_s - since < BLACK_LEVEL_EVERY_S or box[0] >= box[2] or box[1] >= box[3]:
            return None
        self._measured_s[track_id] = time_s
        return box, math.exp(-max(0.0, time_s - since) / BLACK_LEVEL_S)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._measured_s.pop(track_id, None)


def view_of(landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
    """An upright view of the frame in complete pixels, scaled down only if it exceeds ``max_px``."""
    x1, y1, x2, y2 = box_of(landmarks, MARGIN)
    x, y = np.floor(x1), np.floor(y1)
    sides = np.maximum(2, np.ceil(np.array([x2 - x, y2 - y]) / LIGHT_STEP)) * LIGHT_STEP
    scale = min(1.0, max_px / float(sides.max()))
    small = np.maximum(2, np.floor(sides * scale / LIGHT_STEP + 1e-3)) * LIGHT_STEP
    size = int(small[0]), int(small[1])
    corner = np.array([x, y])
    return upright_view(np.concatenate([corner, corner + sides]), size), size


def _map_nodes(destination: Points, folds: Map | None, size: tuple[int, int]) -> tuple[Map, Map | None]:
    """Texture coordinates (h, w, 2), and ``folds`` (468,) as (h, w)."""
    small = grid(size, max(2.0, max(size) / MAP_NODES))
    values = _chart_values()
    if folds is not None:
        values = values.copy()
        values[:, 2] = 0
        values[: len(folds), 2] = folds
    where = rasterize(scaled(skirted(destination), size, small), values, chart().triangles, small)
    nodes = np.ascontiguousarray(where[..., :2])
    aside = _aside(destination)
    if abs(aside) > IN_PROFILE:
        _extend(nodes if aside > 0 else nodes[:, ::-1])
    return nodes, None if folds is None else np.ascontiguousarray(where[..., 2])


def _aside(destination: Points) -> float:
    """How far the nose is to the right of the middle of the face, in widths of the oval."""
    oval = destination[OVAL, 0]
    return float((destination[NOSE, 0] - oval.mean()) / max(float(np.ptp(oval)), 1e-6))


def _extend(nodes: Map) -> None:
    """Continue the texture coordinates (h, w, 2) beyond the edge of a profile that looks to the right, where nothing
    of the face can be seen."""
    for _ in range(EXTENDED):
        apart = np.abs(nodes[:, 1:] - nodes[:, :-1]) > HIDDEN
        hidden = apart[..., 0] | apart[..., 1]  # ``any`` over two takes ten times as long
        if not hidden.any():
            return
        nodes[:, 1:][hidden] = nodes[:, :-1][hidden]


@cache
def _chart_values() -> NDArray[np.float32]:
    """Chart coordinates (504, 3) of texel centres in 0..1, in the form the rasteriser takes."""
    values = np.ones((len(chart().points), 3), np.float32)
    values[:, :2] = (chart().points[:, :2] + 0.5) / SIZE
    return values
