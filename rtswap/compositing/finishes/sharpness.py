"""Measure sharpness and grain of an image region, independent of its content."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Mask
from rtswap.vision.resample import Picture, resized

Plane = NDArray[np.float32]
"""(H, W) one channel, 0..255."""

FINE, COARSE = 0.5, 1.5
"""Sigmas at which gradients are compared."""
EDGES = 0.04
"""Share of the pixels that count as edges."""
FAINTEST = 4.0
"""Minimum Sobel response of an edge, in multiples of the grain's."""
SOFTEST = 4.0
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Immerkaer 1996: passes white noise with gain 1, and suppresses edges and slopes."""
FEWEST = 400
"""Minimum number of pixels to measure."""


class Grain(NamedTuple):
    """Standard deviations in levels of the response to ``LAPLACIAN``: at full size, and at half size."""

    fine: float
    coarse: float


def edge_sigma(plane: Plane, weights: Mask, grain: float) -> float | None:
    """Sigma in pixels of the blur of the strongest edges; None if there are no clear edges.

    Zhuo & Sim 2011: blurring an edge of sigma s by a further c lowers its slope by R = sqrt((s^2 + c^2) / s^2). R is
    measured from the slopes' energy over the strongest edges, minus that of the noise, whose sd is ``grain``. The
    flanks of edges count too, which adds about 1 to the square: only differences between images are meaningful.
    """
    usable = weights >= 250
    if np.count_nonzero(usable) < FEWEST:
        return None
    fine, coarse = (_gradient(plane, sigma) for sigma in (FINE, COARSE))
    coarse = np.where(usable, coarse, 0)
    flat = coarse.ravel()
    count = max(16, int(EDGES * np.count_nonzero(usable)))
    strongest = np.argpartition(flat, flat.size - count)[-count:]
    slopes = flat[strongest]
    noise = grain * GRAIN_IN_SLOPES
    if float(np.median(slopes)) < max(FAINTEST * noise * 0.25, 6.0):
        return None
    energy = float((fine.ravel()[strongest] ** 2).mean()) - noise**2
    ratio = math.sqrt(max(0.0, energy) / float((slopes**2).mean()))
    if ratio <= 1.02:
        return SOFTEST
    square = (COARSE**2 - FINE**2 * ratio**2) / (ratio**2 - 1)
    return min(SOFTEST, math.sqrt(max(0.0, square)))


GRAIN_IN_SLOPES = 3.6
"""Root mean square of the Sobel gradient of white noise of sd 1 after a blur of ``FINE`` (by simulation)."""


def grain_of(plane: Plane, weights: Mask) -> Grain | None:
    """Noise of the flat parts, None if too few pixels are visible: the mean of the smallest 70 % of the responses,
    which is less sensitive to 8-bit steps than a median. Noise is the same everywhere; what is much weaker in some
    places, such as pores and stubble, is not counted."""
    half = resized(plane, (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2)), cv2.INTER_AREA)
    usable = np.ascontiguousarray(weights[1::2, 1::2][: half.shape[0], : half.shape[1]]) >= 250
    half = half[: usable.shape[0], : usable.shape[1]]
    if np.count_nonzero(usable) < FEWEST // 4:
        return None
    fine = cv2.filter2D(plane, cv2.CV_32F, LAPLACIAN)[1::2, 1::2][: usable.shape[0], : usable.shape[1]]
    coarse = cv2.filter2D(half, cv2.CV_32F, LAPLACIAN)
    share = _evenness(np.abs(fine), usable)
    return Grain(*(share * _spread(np.abs(response[usable])) for response in (fine, coarse)))


BLOCK = 6
"""Side of the blocks that are compared, in pixels of half the size."""
SKIN, NOISE = 0.55, 0.7
"""The response in the calmest tenth of the blocks over that in all of them: of photos of skin at most 0.53; of white,
soft, enlarged and compressed noise at least 0.74 (21 pictures with and without noise)."""


def _evenness(sizes: Plane, usable: NDArray[np.bool_]) -> float:
    """0: texture, 1: noise, by how even the absolute responses (H, W) are; 1 too if there are few whole blocks."""
    rows, columns = (side // BLOCK for side in sizes.shape)
    blocks, whole = (
        np.asarray(plane)[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
        for plane in (sizes, usable)
    )
    known = np.asarray(blocks[whole.all((2, 3))], np.float32).reshape(-1, BLOCK * BLOCK)
    if len(known) < 10:
        return 1.0
    count = int(0.7 * BLOCK * BLOCK)
    calmest = float(np.quantile(np.partition(known, count, 1)[:, :count].mean(1), 0.1)) / 0.4734
    ratio = calmest / max(_spread(known.ravel()), 1e-6)
    return min(1.0, max(0.0, (ratio - SKIN) / (NOISE - SKIN)))


def fine_detail(plane: Plane, weights: Mask, grain: Grain) -> float | None:
    """Variance of the Laplacian of the slightly smoothed image, minus the contribution of ``grain``; None if too few
    pixels are visible."""
    usable = weights >= 250
    if np.count_nonzero(usable) < FEWEST:
        return None
    variance = float(cv2.Laplacian(cv2.GaussianBlur(plane, (5, 5), SMOOTH), cv2.CV_32F)[usable].var())
    noise = max(grain.fine, 2 * grain.coarse)  # white noise has half its strength at half size, coarser noise more
    return max(variance - GRAIN_IN_DETAIL * noise**2, 0.05 * variance)


SMOOTH = 0.8
"""Sigma before ``fine_detail``'s Laplacian: finer detail is mostly noise."""
GRAIN_IN_DETAIL = 0.371
"""Its response to white noise of sd 1: the sum of squares of the two kernels' convolution."""


def _spread(sizes: Plane) -> float:
    """Standard deviation of normal noise, from the smaller of its absolute values."""
    count = int(0.7 * sizes.size)
    return float(np.partition(sizes, count)[:count].mean()) / 0.4734


def soften(picture: Picture, variance: float) -> Picture:
    """Blur by a Gaussian of ``variance`` pixels squared. Three taps where they suffice; strong blurs at half size,
    which alone has a variance of 1."""
    height, width = picture.shape[:2]
    if variance >= 1.2 and min(height, width) >= 4:
        half = resized(picture, ((width + 1) // 2, (height + 1) // 2), cv2.INTER_AREA)
        return resized(soften(half, (variance - 1) / 4), (width, height))
    if variance < 0.02:
        return picture
    if variance >= 0.6:
        return cast(Picture, cv2.GaussianBlur(picture, (5, 5), 1.06 * math.sqrt(variance)))
    weight = variance / (2 * (1 - variance))  # of each neighbour, relative to the middle: its variance is exact
    return cast(Picture, cv2.GaussianBlur(picture, (3, 3), math.sqrt(-0.5 / math.log(weight))))


def _gradient(plane: Plane, sigma: float) -> Plane:
    """Sobel magnitude (H, W) after a Gaussian."""
    side = 2 * math.ceil(2.5 * sigma) + 1
    smooth = cv2.GaussianBlur(plane, (side, side), sigma)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down), np.float32)
