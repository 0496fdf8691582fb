"""The swappers ``refiner-128`` and ``refiner-256``: a small network corrects the result of ``mesh``.

A generator trained on people who do not exist corrects what warping and relighting cannot (a fringe pasted over a
forehead, a shadow in the photo, very different skin tones, the edge of the outline), at 128 or 256 px, as a bounded
residual. The residual is added to the full-size face, so that the photo's sharpness stays. The network has no state
between frames; a vector of gains and offsets, computed once by ``bind``, describes the source.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import AdjustableSwapper, Engine, SwapModel, Swapper
from rtswap.core.types import Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.swappers.refiner.crop_view import SHRINK, SIZE, add_residual, crop_view, limit_mask, place
from rtswap.vision.crops import cut

SMOOTH_S = 0.05
"""Time constant for smoothing a track's residuals: hides the noise of single frames."""
FORGOTTEN_S = 0.4
"""Pause after which the last residual is discarded."""
WHOLE = 254
"""Of 255: if the complete face is kept, the mask does not change."""
STYLE = 864
"""Number of gains and offsets of the generator's blocks."""
SIZES = {"refiner-128": SIZE, "refiner-256": 2 * SIZE}
"""Name of the swapper and its generator -> side of the generator's crop."""
ENCODER = "refiner-source"
"""The network that encodes the photo, the same for both."""


class RefinerSwapModel:
    """Implements ``protocols.SwapModel``.

    ``base``: the model whose result is refined. ``encoder``: photo (1, 128, 128, 3) uint8 -> style (1, STYLE).
    ``generator``: composite, lowered, target (1, S, S, 3), mask (1, S, S), all uint8, and style -> made (1, S, S, 4)
    float32, 0..255: the residual + 128, and how much of the face to show. ``size``: S.
    """

    def __init__(self, base: SwapModel, encoder: Engine, generator: Engine, size: int = SIZE) -> None:
        self._base, self._encoder, self._generator, self._size = base, encoder, generator, size

    def bind(self, source: SourceIdentity) -> Swapper:
        base, style = self._base.bind(source), style_of(source, self._encoder)
        return base if style is None else RefinerSwapper(base, self._generator, style, self._size)


def style_of(source: SourceIdentity, encoder: Engine) -> Tensor | None:
    """Encode the source for the generator, (1, STYLE); None if its landmarks do not form a face."""
    matrix = place(source.landmarks)
    if matrix is None:
        return None
    return np.array(encoder.run({"photo": cut(source.portrait, matrix, SIZE, SHRINK)[None]})["style"], np.float32)


class RefinerSwapper:
    """Implements ``protocols.Swapper``. ``style``: from ``style_of``."""

    def __init__(self, base: Swapper, generator: Engine, style: Tensor, size: int = SIZE) -> None:
        self._base, self._generator, self._style, self._size = base, generator, style, size
        self._made: dict[int, tuple[NDArray[np.float32], float]] = {}
        """Per track: the smoothed output and its time."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        return self._base.view(landmarks, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """Refine the result of ``base``; return it unchanged if the budget leaves no time for colours."""
        swapped = self._base.swap(face, quality)
        if not quality.match_color:
            return swapped
        view = crop_view(face.crop, swapped.crop, swapped.mask, face.landmarks, self._size)
        if view is None:
            return swapped
        outputs = self._generator.run(
            {
                "composite": view.composite[None],
                "lowered": view.lowered[None],
                "target": view.target[None],
                "mask": view.mask[None],
                "style": self._style,
            }
        )
        made = self._smoothed(outputs["made"][0], face)
        add_residual(swapped.crop, np.asarray(cv2.cvtColor(made, cv2.COLOR_BGRA2BGR), np.uint8), view.matrix)
        kept = np.asarray(cv2.extractChannel(made, 3), np.uint8)
        if kept.min() >= WHOLE:
            return swapped
        return SwappedFace(swapped.crop, limit_mask(swapped.mask, kept, view.matrix))

    def adjust(self, *, expression: float, strength: float) -> Callable[[], None]:
        """As ``protocols.AdjustableSwapper``; without effect if ``base`` is none."""
        if isinstance(self._base, AdjustableSwapper):
            return self._base.adjust(expression=expression, strength=strength)
        return lambda: None

    def forget(self, track_id: int) -> None:
        self._base.forget(track_id)
        self._made.pop(track_id, None)

    def _smoothed(self, now: Tensor, face: Target) -> NDArray[np.uint8]:
        """Exponential mean (S, S, 4) of the network's outputs over the track's frames; the crop moves with the
        face."""
        made, since = self._made.get(face.track_id, (None, -math.inf))
        share = smoothing_share(face.time_s - since)
        if made is None or share == 1:
            made = now.astype(np.float32)  # a copy: the engine reuses its outputs in the next run
        else:
            cv2.accumulateWeighted(now, made, share)
        self._made[face.track_id] = made, face.time_s
        return np.asarray(cv2.convertScaleAbs(made), np.uint8)


def smoothing_share(passed_s: float) -> float:
    """Weight 0..1 of a new residual, ``passed_s`` seconds after the last."""
    return 1 - math.exp(-passed_s / SMOOTH_S) if 0 <= passed_s < FORGOTTEN_S else 1.0
