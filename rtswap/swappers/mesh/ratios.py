"""The photo's skin in ratios: what distinguishes each place from its surroundings, on the chart, computed once.

What belongs to the photo's light is limited: gloss, shadows, coloured lamps.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.cast_shadows import without_cast_shadows
from rtswap.swappers.mesh.light import OFFSET, SourceLight, black_level_of, block_means, colour_of, skin_light
from rtswap.swappers.mesh.skin_tones import DEEP, LUMA, ONE
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, coarse_positions, inwards, ramp, rings_mask
from rtswap.vision.geometry import canonical
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

HAIR_TINT = 0.1
"""Share of the tint that is kept in hair: next to skin, neutral hair is blue."""
LIT, LIT_BROW, LIT_BROW_TINT = (0.2, 0.4), 0.3, 0.2
"""Log lightness beyond the surroundings of a brow that is lit from above, not fair; shares that are kept there of
lightness and tint."""
AROUND = 17.0
"""Sigma in coarse texels of a place's surroundings on the chart: 0.18 face widths, as in ``geometry``."""
BRIGHTEST, LIPS_BRIGHTEST = 0.65, 0.35
"""Log lightness above the surroundings which highlights approach: more is gloss."""
LIPS_BROAD, LIPS_SIGMA = 0.1, 9.0
"""Log lightness which a whole lip approaches: the lower one may be far lighter than dark skin. Sigma in texels of a
whole lip; its creases are kept."""
DARKEST, LIPS_DARKEST = 3.0, 0.7
"""Log lightness below the surroundings which shadows approach."""
SHADE, SHADE_SIGMA, EDGE = 0.3, 4.0, 0.3
"""Log lightness which broad shades on skin approach, sigma in coarse texels of what counts as broad, and log
lightness of an edge between shades."""
NOSE_ROOT, AT_NOSE_ROOT = [107, 9, 336, 285, 413, 351, 197, 122, 189, 55], 0.12
"""The ring around the root of the nose, between brows and eyes, and what broad shades approach there: under a lamp
from above it is in shadow, which joins the brows on the swap."""
FOLD, FOLD_SIGMA, STUBBLE = 0.2, 8.0, 0.75
"""Log lightness which wrinkles approach, sigma in texels of their surroundings, and the share of this in the area of
a beard. In a photo's hard light they are so deep that on another face they look etched."""
NOSTRILS, NOSTRILS_REACH = (20, 60, 250, 290), 0.09
"""Points around the nostrils, and inter-ocular distances from them within which darkness is no wrinkle."""
EVEN = 0.12
"""Mean difference in log lightness between the halves of a face in even light: where it is larger, shades are
reduced in proportion."""
TINT, LIPS_TINT, OF_TINT = 0.2, 0.4, 0.95
"""Distance in log colour from the surroundings that skin and lips approach: more is coloured light. Share of it that
is kept."""
LIPS_RED, MOST_GREY, REDDEN, DARKEN = 0.03, 0.16, (-0.7, -0.8, 0.8), 1.6
"""Logs by which lips are redder than the skin at least, counted as red over the mean of blue and green, and by which
they may lack it; what is added to their logs (B, G, R) per log of that, and taken from their lightness. The lower lip
of dark skin can be less red than the skin: on lighter skin it was ashen."""
LIPS_LILAC = 0.5
"""Share that is removed of the blue which lips have beyond their green and red: with all of it they are lilac on
pinkish skin, with none of it beige on any."""
SKIN_TINT, LEAST_TINT = 0.32, 0.6
"""Log of red over blue of average skin: where skin has more colour, so have all its tints, and they are reduced to
this share at most."""


