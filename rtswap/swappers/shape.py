"""Where the source's face would have its 468 points if it made the target's expression in the target's pose.

The source's own shape comes from its photo, brought to the canonical pose. What the target's face *does* is read
as five measures (mouth opening, mouth width, lift of its corners, opening of either eye), and the difference to
the photo's measures is added along directions that were learnt by linear regression over faces of people who do
not exist (``training/canonical.py``). Towards the face oval the result fades into the target's own points, so that
the background need not be warped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtswap.geometry import canonical, similarity, transform
from rtswap.topology import LEFT_EYE, OVAL, RIGHT_EYE
from rtswap.types import Points

Vector = NDArray[np.float32]

PERSONAL: Vector = np.array([0.02, 0.08, 0.02, 0.03, 0.03], np.float32)
"""Inter-ocular distances by which people with the same expression differ: half to one standard deviation."""
FOLLOW: Vector = np.array([1.0, 0.4, 0.6, 0.4, 0.4], np.float32)
"""How much of a difference up to ``PERSONAL`` is followed. What lies beyond is expression, and followed wholly."""

OVAL_FADE = 0.35
"""Inter-ocular distances over which the destination passes from the target's oval to the source's shape."""

UPPER_LIDS, LOWER_LIDS = ([160, 159, 158], [387, 386, 385]), ([144, 145, 153], [373, 374, 380])


def measures(frontal: Points) -> Vector:
    """(5,) mouth opening, mouth width, corner lift, left and right eye opening of a mesh in the canonical pose."""
    corners, middle = frontal[[61, 291]].mean(0), frontal[[13, 14]].mean(0)
    lids = [
        np.linalg.norm(frontal[up] - frontal[down], axis=1).mean()
        for up, down in zip(UPPER_LIDS, LOWER_LIDS, strict=True)
    ]
    opening, width = (np.linalg.norm(frontal[a] - frontal[b]) for a, b in ((13, 14), (61, 291)))
    return np.array([opening, width, middle[1] - corners[1], *lids], np.float32)


def rigid_weights(mean: NDArray[np.floating]) -> Vector:
    """(468,) how much each point of the mean mesh says of the head's pose: little where expressions move it."""
    weights = np.ones(468, np.float32)
    weights[mean[:, 1] > 0.25] = 0.15
    weights[[*LEFT_EYE, *RIGHT_EYE]] = 0.5
    return weights


@cache
def _rigid_weights() -> Vector:
    return rigid_weights(canonical().mesh)


@cache
def inner_weights() -> Vector:
    """(468, 1) 0 on the face oval, 1 from OVAL_FADE inwards, smooth between."""
    mesh = canonical().mesh[:, :2]
    distance = np.linalg.norm(mesh[:, None] - mesh[None, OVAL], axis=2).min(1)
    t = np.clip(distance / OVAL_FADE, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)[:, None]


def to_canonical(mesh: Points) -> Points:
    """(3, 4) similarity that brings a mesh to the canonical pose."""
    return similarity(mesh, canonical().mesh, _rigid_weights())


@dataclass(frozen=True, slots=True)
class SourceShape:
    """What the photo says of the form of the source's face."""

    frontal: Points
    """(468, 3) the source's mesh in the canonical pose."""
    measured: Vector
    """(5,) its expression in the photo."""

    @classmethod
    def of(cls, landmarks: Points) -> SourceShape:
        frontal = transform(to_canonical(landmarks), landmarks)
        return cls(frontal, measures(frontal))

    def destination(self, target: Points) -> Points:
        """(468, 3) in the target's pixels."""
        pose = to_canonical(target)
        difference = measures(transform(pose, target)) - self.measured
        personal = np.clip(difference, -PERSONAL, PERSONAL)
        shape = self.frontal + np.tensordot(difference - (1 - FOLLOW) * personal, canonical().expression, 1)
        own = (shape - pose[:, 3]) @ (pose[:, :3] / (pose[0, :3] @ pose[0, :3]))  # a scaled rotation's inverse
        return (target + inner_weights() * (own - target)).astype(np.float32)
