"""The source's unwrapped skin: one texture over the canonical face, computed once from the photos.

The chart is the canonical mesh, unrolled from a cylinder about the head's vertical axis (``to_chart``). Each place
comes from the photo that shows it most squarely; what no photo shows is filled in (``fill``). A skirt of triangles
outside the face oval keeps maps smooth where the hull ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points, Portrait
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.occlusion import OcclusionModel
from rtswap.networks.photo_light import PhotoLightModel
from rtswap.swappers.mesh.even_light import in_even_light
from rtswap.swappers.mesh.fill import filled
from rtswap.swappers.mesh.lips import edges_in
from rtswap.swappers.mesh.multi_view import PhotoView, exposure, merged
from rtswap.swappers.mesh.skin import face_mask
from rtswap.swappers.mesh.uv_chart import COARSE, FINE, SIZE, SKIRT, Field, chart, inwards, skirted, to_chart
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LIPS_INNER, LIPS_OUTER

__all__ = ["SIZE", "SKIRT", "Texture", "chart", "skirted"]


class Level(NamedTuple):
    """One size of the chart."""

    side: int
    """Texels."""
    densest: float
    """Texels per pixel up to which it is used."""
    sharpening: float
    """Share of the high-pass that is added, to compensate the blur of lookups between texels: the closer a face is,
    the more they blur."""


LEVELS = (
    Level(512, 1.05, 0.8),
    Level(512, 1.7, 0.5),
    Level(362, 1.7, 0.5),
    Level(256, 1.7, 0.5),
    Level(181, 1.7, 0.5),
    Level(128, math.inf, 0.5),
)
"""In steps of the square root of 2: with halves alone, a face between two levels is a third too soft or shimmers.
Sharpening by experiment: a face pasted onto its own photo keeps 94 % of its Laplacian's variance at 130 px, 83 % at
200 px and 71 % at 400 px."""
LINE, SOFT = 0.4, 1.0
"""Lightness of the line between shut lips, relative to the lips; sigma of its edge in texels."""
SHARPEN_SIGMA = 0.8
"""In texels."""


@dataclass(frozen=True, slots=True)
class Texture:
    """The source's unwrapped skin at several sizes."""

    full: Image
    """(512, 512, 3) the chart, as in the photo, without what hides the face there."""
    face: Mask
    """(128, 128) 255 where the texture can be shown, 0 where it knows nothing."""
    shown: Mask
    """(128, 128) 255 where the photo itself shows the face, 0 where it was filled in."""
    levels: tuple[Image, ...]
    """The chart at the sizes of ``LEVELS``, for large and small targets, sharpened for lookups."""

    @classmethod
    def of(cls, full: Image, face: Mask, shown: Mask) -> Texture:
        return cls(full, face, shown, tuple(_sharpened(full, level) for level in LEVELS))

    @classmethod
    def bake(
        cls,
        portrait: Image,
        landmarks: Points,
        further: Sequence[Portrait] = (),
        *,
        skin: bool = True,
        occlusion_model: OcclusionModel | None = None,
        glasses_model: GlassesModel | None = None,
        light_model: PhotoLightModel | None = None,
    ) -> Texture:
        """Unwrap the portrait; ``landmarks`` (468, 3) px in it. ``further``: other photos of the person.

        ``skin``: leave out hair and background. ``occlusion_model``: finds hair, ``glasses_model`` glasses,
        ``light_model`` the light, which is then evened out.
        """
        photos = [Portrait(portrait, landmarks), *further]
        view = merged([_view(one, skin, occlusion_model, glasses_model, light_model) for one in photos])
        full, face, shown = filled(view)
        return cls.of(_without_teeth(full), face if skin else np.full((COARSE, COARSE), 255, np.uint8), shown)

    @property
    def shares(self) -> tuple[float, float]:
        """Shares 0..1 of the face that were filled in, and that are unknown."""
        inside = inwards() > 0
        known = self.face[inside] / 255
        return float((known - np.minimum(self.shown[inside] / 255, known)).mean()), float(1 - known.mean())

    def level_for(self, texels_per_pixel: float) -> int:
        """Index of the sharpest of ``levels`` that does not shimmer at this density. ``texels_per_pixel``: of the
        chart's full size."""
        return next(n for n, level in enumerate(LEVELS) if texels_per_pixel * level.side <= level.densest * SIZE)


def _without_teeth(full: Image) -> Image:
    """The chart (512, 512, 3) with the inside of the mouth as dark as the line between shut lips: in open mouths the
    target's is shown."""
    box, inside, lips = _mouth()
    own, clean = full[box], full.copy()
    shut = np.minimum(own, np.float32(LINE) * own[lips].mean(0, dtype=np.float32))
    clean[box] = np.round(own + inside[..., None] * (shut - own))
    return clean


@cache
def _mouth() -> tuple[tuple[slice, slice], Field, NDArray[np.bool_]]:
    """The box of the mouth on the chart, and in it: 1 within the lips, and where the lips are."""
    inside, whole = np.zeros((2, SIZE, SIZE), np.uint8)
    for plane, ring in ((inside, LIPS_INNER), (whole, LIPS_OUTER)):
        fill(plane, [chart().points[ring, :2]], 1)
    x, y, width, height = cv2.boundingRect(whole)
    box = np.s_[y : y + height, x : x + width]
    return box, blurred(inside.astype(np.float32), SOFT)[box], (whole > inside)[box]


def _sharpened(full: Image, level: Level) -> Image:
    sized = full if level.side == SIZE else resized(full, (level.side, level.side), cv2.INTER_AREA)
    smooth = blurred(sized, SHARPEN_SIGMA)
    return np.asarray(cv2.addWeighted(sized, 1 + level.sharpening, smooth, -level.sharpening, 0), np.uint8)


def _view(
    photo: Portrait,
    skin: bool,
    occlusion_model: OcclusionModel | None,
    glasses_model: GlassesModel | None,
    light_model: PhotoLightModel | None,
) -> PhotoView:
    image, seen = to_chart(photo.image, edges_in(photo.image, photo.landmarks))
    even = image if light_model is None else in_even_light(image, light_model)
    face = np.full((FINE, FINE), 255, np.uint8)
    if skin:
        face = face_mask(photo.image, photo.landmarks, occlusion_model, glasses_model, light_model)
    return PhotoView(even, seen, face, exposure(image, even))
