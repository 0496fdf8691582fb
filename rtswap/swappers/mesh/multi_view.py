"""One skin out of several looks at it: photos from different sides, and the mirrored half for what nobody saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, ramp
from rtswap.vision.resample import blurred, resized

BETTER, MUCH_BETTER = 0.12, 0.4
"""How much better than the photos before it another one must have seen a place to be mixed in, to be taken alone."""
FAIR, GOOD = 0.25, 0.6
"""How squarely a place must have been seen: below the first the mirrored half is as good, above the second worse."""
SEAM = 2.0
"""Coarse texels: sigma of the seams."""
LIGHT = 10.0
"""Coarse texels: sigma of the light that is matched across a seam."""
BLACK, BLOWN = (8.0, 24.0), (246.0, 254.0)
"""Where lightness has no detail left."""


class PhotoView(NamedTuple):
    """One photo, unwrapped."""

    image: Image
    """(512, 512, 3)"""
    seen: Field
    """(128, 128) 0..1 how squarely the camera looked at it."""
    face: Mask
    """(128, 128) 255 = face, 0 = hair or background."""

    @property
    def worth(self) -> Field:
        """(128, 128) 0..1 how well the skin can be known from it."""
        return np.asarray(self.seen * (self.face / np.float32(255)) * _exposed(self.image), np.float32)


def merged(views: Sequence[PhotoView]) -> PhotoView:
    """The first view, and where others saw the skin better, those, in the light of the first."""
    whole = views[0]
    for view in views[1:]:
        mine, theirs = whole.worth, view.worth
        share = ramp(theirs - mine, BETTER, MUCH_BETTER)
        whole = PhotoView(
            _mixed(whole.image, _matched(view.image, whole.image, np.minimum(mine, theirs)), share),
            np.maximum(whole.seen * (1 - share), view.seen * share),
            _blend(whole.face, view.face, share),
        )
    return whole


def completed(view: PhotoView) -> tuple[Image, Mask]:
    """What was not seen, is hair, or has no detail, filled with the other half where that is better; and its mask."""
    mine = view.worth
    theirs = mine[:, ::-1]
    share = ramp(theirs - mine, 0.2, 0.45) * (1 - ramp(mine, FAIR, GOOD))
    if not share.max() > 0.02:
        return view.image, view.face
    mirrored = np.ascontiguousarray(view.image[:, ::-1])
    face = _blend(view.face, np.ascontiguousarray(view.face[:, ::-1]), share)
    return _mixed(view.image, mirrored, share), face


def _mixed(first: Image, second: Image, share: Field) -> Image:
    soft = resized(blurred(share, SEAM), (SIZE, SIZE))
    return np.asarray(cv2.blendLinear(first, second, 1 - soft, soft), np.uint8)


def _blend(first: Mask, second: Mask, share: Field) -> Mask:
    soft = blurred(share, SEAM)
    return np.asarray(cv2.blendLinear(first, second, 1 - soft, soft), np.uint8)


def _matched(image: Image, like: Image, common: Field) -> Image:
    """``image`` with its slow light and colour brought to ``like``'s, by what both saw well; continued beyond."""
    mine, theirs = (np.asarray(resized(one, (COARSE, COARSE), cv2.INTER_AREA), np.float32) for one in (image, like))
    weight = ramp(common, 0.3, 0.6)  # what was seen aslant is smeared
    share = (blurred(weight, LIGHT) + np.float32(0.02))[..., None]
    ratio = np.log((theirs + 4) / (mine + 4)) * weight[..., None]
    if weight.sum() < 0.01 * weight.size:
        return image
    overall = ratio.sum((0, 1)) / weight.sum()
    slow = (blurred(np.asarray(ratio, np.float32), LIGHT) + 0.02 * overall.astype(np.float32)) / share
    gain = resized(np.asarray(np.exp(np.clip(slow, -0.7, 0.7)), np.float32), (SIZE, SIZE))
    return np.asarray(np.clip(image * gain, 0, 255), np.uint8)


def _exposed(image: Image) -> Field:
    """(128, 128) 1 where the picture has detail, towards 0 where it is black or blown out over some width."""
    small = resized(image, (COARSE, COARSE), cv2.INTER_AREA)
    light = np.asarray(blurred(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), 2.0), np.float32)
    return ramp(light, *BLACK) * (1 - ramp(light, *BLOWN))
