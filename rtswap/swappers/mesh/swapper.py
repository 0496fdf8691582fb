"""The swapper ``mesh``: warp the source's own pixels; no weights, as sharp as the photo.

Per frame: place the source's shape in the target's pose and expression (``geometry``), look up each pixel on the
source's unwrapped skin (``texture``), match the target's light (``light``), and keep the target's own eyes and the
inside of its mouth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Swapper
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.occlusion import OcclusionModel
from rtswap.networks.photo_light import PhotoLightModel
from rtswap.swappers.mesh.geometry import BlackLevelTimes, FaceGeometry, view_of
from rtswap.swappers.mesh.light import (
    Relit,
    SourceLight,
    black_level_of,
    block_means,
    relight,
)
from rtswap.swappers.mesh.placement import LIDS, LIGHT_STEP, MASK_STEP, FacePlacement, Opening, grid
from rtswap.swappers.mesh.ratios import brows_and_lips, ratios_of
from rtswap.swappers.mesh.shape import SourceShape
from rtswap.swappers.mesh.strength import strengthened
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.wrinkles import SIGMA, deepen
from rtswap.vision.raster import Map
from rtswap.vision.resample import blurred, looked_up, resized, warped

SOFT = 3
"""Pixels over which the light changes at the edge between an eye and its lids."""


@dataclass(frozen=True, slots=True)
class MeshSwapModel:
    """Implements ``protocols.SwapModel``."""

    expression: float = 1.0
    """Share of the target's expression to follow, 0..1.5."""
    light: bool = True
    """Put the target's light on the source's skin."""
    hull: bool = True
    """End the swap at the face's outline; otherwise it reaches as far as the texture."""
    skin: bool = True
    """Leave out the photo's hair and background."""
    strength: float = 1.0
    """How far the source differs from the mean face, 0..1.3: 1 = as in the photo."""
    occlusion_model: OcclusionModel | None = None
    """Finds hair, hats and hands in the photo better than colours do."""
    glasses_model: GlassesModel | None = None
    """Finds glasses in the photo, which are removed."""
    light_model: PhotoLightModel | None = None
    """Finds hard light in the photo, which is evened out."""

    def bind(self, source: SourceIdentity) -> Swapper:
        return MeshSwapper(self.face(source))

    def texture(self, source: SourceIdentity) -> Texture:
        """The source's skin, as it is swapped before the target's light is put on it."""
        return Texture.bake(
            source.portrait,
            source.landmarks,
            source.further,
            skin=self.skin,
            occlusion_model=self.occlusion_model,
            glasses_model=self.glasses_model,
            light_model=self.light_model if self.light else None,
        )

    def face(self, source: SourceIdentity) -> SourceFace:
        """Prepare the source's face for host or GPU. Raises SourceError."""
        if not np.isfinite(source.landmarks).all() or np.ptp(source.landmarks[:, 0]) < 8:
            raise SourceError(
                f"the face in {source.name or 'the source photo'} has no usable landmarks",
                expected="a face that looks towards the camera",
                got="landmarks that do not form a face",
                do="Use another photo.",
            )
        texture, shape = self.texture(source), SourceShape.of(source.landmarks)

        @lru_cache(maxsize=1)  # expression alone changes at no cost
        def skin_of(strength: float) -> tuple[SourceShape, Texture, SourceLight | None]:
            own_shape, skin = strengthened(shape, texture, strength)
            if not self.light:
                return own_shape, skin, None
            ratios, light = ratios_of(skin.full, skin.face)
            return own_shape, Texture.of(ratios, skin.face, skin.shown), light

        def prepare(expression: float, strength: float) -> SourceFace:
            own_shape, skin, light = skin_of(strength)
            return SourceFace(skin, FaceGeometry(own_shape, expression=expression, hull=self.hull), prepare, light)

        return prepare(self.expression, self.strength)


@dataclass(frozen=True, slots=True)
class SourceFace:
    """A source, prepared for swapping onto targets."""

    texture: Texture
    """The skin; its ``ratios_of`` if the target's light is put on it."""
    geometry: FaceGeometry
    prepare: Callable[[float, float], SourceFace]
    """Expression and strength -> the same source with these settings."""
    light: SourceLight | None = None
    """The light in the photo; None: the photo's light is kept."""


