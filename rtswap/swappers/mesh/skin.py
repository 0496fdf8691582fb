"""Which part of a photo is face: no fringe, no hair beside the cheeks, no hat, no background gets pasted.

The photo itself says what its hair and its background look like, outside the face, and what its skin looks like, in
the middle. Between them a cut is made where the picture has edges (GrabCut, Rother et al. 2004). It never takes away
eyes, brows, lips and beard; dark lenses are, with the eyes' whole surroundings. The network that sees what hides a
target's face sees it in photos, too: a fringe, a lock over a brow, a hand at the chin. Where it sees glasses, thin
dark lines that hang together with what it sees are their rims: it alone would leave half of them.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points
from rtswap.networks.occlusion import ANSWER, OcclusionModel, place
from rtswap.networks.occlusion import SIZE as SEEN_PX
from rtswap.swappers.mesh.uv_chart import (
    COARSE,
    SIZE,
    Field,
    chart,
    coarse_points,
    coarse_positions,
    inwards,
    rings_mask,
    skirted,
)
from rtswap.vision.raster import fill, rasterize
from rtswap.vision.resample import blurred, looked_up, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

AROUND = 0.45
"""How far beyond the oval the photo is looked at, in distances from the face's middle: hair, hat, background."""
PAD = 28
"""Coarse texels of room for that on each side of the chart."""
STEP = 2
"""Coarse texels per node of the grid that is cut: the cut takes most of the time."""
ROUNDS = 2
LIDS_AND_CHEEKS = (
    ([228, 229, 230, 231, 223, 222], [50, 205, 187, 207]),
    ([448, 449, 450, 451, 443, 442], [280, 425, 411, 427]),
)
"""Points around either eye where glasses would be, and points where they would not."""
DARK_LENS = 0.33
"""Lightness under and over the eyes, relative to the cheeks', below which they are taken for dark glasses."""

LENS_REACH = 14.0
"""Coarse texels around eyes and brows to which glasses reach."""
DARKER, OTHER_HUE = 18.0, 14.0
"""How much darker than the cheeks (36 is half as light), or how far off in chromaticity, is not skin there."""
BRIDGE = [168, 6]
"""Points of the nose between the eyes, over which glasses lie."""
RIMS_REACH = 22.0
"""Coarse texels from the eyes within which rims lie."""
RIM, RIM_DARKER, LASHES = 11, 9.0, 3.0
"""Coarse texels across, that no rim exceeds; how much darker it is than what is around it (36 is half as light); and
texels around the eyes in which dark lines are lashes."""
OPEN, SHUT = 0.35, 0.6
"""How sure the network is that something lies on the skin: from where on less of the photo is taken, and none."""
AT_THE_EDGE = 0.1
"""Inter-ocular distances from the oval, within which hair and hats begin. What lies in the midst is a glint."""


def face_mask(portrait: Image, landmarks: Points, occlusion_model: OcclusionModel | None = None) -> Mask:
    """(128, 128) on the chart: 255 = face, 0 = something else. ``landmarks`` (468, 3) px in the portrait.

    ``occlusion_model``: hair and hands that the colours do not tell are left out, too, even from before the eyes."""
    picture = _surroundings(portrait, landmarks)
    dark = _dark_lenses(picture[PAD:-PAD, PAD:-PAD])
    seeds = _seeds() if not dark else np.where(_lenses() & (_seeds() == cv2.GC_FGD), cv2.GC_PR_FGD, _seeds())
    face = _tidy(_cut(picture, np.asarray(seeds, np.uint8)))
    face = resized(blurred(face, 0.8), (len(picture), len(picture)))[PAD:-PAD, PAD:-PAD]
    face = np.clip((face - 0.5) * 2, 0, 1)  # half a step inside: no hair at the edge
    face = np.maximum(blurred(face, COARSE / 100), _kept())
    if dark:
        face = face * (1 - _glasses(picture[PAD:-PAD, PAD:-PAD]))
    if occlusion_model is not None:
        seen = _uncovered(portrait, landmarks, occlusion_model)
        face = np.minimum(face, seen)
        if not dark:
            face = face * (1 - _rims(picture[PAD:-PAD, PAD:-PAD], 1 - seen))
    return np.asarray(np.clip(face * 255, 0, 255), np.uint8)


