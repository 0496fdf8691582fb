"""The person's own hair over the forehead, and the dark glasses and headwear that they have on: where they lie, where
skin lies, where nobody can say.

Hair is found by colour. Who wears what was found by looking at all pictures (``worn.txt``). Frames of glasses are not
this network's: ``training.glasses`` finds them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from rtswap.vision.topology import GLASSES, LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from training.arrays import Bytes, Floats
from training.masks.layers import fixed

_SKIN = (205, 425, 50, 280, 5, 199)
_HAIRLINE = (10, 338, 109, 332, 103)
_UPPER = (127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 301, 334, 9, 105, 71)
SIDE = 40
SURE, DOUBT = 0.55, 1.6
"""Distance to hair over distance to skin in Lab: below which it is hair, up to which nobody can say."""
LIKE_SKIN = 16.0
"""What is above the forehead and nearer than this to the skin's colour is a bald head."""
NONE, CLEAR, DARK, HEADWEAR, BARE = 0, 1, 2, 4, 8
"""What somebody wears, as bits: glasses with clear or dark lenses, something on the head; and a forehead that nothing
hides, though colours say so."""
BELOW = 0.14
"""Of the face's height: how far lower rims may lie below what a frame surrounds at least."""
LENS = 1.25
"""Of the eye's ring: what a dark lens hides for certain."""


def own_hair(crop: Bytes, points: Floats) -> tuple[Bytes, Bytes]:
    """(S, S) hair and (S, S) doubt, 0 or 255, in a crop before anything is painted on it."""
    size = crop.shape[0]
    small = cv2.resize(cv2.GaussianBlur(crop, (0, 0), 1.0), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2Lab).astype(np.float32) * np.array([0.5, 1, 1], np.float32)
    at = points * (SIDE / size)
    chin = at[152]
    above = [at[row] + 0.1 * (at[row] - chin) for row in _HAIRLINE]
    skins = np.stack([_colour(lab, at[row]) for row in _SKIN])
    hairs = np.stack([_colour(lab, place) for place in above])
    hairs = hairs[np.linalg.norm(hairs[:, None] - skins, axis=-1).min(1) > LIKE_SKIN]
    skin, hair = _nearest(lab, skins), _nearest(lab, hairs)
    zone = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(zone, [fixed(at[list(_UPPER)])], 255, cv2.LINE_8, 4)
    zone = np.asarray(cv2.dilate(zone, np.ones((3, 3), np.uint8)), np.uint8)
    for ring in (LEFT_BROW, RIGHT_BROW):
        cv2.fillPoly(zone, [fixed(at[ring])], 0, cv2.LINE_8, 4)
    is_hair = cv2.medianBlur(((hair < SURE * skin) & (skin > 10) & (zone > 0)).astype(np.uint8), 3) > 0
    doubtful = (hair < DOUBT * skin) & (zone > 0) & ~is_hair
    return tuple(  # type: ignore[return-value]
        cv2.resize(part.astype(np.uint8) * 255, (size, size), interpolation=cv2.INTER_NEAREST)
        for part in (is_hair, doubtful)
    )


def eye_band(size: int, points: Floats) -> Bytes:
    """(S, S) 255 where glasses sit, down to the lower rims of large ones, but for the eyes' openings."""
    band = np.zeros((size, size), np.uint8)
    down = points[152, :2] - points[10, :2]
    lower = points[GLASSES, :2] + BELOW * down
    cv2.fillPoly(band, [cv2.convexHull(fixed(np.concatenate([points[GLASSES, :2], lower])))], 255, cv2.LINE_8, 4)
    for ring in (LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(band, [fixed(points[ring])], 0, cv2.LINE_8, 4)
    return band


def _colour(lab: Floats, place: Floats) -> Floats:
    x, y = (int(min(max(v, 1), SIDE - 2)) for v in place)
    return np.asarray(lab[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0), np.float32)


def _nearest(lab: Floats, colours: Floats) -> Floats:
    """(S, S) distance in Lab to the nearest of ``colours`` (N, 3); far where there are none."""
    nearest = np.full(lab.shape[:2], 1e6, np.float32)
    for colour in colours:
        apart = lab - colour
        np.minimum(nearest, np.einsum("ijk,ijk->ij", apart, apart), out=nearest)
    return np.sqrt(nearest)


def worn_by(names: Iterable[str]) -> Bytes:
    """What the person in each picture wears, by its file name: ``CLEAR`` or ``DARK``, and ``HEADWEAR`` or
    ``BARE``."""
    codes, worn = {"clear": CLEAR, "dark": DARK, "headwear": HEADWEAR, "bare": BARE}, defaultdict[str, int](int)
    for line in Path(__file__).with_name("worn.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, kind = line.split()
            worn[name] |= codes[kind]
    return np.array([worn[name] for name in names], np.uint8)


def dark_lenses(size: int, points: Floats) -> Bytes:
    """(S, S) 255 where dark glasses hide the face for certain: over the eyes."""
    mask = np.zeros((size, size), np.uint8)
    for ring in (LEFT_EYE, RIGHT_EYE):
        eye = points[ring, :2]
        middle = eye.mean(0)
        wide = middle + LENS * np.array([1.0, 1.3]) * (eye - middle)
        cv2.fillPoly(mask, [cv2.convexHull(fixed(wide))], 255, cv2.LINE_8, 4)
    return mask


def surely_bare(size: int, points: Floats) -> Bytes:
    """(S, S) 255 where no headwear reaches: between the eyes and the mouth."""
    mask = np.zeros((size, size), np.uint8)
    rings = np.concatenate([points[ring, :2] for ring in (LEFT_EYE, RIGHT_EYE, LIPS_OUTER)])
    cv2.fillPoly(mask, [cv2.convexHull(fixed(rings))], 255, cv2.LINE_8, 4)
    return mask
