"""The swapper ``mesh``: the source's own pixels, moved by formula. No weights, as sharp as the photo.

Per frame: place the source's shape in the target's pose and expression (``shape``), look up for every pixel where
it lies on the source's unrolled skin (``raster``, ``texture``), put it in the target's light (``light``), and keep
the target's own eyes and the inside of its mouth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Swapper
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target
from rtswap.networks.occlusion import OcclusionModel
from rtswap.swappers.mesh.light import black_level_of, normalized_low_passes, relight
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, SourceShape, mean_measures
from rtswap.swappers.mesh.strength import strengthened
from rtswap.swappers.mesh.texture import SIZE, SKIRT, Texture, chart, skirted
from rtswap.vision.geometry import box_of, clip_box, upright_view
from rtswap.vision.raster import Map, rasterize
from rtswap.vision.resample import blurred, looked_up, resized, warped
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

MARGIN = 0.12
"""Of the face's size, around its box: room for the feather and for shapes wider than the target's."""
TEXELS_ACROSS = 0.75 * SIZE
"""Texels across a face that is seen from the front."""
MAP_NODES = 104
"""Nodes of the lookup map along the crop's longer side; between nodes it is interpolated."""
MASK_STEP = 4
LIGHT_SIGMA = 0.18
"""Standard deviation of the low-pass that separates light from features, in face widths. 0.1 leaves more of the
target's features in what counts as light (identity falls by 0.03), 0.2 follows its light less."""
VEIL_S = 1.0
"""Time constant of the target's veil."""
VEIL_EVERY_S = 0.1
LIGHT_STEP = 8
"""Pixels per node of the light's grid. Crops are a multiple of it wide and high: whole blocks are averaged five
times as fast as fractions."""
ERODE, FEATHER = 0.005, 0.018
"""Of the face's width: how far inside the oval the soft edge begins, and its sigma."""


@dataclass(frozen=True, slots=True)
class MeshSwapModel:
    """Implements ``protocols.SwapModel``."""

    expression: float = 1.0
    """How much of the target's expression is followed, 0..1.5."""
    light: bool = True
    """Put the source's skin into the target's light, without the photo's coloured and glossy spots."""
    hull: bool = True
    """Show the swap inside the face's outline only; otherwise as far as the texture goes."""
    skin: bool = True
    """Leave out the photo's hair and background."""
    delight: bool = False
    """Take the photo's own light off its skin."""
    strength: float = 1.0
    """How strongly the source shows, 0..1.3: towards the mean face, or exaggerated."""
    occlusion_model: OcclusionModel | None = None
    """Sees hair, hats and hands in the photo better than its colours tell."""

    def bind(self, source: SourceIdentity) -> Swapper:
        if not np.isfinite(source.landmarks).all() or np.ptp(source.landmarks[:, 0]) < 8:
            raise SourceError(
                f"the face in {source.name or 'the source photo'} has no usable landmarks",
                expected="a face that looks towards the camera",
                got="landmarks that do not form a face",
                do="Use another photo.",
            )
        texture = Texture.bake(
            source.portrait,
            source.landmarks,
            source.further,
            skin=self.skin,
            delight=self.delight,
            even=self.light,
            occlusion_model=self.occlusion_model,
        )
        shape, texture = strengthened(SourceShape.of(source.landmarks), texture, self.strength)
        return MeshSwapper(self, shape, texture)


