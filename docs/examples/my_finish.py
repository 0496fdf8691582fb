"""A finish of one's own: the swapped face in the grey of old films, fading in while a face is new."""

import cv2
import numpy as np

from rtswap.core.types import Quality, SwappedFace, Target


class OldFilm:
    def __init__(self, fade_s: float = 1.0) -> None:
        self.fade_s = fade_s
        self.began: dict[int, float] = {}

    def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        age_s = target.time_s - self.began.setdefault(target.track_id, target.time_s)
        share = min(1.0, age_s / self.fade_s)
        grey = cv2.cvtColor(cv2.cvtColor(swapped.crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        mixed = cv2.addWeighted(grey, share, swapped.crop, 1 - share, 0)
        return SwappedFace(np.asarray(mixed, np.uint8), swapped.mask)

    def forget(self, track_id: int) -> None:
        self.began.pop(track_id, None)
