"""Photos as they are evaluated: each with its largest face, cut out with room around it."""

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
"""Around the face's box, of its size: hair, neck and what a swap may change."""
LARGEST_PX = 512
"""Width of the face from which a photo is made smaller: more than any loop works at."""
SURE = 0.5


@dataclass(frozen=True)
class Face:
    """The largest face of a photo."""

    name: str
    """The file's, without its suffix."""
    path: Path
    image: Image
    """The part of the photo around it."""
    mesh: Mesh
    """In ``image``."""
    box: tuple[int, int, int, int]
    """Which pixels of the photo ``image`` shows, x1 y1 x2 y2."""
    photo_size: tuple[int, int]
    """(width, height)"""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of ``image``."""
        return self.image.shape[1], self.image.shape[0]

    def cut(self, photo: Image) -> Image:
        """The same part of another picture of the photo's size."""
        return _cut(photo, self.box, self.size)


class FaceFinder:
    """Looks at photos. What was seen of the last few is kept: with few photos each comes up often."""

    KEPT = 6

    def __init__(
        self, detector: Detector, landmarks: LandmarkModel, read: Callable[[Path], Image] = read_image
    ) -> None:
        self._detector, self._landmarks, self._read = detector, landmarks, read
        self._found: dict[Path, Face] = {}

    def find(self, path: Path) -> Face:
        """Raises InputError where the photo cannot be read or shows no face."""
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
            raise InputError(f"there is no face in {path.name}", do="Use photos that show a face from the front.")
        largest = max(found, key=lambda one: float(one.box[2] - one.box[0]))
        mesh = self._landmarks.find(photo, [largest.keypoints])[0]
        mesh = self._landmarks.find(photo, [mesh.points])[0]
        size = photo.shape[1], photo.shape[0]
        box = clip_box(box_of(mesh.points, ROOM), *size)
        if mesh.presence < SURE or box[2] - box[0] < 8 or box[3] - box[1] < 8:
            raise InputError(f"no face can be made out in {path.name}", do="Use photos that show it from the front.")
        scale = min(1.0, LARGEST_PX / max(float(np.ptp(mesh.points[:, 0])), 1.0))
        small = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
        image = _cut(photo, box, small)
        guess = (mesh.points - np.array([box[0], box[1], 0], np.float32)) * np.float32(scale)
        return Face(path.stem, path, image, self._landmarks.find(image, [guess])[0], box, size)


def _cut(photo: Image, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image:
    """A copy, averaged down to ``size`` = (width, height)."""
    part = photo[box[1] : box[3], box[0] : box[2]]
    return part.copy() if part.shape[1::-1] == size else resized(part, size, cv2.INTER_AREA)