class MeshSwapper:
    """Implements ``protocols.Swapper``; made by ``MeshSwapModel.bind``."""

    def __init__(self, wanted: MeshSwapModel, shape: SourceShape, texture: Texture) -> None:
        self._wanted = wanted
        self._shape = shape
        self._texture = texture
        middle = slice(SIZE // 5, -SIZE // 5)
        self._own_veil = black_level_of(texture.full[middle, middle])
        self._neutrals: dict[int, NeutralExpression] = {}
        self._veils: dict[int, tuple[float, float]] = {}
        """Per track: the veil and when it was measured."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        """An upright cut-out of the frame, whole pixels wide, made smaller only where it exceeds ``max_px``."""
        x1, y1, x2, y2 = box_of(landmarks, MARGIN)
        x, y = np.floor(x1), np.floor(y1)
        sides = np.maximum(2, np.ceil(np.array([x2 - x, y2 - y]) / LIGHT_STEP)) * LIGHT_STEP
        scale = min(1.0, max_px / float(sides.max()))
        small = np.maximum(2, np.floor(sides * scale / LIGHT_STEP + 1e-3)) * LIGHT_STEP
        size = int(small[0]), int(small[1])
        corner = np.array([x, y])
        return upright_view(np.concatenate([corner, corner + sides]), size), size

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        destination = self._shape.destination(
            face.landmarks,
            expression=self._wanted.expression,
            neutral=self._neutrals.setdefault(face.track_id, NeutralExpression(mean_measures(), PERSONAL)),
            visibility=face.visibility,
            time_s=face.time_s,
        )
        x1, y1, x2, y2 = self._extent(destination, face.crop.shape)
        if x1 >= x2 or y1 >= y2:
            return SwappedFace(face.crop.copy(), np.zeros(face.crop.shape[:2], np.uint8))
        origin = np.array([x1, y1, 0], np.float32)
        inner = replace(face, crop=face.crop[y1:y2, x1:x2], landmarks=face.landmarks - origin)
        crop, mask = face.crop.copy(), np.zeros(face.crop.shape[:2], np.uint8)
        crop[y1:y2, x1:x2], mask[y1:y2, x1:x2] = self._swap_inside(inner, destination - origin, quality)
        return SwappedFace(crop, mask)

    def _swap_inside(self, face: Target, destination: Points, quality: Quality) -> tuple[Image, Mask]:
        height, width = face.crop.shape[:2]
        face_px = float(np.ptp(face.landmarks[:, 0]))
        nodes = self._nodes(destination, (width, height))
        level = self._texture.level_for(TEXELS_ACROSS / max(face_px, 1.0))
        swapped = looked_up(level, resized(_texels(nodes, level), (width, height)))
        if self._wanted.light and quality.match_color:
            self._light(swapped, face, destination, nodes)
        _keep_openings(swapped, face, destination, face_px)
        return swapped, self._mask(destination, (width, height), face_px, nodes)

    def _extent(self, destination: Points, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """x1 y1 x2 y2, multiples of ``LIGHT_STEP``: where the mask can be more than 0. The crop shows a fifth more
        on each side, for those who ask what is around the face."""
        reach = 3 * FEATHER + (0.0 if self._wanted.hull else SKIRT)
        steps = box_of(destination[OVAL], reach) / np.float32(LIGHT_STEP)
        height, width = shape[:2]
        x1, y1, x2, y2 = (
            LIGHT_STEP * edge for edge in clip_box(steps, -(-width // LIGHT_STEP), -(-height // LIGHT_STEP))
        )
        return x1, y1, min(x2, width), min(y2, height)

    def forget(self, track_id: int) -> None:
        self._veils.pop(track_id, None)
        self._neutrals.pop(track_id, None)

    def _nodes(self, destination: Points, size: tuple[int, int]) -> Map:
        """(h, w, 2) where each node of a coarse grid over the crop lies on the texture, 0..1."""
        small = _grid(size, max(2.0, max(size) / MAP_NODES))
        where = rasterize(_scaled(skirted(destination), size, small), _chart_values(), chart().triangles, small)
        return np.ascontiguousarray(where[..., :2])

    def _shown(self, nodes: Map, size: tuple[int, int]) -> Mask:
        """The texture's face mask as it comes to lie on a coarse grid over the crop."""
        return looked_up(self._texture.face, resized(_texels(nodes, self._texture.face), size))

    def _light(self, swapped: Image, face: Target, destination: Points, nodes: Map) -> None:
        height, width = swapped.shape[:2]
        size = _grid((width, height), LIGHT_STEP)
        inside = np.zeros(size[::-1], np.float32)
        oval = _scaled(destination[OVAL], (width, height), size)[:, :2]
        cv2.fillPoly(inside, [_fixed(oval)], 1.0, cv2.LINE_8, 4)
        inside = np.asarray(cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0), np.float32)
        sigma = LIGHT_SIGMA * float(np.ptp(oval[:, 0]))
        target, source = (np.asarray(_averaged(image, size), np.float32) for image in (face.crop, swapped))
        inside *= self._shown(nodes, size) * np.float32(1 / 255)
        lows = normalized_low_passes(target, source, inside, sigma)
        relight(swapped, *lows, target_veil=self._black_level_over(face), source_veil=self._own_veil)

    def _black_level_over(self, face: Target) -> float:
        """The target's veil, smoothed over time: a hand or a blink changes what is darkest, the lens stays."""
        black_level, since = self._veils.get(face.track_id, (0.0, -math.inf))
        if 0 <= face.time_s - since < VEIL_EVERY_S:
            return black_level
        x1, y1, x2, y2 = clip_box(box_of(face.landmarks), *face.crop.shape[1::-1])
        if x1 >= x2 or y1 >= y2:
            return black_level
        now = black_level_of(face.crop[y1:y2, x1:x2])
        now += math.exp(-max(0.0, face.time_s - since) / VEIL_S) * (black_level - now)
        self._veils[face.track_id] = now, face.time_s
        return now

    def _mask(self, destination: Points, size: tuple[int, int], face_px: float, nodes: Map) -> Mask:
        """(H, W) the face oval, eroded and feathered, without the photo's hair; 0 on the crop's border.

        Without the hull it is the oval pushed outwards as far as the texture has a skirt.
        """
        small = _grid(size, MASK_STEP)
        mask = np.zeros(small[::-1], np.uint8)
        sigma = max(0.7, FEATHER * face_px / MASK_STEP)
        oval = _scaled(destination[OVAL], size, small)[:, :2]
        middle = oval.mean(0)
        reach = np.linalg.norm(oval - middle, axis=1, keepdims=True)
        inset = ERODE * face_px / MASK_STEP + sigma
        outwards = 0.0 if self._wanted.hull else SKIRT
        oval = middle + (oval - middle) * np.maximum(0, 1 + outwards - inset / np.maximum(reach, 1e-6))
        cv2.fillPoly(mask, [_fixed(oval)], 255, cv2.LINE_AA, 4)
        mask = blurred(mask, sigma, zero=True)
        if self._wanted.skin:
            mask = np.asarray(cv2.min(mask, self._shown(nodes, small)), np.uint8)
        mask = resized(mask, size)
        mask[[0, -1]] = 0
        mask[:, [0, -1]] = 0
        return mask


