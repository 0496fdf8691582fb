"""An input of one's own: a still picture that drifts to and fro, as a live camera of 30 frames a second would."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtswap.core.types import Frame, Image, StreamInfo


@dataclass
class DriftingPicture:
    picture: Image
    seconds: float = 2.0
    closed: bool = False

    @property
    def info(self) -> StreamInfo:
        height, width = self.picture.shape[:2]
        return StreamInfo(width, height, fps=30.0, live=True)

    def frames(self) -> Iterator[Frame]:
        for index in range(int(self.seconds * 30)):
            if self.closed:
                return
            time.sleep(1 / 30)
            shift = round(10 * np.sin(index / 10))
            yield Frame(np.roll(self.picture, shift, axis=1), index, captured_at=time.perf_counter())

    def close(self) -> None:
        self.closed = True
