"""A stream whose face is known to the pixel, and the judge that says whether it shows.

The face is a patch of random cells that exists nowhere else. ``shows_face`` looks for it, and for two quarters of it
(any half holds one of them), everywhere in a picture: it knows nothing of boxes, masks or policies.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from rtswap.core.types import Image, Points, Track
from rtswap.vision.geometry import box_of, canonical

SIZE = (144, 80)
FACE_PX, CELL_PX = 32, 2
WHOLE, QUARTER = 0.5, 0.7
"""Normalised cross-correlation from which the face, or a quarter of it, is recognised."""


@cache
def face(seed: int = 0) -> Image:
    """(FACE_PX, FACE_PX, 3) somebody's face."""
    cells = FACE_PX // CELL_PX
    small = np.random.default_rng(seed).integers(0, 256, (cells, cells, 1), np.uint8)
    return np.repeat(np.repeat(np.repeat(small, 3, 2), CELL_PX, 0), CELL_PX, 1)


def middle(index: int, size: tuple[int, int] = SIZE) -> tuple[int, int]:
    """Where the face is in frame ``index``: it sways."""
    x, y = size[0] * 0.3 + 5 * np.sin(index / 4), size[1] / 2 + 3 * np.sin(index / 7)
    return int(x), int(y)


def picture(index: int, size: tuple[int, int] = SIZE, *, who: int = 0, at: tuple[int, int] | None = None) -> Image:
    """A frame with the face in it, as far as it fits in."""
    ramp = np.linspace(90, 150, size[0]) + np.linspace(-20, 20, size[1])[:, None]
    image = np.repeat(ramp.astype(np.uint8)[..., None], 3, 2)
    draw(image, face(who), at or middle(index, size))
    return image


def draw(image: Image, patch: Image, at: tuple[int, int]) -> None:
    x, y = at[0] - FACE_PX // 2, at[1] - FACE_PX // 2
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + FACE_PX, image.shape[1]), min(y + FACE_PX, image.shape[0])
    if x1 < x2 and y1 < y2:
        image[y1:y2, x1:x2] = patch[y1 - y : y2 - y, x1 - x : x2 - x]


def shows_face(image: Image, who: int = 0) -> bool:
    """Is the face, or a quarter of it, recognisable anywhere?"""
    patch = face(who)[..., 0]
    half = FACE_PX // 2
    quarters = patch[:half, :half], patch[half:, half:]
    gray = np.ascontiguousarray(image[..., 1])
    return _find(gray, patch) > WHOLE or any(_find(gray, quarter) > QUARTER for quarter in quarters)


def _find(gray: Any, patch: Any) -> float:
    if gray.shape[0] < patch.shape[0] or gray.shape[1] < patch.shape[1]:
        return 0.0
    scores = cv2.matchTemplate(gray, np.ascontiguousarray(patch), cv2.TM_CCOEFF_NORMED)
    return float(np.nan_to_num(scores, posinf=0, neginf=0).max())


def landmarks_at(x: float, y: float, px: float = FACE_PX) -> Points:
    """(468, 3) a frontal mesh that fills a square of ``px`` around a point."""
    mesh = canonical().mesh.copy()
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    mesh[:, :2] = ((mesh[:, :2] - low) / (high - low) - 0.5) * px + (x, y)
    return np.asarray(mesh, np.float32)


def track_at(x: float, y: float, *, id: int = 1, confidence: float = 1.0, px: float = FACE_PX) -> Track:
    mesh = landmarks_at(x, y, px)
    return Track(id, box_of(mesh), np.zeros((5, 2), np.float32), mesh, np.ones(468, np.float32), confidence)
