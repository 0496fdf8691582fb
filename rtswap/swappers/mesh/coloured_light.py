"""Remove spots of light from the photo's skin: coloured lamps, rim light, gloss.

A swap takes low-frequency light from the target and higher frequencies from the photo (``light``). If an orange lamp
lights one side of the photo and blue sky the other, the higher frequencies hold colours that no skin has, and they
glare on a lighter target. Skin differs from its surroundings in tint and lightness by a limited amount; ``bind``
removes the excess once. An evenly lit photo does not change. Skin conditions that cover much of a face (vitiligo, a
large birthmark) cannot be told from lamps and are weakened too.
"""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.delight import OFFSET, features, over_all
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards
from rtswap.vision.resample import resized

AROUND = 17.0
"""Sigma in coarse texels of the surroundings that each place is compared with: what a swap treats as low-frequency
light."""
TINT = 0.15
"""Distance in log colour from the surroundings above which tint counts as light. Red cheeks and freckles stay
below."""
GLOSS, OF_GLOSS = 0.4, 0.7
"""Log lightness above the surroundings where gloss begins, and the share of the excess that is removed."""
LEAST = 400
"""Texels of skin that the estimate needs."""
HARD = (0.03, 0.08)
"""Mean excess over ``TINT`` and ``GLOSS`` on the skin: even light below the first value, hard light above the
second."""


def without_coloured_light(texture: Image, skin: Mask) -> Image:
    """Return the texture (512, 512, 3) without coloured spots of light. ``skin`` (128, 128): where the photo shows
    skin."""
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
