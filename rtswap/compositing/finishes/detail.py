"""Match sharpness, texture and grain to the target: a crisp, clean face in a soft, noisy frame looks pasted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import cv2
import numpy as np

from rtswap.compositing.finishes.grain import Overlay, lay_over, overlay_for
from rtswap.compositing.finishes.openings import bounding_box, openings_of
from rtswap.compositing.finishes.sharpness import Grain, edge_sigma, fine_detail, grain_of, soften
from rtswap.compositing.finishes.skin_texture import Tables, smoothed, tables_for, texture_of
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.compositing.finishes.windows import Places, in_blocks, places_for
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Image, Quality, SwappedFace, Target
from rtswap.vision.resample import Picture

EVERY_S = 0.1
"""Seconds between two measurements of one of the two images. Sharpness changes slowly."""
CONSTANT_S = 0.7
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


class Focus(NamedTuple):
    """The change that brings the swapped face to the target's sharpness: one of the two is 0."""

    softening: float
    """Variance of the blur, pixels squared."""
    sharpening: float
    """Share of the high-pass to add."""


class Correction(NamedTuple):
    """The correction to apply to the swapped face."""

    focus: Focus
    texture: Tables | None
    overlay: Overlay | None

    @property
    def needed(self) -> bool:
        """Whether it changes anything."""
        return any(self.focus) or self.texture is not None or self.overlay is not None


NOTHING = Correction(Focus(0.0, 0.0), None, None)


@dataclass(slots=True)
class TrackDetail:
    """The state of one track."""

    offsets: np.random.Generator
    turn: int = 0
    """The image to measure next: 0 the target, 1 the swapped face."""
    measured_s: float = -math.inf
    look: Correction = NOTHING


class MatchDetail:
    """Implements ``protocols.Finish``. Eyes and the inside of the mouth already are the target's, and stay
    unchanged."""

    def __init__(self) -> None:
        self._edges = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        """Variance of the blur of the target's edges, and of the swapped face's. Like the next ones, by track."""
        self._detail = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        """Logarithm of the variance of fine detail; for the swapped face also after softening by 1."""
        self._grain = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        self._texture = TemporalAverage(CONSTANT_S), TemporalAverage(CONSTANT_S)
        """``texture_of`` the target and the swapped face."""
        self._tracks: dict[int, TrackDetail] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Works in ``swapped.crop``. If there is no time to match colours it does not measure, and applies the last
        result."""
        key = target.track_id
        track = self._tracks.setdefault(key, TrackDetail(np.random.default_rng(abs(key))))
        due = not 0 <= target.time_s - track.measured_s < EVERY_S
        if due and (quality.match_color or track.measured_s == -math.inf):
            self._measure(track, swapped, target)
        shown = bounding_box(swapped.mask)
        where = track.offsets.integers(0, 1 << 16, 2)
        look = track.look
        region = swapped.crop[shown]
        if not region.size or not look.needed:
            return swapped
        openings = openings_of(swapped.crop, target.landmarks)
        if any(look.focus):
            region[:] = apply_focus(region, look.focus)
        blocks = swapped.crop[in_blocks(shown, swapped.mask.shape)]
        if look.texture is not None and blocks.size:
            blocks[:] = smoothed(blocks, look.texture)
        if look.overlay is not None:
            lay_over(region, look.overlay, (int(where[0]), int(where[1])))
        for opening in openings:
            opening.put_back(swapped.crop)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the measurements of a track."""
        self._tracks.pop(track_id, None)
        for average in (*self._edges, *self._detail, *self._grain, *self._texture):
            average.forget(track_id)

    def _measure(self, track: TrackDetail, swapped: SwappedFace, target: Target) -> None:
        """Measure one of the two images in turn; both the first time."""
        first = not 0 <= target.time_s - track.measured_s < 1
        track.measured_s = target.time_s
        places = places_for(target, swapped.mask)
        if places is None:
            return
        for who, picture in enumerate((target.crop, swapped.crop)):
            if first or who == track.turn:
                green = np.ascontiguousarray(picture[places.face][..., 1])
                self._look_at(who, green, places, target.track_id, target.time_s)
        track.turn = 1 - track.turn
        track.look = self._decide(target.track_id)

    def _look_at(self, who: int, green: Image, places: Places, key: int, time_s: float) -> None:
        """Measure the face in ``green`` (H, W)."""
        plane, shown = green[places.window].astype(np.float32), places.shown
        grain = grain_of(plane, shown)
        if grain is None:
            return
        sigma = edge_sigma(plane, shown, grain.fine)
        if sigma is not None:
            self._edges[who].follow(key, np.array([sigma**2], np.float32), time_s)
        pictures = (plane,) if who == 0 else (plane, soften(plane, 1.0))
        details = [fine_detail(one, shown, grain) for one in pictures]
        known = [math.log(max(one, FAINTEST_DETAIL)) for one in details if one is not None]
        if len(known) == len(pictures):
            self._detail[who].follow(key, np.array(known, np.float32), time_s)
        if who == 1:
            green = apply_focus(green, self._focus(key))
        texture = texture_of(green.astype(np.float32), places.skin)
        if texture is not None:
            self._texture[who].follow(key, texture, time_s)
        if who == 1:
            tables = self._tables(key)
            made = green if tables is None else smoothed(green, tables)
            grain = grain_of(made[places.window].astype(np.float32), shown) or grain
        self._grain[who].follow(key, np.array([grain.fine**2, grain.coarse**2], np.float32), time_s)

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

    def _focus(self, key: int) -> Focus:
        softness = self._softness(key)
        return Focus(max(0.0, softness), 0.0 if softness > 0 else self._sharpening(key, softness))

    def _tables(self, key: int) -> Tables | None:
        theirs, ours = (average.last(key) for average in self._texture)
        return None if theirs is None or ours is None else tables_for(theirs, ours)

    def _decide(self, key: int) -> Correction:
        theirs, ours = (average.last(key) for average in self._grain)
        overlay: Overlay | None = None
        if theirs is not None and ours is not None:
            missing = Grain(*(math.sqrt(max(0.0, float(square))) for square in theirs - ours))
            overlay = overlay_for(missing)
            overlay = overlay if overlay.spread >= FAINTEST_GRAIN else None
        return Correction(self._focus(key), self._tables(key), overlay)


def apply_focus(picture: Picture, focus: Focus) -> Picture:
    """Soften or sharpen ``picture`` (H, W) or (H, W, 3)."""
    if focus.softening > 0:
        return soften(picture, focus.softening)
    if focus.sharpening > 0:
        share = focus.sharpening
        return cast(Picture, cv2.addWeighted(picture, 1 + share, soften(picture, 1.0), -share, 0))
    return picture


def _build_gpu(_: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.detail_gpu import GpuMatchDetail

    return GpuMatchDetail()


SPEC = FinishSpec(
    "detail",
    "matches the target's sharpness, texture and grain",
    "detail",
    lambda context: MatchDetail(),
    _build_gpu,
    enabled=lambda context: context.swap.detail in ("match", "restore"),
    flag=lambda context: f"--detail {context.swap.detail}",
)
