"""Animate one portrait: a head that turns, nods, speaks and blinks in front of a plain background.

For the demo and benchmarks, which may neither film nor ship real people. The ground truth is known:
``AnimatedHead.mesh`` returns the landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.vision.geometry import canonical, similarity, transform
from rtswap.vision.raster import band, fill, rasterize
from rtswap.vision.resample import blurred, looked_up, resized
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

SHUT = 0.95
"""Share of an eye's opening by which lids close at most. Beyond it they would cross."""
RING = 1.6
"""Extent of the head around the face, in distances of the face oval from its centre; beyond it the image is
static."""
HEAD_PX = 512


@dataclass(frozen=True, slots=True)
class Motion:
    """The state of the head at one moment."""

    yaw: float
    """Radians, like the next two."""
    pitch: float
    roll: float
    opening: float
    """Opening of the mouth; ``lids`` is that of the eyes. Both in inter-ocular distances relative to the portrait."""
    lids: float
    shift: tuple[float, float]
    """Shift of the head in face widths."""

    @classmethod
    def at(cls, t: float, phase: float = 0.0) -> Motion:
        """Simulate a calm conversation: slow turns, nods, speech at 3 syllables a second with pauses, a blink every 3
        s."""
        s = t + 7.3 * phase
        speaking = 1.0 if (s % 5.0) < 3.2 else 0.0
        blink = np.exp(-(((((s + 1.0) % 3.0) - 1.5) / 0.07) ** 2))
        return cls(
            yaw=0.32 * float(np.sin(0.9 * s)),
            pitch=0.10 * float(np.sin(1.7 * s + 1.0)),
            roll=0.07 * float(np.sin(0.7 * s + 2.0)),
            opening=0.16 * speaking * float(np.sin(3.0 * np.pi * s) ** 2),
            lids=-0.13 * float(blink),
            shift=(0.35 * float(np.sin(0.6 * s)), 0.06 * float(np.sin(1.1 * s))),
        )


def persona(name: str) -> Image:
    """Image (512, 512, 3) of a built-in persona: ada, ben, ..."""
    data = resources.files("rtswap").joinpath(f"assets/personas/{name}.jpg").read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return resized(np.asarray(picture, np.uint8), (HEAD_PX, HEAD_PX), cv2.INTER_AREA)


class AnimatedHead:
    """An animated portrait. ``landmarks``: (468, 3) px in the (S, S, 3) portrait; ``face_px``: width of its face."""

    def __init__(self, portrait: Image, landmarks: Points, face_px: float) -> None:
        scale = face_px / float(np.ptp(landmarks[:, 0]))
        side = round(portrait.shape[0] * scale)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        self.portrait = resized(portrait, (side, side), how)
        self._mesh = (landmarks * scale).astype(np.float32)
        self._rest = _with_surroundings(self._mesh, side)
        self._values = np.column_stack([self._rest[:, :2] / side, np.ones(len(self._rest))]).astype(np.float32)
        self._triangles = _surrounded_triangles()
        self._alpha = _head_mask(self._mesh, side)
        self.side = side
        self.face_px = face_px

    def mesh(self, motion: Motion) -> Points:
        """Landmarks (468, 3) px in the image that ``render`` returns."""
        return self._move(motion)[:468]

    def render(self, motion: Motion) -> tuple[Image, NDArray[np.float32]]:
        """Render the head (side, side, 3) and its opacity (side, side, 1)."""
        size = self.side, self.side
        moved = self._move(motion)
        where = rasterize(moved, self._values, self._triangles, size)
        lookup = where[..., :2] * np.float32(self.side)
        for ring in (LEFT_EYE, RIGHT_EYE):
            inside = np.zeros(size, np.uint8)
            fill(inside, [moved[ring, :2]], 255, smooth=False)
            look_out(lookup, inside > 0, self._mesh[ring, :2], moved[ring, :2])
        picture = looked_up(self.portrait, lookup)
        self._darken_mouth(picture, motion)
        return picture, looked_up(self._alpha, lookup)[..., None] * (where[..., 2:] > 0)

    def _move(self, motion: Motion) -> Points:
        directions = canonical().expression
        to_canonical = similarity(self._mesh, canonical().mesh)
        frontal = transform(to_canonical, self._mesh)
        eyes = frontal[[145, 374], 1] - frontal[[159, 386], 1]
        left, right = np.maximum(motion.lids, -SHUT * eyes)
        frontal = frontal + motion.opening * directions[0] + left * directions[3] + right * directions[4]
        linear = to_canonical[:, :3]
        back = np.linalg.inv(linear)
        own = ((frontal - to_canonical[:, 3]) @ back.T).astype(np.float32)
        rest = self._rest.copy()
        rest[:468] = own
        pivot = self._mesh.mean(0) + np.array([0, 0, 0.5 * self.face_px], np.float32)
        turned = (rest - pivot) @ rotation(motion).T + pivot
        fixed = rest[-len(OVAL) :]
        turned[-len(OVAL) :] = fixed
        return np.asarray(turned, np.float32)

    def _darken_mouth(self, picture: Image, motion: Motion) -> None:
        if motion.opening <= 0.01:
            return
        inner = self.mesh(motion)[LIPS_INNER, :2]
        hole = np.zeros(picture.shape[:2], np.float32)
        fill(hole, [inner], 1.0)
        hole = blurred(hole, 0.8)[..., None] * min(1.0, motion.opening / 0.05)
        picture[:] = (picture * (1 - hole) + np.array([28, 22, 48], np.float32) * hole).astype(np.uint8)


