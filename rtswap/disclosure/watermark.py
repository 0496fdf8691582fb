"""The invisible mark: a weak pattern over the whole frame that says that a face in it is synthetic.

Keyless and public: docs/watermark.md says all that a reader must know, ``reading.py`` is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.disclosure.watermark_pattern import tile, tile_side
from rtswap.types import Image

LEAST_SIDE = 160
"""Frames with a shorter side pass unchanged."""
STRENGTH = 1.0
"""Standard deviation of the pattern, in levels of 255."""


class Kind(IntEnum):
    """What is synthetic in the picture."""

    SWAPPED_FACE = 1


@dataclass(frozen=True, slots=True)
class Payload:
    """All that the mark says: 24 bits, nothing about the user. Raises ValueError for what does not fit."""

    version: tuple[int, int]
    """rtswap's major (0..15) and minor (0..255)."""
    kind: Kind = Kind.SWAPPED_FACE
    month: int = 0
    """Months since January 2026, 0..255."""

    def __post_init__(self) -> None:
        for name, value, most in (("major", self.version[0], 15), ("minor", self.version[1], 255)):
            if not 0 <= value <= most:
                raise ValueError(f"the mark has room for a {name} version of 0..{most}, not {value}")
        if not 0 <= self.month <= 255:
            raise ValueError(f"the mark has room for 0..255 months since January 2026, not {self.month}")

    def message(self) -> int:
        """24 bits, highest first: major (4), minor (8), kind (4), month (8)."""
        major, minor = self.version
        return major << 20 | minor << 12 | int(self.kind) << 8 | self.month

    @classmethod
    def from_message(cls, message: int) -> Payload | None:
        """None for a kind that this version does not know."""
        kind = message >> 8 & 15
        if kind not in Kind.__members__.values():
            return None
        return cls((message >> 20 & 15, message >> 12 & 255), Kind(kind), message & 255)


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """The pattern for one frame size: a tile high and a frame wide, as what it adds and what it takes away."""

    width: int
    height: int
    more: Image
    less: Image


class Watermark:
    """Embeds one payload. One per session: it keeps the pattern as made for the last frame size."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self._bands: _Bands | None = None

    def embed(self, image: Image) -> None:
        """Write the mark into ``image`` itself, (H, W, 3) BGR. One smaller than 160 px passes unchanged.

        The same delta on B, G and R changes luminance alone. Deterministic. Raises ValueError for another layout.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.flags.writeable:
            raise ValueError(f"expected a writeable (H, W, 3) uint8 picture, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return
        if self._bands is None or (self._bands.width, self._bands.height) != (width, height):
            self._bands = _bands(self.payload, width, height)
        if _opencv_can_write(image):
            _add(image, self._bands)
        else:
            copy = np.ascontiguousarray(image)
            _add(copy, self._bands)
            image[...] = copy


def _opencv_can_write(image: NDArray[np.uint8]) -> bool:
    """Rows may lie apart, pixels may not."""
    rows, pixels, channels = image.strides
    return channels == 1 and pixels == 3 and rows >= 3 * image.shape[1]


def _bands(payload: Payload, width: int, height: int) -> _Bands:
    side = tile_side(width, height)
    delta = np.rint(tile(payload.message(), side)[: min(side, height)] * STRENGTH).astype(np.int8)
    row = np.tile(delta, (1, -(-width // side)))[:, :width]
    more, less = (np.maximum(sign * row, 0).astype(np.uint8) for sign in (1, -1))
    return _Bands(width, height, cv2.merge([more] * 3), cv2.merge([less] * 3))


def _add(image: Image, bands: _Bands) -> None:
    """Saturating: black and white stay within 0..255."""
    for top in range(0, bands.height, len(bands.more)):
        part = image[top : top + len(bands.more)]
        cv2.add(part, bands.more[: len(part)], dst=part)
        cv2.subtract(part, bands.less[: len(part)], dst=part)
