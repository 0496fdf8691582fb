"""Faces on a device are cut into the small upright crops that networks see; a large one is halved first, because
sampled directly it would shimmer."""

from __future__ import annotations

import numpy as np

from rtswap.core.types import Matrix
from rtswap.gpu.resample import Tensor, bilinear
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

CUT = 8
"""Numbers that say how a face is cut out."""


def cut_by(matrix: Matrix, size: tuple[int, int], *, below: float, least: int) -> tuple[list[float], int]:
    """What the network sees -> the crop, after it was halved some times: affine (6), width and height; and how often.

    ``matrix`` (2, 3): crop -> what the network sees. ``size``: the crop's (width, height). It is halved while its
    scale is less than ``below``, and neither side than ``least``.
    """
    (width, height), halvings = size, 0
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    while scale < below and min(width, height) >= least:
        shift = matrix[:, :2] @ np.array([0.5, 0.5], np.float32) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * 2, shift]).astype(np.float32)
        width, height, halvings, scale = width // 2, height // 2, halvings + 1, scale * 2
    linear = np.linalg.inv(matrix[:, :2].astype(np.float64))
    (a, b), (d, e) = linear.tolist()
    c, f = (-linear @ matrix[:, 2]).tolist()
    return [a, b, c, d, e, f, width, height], halvings


def halved(planes: Tensor) -> Tensor:
    """(N, C, H // 2, W // 2) means of 2 x 2, whole numbers."""
    return torch.nn.functional.avg_pool2d(planes, 2).round()


def seen(planes: Tensor, numbers: Tensor, side: int, *, zero: bool = False) -> Tensor:
    """(N, C, ``side``, ``side``) of ``planes`` (N, C, S, S) float, cut out by ``cut_by``'s ``numbers`` (N, CUT).

    Beyond a crop's border it is continued; where ``zero``, what lies there in its square is taken, and 0 beyond that.
    """
    a, b, c, d, e, f = numbers[:, :6].T[:, :, None, None]
    place = torch.arange(side, device=planes.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    return bilinear(planes, a * x + b * y + c, d * x + e * y + f, None if zero else numbers[:, 6:CUT], zero=zero)