def _surroundings(portrait: Image, landmarks: Points) -> Image:
    """(184, 184, 3) the unwrapped face and what is around it, in colours in which shading counts little."""
    mesh = skirted(landmarks, AROUND)
    scale = np.array([portrait.shape[1], portrait.shape[0]], np.float32)
    small = portrait
    shrink = 1.6 * COARSE / max(float(np.ptp(landmarks[:, 0])), 1.0)
    if shrink < 1:  # averaged before it is looked up: single hairs and pores are noise here
        size = max(8, round(portrait.shape[1] * shrink)), max(8, round(portrait.shape[0] * shrink))
        small = resized(portrait, size, cv2.INTER_AREA)
    values = np.column_stack([np.clip(mesh[:, :2] / scale, 0, 1), np.ones(len(mesh))]).astype(np.float32)
    side = COARSE + 2 * PAD
    where = rasterize(_wide_points(), values, chart().triangles, (side, side))
    lookup = where[..., :2] * np.array([small.shape[1], small.shape[0]], np.float32)
    return _tints(looked_up(small, lookup))


def _tints(picture: Image) -> Image:
    """Lightness on a flattened scale, and the two chromaticities, which shadows change little; 8 bits."""
    light = np.asarray(blurred(picture, 0.8), np.float32) + 6
    blue, green, red = light[..., 0], light[..., 1], light[..., 2]
    total = blue + green + red
    planes = [36 * np.log2(total / 18), 128 + 300 * (red / total - 0.42), 128 + 300 * (blue / total - 0.25)]
    return np.asarray(np.clip(cv2.merge(planes), 0, 255), np.uint8)


def _cut(picture: Image, seeds: NDArray[np.uint8]) -> Field:
    """(H, W) 1 where GrabCut says face."""
    size = len(picture) // STEP
    cut = np.ascontiguousarray(seeds[::STEP, ::STEP])
    picture = resized(picture, (size, size), cv2.INTER_AREA)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, cut, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.asarray((cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD), np.float32)


def _tidy(face: Field) -> Field:
    """Without islands of face, without small holes in it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    closed = cv2.morphologyEx(np.asarray(face, np.uint8), cv2.MORPH_CLOSE, disc)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, disc)
    _, labels = cv2.connectedComponents(opened)
    return np.asarray(labels == labels[len(face) // 2 + 6, len(face) // 2], np.float32) * (opened > 0)


def _uncovered(portrait: Image, landmarks: Points, occlusion_model: OcclusionModel) -> Field:
    """(128, 128) on the chart: 0 where the network sees hair, a hat or a hand over the skin, 1 elsewhere."""
    matrix = place(landmarks)
    if matrix is None:
        return np.ones((COARSE, COARSE), np.float32)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    answer = occlusion_model.hidden(portrait, matrix, points)
    values = np.ones((468 + len(OVAL), 3), np.float32)
    values[:, :2] = np.clip((skirted(np.column_stack([points, landmarks[:, 2]]))[:, :2] + 0.5) / SEEN_PX, 0, 1)
    where = rasterize(coarse_points(), values, chart().triangles, (COARSE, COARSE))[..., :2]
    covered = np.clip((looked_up(answer, where * np.float32(ANSWER) - np.float32(0.5)) - OPEN) / (SHUT - OPEN), 0, 1)
    count, labels = cv2.connectedComponents((covered > 0).astype(np.uint8))
    from_outside = np.zeros(count, bool)
    from_outside[np.unique(labels[inwards() < AT_THE_EDGE])] = True
    return np.asarray(1 - covered * from_outside[labels], np.float32)


@cache
def _wide_points() -> Points:
    """(504, 3) the chart with a wider skirt, padded."""
    points = skirted(chart().points[:468], AROUND)
    points[:, :2] = (points[:, :2] + 0.5) * (COARSE / SIZE) - 0.5 + PAD
    return points


@cache
def _seeds() -> NDArray[np.uint8]:
    """(184, 184) what is certain and what is likely, by place alone."""
    side = COARSE + 2 * PAD
    points = _wide_points()
    away = _away(points, side)
    where = np.pad(coarse_positions(), ((PAD, PAD), (PAD, PAD), (0, 0)), constant_values=9)
    x, y = np.abs(where[..., 0]), where[..., 1]
    rows = np.arange(side, dtype=np.float32)[:, None] * np.ones((1, side), np.float32)
    mouth = float(points[[61, 291], 1].mean())
    seeds = np.full((side, side), cv2.GC_PR_FGD, np.uint8)
    seeds[away < 0.02] = cv2.GC_PR_BGD
    seeds[(away < -0.3) & (rows < mouth)] = cv2.GC_BGD
    seeds[(away < -0.02) & (rows > mouth)] = cv2.GC_PR_FGD  # neck or clothes: no matter
    seeds[(away < -0.15) & (rows > mouth)] = cv2.GC_PR_BGD
    seeds[(x < 0.62) & (y > -0.12) & (y < 0.45)] = cv2.GC_FGD
    seeds[(x < 0.45) & (y > 0.4) & (away > 0.15)] = cv2.GC_FGD
    seeds[PAD:-PAD, PAD:-PAD][rings_mask(_eyes_and_brows()) > 0] = cv2.GC_FGD
    return seeds


def _away(points: Points, side: int) -> Field:
    """Inter-ocular distances inwards of the oval on the padded grid."""
    away = np.pad(inwards(), PAD, constant_values=np.nan)
    inside = np.zeros((side, side), np.uint8)
    fill(inside, [points[OVAL, :2]], 1, smooth=False)
    per_unit = (points[152, 1] - points[10, 1]) / (np.ptp(points[:468, 1]) / 2.5)
    outside = -cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / max(float(per_unit) * 20, 1.0)
    return np.asarray(np.where(np.isnan(away), outside, away), np.float32)


@cache
def _kept() -> Field:
    """(128, 128) 1 where nothing is ever taken away: features, and the beard's place."""
    where = coarse_positions()
    x, y = np.abs(where[..., 0]), where[..., 1]
    beard = (((x < 0.7) & (y > 0.5)) | ((x < 0.5) & (y > 0.3))) & (inwards() > -0.1)
    features = np.maximum(rings_mask((*_eyes_and_brows(), LIPS_OUTER), 2.0), beard.astype(np.float32))
    return blurred(np.asarray(features, np.float32), COARSE / 100)


