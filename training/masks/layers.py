"""A thing before a face is a layer: a picture and how opaque it is. How layers are shaded, smeared and laid on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.landmarks.degrade import motion

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Layer:
    picture: Bytes
    """(S, S, 3) BGR"""
    alpha: Bytes
    """(S, S) 255 = opaque"""


def fixed(points: Floats) -> NDArray[np.int32]:
    """Sub-pixel points for OpenCV's drawing with 4 fractional bits."""
    return (np.asarray(points) * 16).astype(np.int32)


def line(mask: Bytes, start: Floats, end: Floats, value: int, width: float) -> None:
    a, b = (int(start[0] * 16), int(start[1] * 16)), (int(end[0] * 16), int(end[1] * 16))
    cv2.line(mask, a, b, value, max(1, round(width)), cv2.LINE_AA, 4)


def unit(angle: float) -> NDArray[np.float64]:
    return np.array([np.cos(angle), np.sin(angle)])


def shaded(shade: Bytes, colour: Floats, scrap: Bytes | None, rng: np.random.Generator) -> Bytes:
    """(S, S, 3) one colour times ``shade`` (S, S) / 200, a slope of light over it, and some of a scrap's texture."""
    size = len(shade)
    slope = (rng.uniform(0.7, 1.3, (2, 2)) * 200).astype(np.uint8)
    light = cv2.multiply(shade, cv2.resize(slope, (size, size), interpolation=cv2.INTER_LINEAR), scale=1 / 255)
    if scrap is not None:
        grey = cv2.cvtColor(scrap, cv2.COLOR_BGR2GRAY)
        share = float(rng.uniform(0.05, 0.35))
        gain = cv2.convertScaleAbs(grey, alpha=share * 200 / max(cv2.mean(grey)[0], 1.0), beta=(1 - share) * 200)
        light = cv2.multiply(light, gain, scale=1 / 200)
    tint = np.asarray(colour) * rng.uniform(0.75, 1.25) * rng.normal(1, 0.04, 3) / 157
    return np.asarray(cv2.merge([cv2.convertScaleAbs(light, alpha=float(max(part, 0.0))) for part in tint]), np.uint8)


def lay(crop: Bytes, hidden: Bytes, layer: Layer, rng: np.random.Generator) -> None:
    """Put ``layer`` over ``crop``, at times smeared by its motion, and its shadow under it; note where in ``hidden``.

    Both are changed in place.
    """
    picture, alpha = layer.picture, layer.alpha
    if rng.random() < 0.25:
        kernel = motion(int(rng.integers(2, 8)) * 2 + 1, rng)
        alpha = np.asarray(cv2.filter2D(alpha, -1, kernel), np.uint8)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8)
    else:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.3, 1.3))), np.uint8)
    if rng.random() < 0.5:
        _shadow(crop, alpha, rng)
    share = cv2.merge([alpha] * 3)
    own = cv2.multiply(crop, cv2.bitwise_not(share), scale=1 / 255)
    cv2.add(own, cv2.multiply(picture, share, scale=1 / 255), dst=crop)
    np.maximum(hidden, alpha, out=hidden)


def _shadow(crop: Bytes, alpha: Bytes, rng: np.random.Generator) -> None:
    shift = np.array([[1, 0, rng.normal(0, 7)], [0, 1, rng.normal(3, 6)]])
    cast = cv2.warpAffine(alpha, shift, alpha.shape[::-1])
    cast = cv2.GaussianBlur(cast, (0, 0), float(rng.uniform(0.8, 6)))
    depth = float(rng.uniform(0.15, 0.6))
    light = cv2.LUT(np.asarray(cast, np.uint8), (255 - depth * np.arange(256)).astype(np.uint8))
    cv2.multiply(crop, cv2.merge([light] * 3), dst=crop, scale=1 / 255)
