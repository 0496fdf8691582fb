"""Pixel metrics of a swap: changed area, sharpness, edge visibility, PSNR and SSIM."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask
from rtswap.vision.resample import blurred

BAND = 0.02
"""Half the width of the band around a mask's contour, in mask widths; at least 2 px."""
DIFFERS = 10
"""Minimum change in levels to count a pixel of another program's result as changed; less may be JPEG noise."""
NO_LESS = 1e-3


def change_mask(before: Image, after: Image) -> Mask:
    """Return 255 where a swap or cover changed pixels, with pinholes closed. rtswap changes none outside masks."""
    blue, green, red = cv2.split(cv2.absdiff(before, after))
    differs = cv2.threshold(cv2.max(cv2.max(blue, green), red), 0, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)


def guess_mask(before: Image, after: Image) -> Mask:
    """Estimate the area that another program replaced: the largest clearly changed region, holes filled."""
    smooth = [blurred(image, 1.5) for image in (before, after)]
    differs = (cv2.absdiff(*smooth).max(2) > DIFFERS).astype(np.uint8)
    side = max(3, round(0.02 * max(differs.shape)) | 1)
    differs = np.asarray(cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)), np.uint8)
    outlines, _ = cv2.findContours(differs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(differs.shape, np.uint8)
    if outlines:
        cv2.drawContours(mask, [max(outlines, key=cv2.contourArea)], -1, 255, -1)
    return mask


def sharpness(image: Image, mask: Mask) -> float:
    """Return the variance of the Laplacian of the grey picture where ``mask`` is at least 128; NaN if nowhere."""
    inside = cv2.erode((mask >= 128).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    values = cv2.Laplacian(_grey(image), cv2.CV_32F)[inside]
    return float(values.var()) if values.size else math.nan


def sharpness_ratio(before: Image, after: Image, mask: Mask) -> float:
    """Return the sharpness of the output divided by the input's, inside the mask; below 1 is softer."""
    return sharpness(after, mask) / max(sharpness(before, mask), NO_LESS)


def contour_band(mask: Mask) -> NDArray[np.bool_]:
    """Return the band around the mask's contour, where a seam would be."""
    inside = (mask >= 128).astype(np.uint8)
    reach = max(2, round(BAND * cv2.boundingRect(inside)[2]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(inside, disc) > cv2.erode(inside, disc, borderValue=0))


def edge_energy(image: Image, band: NDArray[np.bool_]) -> float:
    """Return the mean squared gradient of the grey picture (Sobel, levels per pixel) in the band; NaN if empty."""
    grey = _grey(image)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    values = (across**2 + down**2)[band]
    return float(values.mean()) if values.size else math.nan


def edge_ratio(before: Image, after: Image, mask: Mask) -> float:
    """Return the gradient energy along the mask's contour, output over input: 1 if no edge was added or blurred."""
    band = contour_band(mask)
    return edge_energy(after, band) / max(edge_energy(before, band), NO_LESS)


def psnr(one: Image, other: Image, mask: Mask) -> float:
    """Return the PSNR in dB over the pixels where ``mask`` is at least 128, at most 100; NaN if nowhere."""
    inside = mask >= 128
    difference = one[inside].astype(np.float64) - other[inside].astype(np.float64)
    if not difference.size:
        return math.nan
    return min(100.0, 10 * math.log10(255**2 / max(float((difference**2).mean()), 1e-12)))


def ssim(one: Image, other: Image, mask: Mask) -> float:
    """Return the mean SSIM of the grey pictures where ``mask`` is at least 128 (Wang et al. 2004: Gaussian of sigma
    1.5 over 11 px, K1 = 0.01, K2 = 0.03); NaN if nowhere."""
    inside = mask >= 128
    if not inside.any():
        return math.nan
    a, b = _grey(one).astype(np.float64), _grey(other).astype(np.float64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT))

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, common = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mean_a * mean_b + c1) * (2 * common + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return float(found[inside].mean())


def _grey(image: Image) -> NDArray[np.float32]:
    """Return the grey picture in float32, unrounded, so that slopes below one level count."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2GRAY), np.float32)
