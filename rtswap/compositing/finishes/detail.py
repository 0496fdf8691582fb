"""Match sharpness and grain to the target: a crisp, noise-free face in a soft, noisy frame looks pasted on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.compositing.finishes.grain import Overlay, lay_over, overlay_for
from rtswap.compositing.finishes.openings import bounded, bounding_box, openings_of, skin_weights
from rtswap.compositing.finishes.sharpness import Grain, Plane, edge_sigma, fine_detail, grain_of, softened
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Image, Mask, Quality, SwappedFace, Target
from rtswap.vision.topology import CHIN, LIPS_OUTER

EVERY_S = 0.1
"""Seconds between two measurements of one of the two images. Sharpness changes slowly."""
CONSTANT_S = 0.7
PATCH_PX = 16000
"""Approximate number of pixels to measure: nose, mouth and the skin around them."""
SAME = 0.25
"""Difference of edge variances, pixels squared, below which two images count as equally sharp."""
SOFTENING = 4.0
"""Variance of the strongest blur, pixels squared."""
SHARPENING, SHARPENING_PER = 0.6, 0.35
"""Maximum share of the high-pass to add, and the share per pixel squared by which the swap is too soft."""
HALFWAY = 0.5
"""Exponent of the correction for missing fine detail: half of the lack may be the person's smooth skin."""
FAINTEST_DETAIL = 0.3
"""Variance of the Laplacian, levels squared: rounding alone produces as much."""
FAINTEST_GRAIN = 0.5
"""Standard deviation in levels below which grain is invisible."""


class Correction(NamedTuple):
    """The correction to apply to the swapped face."""

    softening: float
    """Variance of the blur, pixels squared."""
    sharpening: float
    """Share of the high-pass to add."""
    overlay: Overlay | None


@dataclass(slots=True)
class TrackDetail:
    """The state of one track."""

    offsets: np.random.Generator
    turn: int = 0
    """The image to measure next: 0 the target, 1 the swapped face."""
    measured_s: float = -math.inf
    look: Correction = field(default=Correction(0.0, 0.0, None))


