"""The invisible watermark: a weak pattern over the complete frame that marks a face in it as synthetic.

Keyless and public: docs/watermark.md specifies everything that a reader needs; ``watermark_reader.py`` is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.disclosure.watermark_gain import Gain
from rtswap.disclosure.watermark_pattern import bayer, tile, tile_side

LEAST_SIDE = 160
"""Frames with a shorter side stay unmarked."""
LEAST_PIXELS = 100_000
"""Of a single picture in which a reader finds the mark: in all of 22 photos and frames of film, in 20 of them at 240
x 240 and in 14 at 160 x 160. In a second of film it is found in smaller ones, too."""
FAINT = 0.15
"""Standard deviation of the pattern in frames that are smooth everywhere, in levels of 255. Dithered, so that single
pixels carry it, it is 0.345."""
STRENGTHS = (0.32, 0.7, 1.3, 1.95)
"""Those of the pattern that is rounded to complete levels: in smooth, plain, textured and busy areas."""

MOST_CACHED = 12_000_000
"""Pixels of the largest frame whose complete pattern is kept: more than 4K, six bytes each."""


class Kind(IntEnum):
    """What is synthetic in the frame."""

    SWAPPED_FACE = 1


@dataclass(frozen=True, slots=True)
class Payload:
    """Content of the watermark: 24 bits, nothing about the user. Raises ValueError for values out of range."""

    version: tuple[int, int]
    """Major (0..15) and minor (0..255) version of rtswap."""
    kind: Kind = Kind.SWAPPED_FACE
    month: int = 0
    """Months since January 2026, 0..255."""

    def __post_init__(self) -> None:
        for name, value, most in (("major", self.version[0], 15), ("minor", self.version[1], 255)):
            if not 0 <= value <= most:
                raise ValueError(f"the {name} version must be 0..{most}, not {value}")
        if not 0 <= self.month <= 255:
            raise ValueError(f"the month must be 0..255 since January 2026, not {self.month}")

    def message(self) -> int:
        """24 bits, highest first: major (4), minor (8), kind (4), month (8)."""
        major, minor = self.version
        return major << 20 | minor << 12 | int(self.kind) << 8 | self.month

    @classmethod
    def from_message(cls, message: int) -> Payload | None:
        """Decode 24 bits; None for a kind that this version does not know."""
        kind = message >> 8 & 15
        if kind not in Kind.__members__.values():
            return None
        return cls((message >> 20 & 15, message >> 12 & 255), Kind(kind), message & 255)


class Watermark:
    """Embeds one payload. One per stream: it caches the pattern for the last frame's size."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self._pattern: _Pattern | None = None

    def embed(self, image: Image) -> None:
        """Add the watermark to ``image`` (H, W, 3) BGR, in place. Frames smaller than 160 px stay unchanged.

        The same change of B, G and R affects only luminance. Deterministic. Raises ValueError for another layout.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.flags.writeable:
            raise ValueError(f"expected a writeable (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
        size = image.shape[1], image.shape[0]
        if min(size) < LEAST_SIDE:
            return
        if self._pattern is None or self._pattern.size != size:
            self._pattern = _Pattern(self.payload, size)
        if _opencv_can_write(image):
            self._pattern.add_to(image)
        else:
            copy = np.ascontiguousarray(image)
            self._pattern.add_to(copy)
            image[...] = copy


def least_scale(width: int, height: int) -> float:
    """The factor below which a reader may no longer find the mark in a picture that is scaled by it; above 1: it is
    too small as it is."""
    return max(LEAST_SIDE / max(1, min(width, height)), math.sqrt(LEAST_PIXELS / max(1, width * height)))


def tiles(payload: Payload, side: int) -> NDArray[np.int8]:
    """Return the change of each of B, G and R by one tile at every strength, weakest first, (L, side, side)."""
    plane = tile(payload.message(), side)
    dither = np.tile(bayer(), (-(-side // 8),) * 2)[:side, :side]
    levels = np.empty((1 + len(STRENGTHS), side, side), np.int8)
    levels[0] = np.rint(plane * FAINT + dither)
    for level, strength in zip(levels[1:], STRENGTHS, strict=True):
        level[:] = np.rint(plane * strength)
    return levels


class _Pattern:
    """The pattern for frames of one size, as two full-size planes: its positive and its negative part.

    Both are filled once; later only blocks whose strength changes are rewritten. Frames above ``MOST_CACHED`` pixels
    get the same pattern, made anew a row of blocks at a time.
    """

    def __init__(self, payload: Payload, size: tuple[int, int]) -> None:
        width, height = self.size = size
        self._side = tile_side(width, height)
        self._gain = Gain(width, height, self._side)
        self._levels = tiles(payload, self._side)
        self._planes: tuple[Image, Image] | None = None
        if width * height <= MOST_CACHED:
            self._parts = [(_three(np.maximum(level, 0)), _three(np.maximum(-level, 0))) for level in self._levels]
            repeats = -(-height // self._side), -(-width // self._side), 1
            more, less = (np.ascontiguousarray(np.tile(part, repeats)[:height, :width]) for part in self._parts[0])
            self._planes = more, less

    def add_to(self, image: Image) -> None:
        """Add the pattern with saturation: values stay within 0..255."""
        changes = self._gain.changes(image)
        if self._planes is None:
            self._add_by_rows(image)
            return
        for level, top, bottom, left, right in changes:
            y, x = top % self._side, left % self._side
            for plane, part in zip(self._planes, self._parts[level], strict=True):
                plane[top:bottom, left:right] = part[y : y + bottom - top, x : x + right - left]
        cv2.add(image, self._planes[0], dst=image)
        cv2.subtract(image, self._planes[1], dst=image)

    def _add_by_rows(self, image: Image) -> None:
        edges = self._gain.x
        for levels, top, bottom in zip(self._gain.levels, self._gain.y, self._gain.y[1:], strict=False):
            row = np.empty((bottom - top, self.size[0]), np.int8)
            y = top % self._side
            for level, left, right in zip(levels, edges, edges[1:], strict=False):
                x = left % self._side
                row[:, left:right] = self._levels[level, y : y + bottom - top, x : x + right - left]
            band = image[top:bottom]
            cv2.add(band, _three(np.maximum(row, 0)), dst=band)
            cv2.subtract(band, _three(np.maximum(-row, 0)), dst=band)


def _three(plane: NDArray[np.int8]) -> Image:
    """Repeat a plane on three channels."""
    return np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)


def _opencv_can_write(image: Image) -> bool:
    """Rows may be strided, pixels must be contiguous."""
    rows, pixels, channels = image.strides
    return channels == 1 and pixels == 3 and rows >= 3 * image.shape[1]