class MeshSwapper:
    """Implements ``protocols.Swapper``; created by ``MeshSwapModel.bind``."""

    def __init__(self, face: SourceFace) -> None:
        self._use(face)
        self._times = BlackLevelTimes()
        self._black_levels: dict[int, float] = {}
        """Per track: the target's smoothed black level."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        return view_of(landmarks, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        height, width = face.crop.shape[:2]
        crop, mask = face.crop.copy(), np.zeros((height, width), np.uint8)
        placed = self._geometry.place(face, (width, height))
        if placed is not None:
            x1, y1, x2, y2 = placed.extent
            target = face.crop[y1:y2, x1:x2]
            nodes = placed.nodes
            level = self._texture.levels[self._texture.level_for(placed.texels_per_pixel)]
            swapped = looked_up(level, resized(_texels(nodes, level), placed.size))
            lit = None
            if self._light is not None:
                size = grid(placed.size, LIGHT_STEP)
                area, sigma = placed.light_area(size)
                black = self._black_level(face, target, placed)
                theirs = block_means(target, size)
                features = partial(self._on_grid, brows_and_lips(), nodes, grid(placed.size, MASK_STEP))
                around = placed.around_eyes(size) * np.float32(1 / 255)
                lit = relight(swapped, theirs, area.astype(np.float32), sigma, self._light, black, features, around)
                swapped = lit.picture
            if placed.wrinkles is not None:
                deepen(swapped, target, placed.wrinkles, SIGMA * placed.face_px)
            _keep_openings(swapped, target, placed, lit)
            crop[y1:y2, x1:x2], mask[y1:y2, x1:x2] = swapped, self._mask(placed)
        return SwappedFace(crop, mask)

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """As ``protocols.AdjustableSwapper``."""
        face = self._prepare(expression, strength)

        def apply() -> None:
            face.geometry.take_over(self._geometry)
            self._use(face)

        return apply

    def _use(self, face: SourceFace) -> None:
        self._geometry, self._texture, self._light = face.geometry, face.texture, face.light
        self._prepare = face.prepare
        self._partial = bool(face.texture.face.min() < 255)
        """True if part of the face is hidden in the photo."""

    def forget(self, track_id: int) -> None:
        self._geometry.forget(track_id)
        self._times.forget(track_id)
        self._black_levels.pop(track_id, None)

    def _black_level(self, face: Target, target: Image, placed: FacePlacement) -> float:
        """The target's black level 0..255, smoothed over time; ``target``: the extent's pixels."""
        level = self._black_levels.get(face.track_id, 0.0)
        due = self._times.due(face.track_id, face.time_s, placed)
        if due is None:
            return level
        (x1, y1, x2, y2), past = due
        now = black_level_of(target[y1:y2, x1:x2])
        self._black_levels[face.track_id] = now = now + past * (level - now)
        return now

    @staticmethod
    def _on_grid(plane: NDArray[np.uint8], nodes: Map, size: tuple[int, int]) -> NDArray[np.uint8]:
        """A picture of the chart, warped to a coarse grid over the extent."""
        return looked_up(plane, resized(_texels(nodes, plane), size))

    def _mask(self, placed: FacePlacement) -> Mask:
        """The face oval (H, W), feathered, without the photo's hair; 0 on the extent's border."""
        small = grid(placed.size, MASK_STEP)
        oval, sigma = placed.oval(small)
        mask = blurred(oval, sigma, zero=True)
        if self._partial:
            mask = np.asarray(cv2.min(mask, self._on_grid(self._texture.face, placed.nodes, small)), np.uint8)
        mask = resized(mask, placed.size)
        mask[[0, -1]] = 0
        mask[:, [0, -1]] = 0
        return mask


def _keep_openings(swapped: Image, target: Image, placed: FacePlacement, lit: Relit | None) -> None:
    """Paste the target's own eyes, with their lids in the swap's light, and inside of the mouth into the openings, in
    place."""
    for index, opening in enumerate(placed.openings()):
        if opening is None:
            continue
        (x, y), (height, width) = opening.corner, opening.inside.shape
        own = warped(target, opening.matrix, (width, height))
        if lit is not None and index < len(LIDS):
            own = _with_light(own, lit, opening)
        share = blurred(np.minimum(opening.inside, 1).astype(np.float32), opening.feather)
        region = swapped[y : y + height, x : x + width]
        region[:] = cv2.blendLinear(own, region, share, 1 - share)


def _with_light(own: Image, lit: Relit, opening: Opening) -> Image:
    """The target's own eye (h, w, 3) with its lids in the swap's light; what lies between them stays."""
    (x, y), size = opening.corner, own.shape[1::-1]
    step, first = LIGHT_STEP, (LIGHT_STEP - 1) / 2
    factor = warped(lit.lids, np.array([[step, 0, first - x], [0, step, first - y]], np.float32), size)
    relit = cv2.multiply(own, factor, dtype=cv2.CV_8U)
    if lit.black:
        relit = cv2.add(relit, lit.black * (1 - factor), dtype=cv2.CV_8U)
    between = cv2.blur(np.asarray(opening.inside >> 1, np.float32), (SOFT, SOFT), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.blendLinear(own, relit, between, 1 - between), np.uint8)


def _texels(nodes: Map, level: NDArray[np.uint8]) -> Map:
    """Convert texture positions 0..1 to texels of one level; never negative, where lookups are slow."""
    return np.asarray(np.maximum(nodes * np.float32(level.shape[0]) - np.float32(0.5), 0), np.float32)
