"""Typed wrappers of OpenCV's resampling: uint8 stays uint8, float32 stays float32."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = TypeVar("Picture", bound=NDArray[Any])


def resized(picture: Picture, size: tuple[int, int], how: int = cv2.INTER_LINEAR) -> Picture:
    """Resize to ``size`` = (width, height)."""
    return cast(Picture, cv2.resize(picture, size, interpolation=how))


def looked_up(picture: Picture, lookup: NDArray[np.float32], how: int = cv2.INTER_LINEAR) -> Picture:
    """Sample ``picture`` at the positions ``lookup`` (H, W, 2), (H, W, ...); its border is replicated."""
    where: tuple[Any, Any] = (lookup, None)
    if picture.dtype == np.uint8 and how == cv2.INTER_LINEAR:
        where = cv2.convertMaps(*where, cv2.CV_16SC2)  # to 1/32 px: a quarter faster, and never off by more than 2
    sampled = cv2.remap(picture, *where, how, borderMode=cv2.BORDER_REPLICATE)
    return cast(Picture, sampled)


def warped(
    picture: Picture,
    matrix: NDArray[np.floating],
    size: tuple[int, int],
    *,
    how: int = cv2.INTER_LINEAR,
    zero: bool = False,
) -> Picture:
    """Warp ``picture`` by a (2, 3) affine map; outside it the border is replicated, or 0 with ``zero``."""
    border = cv2.BORDER_CONSTANT if zero else cv2.BORDER_REPLICATE
    return cast(Picture, cv2.warpAffine(picture, matrix, size, flags=how, borderMode=border))


def blurred(picture: Picture, sigma: float, *, zero: bool = False) -> Picture:
    """Gaussian blur; outside the image the border is replicated, or 0 with ``zero``."""
    border = cv2.BORDER_CONSTANT if zero else cv2.BORDER_REPLICATE
    return cast(Picture, cv2.GaussianBlur(picture, (0, 0), sigma, borderType=border))


def blended(over: NDArray[np.uint8], base: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend two pictures: ``over`` where the mask is 255, ``base`` where it is 0."""
    share = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(over, base, share, 1 - share), np.uint8)


def lay_over(base: NDArray[np.uint8], over: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Blend two pictures in place of ``base``, faster than ``blended``: between 0 and 255 of the mask within 1 of
    their weighted mean."""
    share = cv2.merge([mask, mask, mask])
    own = cv2.multiply(base, cv2.bitwise_not(share), scale=1 / 255)
    cv2.add(own, cv2.multiply(over, share, scale=1 / 255), dst=base)
