"""Compute the source's 468 points with the target's pose and expression.

The source's shape comes from its photo, brought to the canonical pose. Five measures describe the target's expression
(mouth opening, mouth width, lift of its corners, opening of either eye). Their difference from the target's neutral
expression (``neutral``) is added to the source's along directions that linear regression learnt over faces of people
who do not exist (``training/canonical.py``). Other motion, of brows, cheeks and jaw, is added directly. Towards the
face oval the result fades into the target's own points, so that the background needs no warping.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Points
from rtswap.swappers.mesh.neutral_expression import EYES, NeutralExpression
from rtswap.vision.geometry import canonical, similarity, transform
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, OVAL, RIGHT_BROW, RIGHT_EYE

Vector = NDArray[np.float32]

PERSONAL: Vector = np.array([0.02, 0.08, 0.02, 0.03, 0.03], np.float32)
"""Inter-ocular distances by which people with the same expression differ: half to one standard deviation."""
EYES_FOLLOW = 0.4
"""Share of a difference of the eyes' openings up to ``PERSONAL`` that is followed. Anything beyond is expression, and
followed completely."""
CORNERS_FOLLOW: Vector = np.array([[0.61, 0.92], [0.08, 0.69]], np.float32)
"""Times differences of mouth width and corner lift: what of them is expression. Raised corners tell that a wide mouth
smiles. The covariance of both over 2,011 faces of people who do not exist, less that of people at rest (0.04 and
0.012 inter-ocular distances), times the inverse of the whole."""

OWN: Vector = np.array([2, 1, 1, 2, 2], np.float32)
"""Multiples of ``PERSONAL`` in a photo that count as the person's own shape. Most people smile in photos."""

CORNERS = [1, 2]
"""Indices of the measures of the mouth's corners."""
OPENINGS = [0, *EYES]
"""Indices of the measures that are openings: they cannot be less than shut."""
SHUT = 0.02
"""Inter-ocular distances below which an eye counts as shut."""
STRAIGHT, TURNED = 0.9, 0.7
"""Cosines of the head's turn over which uncertain points fade out: 25 to 45 degrees."""
OVAL_FADE = 0.35
"""Inter-ocular distances over which the destination fades from the target's oval to the source's shape."""

OPPOSITE = np.array([[13, 61, 160, 159, 158, 387, 386, 385], [14, 291, 144, 145, 153, 373, 374, 380]])
"""Opposite points: of the inner lips, the mouth's corners, the left lids (three) and the right ones."""


MOUTH_EXCESS: Vector = np.array([0.2, 0.3, 0.3], np.float32)
"""How much more than in the landmarks the mouth opens, widens and lifts its corners, since these understate
expressions. By MediaPipe's network on clips of people who begin to smile."""
MOUTH_LARGE: Vector = np.array([0.15, 0.2, 0.1], np.float32)
"""Inter-ocular distances of a large expression, beyond which the excess hardly grows."""
EYES_EXCESS = 0.4
"""How much more than in the landmarks the eyes open and close: an exponent of the opening relative to rest."""
BROW_EXCESS, AROUND_BROWS, BELOW_BROWS = 1.2, 0.3, 0.1
"""How much more than in the landmarks the brows move. In inter-ocular distances: how far around them this reaches,
and over which distance it ends above the eyes."""
LOWER_BROWS, UPPER_LIDS = [52, 53, 65, 282, 283, 295], [159, 160, 158, 386, 387, 385]
LID_ROOM, LEAST_ROOM = 0.08, 0.02
"""Inter-ocular distances above the upper lids that brows leave free when they are lowered, since the lids are drawn
over them; and by how much any can be lowered."""


def measures(frontal: Points) -> Vector:
    """(5,) mouth opening, mouth width, corner lift, left and right eye opening of a mesh in the canonical pose."""
    first, second = frontal[OPPOSITE]
    apart = first - second
    middle, corners = (first[:2, 1] + second[:2, 1]) / 2
    lids = np.linalg.norm(apart[2:], axis=1).reshape(2, 3).mean(axis=1)
    return np.array([*map(np.linalg.norm, apart[:2]), middle - corners, *lids], np.float32)


def rigid_weights(mean: NDArray[np.floating]) -> Vector:
    """Weight of each point of the mean mesh for the head pose, (468,): low where expressions move it."""
    weights = np.ones(468, np.float32)
    weights[mean[:, 1] > 0.25] = 0.15
    weights[[*LEFT_EYE, *RIGHT_EYE]] = 0.5
    return weights


@cache
def _rigid_weights() -> Vector:
    return rigid_weights(canonical().mesh)


@cache
def inner_weights() -> Vector:
    """0 on the face oval, 1 from OVAL_FADE inwards, smooth between, (468, 1)."""
    mesh = canonical().mesh[:, :2]
    distance = np.linalg.norm(mesh[:, None] - mesh[None, OVAL], axis=2).min(1)
    t = np.clip(distance / OVAL_FADE, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)[:, None]


