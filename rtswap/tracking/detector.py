"""MTCNN: three small networks in a row. The first sees the whole reduced picture, the last only a few faces.

Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016, whose
thresholds and steps these are. The networks' files are made by ``rtswap.networks.mtcnn``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Box, Detection, Image, Tensor
from rtswap.tracking.cascade import (
    Boxes,
    Floats,
    PyramidAtlas,
    draw,
    halved,
    lay_out,
    patches,
    peaks,
    placed,
    shifted,
    squared,
    suppress,
    surroundings,
)

_WINDOW, _STRIDE = 12, 2
"""P-Net looks through windows of 12 px, 2 px apart."""
_SAME_FACE = 0.7
"""Overlap from which two boxes count as one."""
_MAX_PROPOSALS = 300
_MAX_CANDIDATES = 64
"""Bounds on what a picture full of texture can cost: proposals before, candidates after suppression."""


class _Plan(NamedTuple):
    """What depends on the picture's size alone."""

    atlas: PyramidAtlas
    canvas: Image
    level_of: NDArray[np.intp]
    """(rows, columns) of P-Net's output on the canvas -> level."""
    inside: NDArray[np.bool_]
    """The same shape: False where a window would lie across two levels."""
    corner: Floats
    """(levels, 2) where each level starts on the canvas."""
    scale: Floats
    """(levels, 2) picture pixels per level pixel."""


