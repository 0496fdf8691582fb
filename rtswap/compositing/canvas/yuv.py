"""What decoders and encoders speak: luminance at full size, colour at half. Numbers only.

NV12: luminance, then blue and red differences in turns. I420: luminance, then all of blue, then all of red.
"""

from __future__ import annotations

from dataclasses import dataclass

LAYOUTS = ("bgr", "nv12", "i420")
_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Shares of red and of blue in luminance (ITU-R BT.601 and BT.709)."""


@dataclass(frozen=True, slots=True)
class Coding:
    """Y, U, V <-> B, G, R for one standard, values in 0..255, U and V less 128."""

    black: float
    """Y of black: 16 in video's limited range, 0 in full range."""
    light: float
    """What a level of Y is worth."""
    to_bgr_blue: tuple[float, float, float]
    """What a level of U adds to B, G and R."""
    to_bgr_red: tuple[float, float, float]
    """The same for V."""
    from_bgr: tuple[tuple[float, float, float], ...]
    """Rows of Y, U, V over B, G, R."""


def coding(standard: str = "bt601", *, full_range: bool = False) -> Coding:
    """``standard``: bt601 (what swscale and OpenCV assume) or bt709. Raises KeyError for others."""
    red, blue = _WEIGHTS[standard]
    green = 1 - red - blue
    luma, chroma = (1.0, 1.0) if full_range else (219 / 255, 224 / 255)
    to_blue, to_red = 2 * (1 - blue) / chroma, 2 * (1 - red) / chroma
    return Coding(
        black=0.0 if full_range else 16.0,
        light=1 / luma,
        to_bgr_blue=(to_blue, -to_blue * blue / green, 0.0),
        to_bgr_red=(0.0, -to_red * red / green, to_red),
        from_bgr=(
            (blue * luma, green * luma, red * luma),
            (chroma / 2, -chroma / 2 * green / (1 - blue), -chroma / 2 * red / (1 - blue)),
            (-chroma / 2 * blue / (1 - red), -chroma / 2 * green / (1 - red), chroma / 2),
        ),
    )


def bytes_shape(width: int, height: int, layout: str) -> tuple[int, ...]:
    """Of the array that holds a frame. Raises ValueError for odd sides where colours are halved."""
    if layout == "bgr":
        return height, width, 3
    if width % 2 or height % 2:
        raise ValueError(f"{layout} halves its colours: sides must be even, not {width} x {height}")
    return height * 3 // 2, width


def frame_size(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    """(width, height) of a frame that is held in an array of this shape."""
    return (shape[1], shape[0]) if layout == "bgr" else (shape[1], shape[0] * 2 // 3)