def ratios_of(texture: Image, face: Mask) -> tuple[Image, SourceLight]:
    """Ratio of each texel to its surroundings (512, 512, 3), in 8 bits with ``ONE`` as 1, and the photo's light.
    ``texture`` (512, 512, 3), ``face`` (128, 128) 255 = skin."""
    texture = without_cast_shadows(texture, face)
    middle = slice(SIZE // 5, -SIZE // 5)
    skin = np.asarray(face * (inwards() > 0) / np.float32(255), np.float32)
    small = np.asarray(resized(texture, (COARSE, COARSE), cv2.INTER_AREA), np.float32)
    around, skin = skin_light(small, skin, AROUND)
    mean = (around * skin[..., None]).sum((0, 1)) / max(float(skin.sum()), 1.0)
    colour = colour_of(mean)
    logs = np.log(texture + np.float32(OFFSET)) - np.log(resized(around, (SIZE, SIZE)) + np.float32(OFFSET))
    weights = np.array(LUMA, np.float32)
    light = (logs @ weights)[..., None]
    lips = resized(blurred(rings_mask((LIPS_OUTER,), 2.0), 1.5), (SIZE, SIZE))[..., None]
    of_skin = np.float32(np.clip(SKIN_TINT / max(colour, 1e-3), LEAST_TINT, 1))
    tint = (logs - light) * (of_skin + (1 - of_skin) * lips)
    light = light - resized(_shadows(block_means(light, (COARSE, COARSE)), skin), (SIZE, SIZE))[..., None]
    light = light - _folds(light[..., 0])[..., None]
    brows = resized(brows_and_lips()[..., 0] / np.float32(255), (SIZE, SIZE))[..., None]
    shine = brows * ramp(light, *LIT)
    light, tint = light * (1 - (1 - LIT_BROW) * shine), tint * (1 - (1 - LIT_BROW_TINT) * shine)
    broad = blurred(light[..., 0], LIPS_SIGMA)[..., None]
    light = light + lips * np.where(broad > 0, LIPS_BROAD * np.tanh(broad / LIPS_BROAD) - broad, 0)
    x, y, width, height = cv2.boundingRect(np.asarray(lips[..., 0] > 0, np.uint8))
    mouth = np.s_[y : y + height, x : x + width]
    red = blurred(tint[mouth][..., 2] - tint[mouth][..., :2].mean(2), LIPS_SIGMA)[..., None]
    grey = lips[mouth] * np.clip(LIPS_RED - red, 0, MOST_GREY)
    tint[mouth] += grey * np.array(REDDEN, np.float32)
    light[mouth] -= np.float32(DARKEN) * grey
    hair = np.clip(light / DEEP - 1, 0, 1) * (1 - lips)
    strength = np.maximum(np.linalg.norm(tint, axis=2, keepdims=True), np.float32(1e-6))
    most = TINT + lips * (LIPS_TINT - TINT)
    tint[..., :1] -= LIPS_LILAC * lips * np.maximum(tint[..., :1] - tint[..., 1:].mean(2, keepdims=True), 0)
    tint *= (OF_TINT + hair * (HAIR_TINT - OF_TINT)) * most * np.tanh(strength / most) / strength
    brightest, darkest = (
        skin_limit + lips * (lip_limit - skin_limit)
        for skin_limit, lip_limit in ((BRIGHTEST, LIPS_BRIGHTEST), (DARKEST, LIPS_DARKEST))
    )
    limit = np.where(light > 0, brightest, darkest)
    ratios = ONE * np.exp(limit * np.tanh(light / limit) + tint)
    found = SourceLight(float(mean @ weights), black_level_of(texture[middle, middle]), colour)
    return np.asarray(np.clip(np.round(ratios), 0, 255), np.uint8), found


@cache
def brows_and_lips() -> Image:
    """255 on the brows, and 255 on the lips (128, 128, 2), on the chart."""
    brows, lips = (
        blurred(rings_mask(rings, grow), 1.5)
        for rings, grow in (((LEFT_BROW, RIGHT_BROW), 2.0), ((LIPS_OUTER,), 1.0))
    )
    return np.asarray(np.round(255 * np.stack([blurred(one, 1.5) for one in (brows, lips)], 2)), np.uint8)


def _shadows(light: Field, skin: Field) -> Field:
    """What broad shades exceed skin's by (128, 128), in log lightness ``light`` (128, 128): the photo's light. It is
    compressed along its edges, and more so if the halves of the face differ (Durand and Dorsey, Fast Bilateral
    Filtering, SIGGRAPH 2002)."""
    broad = np.asarray(cv2.bilateralFilter(light, -1, EDGE, SHADE_SIGMA), np.float32)
    both = skin * skin[:, ::-1]
    uneven = float((np.abs(broad - broad[:, ::-1]) * both).sum()) / max(1.0, float(both.sum()))
    root = np.where(broad < 0, _nose_root(), np.float32(0))
    most = (SHADE + root * (AT_NOSE_ROOT - SHADE)) * np.float32(min(1.0, EVEN / max(uneven, 1e-6)))
    return np.asarray((broad - most * np.tanh(broad / most)) * (1 - _kept_areas() * (1 - root)), np.float32)


@cache
def _nose_root() -> Field:
    """1 on the root of the nose (128, 128)."""
    return blurred(rings_mask((NOSE_ROOT,), 1.0), 2.5)


def _folds(light: Field) -> Field:
    """What wrinkles exceed those of a smooth face by, in log lightness ``light`` (512, 512)."""
    detail = light - blurred(light, FOLD_SIGMA)
    where = coarse_positions()
    nose = canonical().mesh[list(NOSTRILS), :2]
    nostrils = np.linalg.norm(where[:, :, None] - nose, axis=3).min(2) < NOSTRILS_REACH
    kept = np.maximum(_rings(), np.maximum(nostrils, (1 - STUBBLE) * _beard()))
    share = 1 - resized(blurred(np.asarray(kept, np.float32), 1.5), (SIZE, SIZE))
    return np.asarray((detail - FOLD * np.tanh(detail / FOLD)) * share, np.float32)


@cache
def _kept_areas() -> Field:
    """1 on eyes, brows, lips and beard (128, 128), which may be far darker than their surroundings."""
    return blurred(np.maximum(_rings(), _beard()), 2.0)


def _rings() -> Field:
    """1 on eyes, brows and lips (128, 128)."""
    return rings_mask((LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, LIPS_OUTER), 2.0)


def _beard() -> Field:
    """1 where a beard may be (128, 128)."""
    where = coarse_positions()
    return np.asarray((np.abs(where[..., 0]) < 0.6) & (where[..., 1] > 0.35), np.float32)
