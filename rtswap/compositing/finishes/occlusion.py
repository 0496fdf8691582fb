"""Keep occluders in front of the swap: hands, cups, microphones, hair, hats, dark lenses. ``glasses`` keeps frames.

The network's answer (``networks.occlusion``) is smoothed over time (it moves with the face), weighed against the
landmarks' visibility, cleaned of specks, mapped back to the crop, and subtracted from the swapped face's mask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Mask, Matrix, Points, Quality, SwappedFace, Target
from rtswap.networks.occlusion import ANSWER, SIZE, OcclusionModel, place
from rtswap.vision.geometry import transform
from rtswap.vision.resample import blurred, resized, warped
from rtswap.vision.topology import GLASSES, LEFT_BROW, OVAL, RIGHT_BROW

Plane = NDArray[np.float32]

RISE_S, FALL_S, GAP_S = 0.02, 0.06, 0.5
"""Time constants with which an occluder appears and disappears; after a gap the past is discarded."""
LIVE_EVERY_S = 0.06
"""Live, the network runs on every second frame at 30 frames per second, and every fourth at 60."""
SPARING_S = 0.09
"""Maximum age of an answer if the quality leaves no time for a new one."""
TURN = 0.7
"""How much longer, as a share of that time, a face waits if another was analysed in the same frame."""
SEEN = 0.5
"""Visibility above which a landmark counts as seen."""
BENEFIT = 0.2
"""How much more certain the network must be where nearby landmarks are seen."""
WITHDRAWN, BELIEVED = 0.35, 0.5
"""Share of the seen landmarks that stay uncovered: below the first the network is ignored, above the second fully
trusted. If both were followed blindly, the pipeline would have to blur the face (below a quarter)."""
OPEN, SHUT = 0.45, 0.7
"""Probability of occlusion where the swap starts to fade, and where it is gone."""
HALF = (OPEN + SHUT) / 2
"""Probability at which half of it is left: above it a place counts as covered."""
SPECK, GLINT = 10, 60
"""Islands smaller than this (in cells of an answer) are errors; and those in the centre of the face that are smaller
than the second: a glint on a lens, or make-up. A dark lens is larger."""
FEATHER = 0.6
"""Sigma of the edge in cells of an answer."""
STEP = 4
"""Crop pixels per node of the grid on which answers are rotated back: a cell of an answer is 4 to 6 pixels wide."""


@dataclass(frozen=True, slots=True)
class _Past:
    hidden: Plane
    opened: Mask | None
    """Computed from ``hidden``; None if nothing is in front of the face."""
    time_s: float


class Turns:
    """Schedules the analysis of faces: at most every ``every_s`` seconds, less often with several faces, and not all
    in the same frame."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last: dict[int, float] = {}
        self._latest_s = -math.inf

    def may_rest(self, track_id: int, now_s: float, quality: Quality) -> bool:
        """True if the last answer is recent enough; False for a new face. A face that is due waits a little if
        another was analysed in the same frame."""
        if track_id not in self._last:
            return False
        rest_s = self._every_s if quality.match_color else max(self._every_s, SPARING_S)
        rest_s *= max(1, len(self._last))  # several faces share the time of one
        turn_s = TURN * rest_s if now_s == self._latest_s else 0.0
        return 0 <= now_s - self._last[track_id] < rest_s + turn_s

    def looked(self, track_id: int, now_s: float) -> float:
        """Record an analysis; returns the seconds since the previous one, NaN the first time."""
        before, self._last[track_id], self._latest_s = self._last.get(track_id, math.nan), now_s, now_s
        return now_s - before

    def forget(self, track_id: int) -> None:
        """Drop the schedule of a track."""
        self._last.pop(track_id, None)


