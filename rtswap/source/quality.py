"""Measure and rate the quality of a photo as a source."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.vision.pose import pose_of
from rtswap.vision.topology import CHIN, KEYPOINTS, OVAL

_REFUSED_PX, _SMALL_PX, _LARGE_PX = 50.0, 80.0, 200.0
"""Eyes to chin in the photo: refused below the first, warned about below the second, no better above the third."""
_NORMAL_PX = 100.0
"""Eyes to chin, in pixels, at which sharpness is measured."""
_REFUSED_SHARPNESS, _SOFT_SHARPNESS, _CRISP_SHARPNESS = 0.0008, 0.003, 0.03
"""``sharpness``. Of 51 faces 95 % lie above 0.0066; medians under blurs of 2, 3, 4 px are 0.003, 0.0011, 0.0006."""
_REFUSED_TURN, _TURNED = 55.0, 30.0
"""Degrees of yaw or pitch."""
_DARK, _BRIGHT = 30.0, 235.0
"""Mean grey value inside the face."""
_CLIPPED = 0.35
"""Share of the face that is black or white."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Measurements of one face."""

    size_px: float
    """Eyes to chin, in pixels of the photo."""
    sharpness: float
    """As ``sharpness`` returns it: below 0.001 blurred, above 0.03 crisp."""
    turn_deg: float
    """Yaw or pitch, whichever is larger."""
    light: float
    """Mean grey value, 0..255."""
    clipped: float
    """Share of the face that is black or white."""

    def __str__(self) -> str:
        """``212 px, sharpness 0.021, turned by 4 degrees, light 131``."""
        lost = f", {self.clipped:.0%} black or white" if self.clipped > 0.05 else ""
        return (
            f"{self.size_px:.0f} px, sharpness {self.sharpness:.4f}, turned by {self.turn_deg:.0f} degrees, "
            f"light {self.light:.0f}{lost}"
        )


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The rating of one photo."""

    score: float
    """0..1, higher is better."""
    faults: tuple[str, ...]
    """Reasons why it cannot be used; empty if it can."""
    doubts: tuple[str, ...]
    """Problems that will be visible in the result."""
    figures: Figures = Figures(0.0, 0.0, 0.0, 0.0, 0.0)


def appraise(portrait: Image, landmarks: Points, photo_scale: float) -> Appraisal:
    """Rate a photo. ``landmarks`` (468, 3) in ``portrait``; ``photo_scale``: portrait pixels per pixel of the
    photo."""
    figures = measure(portrait, landmarks, photo_scale)
    checks = [_size(figures), _sharpness(figures), _pose(figures), _exposure(figures)]
    return Appraisal(
        float(np.prod([score for score, _, _ in checks])),
        tuple(fault for _, fault, _ in checks if fault),
        tuple(doubt for _, _, doubt in checks if doubt),
        figures,
    )


def measure(portrait: Image, landmarks: Points, photo_scale: float) -> Figures:
    """Measure a photo. ``landmarks`` (468, 3) in ``portrait``; ``photo_scale``: portrait pixels per pixel of the
    photo."""
    eyes = landmarks[[*KEYPOINTS[0], *KEYPOINTS[1]], :2].mean(axis=0)
    face_px = float(np.linalg.norm(landmarks[CHIN, :2] - eyes))
    grey, inside = _face(portrait, landmarks, min(1.0, _NORMAL_PX / max(face_px, 1.0)))
    pose, pixels = pose_of(landmarks), grey[inside]
    return Figures(
        face_px / max(photo_scale, 1e-6),
        sharpness(grey, inside),
        max(abs(pose.yaw), abs(pose.pitch)),
        float(pixels.mean()) if pixels.size else float("nan"),
        float(((pixels <= 4) | (pixels >= 251)).mean()) if pixels.size else 1.0,
    )


_Check = tuple[float, str, str]
"""Score 0..1, fault, doubt."""


def _size(figures: Figures) -> _Check:
    face_px = figures.size_px
    told = f"the face is small: {math.floor(round(face_px, 1))} px from eyes to chin"
    score = min(face_px / _LARGE_PX, 1.0)
    if face_px < _REFUSED_PX:
        return score, f"{told}, the minimum is {_REFUSED_PX:.0f}", ""
    return score, "", f"{told}, use {_SMALL_PX:.0f} or more" if face_px < _SMALL_PX else ""


def _sharpness(figures: Figures) -> _Check:
    value = figures.sharpness
    score = min(max(value / _CRISP_SHARPNESS, 0.02), 1.0) ** 0.5
    if value < _REFUSED_SHARPNESS:
        return score, "the face is too blurred", ""
    return score, "", "the face is a little blurred" if value < _SOFT_SHARPNESS else ""


def _pose(figures: Figures) -> _Check:
    turn = figures.turn_deg
    told = f"the face is turned away by {math.ceil(round(turn, 1))} degrees"
    score = max(float(np.cos(np.radians(min(turn, 90.0)))), 0.01) ** 2
    if turn > _REFUSED_TURN:
        return score, f"{told}, the limit is {_REFUSED_TURN:.0f}", ""
    return score, "", f"{told}: the hidden side is guessed" if turn > _TURNED else ""


def _exposure(figures: Figures) -> _Check:
    mean, clipped = figures.light, figures.clipped
    if mean != mean:
        return 0.01, "the face is outside the photo", ""
    score = max(1.0 - clipped - abs(mean - 128.0) / 256.0, 0.05)
    if mean < _DARK:
        return score, f"the face is too dark (mean {mean:.0f} of 255)", ""
    if mean > _BRIGHT:
        return score, f"the face is overexposed (mean {mean:.0f} of 255)", ""
    return score, "", f"{clipped:.0%} of the face is pure black or white" if clipped > _CLIPPED else ""


def sharpness(grey: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Variance of the smoothed image's Laplacian relative to the image's own variance, ``inside``; 0 for a uniform
    image."""
    if not inside.any():
        return 0.0
    contrast = float(grey[inside].astype(np.float64).var())
    if contrast < 1.0:
        return 0.0
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)  # grain and rounding are no detail
    return float(cv2.Laplacian(smooth, cv2.CV_32F)[inside].var()) / contrast


def _face(portrait: Image, landmarks: Points, scale: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The portrait in grey at ``scale``, and the mask of the face oval in it."""
    size = (max(1, round(portrait.shape[1] * scale)), max(1, round(portrait.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    inside = np.zeros((size[1], size[0]), np.uint8)
    oval = np.clip(landmarks[OVAL, :2] * scale, -1e4, 1e4)
    cv2.fillPoly(inside, [np.round(oval).astype(np.int32)], 1)
    return np.asarray(grey, np.uint8), inside.astype(bool)
