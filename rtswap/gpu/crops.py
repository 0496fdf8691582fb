"""Faces on a GPU are cut into the small upright crops that networks see; a large one is halved first, because
sampled directly it would shimmer."""

from __future__ import annotations

from rtswap.gpu.resample import Tensor, bilinear
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

CUT = 8
"""Numbers that say how a face is cut out: ``vision.crops.sampling``."""


def halved(planes: Tensor) -> Tensor:
    """(N, C, H // 2, W // 2) means of 2 x 2, whole numbers."""
    return torch.nn.functional.avg_pool2d(planes, 2).round()


def seen(planes: Tensor, numbers: Tensor, side: int, *, zero: bool = False) -> Tensor:
    """(N, C, ``side``, ``side``) of ``planes`` (N, C, S, S) float, cut out by ``numbers`` (N, CUT).

    Beyond a crop's border it is continued; where ``zero``, what lies there in its square is taken, and 0 beyond that.
    """
    a, b, c, d, e, f = numbers[:, :6].T[:, :, None, None]
    place = torch.arange(side, device=planes.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    return bilinear(planes, a * x + b * y + c, d * x + e * y + f, None if zero else numbers[:, 6:CUT], zero=zero)
