"""Round glasses of wire, painted on portraits."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.types import SourceIdentity
from rtswap.vision.topology import LEFT_EYE, RIGHT_EYE


def with_glasses(who: SourceIdentity, tone: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The portrait with thin round glasses, and 255 where they lie."""
    rims = np.zeros(who.portrait.shape[:2], np.uint8)
    unit = float(np.linalg.norm(who.landmarks[33, :2] - who.landmarks[263, :2]))
    width, middles = max(2, round(0.025 * unit)), [who.landmarks[eye, :2].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
    below = np.array([0, 0.04 * unit])
    for middle, ear in zip(middles, (234, 454), strict=True):
        side = np.sign(middle[0] - np.mean(middles, axis=0)[0])
        cv2.circle(rims, (middle + below).astype(int).tolist(), round(0.25 * unit), 255, width, cv2.LINE_AA)
        outer = middle + below + np.array([0.25 * unit * side, 0])
        cv2.line(
            rims, outer.astype(int).tolist(), who.landmarks[ear, :2].astype(int).tolist(), 255, width, cv2.LINE_AA
        )
    bridge = np.array([0.5 * np.linalg.norm(middles[1] - middles[0]) - 0.25 * unit, 0])
    nose = np.mean(middles, axis=0) + below
    cv2.line(
        rims, (nose - bridge).astype(int).tolist(), (nose + bridge).astype(int).tolist(), 255, width, cv2.LINE_AA
    )
    share = rims[..., None].astype(np.float32) / 255
    return np.asarray(who.portrait * (1 - share) + np.array(tone) * share, np.uint8), rims
