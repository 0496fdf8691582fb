"""Light that falls on a photo's skin in spots: coloured lamps, a rim of sun, gloss.

A swap takes the slow part of its light from the target and what is faster from the photo (``light``). Where a photo
is lit by an orange lamp from one side and a blue sky from the other, the faster part holds colours that no skin has,
and on a lighter target they glare. Skin differs from its surroundings in tint and lightness by so much and no more;
what exceeds that is taken off, once, when the photo is bound. An evenly lit photo stays as it is. What the skin
itself has over much of a face (vitiligo, a large birthmark) cannot be told from lamps, and is weakened with them.
"""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.delight import OFFSET, features, over_all
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards
from rtswap.vision.resample import resized

AROUND = 17.0
"""Sigma, in coarse texels, of the surroundings with which a place is compared: what a swap takes for slow light."""
TINT = 0.15
"""Distance in log colour from the surroundings beyond which it is the light's: red cheeks and freckles stay below."""
GLOSS, OF_GLOSS = 0.4, 0.7
"""Log lightness above the surroundings from where on it is gloss, and how much of the rest is taken off."""
LEAST = 400
"""Texels of skin without which nothing can be said."""
HARD = (0.03, 0.08)
"""Mean of what exceeds ``TINT`` and ``GLOSS`` over the skin: below the first the light is even, from the second on it
is hard."""


def without_coloured_light(texture: Image, skin: Mask) -> Image:
    """(512, 512, 3) the texture without coloured spots of light. ``skin`` (128, 128): where it is skin."""
    small = np.asarray(resized(texture, (COARSE, COARSE), cv2.INTER_AREA), np.float32)
    logs = np.log(small + OFFSET)
    plain = ((skin > 128) & (inwards() > 0) & (features() < 0.1)).astype(np.float32)
    if plain.sum() < LEAST:
        return texture
    apart = logs - over_all(logs, plain, AROUND)
    light = apart.mean(2, keepdims=True)
    tint = apart - light
    strength = np.maximum(np.linalg.norm(tint, axis=2, keepdims=True), np.float32(1e-6))
    tinted, glossy = np.maximum(strength - TINT, 0), np.maximum(light - GLOSS, 0)
    hard = np.clip((float((tinted + glossy)[plain > 0].mean()) - HARD[0]) / (HARD[1] - HARD[0]), 0, 1)
    if hard == 0:
        return texture
    excess = hard * (tint * tinted / strength + OF_GLOSS * glossy)
    removed = over_all(np.asarray(excess, np.float32), plain, 1.5)
    gains = resized(np.exp(-removed).astype(np.float32), (SIZE, SIZE), cv2.INTER_LINEAR)
    return np.asarray(np.clip((texture + np.float32(OFFSET)) * gains - OFFSET, 0, 255), np.uint8)
