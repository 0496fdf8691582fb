"""Losses that several recipes share."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

C1, C2 = 0.01**2, 0.03**2
"""Of SSIM (Wang et al. 2004), for pictures of 0..1."""


@cache
def _window(size: int, sigma: float) -> Tensor:
    along = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    bell = torch.exp(-(along**2) / (2 * sigma**2))
    return bell / bell.sum()


def smooth(maps: Tensor, size: int, sigma: float, *, padded: bool = False) -> Tensor:
    """Gaussian of ``size`` px on (N, C, H, W), within the picture or, ``padded``, as large as it."""
    window = _window(size, sigma).to(maps)
    channels = maps.shape[1]
    if padded:
        maps = functional.pad(maps, [size // 2] * 4, mode="replicate")
    rows = functional.conv2d(maps, window.view(1, 1, 1, -1).expand(channels, 1, 1, size), groups=channels)
    return functional.conv2d(rows, window.view(1, 1, -1, 1).expand(channels, 1, size, 1), groups=channels)


def ssim(a: Tensor, b: Tensor, size: int, sigma: float = 1.5) -> Tensor:
    """Structural similarity (N,) of pictures (N, C, H, W), 0..1, over a Gaussian window of ``size`` px."""
    count = a.shape[1]
    moments = smooth(torch.cat([a, b, a * a + b * b, a * b], 1), size, sigma)
    mean_a, mean_b, squares, product = moments.split(count, 1)
    means, sums = mean_a * mean_b, mean_a.square() + mean_b.square()
    structure = (2 * (product - means) + C2) / (squares - sums + C2)
    return ((2 * means + C1) / (sums + C1) * structure).mean((1, 2, 3))


def dssim(a: Tensor, b: Tensor, size: int) -> Tensor:
    """(1 - SSIM) / 2, its mean over the batch. ``size`` of the window is made odd."""
    return (1 - ssim(a, b, size | 1)).mean() / 2


def soft_mask(masks: Tensor, sigma: float) -> Tensor:
    """Masks (N, 1, H, W), 0..1, with a soft border outside: blurred, cut at one half and doubled."""
    size = 2 * math.ceil(2 * sigma) + 1
    return smooth(masks, size, sigma, padded=True).clamp(0, 0.5) * 2


def colour_statistics(pictures: Tensor, where: Tensor) -> Tensor:
    """Mean and deviation (N, 2 C) of pictures (N, C, H, W) within masks (N, 1, H, W)."""
    total = where.sum((2, 3)).clamp_min(1e-3)
    mean = (pictures * where).sum((2, 3)) / total
    variance = ((pictures - mean[..., None, None]).square() * where).sum((2, 3)) / total
    return torch.cat([mean, (variance + 1e-5).sqrt()], 1)


def differences(x: Tensor) -> Tensor:
    """Each pixel (N, C, H, W) less its neighbour below and less the one to its right: (N, 2 C, H - 1, W - 1)."""
    here = x[..., :-1, :-1]
    return torch.cat([here - x[..., 1:, :-1], here - x[..., :-1, 1:]], 1)


def edges(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours, where ``weight`` (N, 1, H, W) counts."""
    return differences((made - truth) * weight).abs().mean()


def unlike(made: Tensor, wanted: Tensor) -> Tensor:
    """1 - cosine of embeddings (N, E) of unit length."""
    return 1 - (made * wanted).sum(1).mean()


def decibels(made: Tensor, truth: Tensor, where: Tensor, span: float = 1.0) -> float:
    """PSNR of pictures (N, 3, H, W) whose values span ``span``, where ``where`` (N, 1, H, W), 0..1, counts."""
    error = ((made.float() - truth) / span).square() * where
    return float(-10 * torch.log10(error.sum() / (3 * where.sum()).clamp_min(1) + 1e-10))
