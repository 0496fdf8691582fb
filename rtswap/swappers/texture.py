"""The source's skin, unrolled: one texture over the canonical face, made once from the photo.

The chart is the canonical mesh spread out on a cylinder about the head's vertical axis. It is symmetric, so the
half of the face that a turned head hides in the photo is the mirrored other half. A skirt of triangles outside
the face oval keeps maps smooth where the hull ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.geometry import canonical, unrolled
from rtswap.raster import Map, rasterize
from rtswap.sampling import blurred, looked_up, resized
from rtswap.swappers.shape import to_canonical
from rtswap.swappers.skin import face_mask
from rtswap.topology import OVAL
from rtswap.types import Image, Mask, Points

SIZE = 512
"""Texels per side of the chart: 1.3 per pixel of a 512-px portrait, so that baking loses no detail."""
SKIRT = 0.18
"""How far the skirt reaches out, in distances from the face's middle."""


class Chart(NamedTuple):
    """Where every point of the face and of its skirt lies on the unrolled skin."""

    points: Points
    """(504, 3) texels: the canonical points, then the skirt's."""
    triangles: NDArray[np.int32]
    """(970, 3)"""


def skirted(mesh: Points) -> Points:
    """(504, 3) the mesh and its oval once more, pushed outwards from the mesh's middle."""
    middle = mesh.mean(0)
    return np.concatenate([mesh, mesh[OVAL] + SKIRT * (mesh[OVAL] - middle)]).astype(np.float32)


@cache
def chart() -> Chart:
    """The one chart that all textures share."""
    mesh = skirted(canonical().mesh)
    flat = np.zeros((len(mesh), 3), np.float32)
    flat[:, :2] = unrolled(mesh)
    flat[:, :2] -= (flat[:, :2].min(0) + flat[:, :2].max(0)) / 2
    flat[:, :2] = flat[:, :2] * (SIZE - 8) / np.ptp(flat[:, :2], axis=0).max() + (SIZE - 1) / 2
    inner, outer = np.array(OVAL), 468 + np.arange(len(OVAL))
    following = np.roll(np.arange(len(OVAL)), -1)
    skirt = np.concatenate(
        [
            np.stack([inner, outer, inner[following]], 1),
            np.stack([inner[following], outer, outer[following]], 1),
        ]
    )
    return Chart(flat, np.concatenate([canonical().triangles, skirt]).astype(np.int32))


@dataclass(frozen=True, slots=True)
class Texture:
    """The source's unrolled skin at several sizes."""

    levels: tuple[Image, ...]
    """The chart at 512, 256 and 128 texels, for large and small targets."""
    face: Mask
    """(128, 128) 255 where the photo shows face, 0 where hair or background lie on it."""

    @classmethod
    def bake(cls, portrait: Image, landmarks: Points) -> Texture:
        """Unroll the portrait; ``landmarks`` (468, 3) px in it."""
        mesh = skirted(landmarks)
        scale = np.array([portrait.shape[1], portrait.shape[0]], np.float32)
        values = np.column_stack([np.clip(mesh[:, :2] / scale, 0, 1), _seen(landmarks)]).astype(np.float32)
        where = rasterize(chart().points, values, chart().triangles, (SIZE, SIZE))
        lookup = where[..., :2] * scale
        own = looked_up(portrait, lookup, cv2.INTER_CUBIC)
        full = _complete(own, where[..., 2])
        levels = [full]
        for _ in range(2):
            side = levels[-1].shape[0] // 2
            levels.append(resized(levels[-1], (side, side), cv2.INTER_AREA))
        return cls(
            tuple(levels), face_mask(levels[-1], chart().points / (SIZE / levels[-1].shape[0]), chart().triangles)
        )

    def level_for(self, texels_per_pixel: float) -> Image:
        """The sharpest level that is not sampled so sparsely that it shimmers."""
        index = int(np.clip(np.floor(np.log2(max(texels_per_pixel, 1e-3)) + 0.35), 0, len(self.levels) - 1))
        return self.levels[index]


def _seen(landmarks: Points) -> NDArray[np.float32]:
    """(504,) 0..1 how squarely the camera looked at each point, from the pose of the head in the photo."""
    mesh, triangles = canonical().mesh, canonical().triangles
    normals = np.zeros_like(mesh)
    a, b, c = (mesh[triangles[:, k]] for k in range(3))
    np.add.at(normals, triangles.ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0))
    pose = to_canonical(landmarks)[:, :3]
    view = pose @ np.array([0, 0, 1], np.float32)
    facing = np.abs(normals @ view) * np.sign((normals * view).sum(1) * (normals[:, 2]))
    facing = facing / (np.linalg.norm(normals, axis=1) * np.linalg.norm(view) + 1e-9)
    seen = np.clip(facing, 0, 1).astype(np.float32)
    return np.concatenate([seen, seen[OVAL]])


def _complete(own: Image, seen: Map) -> Image:
    """Fill what the photo hides with the mirrored other half."""
    mirrored, other = own[:, ::-1], seen[:, ::-1]
    share = np.clip((other - seen - 0.25) / 0.3, 0, 1) * np.clip((0.6 - seen) / 0.3, 0, 1)
    share = blurred(share.astype(np.float32), SIZE / 64)[..., None]
    if not share.max() > 0:
        return own
    return np.asarray(own + (mirrored.astype(np.float32) - own) * share, np.uint8)
