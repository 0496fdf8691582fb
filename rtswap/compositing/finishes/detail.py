"""Match sharpness, texture and grain to the target: a crisp, clean face in a soft, noisy frame looks pasted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import cv2
import numpy as np

from rtswap.compositing.finishes.grain import Overlay, lay_over, overlay_for
from rtswap.compositing.finishes.openings import bounded, bounding_box, openings_of, skin_weights
from rtswap.compositing.finishes.sharpness import Grain, edge_sigma, fine_detail, grain_of, softened
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.compositing.finishes.texture import BLOCK, Tables, skin_only, tables_for, texture_of, toned
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Image, Mask, Points, Quality, SwappedFace, Target
from rtswap.vision.resample import Picture
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


class Focus(NamedTuple):
    """How to bring the swapped face to the target's sharpness: one of the two is 0."""

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
        rows, columns = in_blocks(bounding_box(swapped.mask), swapped.mask.shape)
        where = track.offsets.integers(0, 1 << 16, 2)
        look = track.look
        if rows.stop <= rows.start or columns.stop <= columns.start or not look.needed:
            return swapped
        openings = openings_of(swapped.crop, target.landmarks)
        region = swapped.crop[rows, columns]
        if any(look.focus):
            region[:] = focused(region, look.focus)
        if look.texture is not None:
            region[:] = toned(region, look.texture)
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
        track.look = self._decided(target.track_id)

    def _look_at(self, who: int, green: Image, places: Places, key: int, time_s: float) -> None:
        """Measure the face in ``green`` (H, W)."""
        plane, shown = green[places.window].astype(np.float32), places.shown
        grain = grain_of(plane, shown)
        if grain is None:
            return
        sigma = edge_sigma(plane, shown, grain.fine)
        if sigma is not None:
            self._edges[who].follow(key, np.array([sigma**2], np.float32), time_s)
        pictures = (plane,) if who == 0 else (plane, softened(plane, 1.0))
        details = [fine_detail(one, shown, grain) for one in pictures]
        known = [math.log(max(one, FAINTEST_DETAIL)) for one in details if one is not None]
        if len(known) == len(pictures):
            self._detail[who].follow(key, np.array(known, np.float32), time_s)
        if who == 1:
            green = focused(green, self._focus(key))
        texture = texture_of(green.astype(np.float32), places.skin)
        if texture is not None:
            self._texture[who].follow(key, texture, time_s)
        if who == 1:
            tables = self._tables(key)
            made = green if tables is None else toned(green, tables)
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

    def _decided(self, key: int) -> Correction:
        theirs, ours = (average.last(key) for average in self._grain)
        overlay: Overlay | None = None
        if theirs is not None and ours is not None:
            missing = Grain(*(math.sqrt(max(0.0, float(square))) for square in theirs - ours))
            overlay = overlay_for(missing)
            overlay = overlay if overlay.spread >= FAINTEST_GRAIN else None
        return Correction(self._focus(key), self._tables(key), overlay)


def focused(picture: Picture, focus: Focus) -> Picture:
    """Soften or sharpen ``picture`` (H, W) or (H, W, 3)."""
    if focus.softening > 0:
        return softened(picture, focus.softening)
    if focus.sharpening > 0:
        share = focus.sharpening
        return cast(Picture, cv2.addWeighted(picture, 1 + share, softened(picture, 1.0), -share, 0))
    return picture


Window = tuple[slice, slice]
"""Rows and columns."""


class Places(NamedTuple):
    """Where to measure a face."""

    face: Window
    """Of the crop: whole blocks of ``toned``. The others are within it."""
    skin: Mask
    window: Window
    """For sharpness and grain."""
    shown: Mask
    """What is visible of the window."""


def places_for(target: Target, mask: Mask) -> Places | None:
    """Where to measure, if the swapped face shows where ``mask`` (H, W) is 255; None if there is hardly anything."""
    face = face_window(target.landmarks, mask.shape)
    shown, corner = mask[face], (face[1].start, face[0].start)
    landmarks = bounded(target.landmarks) - np.array(corner, np.float32)
    window = window_for(landmarks, shown.shape)
    if window is None:
        return None
    at = landmarks - np.array((window[1].start, window[0].start), np.float32)
    return Places(face, skin_only(shown, landmarks), window, skin_weights(shown[window], at, 1))


def face_window(landmarks: Points, size: tuple[int, ...]) -> Window:
    """The whole blocks of a crop of ``size`` (H, W) that the face reaches; may be empty."""
    points = bounded(landmarks)
    left, top = np.clip(np.floor(points.min(0)), 0, size[1::-1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0)), 0, size[1::-1]).astype(int).tolist()
    return in_blocks((slice(top, bottom), slice(left, right)), size)


def in_blocks(box: Window, size: tuple[int, ...]) -> Window:
    """Widen ``box`` to whole blocks of ``toned``, as far as ``size`` (H, W) reaches."""
    rows, columns = (
        slice(low := one.start // BLOCK * BLOCK, max(low, min(-(-one.stop // BLOCK), side // BLOCK) * BLOCK))
        for one, side in zip(box, size, strict=False)
    )
    return rows, columns


def window_for(landmarks: Points, size: tuple[int, ...]) -> Window | None:
    """Rows and columns of a picture of ``size`` (H, W) to measure for sharpness and grain, an even number of each:
    nose, mouth and the skin beside them. None if there is hardly anything."""
    mouth = landmarks[LIPS_OUTER]
    middle = (mouth.mean(0) + landmarks[1]) / 2
    reach = max(float(np.linalg.norm(landmarks[CHIN] - landmarks[1])), float(np.ptp(mouth[:, 0])))
    half = np.array([0.85, 0.75]) * reach
    half *= min(1.0, math.sqrt(PATCH_PX / max(1.0, 4 * half[0] * half[1])))
    height, width = size
    low = np.clip(np.floor(middle - half), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(middle + half), 0, (width, height)).astype(int)
    across, down = ((high - low) // 2 * 2).tolist()
    if min(across, down) < 16:
        return None
    return slice(int(low[1]), int(low[1]) + down), slice(int(low[0]), int(low[0]) + across)


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