class OcclusionMask:
    """Implements ``protocols.Finish``.

    The network runs at most every ``every_s`` seconds of the stream, less often with several faces; in between, its
    last answer moves with the face.
    """

    def __init__(self, occlusion_model: OcclusionModel, every_s: float = 0.0) -> None:
        self._occluders = occlusion_model
        self._turns = Turns(every_s)
        self._past: dict[int, _Past] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Open the swapped face's mask where something is in front of the target's face.

        Raises EngineError, and ModelError if the network's outputs violate its contract.
        """
        matrix = place(target.landmarks)
        if matrix is None:
            return swapped
        points = transform(matrix, target.landmarks[:, :2])
        past = self._past.get(target.track_id)
        if past is not None and self._turns.may_rest(target.track_id, target.time_s, quality):
            opened = past.opened  # reuse the last answer
        else:
            self._turns.looked(target.track_id, target.time_s)
            hidden = self._follow(target, self._occluders.hidden(target.crop, matrix, points))
            weighty = weigh(hidden, points, target.visibility)
            opened = _open(weighty, points) if float(weighty.max()) > OPEN else None
            self._past[target.track_id] = _Past(hidden, opened, target.time_s)
        if opened is None:
            return swapped
        return SwappedFace(
            swapped.crop, np.asarray(cv2.min(swapped.mask, _back(opened, matrix, swapped.mask)), np.uint8)
        )

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._past.pop(track_id, None)
        self._turns.forget(track_id)

    def _follow(self, target: Target, hidden: Plane) -> Plane:
        """Average over time: fast rise, slower fall."""
        past = self._past.get(target.track_id)
        return hidden if past is None else follow(hidden, past.hidden, target.time_s - past.time_s)


def follow(now: Plane, last: Plane, passed_s: float) -> Plane:
    """Average over time: fast rise, slower fall; ``now`` alone after a gap, or if the clock ran backwards."""
    if not 0 < passed_s <= GAP_S:
        return now
    rise, fall = shares(passed_s)
    step = now - last
    return np.asarray(last + np.maximum(step * rise, 0) + np.minimum(step * fall, 0), np.float32)


def shares(passed_s: float) -> tuple[np.float32, np.float32]:
    """Shares of a step up and of a step down to follow in this time."""
    rise, fall = (np.float32(1 - math.exp(-passed_s / constant)) for constant in (RISE_S, FALL_S))
    return rise, fall


def weigh(hidden: Plane, points: Points, visibility: NDArray[np.float32]) -> Plane:
    """Weigh ``hidden`` against the landmarks, (64, 64): in doubt the face is replaced.

    ``points`` (468, 2) network crop pixels. NaN visibility counts as seen.
    """
    at, seen = places(points, visibility)
    hidden = hidden - BENEFIT * benefit_of(points, at, seen)
    x, y = at[seen].T
    uncovered = float(np.count_nonzero(hidden[y, x] < HALF)) / len(x) if len(x) else 1.0
    trust = min(max((uncovered - WITHDRAWN) / (BELIEVED - WITHDRAWN), 0.0), 1.0)
    return np.asarray(hidden * np.float32(trust), np.float32)


def places(points: Points, visibility: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cells (468, 2) of the landmarks in an answer, and which of them are seen."""
    return np.clip((points * (ANSWER / SIZE)).astype(np.int32), 0, ANSWER - 1), ~(visibility < SEEN)


def benefit_of(points: Points, at: NDArray[np.int32], seen: NDArray[np.bool_]) -> Plane:
    """How much the landmarks speak against occluders, 0..1 (64, 64): not around the eyes, where they are found behind
    dark lenses, too. Brows are no glasses."""
    brows = cv2.dilate(_draw(points, LEFT_BROW) | _draw(points, RIGHT_BROW), np.ones((3, 3), np.uint8))
    return np.asarray(share_seen_around(at, seen) * (1 - cv2.subtract(_draw(points, GLASSES), brows)), np.float32)


