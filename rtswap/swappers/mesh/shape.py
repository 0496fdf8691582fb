"""Where the source's face would have its 468 points if it made the target's expression in the target's pose.

The source's own shape comes from its photo, brought to the canonical pose. What the target's face *does* is read
as five measures (mouth opening, mouth width, lift of its corners, opening of either eye). Its difference from the
target's face at rest (``neutral``) is added to the source's, along directions that were learnt by linear regression
over faces of people who do not exist (``training/canonical.py``); what else moves, brows and cheeks and jaw, is added
as it is. Towards the face oval the result fades into the target's own points, so that the background need not be
warped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Points
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.vision.geometry import canonical, similarity, transform
from rtswap.vision.topology import LEFT_EYE, OVAL, RIGHT_EYE

Vector = NDArray[np.float32]

PERSONAL: Vector = np.array([0.02, 0.08, 0.02, 0.03, 0.03], np.float32)
"""Inter-ocular distances by which people with the same expression differ: half to one standard deviation."""
FOLLOW: Vector = np.array([1.0, 0.4, 0.6, 0.4, 0.4], np.float32)
"""How much of a difference up to ``PERSONAL`` is followed. What lies beyond is expression, and followed wholly."""

OWN: Vector = np.array([2, 1, 1, 2, 2], np.float32)
"""How many ``PERSONAL`` of what a photo shows are taken for the person's own. Most people smile in photos."""

EYES, OPENINGS = [3, 4], [0, 3, 4]
"""Which of the measures are openings, that cannot be less than shut."""
SHUT = 0.02
"""Inter-ocular distances below which an eye is taken for shut."""
STRAIGHT, TURNED = 0.9, 0.7
"""Cosines of the head's turn between which little-known points cease to be followed: 25 to 45 degrees."""
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


@cache
def mean_measures() -> Vector:
    """(5,) of the mean face, which is at rest."""
    return measures(canonical().mesh)


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

    @property
    def rest(self) -> Vector:
        """(5,) the measures without the expression in the photo, so far as that exceeds what is personal: a photo
        that smiles makes no face that always smiles."""
        low, high = mean_measures() - OWN * PERSONAL, mean_measures() + OWN * PERSONAL
        low[0], high[0] = 0, mean_measures()[0]  # the mean face shows some teeth; a mouth at rest is shut
        return np.clip(self.measured, low, high)

    def destination(
        self,
        target: Points,
        *,
        expression: float = 1.0,
        neutral: NeutralExpression | None = None,
        visibility: Vector | None = None,
        time_s: float = 0.0,
    ) -> Points:
        """(468, 3) in the target's pixels. ``expression``: how much of what the target's face does is followed.

        ``neutral``: what is known of the target's face at rest, which learns from this frame; without it, or before
        it has learnt, differences are followed as far as they are larger than those between people.
        """
        pose = to_canonical(target)
        now = transform(pose, target)
        measured, rest = measures(now), self.rest
        if neutral is None:
            goal, others = self._guess(measured), np.zeros_like(now)
        else:
            told = moved_by(measured - mean_measures())
            motion = neutral.update(measured, now - told, _trust(pose, visibility), time_s)
            supposed = self._supposed(motion.first)
            goal = self._following(measured, supposed + np.float32(motion.settled) * (motion.rest - supposed))
            others = motion.others * np.float32(expression)
        goal = rest + np.float32(expression) * (goal - rest)
        goal[OPENINGS] = np.maximum(goal[OPENINGS], 0)
        shape = self.frontal + moved_by(goal - self.measured) + others
        own = (shape - pose[:, 3]) @ (pose[:, :3] / (pose[0, :3] @ pose[0, :3]))  # a scaled rotation's inverse
        return (target + inner_weights() * (own - target)).astype(np.float32)

    def _following(self, measured: Vector, from_rest: Vector) -> Vector:
        """(5,) what the source's measures should be where the target's are ``measured`` and ``from_rest`` at rest."""
        goal = self.rest + measured - from_rest
        goal[EYES] = self.rest[EYES] * (measured[EYES] / np.maximum(from_rest[EYES], SHUT))  # shut stays shut
        return np.asarray(goal, np.float32)

    def _supposed(self, first: Vector) -> Vector:
        """(5,) the target's measures at rest, from a first look: with them the first picture follows ``_guess``, and
        what the face does from then on is followed wholly."""
        guess = self._guess(first)
        supposed = self.rest + first - guess
        wide = self.rest[EYES] * first[EYES] / np.maximum(guess[EYES], SHUT)
        low, high = mean_measures() - PERSONAL, mean_measures() + 2 * PERSONAL
        supposed[EYES] = np.clip(wide, low[EYES], high[EYES])  # it may have begun with a blink
        return np.asarray(supposed, np.float32)

    def _guess(self, measured: Vector) -> Vector:
        """(5,) what the source's measures should be while nothing is known of the target's face at rest."""
        difference = measured - self.measured
        personal = np.clip(difference, -PERSONAL, PERSONAL)
        return np.asarray(self.measured + difference - (1 - FOLLOW) * personal, np.float32)


def moved_by(difference: Vector) -> Points:
    """(468, 3) how a mesh moves when its measures change by ``difference`` (5,)."""
    moved = difference @ canonical().expression.reshape(len(difference), -1)
    return np.asarray(moved.reshape(-1, 3), np.float32)


def _trust(pose: NDArray[np.float32], visibility: Vector | None) -> NDArray[np.float32]:
    """(468, 1) 0..1 how well each point's place in the canonical pose is known: less the farther the head turns."""
    facing = abs(float(pose[2, 2])) / float(np.linalg.norm(pose[2, :3]))
    frontal = np.float32(min(max((facing - TURNED) / (STRAIGHT - TURNED), 0.0), 1.0))
    if visibility is None:
        return np.full((468, 1), frontal, np.float32)
    return np.asarray(frontal * np.nan_to_num(visibility, nan=0.0)[:, None], np.float32)
