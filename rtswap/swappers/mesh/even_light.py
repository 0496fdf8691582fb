"""Even out the light on a photo's skin: the shadows of noses, hats and leaves, lamps at one side, gloss.

The network ``photo_light`` says what light lies on each place; the photo is divided by it. It answers coarsely, so
its answer is fitted to the edges of the photo itself (He, Sun and Tang, Guided Image Filtering, PAMI 2013).
"""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.types import Image
from rtswap.networks.photo_light import OFFSET, PhotoLightModel
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, inwards, ramp
from rtswap.vision.resample import resized

PASSES = 2
"""Where the network is unsure it says too little: a second look at the result finds a part of the rest."""
WINDOW = 5
"""Side in coarse texels of the squares in which light follows the photo's lightness."""
FAINT = 0.05
"""Log lightness by which a square must differ within itself for an edge."""
OUTSIDE = -0.12, -0.02
"""Inter-ocular distances outside the oval from which nothing is changed, and up to which all is."""
MOST = 2.5
"""Largest change of the log: what is darker is black in any light."""


def in_even_light(texture: Image, model: PhotoLightModel) -> Image:
    """``texture`` (512, 512, 3), a chart, as if lit evenly, as light as where it is lit. Raises EngineError,
    ModelError."""
    for _ in range(PASSES):
        texture = _evened(texture, model)
    return texture


def _evened(texture: Image, model: PhotoLightModel) -> Image:
    small = np.asarray(resized(texture, (COARSE, COARSE), cv2.INTER_AREA), np.uint8)
    light = model.find(small)
    inside, mean = inwards() > 0, light.mean(2)
    light = np.clip(light - np.median(light[inside & (mean >= np.median(mean[inside]))], axis=0), -MOST, MOST)
    light = light * ramp(inwards(), *OUTSIDE)[..., None]
    guide, fine = (np.log(one.astype(np.float32) + np.float32(OFFSET)).mean(2) for one in (small, texture))
    share, rest = _along(guide, np.asarray(light, np.float32))
    light = resized(share, (SIZE, SIZE), cv2.INTER_LINEAR) * fine[..., None]
    light = light + resized(rest, (SIZE, SIZE), cv2.INTER_LINEAR)
    even = (texture + np.float32(OFFSET)) * np.exp(-light) - np.float32(OFFSET)
    return np.asarray(np.clip(np.round(even), 0, 255), np.uint8)


def _along(guide: Field, light: Field) -> tuple[Field, Field]:
    """``a`` and ``b`` (H, W, 3) with ``light`` (H, W, 3) = a * ``guide`` (H, W) + b, as nearly as smooth ones can."""
    guides = np.asarray(guide[..., None], np.float32)
    mean, mean_light = _mean(guides), _mean(light)
    variance = _mean(guides * guides) - mean * mean
    share = (_mean(guides * light) - mean * mean_light) / (variance + np.float32(FAINT**2))
    rest = mean_light - share * mean
    return _mean(np.asarray(share, np.float32)), _mean(np.asarray(rest, np.float32))


def _mean(field: Field) -> Field:
    found = cv2.blur(field, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    return np.asarray(found.reshape(field.shape), np.float32)
