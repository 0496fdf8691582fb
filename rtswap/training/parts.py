"""Faces of the target with parts of the source's: what a network learns that swaps only these parts.

The idea of shaoanlu/faceswap-GAN's "face parts swapping as data augmentation": each face of the target gets the parts
of a similar face of the source. The parts are moved by a similarity of their own landmarks, take on the colours along
the edge of what they replace, and have soft edges, so that no edge is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.parts import PARTS, Part, draw_part
from rtswap.core.errors import UsageError
from rtswap.core.types import Image, Points
from rtswap.training.people import Person
from rtswap.vision.geometry import similarity
from rtswap.vision.resample import resized, warped

NEAREST = 5
"""Similar faces, of which one is drawn."""
YAW_WEIGHT = 0.1
"""Of a degree of yaw, beside the deviations of a small picture's light."""
SPREAD = 0.1
"""Sigma, as a share of the side, over which colours at the edge of a part reach into it."""
SMALL = 8
"""Side of the pictures that are compared."""


def with_parts_of(source: Person, target: Person, names: Sequence[str], seed: int = 0) -> Person:
    """``target`` with these parts (``PARTS``) of similar faces of the ``source``. Raises UsageError without
    landmarks."""
    if source.points is None or target.points is None:
        raise UsageError("these faces have no landmarks", do="Extract them again: rtswap extract.")
    rng = np.random.default_rng(seed)
    theirs, ours = _looks(target), _looks(source)
    pictures = target.pictures.copy()
    for row in range(len(target)):
        off = np.square(ours - theirs[row]).sum(1)
        other = int(rng.choice(np.argsort(off, kind="stable")[:NEAREST]))
        for name in names:
            pictures[row] = _move(
                PARTS[name], source.pictures[other], source.points[other], pictures[row], target.points[row]
            )
    return replace(target, pictures=pictures)


def _looks(person: Person) -> NDArray[np.float32]:
    """(N, D): small grey pictures of mean 0 and deviation 1, and the yaw."""
    grey = [cv2.cvtColor(resized(one, (SMALL, SMALL), cv2.INTER_AREA), cv2.COLOR_BGR2GRAY) for one in person.pictures]
    flat = np.stack(grey).reshape(len(grey), -1).astype(np.float32)
    flat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1)
    return np.hstack([flat, YAW_WEIGHT * person.yaws[:, None]]).astype(np.float32)


def _move(part: Part, from_picture: Image, from_points: Points, picture: Image, points: Points) -> Image:
    """``picture`` with a part of the other picture, whose colours meet the picture's along its edge."""
    side = picture.shape[0]
    rows = [index for group in part.groups for index in group]
    matrix = similarity(from_points[rows].astype(np.float64), points[rows].astype(np.float64))
    brought = warped(from_picture, matrix.astype(np.float32), (side, side)).astype(np.float32)
    mask = draw_part(part, points.astype(np.float32), (side, side)).astype(np.float32)[..., None] / 255
    edge = mask * (1 - mask) + np.float32(1e-6)
    off = (picture - brought) * edge
    shift = cv2.GaussianBlur(off, (0, 0), SPREAD * side) / cv2.GaussianBlur(edge, (0, 0), SPREAD * side)[..., None]
    return np.asarray(np.clip(picture + mask * (brought + shift - picture) + 0.5, 0, 255), np.uint8)
