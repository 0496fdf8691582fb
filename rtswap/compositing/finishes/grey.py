"""Keep grey and tinted pictures as they are: in a black-and-white or sepia film the swapped face, lips included, has
the colours of the film."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.parts import BuildContext, FinishSpec
from rtswap.core.protocols import GpuFinish
from rtswap.core.types import Image, Mask, Quality, SwappedFace, Target

CELL = 8
"""Pixels, the side of the squares whose mean colours are compared, so that the noise of compression averages out."""
INSIDE, BRIGHT = 250, 250
"""Mean mask from which a cell belongs to the face, and level from which a channel may be clipped."""
DARK = 8
"""Levels added to the mean level, so that black is not colourful."""
TINTED, COLOURFUL = 0.014, 0.021
"""Spread of a face's colours around its tint, as a share of its level: up to the first it has the colours of a tinted
film, from the second on it keeps all its own. In compressed sepia pictures the median is 0.009; 99 % of faces in
colour have 0.02 or more."""
FLAT = 1e-3
"""Square levels added to covariances, so that black has the tint of grey."""
LUMA = 0.114, 0.587, 0.299
"""Weights of B, G and R (BT.601)."""


class GreyMatch:
    """Implements ``protocols.Finish``. A tint is a line in BGR: the colour of each luma, fitted to the target."""

    def apply(self, face: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
        """Reduce the variety of the face's colours to the target's; the same face where the target is in colour."""
        cells = _cells(target.crop, face.mask)
        if not len(cells):
            return face
        luma = np.array(LUMA)
        weight = 1 + len(cells) / 100  # of black, through which a tint goes where the face has only one level
        total = weight + len(cells)
        mean = cells.sum(0) / total
        covariance = cells.T @ cells / total - np.outer(mean, mean)
        with_luma = covariance @ luma
        slope = (with_luma + FLAT) / (luma @ with_luma + FLAT)
        rest = covariance - np.outer(slope, with_luma)
        trace, minors = np.trace(rest), (np.trace(rest) ** 2 - (rest * rest.T).sum()) / 2
        spread = np.sqrt(max(0.0, trace + np.sqrt(max(0.0, trace**2 - 4 * minors))) / 2)
        relative = spread / (cells.max(1).mean() + DARK)
        share = float(np.clip((relative - TINTED) / (COLOURFUL - TINTED), 0, 1))
        if share >= 1:
            return face
        tint = np.outer(slope, [*luma, -luma @ mean]) + np.outer(mean, [0, 0, 0, 1])
        matrix = share * np.eye(3, 4) + (1 - share) * tint
        return SwappedFace(np.asarray(cv2.transform(face.crop, matrix), np.uint8), face.mask)

    def forget(self, track_id: int) -> None:
        """Nothing is kept of a track."""


def _cells(crop: Image, mask: Mask) -> NDArray[np.float64]:
    """Return the mean colours (N, 3) of the cells inside the mask that are not clipped."""
    rows, columns = crop.shape[0] // CELL, crop.shape[1] // CELL
    if not rows or not columns:
        return np.zeros((0, 3))
    whole, size = np.s_[: rows * CELL, : columns * CELL], (columns, rows)
    colours = cv2.resize(crop[whole], size, interpolation=cv2.INTER_AREA).reshape(-1, 3)
    inside = cv2.resize(mask[whole], size, interpolation=cv2.INTER_AREA).reshape(-1) >= INSIDE
    return np.asarray(colours[inside & (colours.max(1) < BRIGHT)], np.float64)


def _build_gpu(context: BuildContext) -> GpuFinish:
    from rtswap.compositing.finishes.grey_gpu import GpuGreyMatch

    return GpuGreyMatch()


SPEC = FinishSpec(
    "grey",
    "keeps grey and tinted pictures grey or tinted",
    "color",
    lambda context: GreyMatch(),
    _build_gpu,
    enabled=lambda context: context.swap.color != "none",
    flag=lambda context: f"--color {context.swap.color}",
)
