"""Cut the small upright face crops for the networks on a GPU. Large faces are halved first to avoid aliasing."""

from __future__ import annotations

from rtswap.gpu.resample import Tensor, mapped, rounded
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
    return mapped(planes, numbers[:, :6], side, None if zero else numbers[:, 6:CUT], zero=zero)


def cut_face(square: Tensor, numbers: Tensor, halvings: int, side: int) -> Tensor:
    """(side, side, 3) of a crop (S, S, 3), as ``vision.crops.cut``. ``numbers`` (CUT,)."""
    planes = square.permute(2, 0, 1)[None].float()
    for _ in range(halvings):
        planes = halve(planes)
    return rounded(pixels_seen(planes, numbers[None], side))[0].permute(1, 2, 0)
