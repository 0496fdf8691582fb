"""The source's skin, unrolled: one texture over the canonical face, made once from the photos.

The chart is the canonical mesh spread out on a cylinder about the head's vertical axis (``unroll``). Every place is
taken from the photo that saw it most squarely; what none of them saw is the mirrored other half, for the chart is
symmetric. A skirt of triangles outside the face oval keeps maps smooth where the hull ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.occluders import Occluders
from rtswap.sampling import resized
from rtswap.swappers.delight import delit
from rtswap.swappers.skin import face_mask
from rtswap.swappers.unroll import COARSE, SIZE, SKIRT, chart, skirted, unroll
from rtswap.swappers.views import View, completed, merged
from rtswap.types import Image, Mask, Points, Portrait

__all__ = ["SIZE", "SKIRT", "Texture", "chart", "skirted"]


@dataclass(frozen=True, slots=True)
class Texture:
    """The source's unrolled skin at several sizes."""

    levels: tuple[Image, ...]
    """The chart at 512, 256 and 128 texels, for large and small targets."""
    face: Mask
    """(128, 128) 255 where the photo shows face, 0 where hair or background lie on it."""

    @classmethod
    def bake(
        cls,
        portrait: Image,
        landmarks: Points,
        further: Sequence[Portrait] = (),
        *,
        skin: bool = True,
        delight: bool = False,
        occluders: Occluders | None = None,
    ) -> Texture:
        """Unroll the portrait; ``landmarks`` (468, 3) px in it. ``further``: the person's other photos.

        ``skin``: find out what is hair or background and leave it out; ``delight``: take the photo's light off
        (costs identity by 0.01 on average photos, helps hard-lit ones: so not by default); ``occluders``: asked for
        the hair.
        """
        views = [_view(Portrait(portrait, landmarks), skin, occluders)]
        views += [_view(one, skin, occluders) for one in further]
        view = merged(views)
        if delight:
            view = view._replace(image=delit(view.image, view.seen, view.face))
        full, face = completed(view)
        levels = [full]
        for _ in range(2):
            side = levels[-1].shape[0] // 2
            levels.append(resized(levels[-1], (side, side), cv2.INTER_AREA))
        return cls(tuple(levels), face if skin else np.full((COARSE, COARSE), 255, np.uint8))

    def level_for(self, texels_per_pixel: float) -> Image:
        """The sharpest level that is not sampled so sparsely that it shimmers."""
        index = int(np.clip(np.floor(np.log2(max(texels_per_pixel, 1e-3)) + 0.35), 0, len(self.levels) - 1))
        return self.levels[index]


def _view(photo: Portrait, skin: bool, occluders: Occluders | None) -> View:
    image, seen = unroll(photo.image, photo.landmarks)
    face = face_mask(photo.image, photo.landmarks, occluders) if skin else np.full((COARSE, COARSE), 255, np.uint8)
    return View(image, seen, face)
