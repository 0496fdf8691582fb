"""Restore eyes and the inside of the mouth, on a GPU: ``openings``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtswap.compositing.finishes.openings import shares_of
from rtswap.core.types import BatchedTarget
from rtswap.gpu.resample import Tensor, rounded, uploaded


class GpuOpening(NamedTuple):
    """A copy of one opening."""

    corner: tuple[int, int]
    own: Tensor
    """(h, w, 3)"""
    share: Tensor
    """(h, w, 1)"""

    def put_back(self, crop: Tensor) -> None:
        """Restore the opening, in place."""
        (x, y), (height, width) = self.corner, self.share.shape[:2]
        region = crop[y : y + height, x : x + width]
        region.copy_(rounded(self.own * self.share + region * (1 - self.share)))


def gpu_openings(crop: Tensor, face: BatchedTarget) -> list[GpuOpening]:
    """``openings.openings_of`` a crop (h, w, 3) on a GPU; the host draws the shares."""
    shares = shares_of(face.landmarks, face.size)
    if not shares:
        return []
    drawn = uploaded(np.concatenate([share.ravel() for _, share in shares]), crop.device)
    parts = drawn.split([share.size for _, share in shares])
    found = []
    for ((x, y), share), part in zip(shares, parts, strict=True):
        height, width = share.shape
        own = crop[y : y + height, x : x + width].clone()
        found.append(GpuOpening((x, y), own, part.view(height, width, 1)))
    return found
