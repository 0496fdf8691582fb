"""Merge the views of several photos of one person into one: each place from the photo that shows it best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, ramp
from rtswap.vision.resample import Picture, blurred, resized

BETTER, MUCH_BETTER = 0.12, 0.4
"""How much better than earlier photos a further photo must show a place to be blended in, and to replace it."""
SEAM = 2.0
"""Sigma of the seams in coarse texels."""
LIGHT = 10.0
"""Sigma in coarse texels of the light that is matched across a seam."""
BLACK, BLOWN = (8.0, 24.0), (246.0, 254.0)
"""Lightness ranges without detail."""
SHADOW, LIFTED = (20.0, 50.0), (0.5, 0.9)
"""Lightness range in which a shadow has noise instead of colour, and change of the log from which it is one."""


class PhotoView(NamedTuple):
    """One photo, unwrapped."""

    image: Image
    """(512, 512, 3)"""
    seen: Field
    """(128, 128) 0..1 how squarely the camera saw each place."""
    face: Mask
    """(256, 256) 255 = face, 0 = hair or background."""
    exposed: Field
    """(128, 128) ``exposure``."""

    @property
    def coarse_face(self) -> Mask:
        """``face`` at (128, 128)."""
        return resized(self.face, (COARSE, COARSE), cv2.INTER_AREA)

    @property
    def worth(self) -> Field:
        """(128, 128) 0..1 how reliable the photo is at each place."""
        return np.asarray(self.seen * (self.coarse_face / np.float32(255)) * self.exposed, np.float32)


def merged(views: Sequence[PhotoView]) -> PhotoView:
    """The first view, replaced by others where they show the skin better, in the light of the first."""
    whole = views[0]
    for view in views[1:]:
        mine, theirs = whole.worth, view.worth
        share = ramp(theirs - mine, BETTER, MUCH_BETTER)
        whole = PhotoView(
            _blend(whole.image, _matched(view.image, whole.image, np.minimum(mine, theirs)), share),
            np.maximum(whole.seen * (1 - share), view.seen * share),
            _blend(whole.face, view.face, share),
            whole.exposed * (1 - share) + view.exposed * share,
        )
    return whole


def exposure(image: Image, even: Image) -> Field:
    """1 where ``image`` (512, 512, 3) has detail, falling to 0 where it is black or blown out over some width, or in
    a deep shadow, (128, 128). ``even``: the same in even light."""
    light, lit = (
        np.asarray(
            blurred(cv2.cvtColor(resized(one, (COARSE, COARSE), cv2.INTER_AREA), cv2.COLOR_BGR2GRAY), 2.0), np.float32
        )
        for one in (image, even)
    )
    shadow = (1 - ramp(light, *SHADOW)) * ramp(np.log((lit + 4) / (light + 4)), *LIFTED)
    return ramp(light, *BLACK) * (1 - ramp(light, *BLOWN)) * (1 - shadow)


def _blend(first: Picture, second: Picture, share: Field) -> Picture:
    """``share`` of ``second``, with soft seams."""
    soft = resized(blurred(share, SEAM), (len(first), len(first)))
    return cast(Picture, cv2.blendLinear(first, second, 1 - soft, soft))


def _matched(image: Image, like: Image, common: Field) -> Image:
    """Match the low-frequency light and colour of ``image`` to ``like`` where both show the skin well, extended
    beyond."""
    mine, theirs = (np.asarray(resized(one, (COARSE, COARSE), cv2.INTER_AREA), np.float32) for one in (image, like))
    weight = ramp(common, 0.3, 0.6)  # obliquely seen skin is smeared
    share = (blurred(weight, LIGHT) + np.float32(0.02))[..., None]
    ratio = np.log((theirs + 4) / (mine + 4)) * weight[..., None]
    if weight.sum() < 0.01 * weight.size:
        return image
    overall = ratio.sum((0, 1)) / weight.sum()
    slow = (blurred(np.asarray(ratio, np.float32), LIGHT) + 0.02 * overall.astype(np.float32)) / share
    gain = resized(np.asarray(np.exp(np.clip(slow, -0.7, 0.7)), np.float32), (SIZE, SIZE))
    return np.asarray(np.clip(image * gain, 0, 255), np.uint8)
