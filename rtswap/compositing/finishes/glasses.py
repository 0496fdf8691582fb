"""Keep the glasses that the target wears in front of the swap: wire, rimless and thick frames.

The network's answer (``networks.glasses``) is smoothed over time (it moves with the face), cleaned of specks, mapped
back to the crop, and subtracted from the swapped face's mask. What a clear lens shows is swapped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.occlusion import Turns, every_s, follow
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Mask, Matrix, Quality, SwappedFace, Target
from rtswap.networks.glasses import HEIGHT, WIDTH, GlassesModel, place
from rtswap.vision.geometry import inverse, scale_of, transform
from rtswap.vision.resample import blurred, resized, warped

Plane = NDArray[np.float32]

OPEN, SHUT = 0.18, 0.42
"""Probability of a frame where the swap starts to fade, and where it is gone."""
HALF = (OPEN + SHUT) / 2
SPECK, LEAST = 24, 120
"""Islands with fewer cells of an answer are errors; with fewer in all, no glasses are worn."""
FEATHER = 0.7
"""Sigma of the edge in cells of an answer."""
RARELY_S = 0.4
"""Seconds between two looks at somebody who wears none."""
ALIAS = 1.8
"""Cells of an answer per pixel of the crop above which answers are averaged down first: thin frames would flicker."""
MOST_HALVINGS = 4


@dataclass(frozen=True, slots=True)
class _Past:
    frames: Plane
    kept: Mask | None
    """Computed from ``frames``: 255 = the target's; None if no glasses are worn."""
    time_s: float


class GlassesMask:
    """Implements ``protocols.Finish``.

    The network runs at most every ``every_s`` seconds of the stream, and less often on faces without glasses; in
    between, its last answer moves with the face.
    """

    def __init__(self, glasses_model: GlassesModel, every_s: float = 0.0) -> None:
        self._glasses = glasses_model
        self._turns = Turns(every_s)
        self._past: dict[int, _Past] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Open the swapped face's mask where the target's face wears glasses.

        Raises EngineError, and ModelError if the network's outputs violate its contract.
        """
        matrix = place(target.landmarks)
        if matrix is None:
            return swapped
        past = self._past.get(target.track_id)
        if past is None or not self._may_rest(past, target, quality):
            past = self._past[target.track_id] = self._look(past, target, matrix)
        if past.kept is None:
            return swapped
        return SwappedFace(swapped.crop, _without(swapped.mask, past.kept, matrix))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._past.pop(track_id, None)
        self._turns.forget(track_id)

    def _may_rest(self, past: _Past, target: Target, quality: Quality) -> bool:
        if past.kept is None:
            return 0 <= target.time_s - past.time_s < RARELY_S
        return self._turns.may_rest(target.track_id, target.time_s, quality)

    def _look(self, past: _Past | None, target: Target, matrix: Matrix) -> _Past:
        """Run the network and average its answer over time."""
        frames = self._glasses.find(target.crop, matrix)
        if past is not None and past.kept is not None:
            frames = follow(frames, past.frames, target.time_s - past.time_s)
        kept = _kept(frames)
        if kept is None:
            self._turns.forget(target.track_id)
        else:
            self._turns.looked(target.track_id, target.time_s)
        return _Past(frames, kept, target.time_s)


def _kept(frames: Plane) -> Mask | None:
    """Mask (96, 192), 255 = the target's, with a soft edge and without specks; None if nothing is left."""
    closed = cv2.threshold(frames, HALF, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK
    large[0] = False
    if stats[large, cv2.CC_STAT_AREA].sum() < LEAST:
        return None
    near = cv2.dilate(large[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    share = np.clip((frames - OPEN) * np.float32(255 / (SHUT - OPEN)), 0, 255).astype(np.uint8)
    return blurred(np.asarray(share * near, np.uint8), FEATHER)


def halvings(matrix: Matrix) -> int:
    """How often answers are averaged down before they are mapped back by ``matrix``, crop -> answer."""
    scale = scale_of(matrix)
    return min(max(0, math.ceil(math.log2(scale / ALIAS))), MOST_HALVINGS) if scale > 0 else 0


def _without(mask: Mask, kept: Mask, matrix: Matrix) -> Mask:
    """``mask`` but for ``kept``, which ``matrix`` maps from the crop."""
    if count := halvings(matrix):
        kept = resized(kept, (WIDTH >> count, HEIGHT >> count), cv2.INTER_AREA)
        kept = resized(kept, (WIDTH, HEIGHT))
    corners = np.array([[-1, -1], [WIDTH, -1], [WIDTH, HEIGHT], [-1, HEIGHT]], np.float32)
    around = transform(inverse(matrix), corners)
    low = np.clip(np.floor(around.min(0)), 0, mask.shape[::-1]).astype(int)
    high = np.clip(np.ceil(around.max(0)) + 1, 0, mask.shape[::-1]).astype(int)
    (x1, y1), (x2, y2) = low.tolist(), high.tolist()
    if x2 <= x1 or y2 <= y1:
        return mask
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ low
    there = warped(kept, moved, (x2 - x1, y2 - y1), how=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, zero=True)
    found = mask.copy()
    part = found[y1:y2, x1:x2]
    cv2.min(part, cv2.bitwise_not(there), dst=part)
    return found


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.glasses_gpu import GpuGlassesMask

    return GpuGlassesMask(context.engines["glasses"], every_s=every_s(context))


SPEC = FinishSpec(
    "glasses",
    "keeps glasses in front of the face",
    "mask",
    lambda context: GlassesMask(GlassesModel(context.engines["glasses"]), every_s(context)),
    _build_gpu,
    enabled=lambda context: "occlusion" in context.mask.masks and "glasses" in context.engines,
    flag=lambda context: "--mask occlusion",
)
