"""The shared faces as personas need them: upright in a square, with their mesh in it, and their embeddings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.core.errors import SourceError
from rtswap.core.types import Image, Points
from rtswap.source.portrait import find_landmarks
from rtswap.vision.geometry import canonical, similarity, transform
from training.people import is_usable

SIDE = 512
"""Pixels of a persona. A search looks at smaller ones."""
HEIGHT_SHARE = 0.56
"""Of the picture's height that the face oval takes: then nearly all of a shared picture's 256 px are used."""
CENTRE = 0.57
"""How far down the middle of the oval lies, in picture heights."""
MODES = 8
"""Directions in which frontal faces differ most."""


class Face(NamedTuple):
    """One parent, upright."""

    picture: Image
    """(side, side, 3)"""
    points: Points
    """(468, 2) px in it."""


class Faces:
    """``folder``: with the pictures and ``faces.npz``. Raises OSError where they are not there."""

    def __init__(self, folder: Path, eyes: FaceModels, side: int = SIDE) -> None:
        self._folder, self._eyes, self.side = folder, eyes, side
        with np.load(folder / "faces.npz") as data:
            self.names: list[str] = data["name"].tolist()
            self._meshes = data["mesh468"].astype(np.float32)
            self.embeddings: NDArray[np.float32] = data["dlib128"].astype(np.float32)
            """(N, 128) raw, as dlib gives them."""
        self.face: Callable[[str], Face] = lru_cache(maxsize=None)(self._face)

    def _face(self, name: str) -> Face:
        if not is_usable(name):
            raise SourceError(f"{name} may not be a parent", expected="nobody of training/left_out.txt")
        mesh = self._meshes[self.names.index(name)]
        matrix = similarity(mesh[:, :2], placed(self.side))
        image = cv2.imread(str(self._folder / name))
        picture = cv2.warpAffine(
            image, matrix, (self.side, self.side), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
        )
        crisp = np.asarray(picture, np.float32)
        crisp += 0.7 * (crisp - cv2.GaussianBlur(crisp, (0, 0), 1.7 * self.side / SIDE))
        picture = np.clip(crisp, 0, 255).astype(np.uint8)
        points = find_landmarks(self._eyes.landmarks, picture, transform(matrix, mesh))
        return Face(picture, points[:, :2].copy())

    @cached_property
    def modes(self) -> NDArray[np.float32]:
        """(MODES, 468, 2) px: symmetric directions in which outlines differ most, one standard deviation long."""
        mirror, goal = canonical().mirror, placed(self.side)
        outlines = []
        for name, mesh in zip(self.names, self._meshes, strict=True):
            if is_usable(name):
                flat = transform(similarity(mesh[:, :2], goal), mesh[:, :2])
                flipped = flat[mirror] * np.array([-1, 1], np.float32) + np.array([self.side, 0], np.float32)
                outlines.append(((flat + flipped) / 2).ravel())
        spread = np.stack(outlines) - np.mean(outlines, axis=0)
        _, lengths, directions = np.linalg.svd(spread[::2], full_matrices=False)
        scaled = directions[:MODES] * (lengths[:MODES, None] / np.sqrt(len(spread[::2])))
        scaled *= np.sign(scaled[np.arange(MODES), np.abs(scaled).argmax(1)])[:, None]  # the same sign everywhere
        return np.asarray(scaled.reshape(MODES, 468, 2), np.float32)


def placed(side: int = SIDE) -> Points:
    """(468, 2) the mean face where every face is brought to."""
    flat = canonical().mesh[:, :2]
    scale = side * HEIGHT_SHARE / np.ptp(flat[:, 1])
    middle = (flat.min(0) + flat.max(0)) / 2
    return ((flat - middle) * scale + np.array([side / 2, side * CENTRE])).astype(np.float32)