def share_seen_around(at: NDArray[np.int32], seen: NDArray[np.bool_]) -> Plane:
    """Share of seen landmarks nearby, 0..1 (64, 64); 0 where there are none."""
    coarse = ANSWER // 4
    cells = (at[:, 1] // 4) * coarse + at[:, 0] // 4
    counts = np.stack([np.bincount(part, minlength=coarse * coarse) for part in (cells[seen], cells)], 1)
    soft = blurred(counts.reshape(coarse, coarse, 2).astype(np.float32), 1.0)
    share = soft[..., 0] / (soft[..., 1] + np.float32(0.05))
    return np.asarray(cv2.resize(share, (ANSWER, ANSWER), interpolation=cv2.INTER_LINEAR), np.float32)


def _open(hidden: Plane, points: Points) -> Mask:
    """Mask (64, 64), 255 = replace, 0 = keep: without specks of either kind, with a soft edge."""
    gain = 255 / (SHUT - OPEN)
    closed = cv2.threshold(hidden, HALF, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)
    without = _without_small(_without_small(closed, GLINT, unless=midst_of(points) == 0), SPECK)
    filled = 255 - _without_small(255 - without, SPECK)
    share = np.clip((hidden - OPEN) * gain, 0, 255).astype(np.uint8)
    share = np.asarray(cv2.min(share, cv2.dilate(filled, np.ones((3, 3), np.uint8))), np.uint8)
    share = np.asarray(cv2.max(share, cv2.erode(filled, np.ones((3, 3), np.uint8))), np.uint8)
    return np.asarray(cv2.bitwise_not(blurred(share, FEATHER)), np.uint8)


def _without_small(closed: Mask, least: int, *, unless: NDArray[np.bool_] | None = None) -> Mask:
    """Remove islands of 255 with fewer than ``least`` cells, but for those with a cell in ``unless``: hands and cups
    extend beyond the outline."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    keep = np.where(stats[:, cv2.CC_STAT_AREA] >= least, 255, 0).astype(np.uint8)
    if unless is not None:
        keep[np.unique(labels[unless])] = 255
    keep[0] = 0
    return np.asarray(keep[labels], np.uint8)


def midst_of(points: Points) -> Mask:
    """1 in the centre of the face, (64, 64)."""
    return np.asarray(cv2.erode(_draw(points, OVAL), np.ones((5, 5), np.uint8)), np.uint8)


def _draw(points: Points, outline: list[int]) -> Mask:
    """1 within the outline, (64, 64)."""
    mask = np.zeros((ANSWER, ANSWER), np.uint8)
    ring = np.clip(points[outline, :2] * (16 * ANSWER / SIZE), -30000, 30000).astype(np.int32)
    cv2.fillPoly(mask, [ring], 1, cv2.LINE_8, 4)
    return mask


def _back(opened: Mask, matrix: Matrix, like: Mask) -> Mask:
    """Map ``opened`` back to the crop that ``matrix`` maps to the network's, by way of a coarse grid."""
    height, width = like.shape
    small, to_answer = coarse_places(matrix, (width, height))
    coarse = warped(opened, to_answer, small, how=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return resized(coarse, (width, height))


def coarse_places(matrix: Matrix, size: tuple[int, int]) -> tuple[tuple[int, int], NDArray[np.float64]]:
    """(width, height) of a coarse grid over a crop of ``size``, and the matrix (2, 3) from its nodes to the
    answer."""
    small = max(1, -(-size[0] // STEP)), max(1, -(-size[1] // STEP))
    step = np.array([size[0] / small[0], size[1] / small[1]])
    half = matrix[:, :2] / 2
    shift = half @ ((step - 1) / 2) + (matrix[:, 2] + 0.5) / 2 - 0.5
    return small, np.column_stack([half * step, shift])


def every_s(context: BuildContext) -> float:
    """Minimum seconds between two analyses of a face."""
    return LIVE_EVERY_S if context.live else 0.0


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.occlusion_gpu import GpuOcclusionMask

    return GpuOcclusionMask(context.engines["occlusion"], every_s=every_s(context))


SPEC = FinishSpec(
    "occlusion",
    "keeps hands, cups and hair in front of the face",
    "mask",
    lambda context: OcclusionMask(OcclusionModel(context.engines["occlusion"]), every_s(context)),
    _build_gpu,
    enabled=lambda context: "occlusion" in context.mask.masks and "occlusion" in context.engines,
    flag=lambda context: "--mask occlusion",
)