def look_out(
    lookup: NDArray[np.float32], inside: NDArray[np.bool_], portrait: NDArray[np.float32], moved: NDArray[np.float32]
) -> None:
    """Let closing lids hide the eye instead of squeezing it, until they are almost shut and only lashes remain.

    Changes ``lookup`` (H, W, 2), in pixels of the portrait, where ``inside`` (H, W). ``portrait`` and ``moved``: the
    ring of lids (16, 2) there and in the result; the first and the ninth point are the eye's corners, with which it
    moves.
    """
    (along_was, across_was, width_was), (along, across, width) = _axes(portrait), _axes(moved)
    opened = float(np.ptp(moved @ across)) / max(float(np.ptp(portrait @ across_was)), 1e-6)
    share = float(np.interp(opened, [0.1, 0.5, 0.95, 1.0], [0, 1, 1, 0]))
    if min(width, width_was) < 1 or share == 0:
        return
    rows, columns = np.nonzero(inside)
    away = np.column_stack([columns, rows]) - moved[[0, 8]].mean(0)
    there = np.outer(away @ along, along_was * (width_was / width)) + np.outer(away @ across, across_was)
    lookup[rows, columns] += np.float32(share) * (portrait[[0, 8]].mean(0) + there - lookup[rows, columns])


def _axes(ring: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Unit vectors along and across an eye, and its width."""
    between = ring[8] - ring[0]
    width = float(np.linalg.norm(between))
    along = between / np.float32(max(width, 1e-6))
    return along, np.array([-along[1], along[0]], np.float32), width


def clip(
    heads: Sequence[AnimatedHead], size: tuple[int, int], *, fps: float, frames: int, noise: float = 2.0
) -> Iterator[Image]:
    """Render ``frames`` frames of ``size`` = (width, height) with the heads side by side; ``noise``: sd in levels."""
    width, height = size
    background = _background(size, heads[0].portrait)
    patterns = grain(size, noise)
    for index in range(frames):
        picture = background.copy()
        for number, head in enumerate(heads):
            motion = Motion.at(index / fps, number)
            middle = np.array([width * (number + 1) / (len(heads) + 1), height * 0.52])
            _place(picture, *head.render(motion), middle + np.array(motion.shift) * head.face_px)
        add_grain(picture, patterns[index % len(patterns)])
        yield picture


def add_grain(picture: Image, pattern: tuple[Image, Image]) -> None:
    """Add one of ``grain``'s patterns, in place."""
    more, less = pattern
    cv2.add(picture, more, dst=picture)
    cv2.subtract(picture, less, dst=picture)


def grain(size: tuple[int, int], noise: float) -> list[tuple[Image, Image]]:
    """A few patterns of sensor noise, (H, W, 3) each, as a positive and a negative part.

    ``size``: (width, height); ``noise``: standard deviation in levels.
    """
    rng = np.random.default_rng(5)
    width, height = size
    band = rng.standard_normal((height // 4 + 16, width, 3), np.float32) * np.float32(noise)
    more, less = (np.maximum(sign * band, 0).astype(np.uint8) for sign in (1, -1))
    rows = [(np.arange(height) * 7 + start) % len(band) for start in (0, 5, 11)]
    return [(more[row], less[row]) for row in rows]


def _with_surroundings(mesh: Points, side: int) -> Points:
    """The mesh, the head's outline, and a static outline farther out, (540, 3)."""
    middle = mesh[OVAL].mean(0)
    head = middle + RING * (mesh[OVAL] - middle)
    still = middle + 2.1 * (mesh[OVAL] - middle)
    points = np.concatenate([mesh, head, still]).astype(np.float32)
    points[:, :2] = np.clip(points[:, :2], 0, side - 1)
    points[468:, 2] = mesh[OVAL, 2].mean() * 0.5
    return points


def _surrounded_triangles() -> NDArray[np.int32]:
    count = len(OVAL)
    rings = [np.array(OVAL), 468 + np.arange(count), 468 + count + np.arange(count)]
    bands = [band(inner, outer) for inner, outer in pairwise(rings)]
    return np.concatenate([canonical().triangles, *bands]).astype(np.int32)


def _head_mask(mesh: Points, side: int) -> NDArray[np.float32]:
    middle = mesh[OVAL, :2].mean(0)
    outline = middle + 1.5 * (mesh[OVAL, :2] - middle)
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1.0)
    sigma = side / 28
    rim = math.ceil(3 * sigma)
    mask[:rim], mask[-rim:], mask[:, :rim], mask[:, -rim:] = 0, 0, 0, 0
    return blurred(mask, sigma, zero=True)


def rotation(motion: Motion) -> NDArray[np.float32]:
    """Rotation matrix (3, 3): yaw, then pitch, then roll."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (motion.yaw, motion.pitch, motion.roll))
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(roll @ pitch @ yaw, np.float32)


def _background(size: tuple[int, int], head: Image) -> Image:
    """An out-of-focus room in the colours around the head."""
    return resized(blurred(resized(head, (32, 32), cv2.INTER_AREA), 4.0), size, cv2.INTER_CUBIC)


def _place(picture: Image, head: Image, alpha: NDArray[np.float32], middle: NDArray[np.floating]) -> None:
    height, width = picture.shape[:2]
    side = head.shape[0]
    x, y = (int(v) for v in np.round(middle - side / 2))
    x1, y1, x2, y2 = max(0, x), max(0, y), min(width, x + side), min(height, y + side)
    if x1 >= x2 or y1 >= y2:
        return
    inside = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    region = picture[y1:y2, x1:x2]
    region[:] = (region + (head[inside].astype(np.float32) - region) * alpha[inside]).astype(np.uint8)
