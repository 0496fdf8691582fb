"""Connected components and soft edges of small planes in a fixed number of steps, independent of their content."""

from __future__ import annotations

import numpy as np

from rtswap.gpu.resample import Tensor
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

ROUNDS = 10
"""Enough for every 64 x 64 plane that was tried: noise of any density, spirals, combs; and for 600 painted glasses
in 96 x 192."""


class Islands:
    """Connected components of ``shown`` (N, h, w) bool, 8-connected.

    Every pixel points at another of its component; in each round it takes the largest pointer of its neighbours,
    passes it to the pixel it pointed at before, and skips one step (Zhang, Azad & Hu 2020, FastSV). A component that
    needs more rounds would be split.
    """

    def __init__(self, shown: Tensor) -> None:
        self._shown = shown.flatten(1)
        count, height, width = shown.shape
        self._shape = shown.shape
        outside = ~shown
        points = torch.arange(height * width, device=shown.device).expand(count, -1)
        for _ in range(ROUNDS):
            plane = points.view(count, 1, height, width).float().masked_fill(outside[:, None], -1)
            best = torch.nn.functional.max_pool2d(plane, 3, 1, 1)[:, 0].masked_fill(outside, 0).flatten(1).long()
            points = torch.maximum(best, points.scatter_reduce(1, points, best, "amax"))
            points = points.gather(1, points)
        self._points = points

    def sizes(self) -> Tensor:
        """Size of each pixel's component, (N, h, w); 0 outside."""
        counts = torch.zeros_like(self._points).scatter_add(1, self._points, self._shown.long())
        return (counts.gather(1, self._points) * self._shown).view(self._shape)

    def touching(self, where: Tensor) -> Tensor:
        """Components that overlap ``where`` (N, h, w) bool, (N, h, w) bool."""
        touched = (where.flatten(1) & self._shown).long()
        found = torch.zeros_like(self._points).scatter_reduce(1, self._points, touched, "amax")
        return ((found.gather(1, self._points) > 0) & self._shown).view(self._shape)


def feather(share: Tensor, sigma: float) -> Tensor:
    """``share`` (N, h, w), blurred by a Gaussian of five taps with replicated border, rounded."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    weights = (taps / taps.sum()).tolist()
    height, width = share.shape[1:]
    around = torch.nn.functional.pad(share[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    across = sum(weight * around[..., k : k + width] for k, weight in enumerate(weights))
    return sum(weight * across[:, k : k + height] for k, weight in enumerate(weights)).round()