@cache
def _chart_values() -> NDArray[np.float32]:
    """(504, 3) chart coordinates in 0..1 of a texel's centre, as the rasteriser wants them."""
    values = np.ones((len(chart().points), 3), np.float32)
    values[:, :2] = (chart().points[:, :2] + 0.5) / SIZE
    return values


def _keep_openings(swapped: Image, face: Target, destination: Points, face_px: float) -> None:
    """Put the target's own eyes and the inside of its mouth into the openings of the destination mesh.

    Each is moved by the affine map that best takes the target's ring of lids or lips onto the destination's: eyes
    keep round irises, teeth stay straight.
    """
    feather = max(0.6, 0.006 * face_px)
    height, width = swapped.shape[:2]
    for ring in (LEFT_EYE, RIGHT_EYE, LIPS_INNER):
        goal = destination[ring, :2]
        low = np.maximum(np.floor(goal.min(0) - 3 * feather), 0).astype(int)
        high = np.minimum(np.ceil(goal.max(0) + 3 * feather) + 1, (width, height)).astype(int)
        if (high - low < 2).any():
            continue
        size = int(high[0] - low[0]), int(high[1] - low[1])
        affine = _affine(face.landmarks[ring, :2], goal - low)
        own = warped(face.crop, affine, size)
        share = np.zeros(size[::-1], np.float32)
        cv2.fillPoly(share, [_fixed(goal - low)], 1.0, cv2.LINE_AA, 4)
        share = blurred(share, feather)
        region = swapped[low[1] : high[1], low[0] : high[0]]
        region[:] = cv2.blendLinear(own, region, share, 1 - share)


def _affine(moving: Points, fixed: Points) -> Matrix:
    """(2, 3) least-squares affine map; kept from collapsing where the points are nearly on a line (a shut mouth)."""
    mean_a, mean_b = (np.add.reduce(points) / np.float32(len(points)) for points in (moving, fixed))
    a, b = moving - mean_a, fixed - mean_b
    (p, q), (_, r) = (a.T @ a).tolist()
    (e, f), (g, h) = (b.T @ a).tolist()
    floor = 0.02 * (p + r + 1e-4)
    p, r, e, h = p + floor, r + floor, e + floor, h + floor
    area, (x, y), (u, v) = p * r - q * q, mean_a.tolist(), mean_b.tolist()
    across = (e * r - f * q) / area, (f * p - e * q) / area
    down = (g * r - h * q) / area, (h * p - g * q) / area
    return np.array(
        [[*across, u - across[0] * x - across[1] * y], [*down, v - down[0] * x - down[1] * y]], np.float32
    )


def _texels(nodes: Map, level: NDArray[np.uint8]) -> Map:
    """Positions 0..1 on the texture in pixels of one of its levels; never off it, where lookups are slow."""
    return np.asarray(np.maximum(nodes * np.float32(level.shape[0]) - np.float32(0.5), 0), np.float32)


def _averaged(image: Image, size: tuple[int, int]) -> Image:
    """The means of blocks, by halving: half the time of all at once."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        image = resized(image, (image.shape[1] // 2, image.shape[0] // 2), cv2.INTER_AREA)
    return image if image.shape[1::-1] == size else resized(image, size, cv2.INTER_AREA)


def _grid(size: tuple[int, int], step: float) -> tuple[int, int]:
    """(width, height) of a grid with about one node every ``step`` pixels."""
    return max(2, math.ceil(size[0] / step)), max(2, math.ceil(size[1] / step))


def _scaled(points: Points, size: tuple[int, ...], to: tuple[int, ...]) -> Points:
    """Points of a picture of one size in the same picture at another, pixel centres at whole numbers; z likewise."""
    factor = np.array([to[0] / size[0], to[1] / size[1]], np.float32)
    moved = points.copy()
    moved[:, :2] = (points[:, :2] + 0.5) * factor - 0.5
    moved[:, 2] *= factor.mean()
    return moved


def _fixed(points: Points) -> NDArray[np.int32]:
    """Sub-pixel points for OpenCV's drawing with 4 fractional bits."""
    return np.round(points * 16).astype(np.int32)
