"""Face detection with an imported network: SCRFD, YuNet or RetinaFace."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Box, Detection, Image
from rtswap.networks.anchor_detectors import Faces, decode
from rtswap.networks.catalog import Entry
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.pixel_layout import PixelLayout
from rtswap.tracking.cascade import suppress
from rtswap.tracking.detector import turned_back
from rtswap.vision.boxes import overlap
from rtswap.vision.geometry import upright_view
from rtswap.vision.resample import resized, warped

SAME_FACE = 0.4
"""Overlap above which two boxes are the same face."""
CHECKED_SIDE = 192
"""Side of the picture around a box that is looked at again, if the network's side can be chosen."""
AROUND = 2.0
"""Side of that square, in longer sides of the box."""
STILL_THERE = 0.25
"""Least overlap of what is found with the box."""
SIDES = 32
"""A picture's sides are multiples of it."""


class ImportedDetector:
    """Implements ``protocols.Detector``. ``max_side``: longer side of the picture the network is given, unless its
    file fixes one. A frame is reduced to it, never enlarged, and padded at the right and at the bottom."""

    def __init__(self, engine: Engine, entry: Entry, *, max_side: int = 640) -> None:
        family = model_catalog().family_of(entry.family, entry.known)
        self._engine, self._family, self._least = engine, entry.family, family.score
        self._layout, self._most = PixelLayout(family), max_side
        (self._input, words), *_ = entry.sample.items()
        self._dtype, _, shape = words.partition(" ")
        height, width = map(int, shape.split("x")[2:])
        self._fixed = (width, height) if entry.fixed_size else None

    def detect(self, image: Image) -> list[Detection]:
        """Detect every face in the image, best score first. Raises EngineError, ModelError."""
        height, width = image.shape[:2]
        if min(height, width) < 1:
            return []
        size = self._fixed or _multiples(width, height, self._most)
        scale = min(size[0] / width, size[1] / height, 1.0)
        small = max(1, round(width * scale)), max(1, round(height * scale))
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        picture[: small[1], : small[0]] = resized(image, small, cv2.INTER_AREA)
        return _detections(self._run(picture), np.array([width / small[0], height / small[1]]), np.zeros(2))

    def refine(self, image: Image, boxes: Sequence[Box], turns: Sequence[int] = ()) -> list[Detection | None]:
        """Look at each box again: the face that is there now, or None. ``turns``: see ``protocols.Detector``. Raises
        EngineError, ModelError."""
        return [self._look_again(image, box, turns[number] % 4 if turns else 0) for number, box in enumerate(boxes)]

    def _look_again(self, image: Image, box: Box, turn: int) -> Detection | None:
        limit, extent = 4.0 * max(image.shape[:2]), box[2:] - box[:2]
        if not np.isfinite(box).all() or np.abs(box).max() > limit or extent.min() < 4:
            return None
        width, height = self._fixed or (CHECKED_SIDE, CHECKED_SIDE)
        side, half = min(width, height), float(extent.max()) * AROUND / 2
        middle = (box[:2] + box[2:]) / 2
        square = np.concatenate([middle - half, middle + half]).astype(np.float32)
        step = 2 * half / side
        view = warped(image, upright_view(square, (side, side)), (side, side), zero=True)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:side, :side] = np.rot90(view, turn)
        found = _detections(self._run(picture), np.array([step, step]), square[:2].astype(np.float64))
        for face in found:
            placed = turned_back(face, turn, square) if turn else face
            if overlap(placed.box, box) >= STILL_THERE:
                return placed
        return None

    def _run(self, picture: Image) -> Faces:
        outputs = self._engine.run({self._input: self._layout.tensor([picture], self._dtype)})
        return decode(self._family, outputs, (picture.shape[1], picture.shape[0]), self._least)


def _multiples(width: int, height: int, most: int) -> tuple[int, int]:
    """(width, height) of the network's picture."""
    scale = min(1.0, most / max(width, height))
    wide, high = (SIDES * max(1, -(-round(side * scale) // SIDES)) for side in (width, height))
    return wide, high


def _detections(faces: Faces, scale: NDArray[np.float64], corner: NDArray[np.float64]) -> list[Detection]:
    """Each face once, best first; network pixels times ``scale``, from ``corner`` on, are the image's."""
    if not len(faces.scores):
        return []
    kept = suppress(faces.boxes, faces.scores, SAME_FACE)
    boxes = faces.boxes[kept] * np.tile(scale, 2) + np.tile(corner, 2)
    keypoints = faces.keypoints[kept] * scale + corner
    return [
        Detection(box.astype(np.float32), points.astype(np.float32), float(score))
        for box, points, score in zip(boxes, keypoints, faces.scores[kept], strict=True)
    ]