class MtcnnDetector:
    """Faces with five keypoints.

    ``min_face_px``: smallest face looked for. ``thresholds``: scores from which P-, R- and O-Net believe in a face.
    ``scale_factor``: size of each pyramid level relative to the one before. ``max_side``: bound on the longer side of
    what P-Net sees, in pixels of faces of 12 px: in a picture wider than ``max_side / 12 * min_face_px`` the smallest
    face found grows with it. One detector serves one thread.
    """

    def __init__(
        self,
        pnet: Engine,
        rnet: Engine,
        onet: Engine,
        *,
        min_face_px: int = 40,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        scale_factor: float = 0.709,
        max_side: int = 256,
    ) -> None:
        if min_face_px < _WINDOW:
            raise ValueError(f"min_face_px must be at least {_WINDOW}, not {min_face_px}")
        if not 0.3 <= scale_factor <= 0.95:
            raise ValueError(f"scale_factor must lie in 0.3..0.95, not {scale_factor}")
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._min_face_px, self._max_side = min_face_px, max_side
        self._thresholds, self._scale_factor = thresholds, scale_factor
        first = min(max(thresholds[0], 1e-6), 1 - 1e-6)
        self._first_logit = float(np.log(first / (1 - first)))
        self._plan: tuple[tuple[int, int], _Plan | None] = ((0, 0), None)

    def detect(self, image: Image) -> list[Detection]:
        """Every face in the picture, best score first. Raises EngineError."""
        picture = _bgr(image)
        plan = self._plan_for(picture.shape[1], picture.shape[0])
        if plan is None:
            return []
        pictures = halved(picture, plan.atlas.levels[0].width)
        draw(pictures[-1], plan.atlas, plan.canvas)
        boxes = self._sift(pictures, self._propose(plan))
        found = self._look(pictures, boxes)
        if not found:
            return []
        scores = np.array([face.score for face in found], np.float32)
        return [
            found[i] for i in suppress(np.stack([face.box for face in found]), scores, _SAME_FACE, of_smaller=True)
        ]

    def refine(self, image: Image, boxes: Sequence[Box]) -> list[Detection | None]:
        """One look of O-Net at each box (as ``detect`` gives them): the face there, or None. Raises EngineError."""
        result: list[Detection | None] = [None] * len(boxes)
        limit = 4.0 * max(image.shape[:2])
        usable = [
            index
            for index, box in enumerate(boxes)
            if np.isfinite(box).all() and np.abs(box).max() < limit and min(box[2] - box[0], box[3] - box[1]) >= 4
        ]
        if not usable or image.size == 0:
            return result
        asked = squared(np.stack([boxes[index] for index in usable]).astype(np.float32))
        picture = _bgr(image)
        crops = np.concatenate([_view(picture, square) for square in asked])
        out = self._onet.run({"image": crops})
        for index, detection in zip(usable, _detections(out, asked), strict=True):
            if detection.score > self._thresholds[2]:
                result[index] = detection
        return result

    def _plan_for(self, width: int, height: int) -> _Plan | None:
        if self._plan[0] != (width, height):
            self._plan = ((width, height), self._make_plan(width, height))
        return self._plan[1]

    def _make_plan(self, width: int, height: int) -> _Plan | None:
        """None when no window fits into the picture."""
        if min(width, height) < 1:
            return None
        first = min(_WINDOW / self._min_face_px, self._max_side / max(width, height))
        atlas = lay_out(width, height, first, self._scale_factor, _WINDOW)
        if not atlas.levels:
            return None
        rows, columns = ((length - _WINDOW) // _STRIDE + 1 for length in (atlas.height, atlas.width))
        level_of, inside = np.zeros((rows, columns), np.intp), np.zeros((rows, columns), np.bool_)
        for index, level in enumerate(atlas.levels):
            top, left = level.y // _STRIDE, level.x // _STRIDE
            bottom, right = (
                start + (length - _WINDOW) // _STRIDE + 1
                for start, length in ((top, level.height), (left, level.width))
            )
            level_of[top:bottom, left:right], inside[top:bottom, left:right] = index, True
        return _Plan(
            atlas,
            np.full((atlas.height, atlas.width, 3), 128, np.uint8),
            level_of,
            inside,
            np.array([(level.x, level.y) for level in atlas.levels], np.float32),
            np.array([(width / level.width, height / level.height) for level in atlas.levels], np.float32),
        )

    def _propose(self, plan: _Plan) -> Boxes:
        """P-Net on every level at once -> squares worth a second look."""
        out = self._pnet.run({"image": plan.canvas[None]})
        score, offsets = np.where(plan.inside, out["map"][0, 0], -np.inf), out["map"][0, 1:]
        y, x = peaks(score, self._first_logit)
        best = np.argsort(-score[y, x], kind="stable")[:_MAX_PROPOSALS]
        y, x, level = y[best], x[best], plan.level_of[y[best], x[best]]
        corner = np.stack([x, y], axis=1).astype(np.float32) * _STRIDE - plan.corner[level]
        windows = np.concatenate([corner, corner + _WINDOW], axis=1)
        boxes = shifted(windows, offsets[:, y, x].T) * np.tile(plan.scale[level], 2)
        return squared(boxes[suppress(boxes, score[y, x], _SAME_FACE)[:_MAX_CANDIDATES]])

    def _sift(self, pictures: list[Image], boxes: Boxes) -> Boxes:
        """R-Net on every square -> squares that hold a face."""
        if len(boxes) == 0:
            return boxes
        out = self._rnet.run({"image": patches(pictures, boxes, 24)})
        scores = out["score"][:, 0]
        good = np.nonzero(scores > self._thresholds[1])[0]
        kept = shifted(boxes[good], out["box"][good])
        return squared(kept[suppress(kept, scores[good], _SAME_FACE)])

    def _look(self, pictures: list[Image], boxes: Boxes) -> list[Detection]:
        """O-Net on every square -> the faces."""
        if len(boxes) == 0:
            return []
        out = self._onet.run({"image": patches(pictures, boxes, 48)})
        return [face for face in _detections(out, boxes) if face.score > self._thresholds[2]]


def _view(picture: Image, square: Box) -> Image:
    """(1, 48, 48, 3) what O-Net sees of one square."""
    part, corner = surroundings(picture, square)
    if part.size == 0:
        return np.full((1, 48, 48, 3), 128, np.uint8)
    return patches(halved(part, 48), (square - np.tile(corner, 2))[None], 48)


def _detections(out: Mapping[str, Tensor], squares: Boxes) -> list[Detection]:
    """What O-Net says of each square."""
    boxes = shifted(squares, out["box"])
    keypoints = placed(out["points"], squares)
    return [Detection(boxes[i], keypoints[i], float(score)) for i, score in enumerate(out["score"][:, 0])]


def _bgr(image: Image) -> Image:
    """A grey picture gets three channels; anything else must be (H, W, 3) uint8."""
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(f"a picture must be uint8 (H, W, 3), not {image.dtype} {image.shape}")
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)) if image.size else np.empty((0, 0, 3), np.uint8)
    return image
