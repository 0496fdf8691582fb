"""Keep grey pictures grey: on a film without colours the swapped face has none either, lips included."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Quality, SwappedFace, Target

STEP = 4
"""Every so many pixels are looked at."""
ROUNDING, DARK = 3, 8
"""Levels: colour that comes from the rounding of YCbCr, and what is added so that black is not colourful."""
GREY, COLOURFUL = 0.03, 0.08
"""Mean colour (largest minus least channel) over mean level: up to which a face is grey, and from which it keeps all
of its colours. Skin in the light of a lamp has 0.2 and more."""
LUMA = 0.114, 0.587, 0.299
"""Weights of B, G and R (BT.601)."""


class GreyMatch:
    """Implements ``protocols.Finish``."""

    def apply(self, face: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Reduce the face's colours to the target's share; the same face where the target has colours."""
        inside = np.asarray(face.mask[::STEP, ::STEP] >= 128, np.uint8)
        if not inside.any():
            return face
        blue, green, red = cv2.split(np.ascontiguousarray(target.crop[::STEP, ::STEP]))
        highest, lowest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
        colours = cv2.subtract(highest, cv2.add(lowest, np.array([ROUNDING], float)))
        colour = cv2.mean(colours, inside)[0] / (cv2.mean(highest, inside)[0] + DARK)
        share = float(np.clip((colour - GREY) / (COLOURFUL - GREY), 0, 1))
        if share >= 1:
            return face
        matrix = share * np.eye(3) + (1 - share) * np.array([LUMA] * 3)
        return SwappedFace(np.asarray(cv2.transform(face.crop, matrix), np.uint8), face.mask)

    def forget(self, track_id: int) -> None:
        """Nothing is kept of a track."""


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.grey_gpu import GpuGreyMatch

    return GpuGreyMatch()


SPEC = FinishSpec(
    "grey",
    "keeps grey pictures grey",
    "color",
    lambda context: GreyMatch(),
    _build_gpu,
    enabled=lambda context: context.swap.color != "none",
    flag=lambda context: f"--color {context.swap.color}",
)
