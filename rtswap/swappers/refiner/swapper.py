"""The swapper ``one``: a small network mends what ``mesh`` leaves behind.

What moving and relighting pixels cannot do (a fringe pasted over a forehead, a shadow of the photo, skin tones far
apart, the outline's edge) a generator trained on people who do not exist corrects, at 128 px, as a bounded
difference. It is added to the full-size face, so that the photo's sharpness stays. The network is a static one per
frame; what it should know of the source is a vector of gains and offsets that ``bind`` computes once.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine, SwapModel, Swapper
from rtswap.core.types import Matrix, Points, Quality, SourceIdentity, SwappedFace, Target, Tensor
from rtswap.swappers.refiner.crop_view import SIZE, add_residual, cut, limit_mask, look, placing

STEADY_S = 0.05
"""Time constant with which a track's differences follow the network: noise of single frames does not show."""
FORGOTTEN_S = 0.4
"""After a pause as long as this nothing is known of the last difference."""


WHOLE = 254
"""Of 255: where all is kept, the mask stays as it is."""
STYLE = 864
"""Gains and offsets of the generator's blocks."""


SIZES = {"one": SIZE, "one-256": 2 * SIZE}
"""Swapper, which is its generator's name -> side of the crop that the generator sees."""


def samples(name: str = "one") -> dict[str, dict[str, Tensor]]:
    """Network -> inputs of the right shapes, for choosing an engine. ``name``: one of ``SIZES``."""
    picture, photo = (np.zeros((1, size, size, 3), np.uint8) for size in (SIZES[name], SIZE))
    given = {"composite": picture, "lowered": picture, "target": picture, "mask": picture[..., 0].copy()}
    return {name: {**given, "style": np.zeros((1, STYLE), np.float32)}, "one-source": {"photo": photo}}


class RefinerSwapModel:
    """Implements ``protocols.SwapModel``.

    ``under``: the model whose work is mended. ``encoder``: photo (1, 128, 128, 3) uint8 -> style (1, STYLE).
    ``generator``: composite, lowered, target (1, S, S, 3), mask (1, S, S), all uint8, and style -> made (1, S, S, 4)
    float32, 0..255: the difference + 128, and how far the face may be shown. ``size``: S.
    """

    def __init__(self, under: SwapModel, encoder: Engine, generator: Engine, size: int = SIZE) -> None:
        self._under, self._encoder, self._generator, self._size = under, encoder, generator, size

    def bind(self, source: SourceIdentity) -> Swapper:
        under = self._under.bind(source)
        matrix = placing(source.landmarks)
        if matrix is None:
            return under
        photo = cut(source.portrait, matrix)
        style = np.array(self._encoder.run({"photo": photo[None]})["style"], np.float32)
        return RefinerSwapper(under, self._generator, style, self._size)


class RefinerSwapper:
    """Implements ``protocols.Swapper``; made by ``RefinerSwapModel.bind``."""

    def __init__(self, under: Swapper, generator: Engine, style: Tensor, size: int) -> None:
        self._under, self._generator, self._style, self.size = under, generator, style, size
        self._said: dict[int, tuple[NDArray[np.float32], float]] = {}
        """Per track: what was made, as followed so far, and when."""

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        return self._under.view(landmarks, max_px)

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        """What ``under`` made, mended; as it is where the budget leaves no time for colours."""
        swapped = self._under.swap(face, quality)
        if not quality.match_color:
            return swapped
        seen = look(face.crop, swapped.crop, swapped.mask, face.landmarks, self.size)
        if seen is None:
            return swapped
        said = self._generator.run(
            {
                "composite": seen.composite[None],
                "lowered": seen.lowered[None],
                "target": seen.target[None],
                "mask": seen.mask[None],
                "style": self._style,
            }
        )
        steady = self._steadied(said["made"][0], face)
        add_residual(swapped.crop, np.asarray(cv2.cvtColor(steady, cv2.COLOR_BGRA2BGR), np.uint8), seen.matrix)
        kept = np.asarray(cv2.extractChannel(steady, 3), np.uint8)
        if kept.min() >= WHOLE:
            return swapped
        return SwappedFace(swapped.crop, limit_mask(swapped.mask, kept, seen.matrix))

    def forget(self, track_id: int) -> None:
        self._under.forget(track_id)
        self._said.pop(track_id, None)

    def _steadied(self, now: Tensor, face: Target) -> NDArray[np.uint8]:
        """(S, S, 4) ``now`` as an exponential mean over the track's frames; the crop moves with the face."""
        said, since = self._said.get(face.track_id, (None, -math.inf))
        if said is None or not 0 <= face.time_s - since < FORGOTTEN_S:
            said = now.astype(np.float32)  # a copy: outputs live until the next run
        else:
            cv2.accumulateWeighted(now, said, 1 - math.exp(-(face.time_s - since) / STEADY_S))
        self._said[face.track_id] = said, face.time_s
        return np.asarray(cv2.convertScaleAbs(said), np.uint8)
