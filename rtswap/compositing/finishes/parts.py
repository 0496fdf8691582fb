"""Swap only some parts of the face, or keep some of the target's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.openings import clamp_points, face_width, hull_of, union_of
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.core.errors import ConfigError
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import BatchedTarget, Mask, Quality, SwappedFace, Target
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

STEP = 4
"""Pixels per node of the grid on which masks are drawn."""
NOSE = (168, 122, 351, 188, 412, 174, 399, 198, 420, 129, 358, 64, 294, 98, 327, 2, 1, 4)
"""Bridge, sides, wings and tip."""
ROOM, FEATHER = 0.035, 0.02
"""In face widths: how far a part extends beyond its landmarks, and the sigma of its soft edge."""
MOUTH_ROOM, MOUTH_FEATHER = 0.07, 0.035
"""The same for a kept mouth: wide, since two skins meet there."""
HIDDEN, SEEN = 0.35, 0.6
"""Mean visibility below which a kept part counts as hidden, and above which it counts as seen again."""
FADE_S = 0.12
"""Time constant with which a kept part fades in and out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the face: convex hulls of these landmarks."""

    groups: tuple[tuple[int, ...], ...]
    room: float
    feather: float


PARTS = {
    "eyes": Part((tuple(LEFT_EYE + LEFT_BROW), tuple(RIGHT_EYE + RIGHT_BROW)), ROOM, FEATHER),
    "nose": Part((NOSE,), ROOM, FEATHER),
    "mouth": Part((tuple(LIPS_OUTER),), ROOM + 0.02, FEATHER),
}
KEPT = {
    "eyes": Part((tuple(LEFT_EYE), tuple(RIGHT_EYE)), ROOM, FEATHER),
    "mouth": Part((tuple(LIPS_OUTER),), MOUTH_ROOM, MOUTH_FEATHER),
}


class PartsMask:
    """Implements ``protocols.Finish``. ``parts``: eyes (with brows), nose, mouth; all, or none: the complete face.
    ``keep``: eyes, mouth: the target's own.

    A hidden kept part fades out, since its position is a guess; it fades in when it is seen again. Raises ConfigError
    if all parts are kept: the target's face would be shown whole, and count as swapped.
    """

    def __init__(self, parts: Sequence[str], keep: Sequence[str]) -> None:
        unknown = [name for name in parts if name not in (*PARTS, "all")] + [
            name for name in keep if name not in KEPT
        ]
        if unknown:
            raise ValueError(f"unknown part of the face: {', '.join(unknown)}")
        if parts and set(parts) <= set(keep):
            named = ",".join(dict.fromkeys(parts))
            raise ConfigError(f"--parts {named} and --keep {','.join(keep)} swap nothing", do="Remove one of them.")
        self._parts = [] if "all" in parts else [PARTS[name] for name in dict.fromkeys(parts)]
        self._keep = {name: KEPT[name] for name in dict.fromkeys(keep)}
        self._seen: dict[int, dict[str, bool]] = {}
        self._strength = TemporalAverage(FADE_S)

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Limit the mask to the parts; the crop is unchanged."""
        if not self._parts and not self._keep:
            return swapped
        height, width = swapped.mask.shape
        mask = cv2.min(swapped.mask, resized(self.shown(target, (width, height)), (width, height)), dst=swapped.mask)
        return SwappedFace(swapped.crop, np.asarray(mask, np.uint8))

    def shown(self, target: Target | BatchedTarget, of: tuple[int, int]) -> Mask:
        """Mask on a grid over a crop of size ``of``, a node about every ``STEP`` pixels: 255 = the swap shows."""
        width, height = of
        size = max(2, math.ceil(width / STEP)), max(2, math.ceil(height / STEP))
        landmarks = clamp_points(target.landmarks) * np.array([size[0] / width, size[1] / height], np.float32)
        share = np.full(size[::-1], 255, np.uint8)
        if self._parts:
            shown = [draw_part(part, landmarks, size) for part in self._parts]
            share = np.asarray(np.max(shown, axis=0), np.uint8)
        for part, strength in zip(self._keep.values(), self._strengths(target), strict=True):
            own = draw_part(part, landmarks, size)
            share = np.asarray(cv2.min(share, cv2.convertScaleAbs(own, alpha=-float(strength), beta=255)), np.uint8)
        return share

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._seen.pop(track_id, None)
        self._strength.forget(track_id)

    def _strengths(self, target: Target | BatchedTarget) -> NDArray[np.float32]:
        """Current strength of each kept part, 0..1 (K,). Two thresholds provide hysteresis."""
        seen = self._seen.setdefault(target.track_id, {})
        for name, part in self._keep.items():
            visible = float(target.visibility[[index for group in part.groups for index in group]].mean())
            if visible < HIDDEN:  # false for NaN, like the next
                seen[name] = False
            elif visible > SEEN or name not in seen:
                seen[name] = True
        kept = np.array([float(seen[name]) for name in self._keep], np.float32)
        return self._strength.follow(target.track_id, kept, target.time_s)


def draw_part(part: Part, landmarks: NDArray[np.float32], size: tuple[int, int]) -> Mask:
    """Mask (h, w): 255 in the part and its margin, fading to 0 outside the hull. ``landmarks``: (468, 2 or 3) px;
    ``size``: w, h."""
    width = face_width(landmarks)
    room, sigma = part.room * width, max(0.7, part.feather * width)
    shapes = [_grow(hull_of(landmarks[list(group)]), room + sigma) for group in part.groups]
    return blurred(union_of(shapes, size), sigma)


def _grow(hull: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """Convex hull of circles of radius ``by`` around the hull's points."""
    turns = np.arange(12) * (math.pi / 6)
    circle = by * np.stack([np.cos(turns), np.sin(turns)], 1)
    return hull_of((hull[:, None] + circle).reshape(-1, 2))


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.parts_gpu import GpuPartsMask

    return GpuPartsMask(context.mask.parts, context.mask.keep)


SPEC = FinishSpec(
    "parts",
    "swaps only some parts of the face, or keeps some",
    "mask",
    lambda context: PartsMask(context.mask.parts, context.mask.keep),
    _build_gpu,
    enabled=lambda context: context.mask.partial,
    flag=lambda context: "--parts or --keep",
)
