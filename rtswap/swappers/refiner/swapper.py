"""The swapper ``refiner``: a small network corrects the tones of ``mesh``'s result.

A generator trained on people who do not exist corrects what warping and relighting cannot (a shadow or gloss in the
photo, a cast, a step in tone at the seam): a gain for each colour in 32 x 32 cells over the face. Drawn bilinearly
and multiplied onto the full-size face, they keep the photo's details. The network has no state between frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import AdjustableSwapper, Engine, SwapModel, Swapper
from rtswap.core.types import Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.swappers.refiner.crop_view import MOST, crop_view, draw_gains

SMOOTH_S = 0.05
"""Time constant for smoothing a track's gains: hides the noise of single frames."""
FORGOTTEN_S = 0.4
"""Pause after which the last gains are discarded."""


class RefinerSwapModel:
    """Implements ``protocols.SwapModel``.

    ``base``: the model whose result is refined. ``generator``: composite and lowered (1, 128, 128, 3), mask
    (1, 128, 128), all uint8 -> gains (1, 32, 32, 3) float32.
    """

    def __init__(self, base: SwapModel, generator: Engine) -> None:
        self._base, self._generator = base, generator

    def bind(self, source: SourceIdentity) -> Swapper:
        return RefinerSwapper(self._base.bind(source), self._generator)


class RefinerSwapper:
    """Implements ``protocols.Swapper``."""

    def __init__(self, base: Swapper, generator: Engine) -> None:
        self._base, self._generator = base, generator
        self._gains: dict[int, tuple[NDArray[np.float32], float]] = {}
        """Per track: the smoothed gains and their time."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        return self._base.view(landmarks, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Refine the result of ``base``; return it unchanged if the budget leaves no time for colours."""
        swapped = self._base.swap(face, quality)
        if not quality.match_color:
            return swapped
        view = crop_view(face.crop, swapped.crop, swapped.mask, face.landmarks)
        if view is None:
            return swapped
        outputs = self._generator.run(
            {"composite": view.composite[None], "lowered": view.lowered[None], "mask": view.mask[None]}
        )
        draw_gains(swapped.crop, self._smoothed(bounded(outputs["gains"][0]), face), view.matrix)
        return swapped

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """As ``protocols.AdjustableSwapper``; without effect if ``base`` is none."""
        if isinstance(self._base, AdjustableSwapper):
            return self._base.adjust(expression=expression, strength=strength)
        return lambda: None

    def forget(self, track_id: int) -> None:
        self._base.forget(track_id)
        self._gains.pop(track_id, None)

    def _smoothed(self, now: NDArray[np.float32], face: Target) -> NDArray[np.float32]:
        """Exponential mean of the gains over the track's frames; the crop moves with the face."""
        gains, since = self._gains.get(face.track_id, (now, -math.inf))
        share = smoothing_share(face.time_s - since)
        gains = np.asarray(cv2.addWeighted(gains, 1 - share, now, share, 0), np.float32)
        self._gains[face.track_id] = gains, face.time_s
        return gains


def bounded(gains: Tensor) -> NDArray[np.float32]:
    """The network's gains within their range; what is no number changes nothing."""
    return np.clip(np.nan_to_num(gains.astype(np.float32), nan=1.0), math.exp(-MOST), math.exp(MOST))


def smoothing_share(passed_s: float) -> float:
    """Weight 0..1 of new gains, ``passed_s`` seconds after the last."""
    return 1 - math.exp(-passed_s / SMOOTH_S) if 0 <= passed_s < FORGOTTEN_S else 1.0