class MatchDetail:
    """Implements ``protocols.Finish``. Eyes and the inside of the mouth already are the target's, and stay
    unchanged."""

    def __init__(self) -> None:
        self._edges = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        """Variance of the blur of the target's edges, and of the swapped face's. Like the next ones, by track."""
        self._detail = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        """Logarithm of the variance of fine detail; for the swapped face also after softening by 1."""
        self._grain = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        self._tracks: dict[int, TrackDetail] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Works in ``swapped.crop``. If there is no time to match colours it does not measure, and applies the last
        result."""
        key = target.track_id
        track = self._tracks.setdefault(key, TrackDetail(np.random.default_rng(abs(key))))
        due = not 0 <= target.time_s - track.measured_s < EVERY_S
        if due and (quality.match_color or track.measured_s == -math.inf):
            self._measure(track, swapped, target)
        rows, columns = bounding_box(swapped.mask)
        where = track.offsets.integers(0, 1 << 16, 2)
        look = track.look
        if rows.stop == rows.start or look == Correction(0.0, 0.0, None):
            return swapped
        openings = openings_of(swapped.crop, target.landmarks)
        region = swapped.crop[rows, columns]
        if look.softening > 0:
            region[:] = softened(region, look.softening)
        elif look.sharpening > 0:
            cv2.addWeighted(region, 1 + look.sharpening, softened(region, 1.0), -look.sharpening, 0, dst=region)
        if look.overlay is not None:
            lay_over(region, look.overlay, (int(where[0]), int(where[1])))
        for opening in openings:
            opening.put_back(swapped.crop)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the measurements of a track."""
        self._tracks.pop(track_id, None)
        for average in (*self._edges, *self._detail, *self._grain):
            average.forget(track_id)

    def _measure(self, track: TrackDetail, swapped: SwappedFace, target: Target) -> None:
        """Measure one of the two images in turn; both the first time."""
        first = not 0 <= target.time_s - track.measured_s < 1
        track.measured_s = target.time_s
        window = window_for(target, swapped.mask)
        if window is None:
            return
        rows, columns = window
        shown = skin_weights(swapped.mask[window], bounded(target.landmarks) - (columns.start, rows.start), 1)
        for who, picture in enumerate((target.crop, swapped.crop)):
            if first or who == track.turn:
                self._look_at(who, _green(picture[window]), shown, target)
        track.turn = 1 - track.turn
        track.look = self._decided(target.track_id)

    def _look_at(self, who: int, plane: Plane, shown: Mask, target: Target) -> None:
        grain = grain_of(plane, shown)
        if grain is None:
            return
        sigma = edge_sigma(plane, shown, grain.fine)
        if sigma is not None:
            self._edges[who].follow(target.track_id, np.array([sigma**2], np.float32), target.time_s)
        pictures = (plane,) if who == 0 else (plane, softened(plane, 1.0))
        details = [fine_detail(one, shown, grain) for one in pictures]
        known = [math.log(max(one, FAINTEST_DETAIL)) for one in details if one is not None]
        if len(known) == len(pictures):
            self._detail[who].follow(target.track_id, np.array(known, np.float32), target.time_s)
        softening = self._softness(target.track_id)
        if who == 1 and softening > 0:
            grain = grain_of(softened(plane, softening), shown) or grain
        squares = np.array([grain.fine**2, grain.coarse**2], np.float32)
        self._grain[who].follow(target.track_id, squares, target.time_s)

    def _softness(self, key: int) -> float:
        """How far, in pixels squared, the swapped face is too sharp (positive) or too soft (negative), by its edges.
        A face without more fine detail than the target is not softened."""
        theirs, ours = (average.last(key) for average in self._edges)
        if theirs is None or ours is None:
            return 0.0
        difference = float(theirs[0] - ours[0])
        excess, per_variance = self._excess(key)
        return min(
            math.copysign(min(max(abs(difference) - SAME, 0.0), SOFTENING), difference),
            max(0.0, excess) / per_variance,
        )

    def _excess(self, key: int) -> tuple[float, float]:
        """Excess of fine detail over the target (logarithm of variances), and how much of it softening by a pixel
        squared removes."""
        theirs, ours = (average.last(key) for average in self._detail)
        if theirs is None or ours is None:
            return 0.0, 1.0
        return float(ours[0] - theirs[0]), max(0.2, float(ours[0] - ours[1]))

    def _sharpening(self, key: int, softness: float) -> float:
        """Share of the high-pass to add: the larger of what edges and fine detail need."""
        excess, per_variance = self._excess(key)
        lack = math.expm1(max(0.0, -excess) / 2 * HALFWAY) / -math.expm1(-per_variance / 2)
        return min(SHARPENING, max(0.0, -softness * SHARPENING_PER, lack))

    def _decided(self, key: int) -> Correction:
        softness = self._softness(key)
        theirs, ours = (average.last(key) for average in self._grain)
        overlay: Overlay | None = None
        if theirs is not None and ours is not None:
            missing = Grain(*(math.sqrt(max(0.0, float(square))) for square in theirs - ours))
            overlay = overlay_for(missing)
            overlay = overlay if overlay.spread >= FAINTEST_GRAIN else None
        return Correction(max(0.0, softness), 0.0 if softness > 0 else self._sharpening(key, softness), overlay)


def window_for(target: Target, mask: Mask) -> tuple[slice, slice] | None:
    """Rows and columns of the crop to measure, an even number of each: nose, mouth and the skin beside them. None if
    there is hardly anything."""
    landmarks = bounded(target.landmarks)
    mouth = landmarks[LIPS_OUTER]
    middle = (mouth.mean(0) + landmarks[1]) / 2
    reach = max(float(np.linalg.norm(landmarks[CHIN] - landmarks[1])), float(np.ptp(mouth[:, 0])))
    half = np.array([0.85, 0.75]) * reach
    half *= min(1.0, math.sqrt(PATCH_PX / max(1.0, 4 * half[0] * half[1])))
    height, width = mask.shape
    low = np.clip(np.floor(middle - half), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(middle + half), 0, (width, height)).astype(int)
    size = (high - low) // 2 * 2
    if size.min() < 16:
        return None
    return slice(int(low[1]), int(low[1] + size[1])), slice(int(low[0]), int(low[0] + size[0]))


def _green(picture: Image) -> Plane:
    return np.asarray(cv2.extractChannel(picture, 1), np.float32)


def _build_gpu(_: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.detail_gpu import GpuMatchDetail

    return GpuMatchDetail()


SPEC = FinishSpec(
    "detail",
    "matches the target's sharpness and grain",
    "detail",
    lambda context: MatchDetail(),
    _build_gpu,
    enabled=lambda context: context.swap.detail in ("match", "restore"),
    flag=lambda context: f"--detail {context.swap.detail}",
)
