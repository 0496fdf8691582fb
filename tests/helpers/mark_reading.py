"""Whether pictures carry the invisible mark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av

from rtswap.core.types import Image
from rtswap.disclosure.watermark_reader import WatermarkReader


def is_marked(pictures: Iterable[Image]) -> bool:
    """Whether each window of a film of 30 fps, or a single picture, carries it."""
    reader, readings = WatermarkReader(), []
    for number, picture in enumerate(pictures):
        readings += reader.add(picture, number / 30)
    readings += reader.finish()
    return bool(readings) and all(reading.present for reading in readings)


def is_film_marked(path: Path) -> bool:
    """The same of a file."""
    with av.open(str(path)) as film:
        return is_marked(frame.to_ndarray(format="bgr24") for frame in film.decode(video=0))
