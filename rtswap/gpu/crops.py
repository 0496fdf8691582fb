"""Cut the small upright face crops for the networks on a GPU. Large faces are halved first to avoid aliasing."""

from __future__ import annotations

from rtswap.gpu.resample import Tensor, bilinear
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

CUT = 8
"""Number of crop parameters per face, from ``vision.crops.sampling``."""


def halve(planes: Tensor) -> Tensor:
    """Return (N, C, H // 2, W // 2): means of 2 x 2 pixels, rounded to integers."""
    return torch.nn.functional.avg_pool2d(planes, 2).round()


def pixels_seen(planes: Tensor, numbers: Tensor, side: int, *, zero: bool = False) -> Tensor:
    """Return crops (N, C, ``side``, ``side``) of ``planes`` (N, C, S, S) float; ``numbers`` (N, CUT): parameters.

    Outside a crop its border pixels are repeated; with ``zero``, pixels come from the whole plane and are 0 outside
    it.
    """
    a, b, c, d, e, f = numbers[:, :6].T[:, :, None, None]
    place = torch.arange(side, device=planes.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    return bilinear(planes, a * x + b * y + c, d * x + e * y + f, None if zero else numbers[:, 6:CUT], zero=zero)
