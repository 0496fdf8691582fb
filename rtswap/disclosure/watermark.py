"""The invisible mark: a weak pattern over the whole frame that says that a face in it is synthetic.

Keyless and public: docs/watermark.md says all that a reader must know, ``reading.py`` is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.disclosure.watermark_gain import Gain
from rtswap.disclosure.watermark_pattern import tile, tile_side
from rtswap.types import Image

LEAST_SIDE = 160
"""Frames with a shorter side pass unchanged."""
STRENGTHS = (0.7, 1.2, 1.8)
"""Standard deviations of the pattern, in levels of 255: on plain, on textured and on busy places."""

Levels = NDArray[np.int8]


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


class Watermark:
    """Embeds one payload. One per stream: it keeps the pattern as made for the last frame size, and where it stood
    out of the way last time."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self._made: _Pattern | None = None
        self._gain: Gain | None = None

    def embed(self, image: Image) -> None:
        """Write the mark into ``image`` itself, (H, W, 3) BGR. One smaller than 160 px passes unchanged.

        The same delta on B, G and R changes luminance alone. The same pictures give the same marked pictures.
        Raises ValueError for another layout.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.flags.writeable:
            raise ValueError(f"expected a writeable (H, W, 3) uint8 picture, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return
        if self._made is None or self._gain is None or (self._made.width, self._made.height) != (width, height):
            self._made = _pattern(self.payload, width, height)
            self._gain = Gain(width, height, self._made.side)
        if _opencv_can_write(image):
            _add(image, self._made, self._gain)
        else:
            copy = np.ascontiguousarray(image)
            _add(copy, self._made, self._gain)
            image[...] = copy


@dataclass(frozen=True, slots=True, eq=False)
class _Delta:
    """A tile high and a frame wide: what it adds and what it takes away, the same on each channel."""

    more: Image
    less: Image


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """The pattern for one frame size: the weakest everywhere, and what each stronger level has beyond that."""

    width: int
    height: int
    side: int
    base: _Delta
    beyond: tuple[_Delta, ...]


def _pattern(payload: Payload, width: int, height: int) -> _Pattern:
    side = tile_side(width, height)
    plane = tile(payload.message(), side)[: min(side, height)]
    levels = [np.rint(plane * strength).astype(np.int8) for strength in STRENGTHS]
    base, *beyond = (_delta(level - (levels[0] if i else 0), width) for i, level in enumerate(levels))
    return _Pattern(width, height, side, base, tuple(beyond))


def _delta(tile_levels: Levels, width: int) -> _Delta:
    row = np.tile(tile_levels, (1, -(-width // tile_levels.shape[1])))[:, :width]
    more, less = (np.maximum(sign * row, 0).astype(np.uint8) for sign in (1, -1))
    return _Delta(cv2.merge([more] * 3), cv2.merge([less] * 3))


def _add(image: Image, made: _Pattern, gain: Gain) -> None:
    """Saturating: black and white stay within 0..255. Where the gain is looked up before anything is added."""
    stronger = gain.runs(image)
    for top in range(0, made.height, made.side):
        _put(image[top : top + made.side], made.base, 0, 0)
    for level, top, bottom, left, right in stronger:
        _put(image[top:bottom, left:right], made.beyond[level - 1], top % made.side, left)


def _put(part: Image, delta: _Delta, top: int, left: int) -> None:
    there = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    cv2.add(part, delta.more[there], dst=part)
    cv2.subtract(part, delta.less[there], dst=part)


def _opencv_can_write(image: Image) -> bool:
    """Rows may lie apart, pixels may not."""
    rows, pixels, channels = image.strides
    return channels == 1 and pixels == 3 and rows >= 3 * image.shape[1]
