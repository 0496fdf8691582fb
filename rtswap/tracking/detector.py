"""MTCNN face detection: three small networks in sequence. The first scans the reduced image, the last only a few
faces.

Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016: thresholds
and steps are theirs. ``rtswap.networks.mtcnn`` creates the network files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import EngineError, ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import Box, Detection, Image, Points, Tensor
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
"""P-Net's windows are 12 px wide, 2 px apart."""
_SAME_FACE = 0.7
"""Overlap above which two boxes are the same face."""
_MOST_PLACES = 12_000
"""Limit on the cost of a picture: places that P-Net takes for a face, five for each. Textures have up to 4,000."""
_BATCH = 500
"""Squares that R- and O-Net look at at once; OpenCV cuts no more than 32,766 rows at once."""
_CERTAIN_LOGIT = float(np.log(0.6 / 0.4))
"""The score of a place at P-Net's usual threshold."""


class _Plan(NamedTuple):
    """Data that depends only on the size of the image."""

    atlas: PyramidAtlas
    canvas: Image
    level_of: NDArray[np.intp]
    """Level of each output of P-Net on the canvas, (rows, columns)."""
    inside: NDArray[np.bool_]
    """Same shape: False if the window would span two levels."""
    corner: Floats
    """Origin of each level on the canvas, (levels, 2)."""
    scale: Floats
    """Image pixels per level pixel, (levels, 2)."""


class MtcnnDetector:
    """Detect faces with five keypoints.

    ``min_face_px``: smallest face to find. ``thresholds``: minimum scores of P-, R- and O-Net. ``scale_factor``:
    ratio between pyramid levels. ``max_side``: limit on the longer side of P-Net's input, in pixels of 12-px faces:
    in an image wider than ``max_side / 12 * min_face_px`` the smallest face found grows with the image. Not
    thread-safe.
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
        """Detect every face in the image, best score first. Raises EngineError."""
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

    def refine(self, image: Image, boxes: Sequence[Box], turns: Sequence[int] = ()) -> list[Detection | None]:
        """Run O-Net once on each box (as ``detect`` returns them): the face found there, or None. ``turns``: see
        ``protocols.Detector``. Raises EngineError."""
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
        upright = [turns[index] % 4 if turns else 0 for index in usable]
        crops = [np.rot90(_view(picture, box), turn, (1, 2)) for box, turn in zip(asked, upright, strict=True)]
        out = _checked(self._onet.run({"image": np.ascontiguousarray(np.concatenate(crops))}), "O-Net")
        for index, detection, box, turn in zip(usable, _detections(out, asked), asked, upright, strict=True):
            if detection.score > self._thresholds[2]:
                result[index] = turned_back(detection, turn, box) if turn else detection
        return result

    def _plan_for(self, width: int, height: int) -> _Plan | None:
        if self._plan[0] != (width, height):
            self._plan = ((width, height), self._make_plan(width, height))
        return self._plan[1]

    def _make_plan(self, width: int, height: int) -> _Plan | None:
        """Precompute the plan; None if no window fits into the image."""
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
        """Run P-Net on all levels at once; return candidate squares. Raises EngineError for more than can be looked
        at: what was left out would stay bare."""
        out = _checked(self._pnet.run({"image": plan.canvas[None]}), "P-Net")
        if out["map"][0, 0].size > 1 and np.ptp(out["map"][0, 0]) == 0 and np.ptp(plan.canvas) > 0:
            raise _wrong("P-Net", "one score everywhere")
        score, offsets = np.where(plan.inside, out["map"][0, 0], -np.inf), out["map"][0, 1:]
        y, x = peaks(score, self._first_logit)
        best = np.argsort(-score[y, x], kind="stable")
        if len(best) > _MOST_PLACES and score[y, x][best[_MOST_PLACES]] > _CERTAIN_LOGIT:
            raise EngineError(
                "too many faces in the picture", expected=f"at most {_MOST_PLACES:,} places", got=f"{len(best):,}"
            )
        best = best[:_MOST_PLACES]
        y, x, level = y[best], x[best], plan.level_of[y[best], x[best]]
        corner = np.stack([x, y], axis=1).astype(np.float32) * _STRIDE - plan.corner[level]
        windows = np.concatenate([corner, corner + _WINDOW], axis=1)
        boxes = shifted(windows, offsets[:, y, x].T) * np.tile(plan.scale[level], 2)
        return squared(boxes[suppress(boxes, score[y, x], _SAME_FACE)])

    def _sift(self, pictures: list[Image], boxes: Boxes) -> Boxes:
        """Run R-Net on every square; return squares that contain a face."""
        if len(boxes) == 0:
            return boxes
        out = _run(self._rnet, "R-Net", pictures, boxes, 24)
        scores = out["score"][:, 0]
        good = np.nonzero(scores > self._thresholds[1])[0]
        kept = shifted(boxes[good], out["box"][good])
        return squared(kept[suppress(kept, scores[good], _SAME_FACE)])

    def _look(self, pictures: list[Image], boxes: Boxes) -> list[Detection]:
        """Run O-Net on every square; return the faces."""
        if len(boxes) == 0:
            return []
        out = _run(self._onet, "O-Net", pictures, boxes, 48)
        return [face for face in _detections(out, boxes) if face.score > self._thresholds[2]]


def _run(engine: Engine, name: str, pictures: list[Image], boxes: Boxes, side: int) -> Mapping[str, Tensor]:
    """What a network says of each square."""
    parts = []
    for at in range(0, len(boxes), _BATCH):
        out = _checked(engine.run({"image": patches(pictures, boxes[at : at + _BATCH], side)}), name)
        parts.append({key: np.array(value) for key, value in out.items()})  # valid until the next run
    return parts[0] if len(parts) == 1 else {key: np.concatenate([one[key] for one in parts]) for key in parts[0]}


def turned_back(face: Detection, turn: int, square: Box) -> Detection:
    """A face found in what ``square`` (xyxy) shows after ``turn`` quarter turns counter-clockwise (``np.rot90``), as
    it lies in the picture itself. The turned picture's first corner lies at that of the square."""
    x1, y1 = square[:2]
    width, height = square[2:] - square[:2]

    def back(points: Points) -> Points:
        x, y = (points - square[:2]).T
        for left in range(turn % 4, 0, -1):
            # before the last quarter turn the picture was as wide as it is tall now
            wide = width if left % 2 else height
            x, y = wide - y - 1, x
        return np.stack([x + x1, y + y1], 1).astype(np.float32)

    corners = back(face.box.reshape(2, 2) - 0.5) + 0.5
    box = np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)
    return Detection(box, back(face.keypoints), face.score)


