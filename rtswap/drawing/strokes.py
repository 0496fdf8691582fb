"""Draw text, lines and tints on a picture, and map a frame's points onto it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.interrupts import hold_interrupts
from rtswap.core.types import Box, Image, Mask, Matrix, Points
from rtswap.vision.geometry import composed, inverse, transform
from rtswap.vision.resample import warped

Color = tuple[int, int, int]
"""BGR."""
INK, GREY, PALE, PAPER, NIGHT = (48, 40, 33), (128, 118, 108), (226, 222, 218), (255, 255, 255), (34, 28, 24)
GREEN, AMBER, RED, BLUE, VIOLET, TEAL = (
    (96, 168, 44),
    (24, 152, 240),
    (60, 56, 214),
    (196, 120, 32),
    (190, 84, 140),
    (160, 160, 20),
)
STATES: dict[str, Color] = {"measured": GREEN, "coasting": AMBER, "lost": RED, "covered": RED, "nobody": GREY}
STEPS: dict[str, Color] = {"occlusion": AMBER, "glasses": AMBER, "skin": VIOLET, "parts": BLUE}
"""Color of the mask part that each step removes."""
REGULAR, BOLD = 450, 650
_FINE = 4
"""Fractional bits of drawn coordinates."""
_FARTHEST = 20_000.0


@cache
def _font() -> Any:
    return cv2.FontFace("sans")


@hold_interrupts()
def text(
    image: Image,
    words: str,
    at: tuple[float, float],
    *,
    size: int = 15,
    color: Color = INK,
    weight: int = REGULAR,
    align: float = 0.0,
) -> int:
    """Draw text with its baseline at ``at``, px; ``align`` 0 left, 0.5 middle, 1 right. Returns the width in px."""
    width = text_width(words, size, weight)
    where = round(at[0] - align * width), round(at[1])
    cv2.putText(image, _drawable(words), where, color, _font(), size, weight)
    return width


@hold_interrupts()
def text_width(words: str, size: int = 15, weight: int = REGULAR) -> int:
    """Return the width of ``words`` in px."""
    x, _, width, _ = cv2.getTextSize((100, 100), _drawable(words), (0, 0), _font(), size, weight)
    return int(x + width)


def label(image: Image, words: str, at: tuple[float, float], color: Color, size: int = 14) -> None:
    """Draw text on a filled rectangle whose lower left corner is ``at``, kept inside the picture."""
    height, width = image.shape[:2]
    wide, tall = text_width(words, size, BOLD) + 10, size + 7
    x = round(min(max(at[0], 0), max(0, width - wide)))
    y = round(min(max(at[1], tall), height))
    image[y - tall : y, x : x + wide] = color
    text(image, words, (x + 5, y - 6), size=size, color=PAPER, weight=BOLD)


def _drawable(words: str) -> str:
    """A file name may hold bytes that are no UTF-8, at which OpenCV 5.0 ends the process: ``\\udcff``, then a NUL."""
    return words.encode(errors="backslashreplace").decode().replace("\0", " ")


def lines(
    image: Image, paths: Sequence[NDArray[np.floating]], color: Color, width: int = 1, *, closed: bool = False
) -> None:
    """Draw anti-aliased polylines. ``paths``: each (N, 2) px."""
    if paths:
        ends = np.cumsum([len(path) for path in paths])[:-1]
        points = np.concatenate([path[:, :2] for path in paths])  # at once: fast for thousands of paths
        fixed = np.split(_to_fixed_point(points), ends)
        cv2.polylines(image, fixed, closed, color, width, cv2.LINE_AA, _FINE)


def dots(image: Image, points: NDArray[np.floating], colors: NDArray[np.uint8], radius: float) -> None:
    """Draw filled circles at ``points`` (N, 2) px with ``colors`` (N, 3) BGR."""
    reach = round(radius * 2**_FINE)
    for (x, y), color in zip(_to_fixed_point(points).tolist(), colors.tolist(), strict=True):
        cv2.circle(image, (x, y), reach, color, -1, cv2.LINE_AA, _FINE)


def rectangle(image: Image, box: NDArray[np.floating], color: Color, width: int = 1) -> None:
    """Draw a rectangle. ``box``: x1 y1 x2 y2, px."""
    x1, y1, x2, y2 = (float(v) for v in box)
    lines(image, [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])], color, width, closed=True)


def tint(image: Image, mask: Mask, color: Color, strength: float) -> None:
    """Tint the pixels under ``mask`` (same size as ``image``); ``strength`` 0..1."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width or not height:
        return
    region = image[y : y + height, x : x + width]
    share = mask[y : y + height, x : x + width].astype(np.float32) * np.float32(strength / 255)
    region[:] = cv2.blendLinear(region, np.full_like(region, color), 1 - share, share)