def _eyes_and_brows() -> tuple[list[int], ...]:
    return LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE


@cache
def _lenses() -> NDArray[np.bool_]:
    """(184, 184) where dark glasses would be."""
    return np.asarray(np.pad(rings_mask(_eyes_and_brows(), 5.0) > 0, PAD), np.bool_)


def _dark_lenses(tints: Image) -> bool:
    """Whether the skin around both eyes is far darker than the cheeks: sunglasses."""
    light = 18 * np.exp2(tints[..., 0].astype(np.float32) / 36)
    return all(_level(light, lids) < DARK_LENS * _level(light, cheek) for lids, cheek in LIDS_AND_CHEEKS)


def _glasses(tints: Image) -> Field:
    """(128, 128) 1 where dark glasses are: eyes and brows, and what around them is darker or of another colour than
    the cheeks."""
    cheeks = coarse_points()[[point for _, cheek in LIDS_AND_CHEEKS for point in cheek], :2]
    x, y = np.round(cheeks).astype(int).T
    away = np.abs(tints.astype(np.float32) - np.median(tints[y, x], axis=0)).astype(np.float32)
    darker = tints[..., 0] < np.median(tints[y, x, 0]) - DARKER
    unlike = (darker | (away[..., 1:].max(2) > OTHER_HUE)) & (rings_mask(_eyes_and_brows(), LENS_REACH) > 0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    whole = cv2.morphologyEx(np.asarray(unlike, np.uint8), cv2.MORPH_CLOSE, disc)
    whole = np.maximum(cv2.dilate(whole, disc), rings_mask(_eyes_and_brows(), 4.0) > 0)
    return blurred(np.asarray(whole, np.float32), 1.5)


def _rims(tints: Image, covered: Field) -> Field:
    """(128, 128) 1 on rims of glasses, as far as they are darker than what is around them; 0 where there is none.

    ``covered`` (128, 128): where the network sees something. Glasses lie over the bridge of the nose."""
    if max(covered[round(float(y)), round(float(x))] for x, y in coarse_points()[BRIDGE, :2]) < 0.5:
        return np.zeros((COARSE, COARSE), np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (RIM, RIM))
    lines = cv2.morphologyEx(np.ascontiguousarray(tints[..., 0]), cv2.MORPH_BLACKHAT, disc) > RIM_DARKER
    lines &= _rims_place() & ~(rings_mask((LEFT_EYE, RIGHT_EYE), LASHES) > 0)
    seeds = (covered > 0.5) & _rims_place()
    count, labels = cv2.connectedComponents((lines | seeds).astype(np.uint8), connectivity=8)
    hang_together = np.zeros(count, bool)
    hang_together[np.unique(labels[seeds])] = True
    rims = (lines | seeds) & hang_together[labels]
    return blurred(np.asarray(cv2.dilate(rims.astype(np.uint8), np.ones((3, 3), np.uint8)), np.float32), 0.8)


@cache
def _rims_place() -> NDArray[np.bool_]:
    """(128, 128) where rims can be: around the eyes, from the brows downwards."""
    top = coarse_points()[[*LEFT_BROW, *RIGHT_BROW], 1].min()
    return np.asarray((rings_mask((LEFT_EYE, RIGHT_EYE), RIMS_REACH) > 0) & (np.arange(COARSE)[:, None] > top))


def _level(light: Field, points: list[int]) -> float:
    x, y = np.round(coarse_points()[points, :2]).astype(int).T
    return float(np.median(light[y, x]))