@cache
def followed_share() -> NDArray[np.float32]:
    """How much of the motion that the measures do not explain each point follows, (468, 1), 1 to 2.2."""
    mesh = canonical().mesh[:, :2]
    distance = np.linalg.norm(mesh[:, None] - mesh[None, [*LEFT_BROW, *RIGHT_BROW]], axis=2).min(1)
    above = mesh[[*LEFT_EYE, *RIGHT_EYE], 1].min() - mesh[:, 1]
    near = np.exp(-((distance / AROUND_BROWS) ** 2)) * np.clip(0.5 + above / BELOW_BROWS, 0, 1)
    return np.asarray(1 + BROW_EXCESS * near, np.float32)[:, None]


def to_canonical(mesh: Points) -> Points:
    """Similarity (3, 4) that brings a mesh to the canonical pose."""
    return similarity(mesh, canonical().mesh, _rigid_weights())


@cache
def mean_measures() -> Vector:
    """Measures (5,) of the mean face, which is at rest."""
    return measures(canonical().mesh)


@dataclass(frozen=True, slots=True)
class SourceShape:
    """The shape of the source's face, from the photo."""

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
        """(5,) the measures without the photo's expression beyond what is personal: a smiling photo must not make a
        face that always smiles."""
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
        """Return the source's points in the target's pixels, (468, 3). ``expression``: share of the target's
        expression to follow.

        ``neutral``: the target's neutral expression, updated with this frame. Without it, or before it has learnt,
        differences are followed as far as they are likely to be expression, and not the people's own shapes.
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
            others = self._above_lids(motion.others * (np.float32(expression) * followed_share()))
        change = goal - rest
        change[:3] += MOUTH_EXCESS * MOUTH_LARGE * np.tanh(change[:3] / MOUTH_LARGE)
        goal = rest + np.float32(expression) * change
        goal[OPENINGS] = np.maximum(goal[OPENINGS], 0)
        shape = self.frontal + moved_by(goal - self.measured) + others
        own = (shape - pose[:, 3]) @ (pose[:, :3] / (pose[0, :3] @ pose[0, :3]))  # a scaled rotation's inverse
        return (target + inner_weights() * (own - target)).astype(np.float32)

    def _above_lids(self, others: Points) -> Points:
        """``others`` (468, 3) with brows that sink ever more slowly the nearer they come to the lids."""
        gap = float(self.frontal[UPPER_LIDS, 1].mean() - self.frontal[LOWER_BROWS, 1].mean())
        room = np.float32(max(gap - LID_ROOM, LEAST_ROOM))
        down = np.maximum(others[:, 1], 0) * ((followed_share()[:, 0] - 1) / np.float32(BROW_EXCESS))
        limited = others.copy()
        limited[:, 1] -= down - room * np.tanh(down / room)
        return limited

    def _following(self, measured: Vector, from_rest: Vector) -> Vector:
        """Measures (5,) of the source when the target's are ``measured``, and ``from_rest`` at rest."""
        goal = self.rest + measured - from_rest
        ratio = measured[EYES] / np.maximum(from_rest[EYES], SHUT)  # shut stays shut
        goal[EYES] = self.rest[EYES] * np.maximum(ratio, 0) ** (1 + EYES_EXCESS)
        return np.asarray(goal, np.float32)

    def _supposed(self, first: Vector) -> Vector:
        """Guess the target's measures at rest (5,) from the first frame: the first frame then follows ``_guess``, and
        later expressions are followed completely."""
        guess = self._guess(first)
        supposed = self.rest + first - guess
        wide = first[EYES] * (self.rest[EYES] / np.maximum(guess[EYES], SHUT)) ** (1 / (1 + EYES_EXCESS))
        low, high = mean_measures() - PERSONAL, mean_measures() + 2 * PERSONAL
        supposed[EYES] = np.clip(wide, low[EYES], high[EYES])  # the first frame may show a blink
        return np.asarray(supposed, np.float32)

    def _guess(self, measured: Vector) -> Vector:
        """Measures (5,) of the source while the target's neutral expression is unknown."""
        difference = measured - self.measured
        difference[CORNERS] = CORNERS_FOLLOW @ difference[CORNERS]
        personal = np.clip(difference[EYES], -PERSONAL[EYES], PERSONAL[EYES])
        difference[EYES] -= (1 - EYES_FOLLOW) * personal
        return np.asarray(self.measured + difference, np.float32)


def moved_by(difference: Vector) -> Points:
    """Displacement of a mesh (468, 3) when its measures change by ``difference`` (5,)."""
    moved = difference @ canonical().expression.reshape(len(difference), -1)
    return np.asarray(moved.reshape(-1, 3), np.float32)


def _trust(pose: NDArray[np.float32], visibility: Vector | None) -> NDArray[np.float32]:
    """Certainty of each point in the canonical pose, 0..1 (468, 1): falls as the head turns."""
    facing = abs(float(pose[2, 2])) / float(np.linalg.norm(pose[2, :3]))
    frontal = np.float32(min(max((facing - TURNED) / (STRAIGHT - TURNED), 0.0), 1.0))
    if visibility is None:
        return np.full((468, 1), frontal, np.float32)
    return np.asarray(frontal * np.nan_to_num(visibility, nan=0.0)[:, None], np.float32)