def outline(image: Image, mask: Mask, color: Color, width: int = 1) -> None:
    """Draw the contour where ``mask`` crosses 128."""
    found, _ = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    smooth = [_smooth(np.asarray(path[:, 0], np.float32)) for path in found if len(path) > 8]
    lines(image, smooth, color, width, closed=True)


@dataclass(frozen=True, slots=True)
class FrameView:
    """A view of part of a frame at a given size."""

    matrix: Matrix
    """Frame -> picture."""
    size: tuple[int, int]

    @classmethod
    def whole(cls, frame: tuple[int, int], size: tuple[int, int]) -> FrameView:
        """Fit a complete frame of (width, height) into the middle of ``size``."""
        scale = min(size[0] / frame[0], size[1] / frame[1])
        shift = [(to - scale * (side - 1) - 1) / 2 for side, to in zip(frame, size, strict=True)]
        return cls(np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32), size)

    @classmethod
    def around(cls, middle: NDArray[np.floating], side: float, size: tuple[int, int]) -> FrameView:
        """Show the square of ``side`` px around ``middle``."""
        scale = min(size) / max(side, 1.0)
        shift = (np.array(size) - 1) / 2 - scale * middle
        return cls(np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32), size)

    def picture(self, frame: Image) -> Image:
        """Render the view as a new picture, dark outside the frame."""
        how = cv2.INTER_AREA if self.matrix[0, 0] < 0.6 else cv2.INTER_CUBIC if self.matrix[0, 0] > 1.2 else None
        if how == cv2.INTER_AREA:
            frame = np.asarray(cv2.blur(frame, (max(1, round(0.7 / float(self.matrix[0, 0]))),) * 2), np.uint8)
        shown = cv2.warpAffine(
            frame, self.matrix, self.size, flags=how or cv2.INTER_LINEAR, borderValue=(NIGHT[0], NIGHT[1], NIGHT[2])
        )
        return np.asarray(shown, np.uint8)

    def points(self, points: Points) -> Points:
        """Map frame points to picture points, (N, 2) px."""
        return transform(self.matrix, points[:, :2])

    def box(self, box: Box) -> Box:
        """Map a frame box to a picture box, x1 y1 x2 y2."""
        corners: Box = self.points(box.reshape(2, 2)).reshape(4)
        return corners

    def mask(self, mask: Mask, matrix: Matrix) -> Mask:
        """Map a crop's mask onto this picture. ``matrix``: frame -> crop."""
        return warped(mask, composed(self.matrix, inverse(matrix)), self.size, zero=True)


def _smooth(path: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth the pixel steps of a closed contour with a 5-point mean."""
    return np.asarray(
        (np.roll(path, 2, 0) + np.roll(path, 1, 0) + path + np.roll(path, -1, 0) + np.roll(path, -2, 0)) / 5,
        np.float32,
    )


def _to_fixed_point(points: NDArray[np.floating]) -> NDArray[np.int32]:
    near = np.clip(np.nan_to_num(points[:, :2]), -_FARTHEST, _FARTHEST)
    return np.asarray(np.round(near * 2**_FINE), np.int32)
