"""``--input drift:photo.jpg``: a picture that drifts to and fro, live at 30 frames a second."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtswap.core.parts import InputSpec
from rtswap.core.types import Frame, Image, StreamInfo
from rtswap.vision.images import read_image


@dataclass
class DriftingPicture:
    picture: Image
    seconds: float = 2.0
    closed: bool = False

    def __post_init__(self) -> None:
        self.info = StreamInfo(self.picture.shape[1], self.picture.shape[0], fps=30.0, live=True)

    def frames(self) -> Iterator[Frame]:
        for index in range(int(self.seconds * 30)):
            if self.closed:
                return
            time.sleep(1 / 30)
            yield Frame(np.roll(self.picture, index % 10, 1), index, captured_at=time.perf_counter())

    def close(self) -> None:
        self.closed = True


def open_picture(address: str, _: object) -> DriftingPicture:
    return DriftingPicture(read_image(Path(address.removeprefix("drift:"))))


SPEC = InputSpec("drift", "drift:PICTURE", lambda address: address.startswith("drift:"), open_picture)
