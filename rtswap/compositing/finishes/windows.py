"""Where a face is measured: for its texture everywhere, for sharpness and grain around nose and mouth."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rtswap.compositing.finishes.openings import clamp_points, skin_weights
from rtswap.compositing.finishes.skin_texture import BLOCK, skin_only
from rtswap.core.types import Mask, Points, Target
from rtswap.vision.topology import CHIN, LIPS_OUTER

PATCH_PX = 16000
"""Approximate number of pixels to measure: nose, mouth and the skin around them."""
Window = tuple[slice, slice]
"""Rows and columns."""


class Places(NamedTuple):
    """Where to measure a face."""

    face: Window
    """Of the crop: whole blocks of ``smoothed``. The others are within it."""
    skin: Mask
    window: Window
    """For sharpness and grain."""
    shown: Mask
    """What is visible of the window."""


def places_for(target: Target, mask: Mask) -> Places | None:
    """Where to measure, if the swapped face shows where ``mask`` (H, W) is 255; None if there is hardly anything."""
    face = face_window(target.landmarks, mask.shape)
    shown, corner = mask[face], (face[1].start, face[0].start)
    landmarks = clamp_points(target.landmarks) - np.array(corner, np.float32)
    window = window_for(landmarks, shown.shape)
    if window is None:
        return None
    at = landmarks - np.array((window[1].start, window[0].start), np.float32)
    return Places(face, skin_only(shown, landmarks), window, skin_weights(shown[window], at, 1))


def face_window(landmarks: Points, size: tuple[int, ...]) -> Window:
    """The whole blocks of a crop of ``size`` (H, W) that the face reaches; may be empty."""
    points = clamp_points(landmarks)
    left, top = np.clip(np.floor(points.min(0)), 0, size[1::-1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0)), 0, size[1::-1]).astype(int).tolist()
    return in_blocks((slice(top, bottom), slice(left, right)), size)


def in_blocks(box: Window, size: tuple[int, ...]) -> Window:
    """Widen ``box`` to whole blocks of ``smoothed``, as far as ``size`` (H, W) reaches."""
    rows, columns = (
        slice(low := one.start // BLOCK * BLOCK, max(low, min(-(-one.stop // BLOCK), side // BLOCK) * BLOCK))
        for one, side in zip(box, size, strict=False)
    )
    return rows, columns


def window_for(landmarks: Points, size: tuple[int, ...]) -> Window | None:
    """Rows and columns of a picture of ``size`` (H, W) to measure for sharpness and grain, an even number of each:
    nose, mouth and the skin beside them. None if there is hardly anything."""
    mouth = landmarks[LIPS_OUTER]
    middle = (mouth.mean(0) + landmarks[1]) / 2
    reach = max(float(np.linalg.norm(landmarks[CHIN] - landmarks[1])), float(np.ptp(mouth[:, 0])))
    half = np.array([0.85, 0.75]) * reach
    half *= min(1.0, math.sqrt(PATCH_PX / max(1.0, 4 * half[0] * half[1])))
    height, width = size
    low = np.clip(np.floor(middle - half), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(middle + half), 0, (width, height)).astype(int)
    across, down = ((high - low) // 2 * 2).tolist()
    if min(across, down) < 16:
        return None
    return slice(int(low[1]), int(low[1]) + down), slice(int(low[0]), int(low[0]) + across)
