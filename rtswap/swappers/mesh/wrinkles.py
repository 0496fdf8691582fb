"""Show the wrinkles that the target's expression makes: raised and knit brows, and the folds from nose to mouth.

The source's photo shows a face at rest. Where an expression makes wrinkles, and as far as it differs from the
target's own rest, the swap follows the target's lightness relative to its surroundings; at rest, wrinkles are the
source's.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.swappers.mesh.neutral_expression import SMILING, Motion
from rtswap.swappers.mesh.skin_tones import ONE
from rtswap.vision.geometry import canonical, interocular
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE

Field = NDArray[np.float32]

FOREHEAD, GLABELLA = (109, 10, 338, 69, 108, 151, 337, 299), (9, 8, 107, 336)
LEFT_FOLD = (129, 203, 206, 216, 212)
"""From the wing of the nose to beside the corner of the mouth; the right one is its mirror image."""
REACH = (0.3, 0.12, 0.14)
"""Inter-ocular distances around these points over which wrinkles of forehead, glabella and folds fade out."""
NOSE = (129, 49, 102, 48, 64, 98, 219, 115)
"""The left wing of the nose; the right one is its mirror image."""
CLEAR, CLEAR_NOSE = 0.1, 0.15
"""Inter-ocular distances from the target's brows and eyes, and from the wings of its nose, within which nothing is
shown: hair is no wrinkle, nor is the outline of a wider nose."""
RAISED, KNIT = (0.01, 0.04), (0.006, 0.02)
"""Inter-ocular distances of motion from rest over which wrinkles appear: of the brows upwards; of their inner ends
towards each other and down."""
SHARE = 0.8
"""Share of the target's relative lightness that is followed."""
SIGMA = 0.035
"""Face widths: standard deviation of what counts as a wrinkle's surroundings."""
LEAST, MOST = 0.7, 1.05
"""Limits of the lightness relative to the surroundings: a wrinkle is not black, and gloss is no wrinkle."""
FAINTEST = 0.005
"""Share below which nothing is added."""
_HAIR = [*LEFT_BROW, *RIGHT_BROW, *LEFT_EYE, *RIGHT_EYE]
FINE = 0.25
"""Sigma, as a share of the surroundings', of what is too fine for a fold: the creases of old skin were scratches on
that of a young photo."""
STEP, FINE_STEP = 4, 2
"""Pixels per node of the grids on which the surroundings, and folds, are averaged."""


def shares(motion: Motion, expression: float, shown: Points, target: Points) -> Field | None:
    """Share of the target's wrinkles at each point of the mesh, (468,) 0..1; None if there are none.

    ``motion``: the target's; ``expression``: share of it that is followed; ``shown``, ``target`` (468, 3): the swap's
    points and the target's, in the same pixels.
    """
    others, smile = motion.others * np.float32(min(expression, 1.0)), motion.smile * expression
    brows = others[[*LEFT_BROW, *RIGHT_BROW], 1]
    inner = others[[55, 107, 285, 336]]
    knit = float((inner[:2, 0].mean() - inner[2:, 0].mean()) / 2 + max(0.0, inner[:, 1].mean()))
    amounts = _ramp(-float(brows.mean()), *RAISED), _ramp(knit, *KNIT), _ramp(smile, *SMILING)
    if not any(amounts):
        return None
    share = SHARE * np.minimum(np.array(amounts, np.float32) @ _regions(), 1)
    size, some = max(interocular(target), 1e-6), share > FAINTEST
    x, y = shown[some, :2, None].swapaxes(0, 1)
    for points, clear in ((_HAIR, CLEAR), (_nose(), CLEAR_NOSE)):
        apart = np.sqrt(((x - target[points, 0]) ** 2 + (y - target[points, 1]) ** 2).min(1)) / size
        share[some] *= np.clip(apart / clear - 0.3, 0, 1)
    return np.asarray(share, np.float32)


def deepen(swapped: Image, target: Image, share: Field, sigma: float) -> None:
    """Add the target's wrinkles to ``swapped`` (H, W, 3), in place. ``target`` (H, W, 3); ``share`` (h, w) 0..1 on a
    grid over both; ``sigma`` in pixels."""
    height, width = target.shape[:2]
    size = max(1, width // STEP), max(1, height // STEP)
    share = resized(share, size)
    x, y, across, down = cv2.boundingRect(np.asarray(share > FAINTEST, np.uint8))
    if not across:
        return
    grey = cv2.cvtColor(target, cv2.COLOR_BGR2GRAY)
    around = blurred(np.asarray(resized(grey, size, cv2.INTER_AREA), np.float32), sigma / STEP)
    nodes = slice(y, y + down), slice(x, x + across)
    there = slice(STEP * y, STEP * (y + down)), slice(STEP * x, STEP * (x + across))
    region = swapped[there]
    around, share = (resized(np.ascontiguousarray(one[nodes]), region.shape[1::-1]) for one in (around, share))
    finer = max(1, region.shape[1] // FINE_STEP), max(1, region.shape[0] // FINE_STEP)
    fold = np.asarray(resized(grey[there], finer, cv2.INTER_AREA), np.float32)
    fold = resized(blurred(fold, FINE * sigma / FINE_STEP), region.shape[1::-1])
    ratio = np.clip(cv2.divide(fold, np.maximum(around, 1), dtype=cv2.CV_32F), LEAST, MOST)
    factor = np.round(share * (ratio - 1) * np.float32(ONE) + np.float32(ONE)).astype(np.uint8)
    region[:] = cv2.multiply(region, cv2.merge([factor] * 3), scale=1 / ONE)


@cache
def _regions() -> Field:
    """Share of each point in the wrinkles of forehead, glabella and folds, (3, 468)."""
    mesh = canonical().mesh[:, :2]

    def near(points: list[int]) -> Field:
        return np.asarray(np.linalg.norm(mesh[:, None] - mesh[None, points], axis=2).min(1), np.float32)

    folds = [*LEFT_FOLD, *canonical().mirror[list(LEFT_FOLD)].tolist()]
    groups = zip((list(FOREHEAD), list(GLABELLA), folds), REACH, strict=True)
    return np.stack([np.exp(-((near(group) / reach) ** 2)) for group, reach in groups])


@cache
def _nose() -> list[int]:
    """The points of both wings of the nose."""
    return [*NOSE, *canonical().mirror[list(NOSE)].tolist()]


def _ramp(value: float, low: float, high: float) -> float:
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)
