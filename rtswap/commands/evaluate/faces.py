"""Load photos for evaluation: find the largest face and crop it with a margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.core.errors import InputError
from rtswap.core.protocols import Detector, LandmarkModel
from rtswap.core.types import Image, Mesh
from rtswap.vision.geometry import box_of, clip_box
from rtswap.vision.images import read_image
from rtswap.vision.resample import resized

ROOM = 0.9
"""Margin around the face's box, as a share of its size: hair, neck and what a swap may change."""
LARGEST_PX = 512
"""Maximum width of the face, px; larger photos are scaled down. No swapper works at a higher resolution."""
SURE = 0.5


@dataclass(frozen=True)
class Face:
    """The largest face of a photo."""

    name: str
    """File name without suffix."""
    path: Path
    image: Image
    """The photo cropped around the face."""
    mesh: Mesh
    """In pixels of ``image``."""
    box: tuple[int, int, int, int]
    """The region of the photo that ``image`` shows, x1 y1 x2 y2, px."""
    photo_size: tuple[int, int]
    """(width, height)"""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of ``image``."""
        return self.image.shape[1], self.image.shape[0]

    def cut(self, photo: Image) -> Image:
        """Crop another picture of the photo's size in the same way."""
        return _cut(photo, self.box, self.size)


class FaceFinder:
    """Finds the face in a photo. Caches the last few photos, since a small set repeats them often."""

    KEPT = 6

    def __init__(
        self, detector: Detector, landmarks: LandmarkModel, read: Callable[[Path], Image] = read_image
    ) -> None:
        self._detector, self._landmarks, self._read = detector, landmarks, read
        self._found: dict[Path, Face] = {}

    def find(self, path: Path) -> Face:
        """Return the largest face. Raises InputError if the photo cannot be read or shows no face."""
        if path not in self._found:
            face = self._look(path)
            while len(self._found) >= self.KEPT:
                del self._found[next(iter(self._found))]
            self._found[path] = face
        return self._found[path]

    def _look(self, path: Path) -> Face:
        photo = self._read(path)
        found = self._detector.detect(photo)
        if not found:
            raise InputError(f"no face found in {path.name}", do="Use photos that show a face from the front.")
        largest = max(found, key=lambda one: float(one.box[2] - one.box[0]))
        mesh = self._landmarks.find(photo, [largest.keypoints])[0]
        mesh = self._landmarks.find(photo, [mesh.points])[0]
        size = photo.shape[1], photo.shape[0]
        box = clip_box(box_of(mesh.points, ROOM), *size)
        if mesh.presence < SURE or box[2] - box[0] < 8 or box[3] - box[1] < 8:
            raise InputError(f"no clear face in {path.name}", do="Use photos that show a face from the front.")
        scale = min(1.0, LARGEST_PX / max(float(np.ptp(mesh.points[:, 0])), 1.0))
        small = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
        image = _cut(photo, box, small)
        guess = (mesh.points - np.array([box[0], box[1], 0], np.float32)) * np.float32(scale)
        return Face(path.stem, path, image, self._landmarks.find(image, [guess])[0], box, size)


def _cut(photo: Image, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image:
    """Return a copy of the region ``box``, scaled down by area to ``size`` (width, height)."""
    part = photo[box[1] : box[3], box[0] : box[2]]
    return part.copy() if part.shape[1::-1] == size else resized(part, size, cv2.INTER_AREA)
