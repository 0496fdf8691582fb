"""``--finish old-film``: the swapped face in the grey of old films, on the host and on a GPU."""

from typing import Any

import cv2
import numpy as np

from rtswap.core.parts import FinishSpec
from rtswap.core.types import Quality, SwappedBatch, SwappedFace, Target, TargetBatch

WEIGHTS = (0.114, 0.587, 0.299)
"""Of blue, green and red in luminance (ITU-R BT.601)."""


class OldFilm:
    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        grey = cv2.transform(swapped.crop, np.array([WEIGHTS] * 3, np.float32))
        return SwappedFace(np.asarray(grey, np.uint8), swapped.mask)

    def forget(self, track_id: int) -> None: ...


class GpuOldFilm:
    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: Any
    ) -> SwappedBatch:
        crops = swapped.crops  # (N, S, S, 3) uint8
        grey = sum(weight * crops[..., channel] for channel, weight in enumerate(WEIGHTS))
        grey = grey.round().to(crops.dtype)[..., None].expand_as(crops).contiguous()
        return SwappedBatch(grey, swapped.masks)

    def forget(self, track_id: int) -> None: ...


SPEC = FinishSpec("old-film", "a grey face", "color", lambda context: OldFilm(), lambda context: GpuOldFilm())
