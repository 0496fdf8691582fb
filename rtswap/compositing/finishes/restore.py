"""Restore the detail that a swapper of low resolution lacks: a DFM of 128 px on a face of 300 px is soft.

A network says what the luma of an enlarged face lacks (``networks.sharpness``). How much of it is added follows from
the target: so much that nose, mouth and skin have as much fine detail as the target's, and never more than all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from rtswap.compositing.finishes.detail import CONSTANT_S, EVERY_S
from rtswap.compositing.finishes.openings import clamp_points, skin_weights
from rtswap.compositing.finishes.sharpness import Plane, fine_detail, grain_of
from rtswap.compositing.finishes.temporal import TemporalAverage
from rtswap.compositing.finishes.windows import window_for
from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Mask, Points, Quality, SwappedFace, Target
from rtswap.networks.sharpness import SharpnessModel, place
from rtswap.vision.geometry import inverse
from rtswap.vision.resample import warped

LEAST = 0.03
"""Share of what is lacking below which nothing is added."""
GAIN = 1.05
"""How much stronger fine detail must become by all that is lacking, or nothing is: the face is sharp."""


class Shares:
    """The share of the network's detail that is added to each track."""

    def __init__(self) -> None:
        self._shares = TemporalAverage(CONSTANT_S)
        self._measured_s: dict[int, float] = {}

    def of(self, track_id: int) -> float:
        """0..1; 0 before the first measurement, and where hardly anything is lacking."""
        last = self._shares.last(track_id)
        return 0.0 if last is None or last[0] < LEAST else float(last[0])

    def due(self, track_id: int, time_s: float, quality: Quality) -> bool:
        """Whether to measure now: every ``EVERY_S`` if there is time, and the first time."""
        measured_s = self._measured_s.get(track_id, -math.inf)
        if 0 <= time_s - measured_s < EVERY_S or not (quality.match_color or measured_s == -math.inf):
            return False
        self._measured_s[track_id] = time_s
        return True

    def measure(self, track_id: int, time_s: float, planes: Sequence[Plane], shown: Mask) -> None:
        """``planes``: target, swapped face, and swapped face with all that it lacks; ``shown`` says what counts."""
        details = []
        for plane in planes:
            grain = grain_of(plane, shown)
            detail = None if grain is None else fine_detail(plane, shown, grain)
            if detail is None:
                return
            details.append(math.sqrt(detail))
        theirs, ours, restored = details
        share = 0.0 if restored < GAIN * ours else (theirs - ours) / (restored - ours)
        self._shares.follow(track_id, np.array([min(max(share, 0.0), 1.0)], np.float32), time_s)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._shares.forget(track_id)
        self._measured_s.pop(track_id, None)


class RestoreDetail:
    """Implements ``protocols.Finish``."""

    def __init__(self, model: SharpnessModel) -> None:
        self._model, self._shares = model, Shares()

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Works in ``swapped.crop``. If there is no time to match colours it does not measure, and adds the last
        share. Raises EngineError, and ModelError if the network's output violates its contract."""
        key, matrix = target.track_id, place(target.landmarks)
        if matrix is None:
            return swapped
        due = self._shares.due(key, target.time_s, quality)
        if not due and not self._shares.of(key):
            return swapped
        height, width = swapped.mask.shape
        change = warped(self._model.lacking(swapped.crop, matrix), inverse(matrix), (width, height), zero=True)
        window = window_for(clamp_points(target.landmarks), swapped.mask.shape) if due else None
        if window is not None:
            shown = mask_in(swapped.mask[window], window, target.landmarks)
            theirs, ours = (crop[window][..., 1].astype(np.float32) for crop in (target.crop, swapped.crop))
            self._shares.measure(key, target.time_s, (theirs, ours, ours + change[window]), shown)
        if share := self._shares.of(key):
            added = cv2.cvtColor(change * np.float32(share), cv2.COLOR_GRAY2BGR)
            cv2.add(swapped.crop, added, dst=swapped.crop, dtype=cv2.CV_8U)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._shares.forget(track_id)


def mask_in(mask: Mask, window: tuple[slice, slice], landmarks: Points) -> Mask:
    """What counts in a window of the crop, as in ``detail``. ``mask``: the window's part of it."""
    rows, columns = window
    return skin_weights(mask, clamp_points(landmarks) - (columns.start, rows.start), 1)


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.restore_gpu import GpuRestoreDetail

    return GpuRestoreDetail(context.engines["sharpness"])


SPEC = FinishSpec(
    "restore",
    "restores the detail that a swapper of low resolution lacks",
    "color",  # before the detail is matched, which then adds the target's grain
    lambda context: RestoreDetail(SharpnessModel(context.engines["sharpness"])),
    _build_gpu,
    enabled=lambda context: context.swap.detail == "restore",
    flag=lambda context: "--detail restore",
    networks=lambda context: ("sharpness",) if context.swap.detail == "restore" else (),
)