def _view(picture: Image, square: Box) -> Image:
    """O-Net's input for one square, (1, 48, 48, 3)."""
    part, corner = surroundings(picture, square)
    if part.size == 0:
        return np.full((1, 48, 48, 3), 128, np.uint8)
    return patches(halved(part, 48), (square - np.tile(corner, 2))[None], 48)


def _detections(out: Mapping[str, Tensor], squares: Boxes) -> list[Detection]:
    """Decode O-Net's outputs for each square."""
    boxes = shifted(squares, out["box"])
    keypoints = placed(out["points"], squares)
    return [Detection(boxes[i], keypoints[i], float(score)) for i, score in enumerate(out["score"][:, 0])]


def _checked(out: Mapping[str, Tensor], network: str) -> Mapping[str, Tensor]:
    """Raises ModelError for values that are not finite: they would count as nobody there."""
    if not all(np.isfinite(values).all() for values in out.values()):
        raise _wrong(network, "values that are not finite")
    return out


def _wrong(network: str, got: str) -> ModelError:
    return ModelError(
        f"the face detector's {network} returns invalid values",
        expected="finite values that differ",
        got=got,
        do="Remove the cached networks (rtswap doctor says where), or try another --engine.",
    )


def _bgr(image: Image) -> Image:
    """Convert a grey image to three channels; raise ValueError unless the image is uint8 (H, W, 3)."""
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(f"an image must be uint8 (H, W, 3), not {image.dtype} {image.shape}")
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)) if image.size else np.empty((0, 0, 3), np.uint8)
    return image
