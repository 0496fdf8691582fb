"""Resampling in torch with OpenCV's conventions: pixel centres at integer coordinates, border pixels repeated.

Importing this module loads torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.gpu.torch_import import load_torch

Tensor = Any
"""``torch.Tensor``; an alias, because torch may be missing when types are checked."""
Device = Any
"""``torch.device``"""


torch = load_torch()


def uploaded(values: NDArray[Any], device: Device) -> Tensor:
    """Return a copy of an array on the device, copied asynchronously. Torch's allocator does not reuse the pinned
    source memory before the copy is done."""
    if device.type != "cuda":
        return torch.from_numpy(np.array(values)).to(device)
    pinned = torch.empty(values.shape, dtype=torch.from_numpy(values[:0]).dtype, pin_memory=True)
    np.copyto(pinned.numpy(), values)
    return pinned.to(device, non_blocking=True)


def rounded(values: Tensor) -> Tensor:
    """Round and clamp to 0..255, uint8."""
    return values.round().clamp(0, 255).to(torch.uint8)


def bilinear(planes: Tensor, x: Tensor, y: Tensor, limits: Tensor | None = None, *, zero: bool = False) -> Tensor:
    """Sample ``planes`` (N, C, H, W) float at ``x``, ``y`` (N, h, w) in pixels; returns (N, C, h, w). Border pixels
    are repeated.

    ``limits`` (N, 2): width and height of the valid area in each plane; pixels outside it are never read. ``zero``:
    ignore ``limits``, and return 0 outside the planes.
    """
    height, width = planes.shape[-2:]
    if zero:
        where = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
        return torch.nn.functional.grid_sample(planes, where, padding_mode="zeros", align_corners=False)
    if limits is None:
        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    else:
        most = limits[:, :, None, None] - 1
        x, y = (torch.minimum(place.clamp(min=0), most[:, k]) for k, place in enumerate((x, y)))
    where = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return torch.nn.functional.grid_sample(planes, where, padding_mode="border", align_corners=False)


def mapped(planes: Tensor, maps: Tensor, side: int, limits: Tensor | None = None, *, zero: bool = False) -> Tensor:
    """``bilinear`` at the pixels of squares of ``side``, which ``maps`` (N, 6), affine, take to the planes."""
    a, b, c, d, e, f = maps.T[:, :, None, None]
    place = torch.arange(side, device=planes.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    return bilinear(planes, a * x + b * y + c, d * x + e * y + f, limits, zero=zero)


def gaussian(count: int, sigma: Tensor, radius: Tensor) -> Tensor:
    """Return matrices (N, count, count) that blur a column of ``count`` values by ``sigma`` (N,), truncated at
    ``radius`` (N,), with 0 outside the column. ``m @ plane @ m.mT`` blurs a plane. No operation depends on the values
    of the arguments, so it can be captured in a CUDA graph."""
    place = torch.arange(count, device=sigma.device, dtype=torch.float32)
    apart = (place[:, None] - place[None]).abs()
    reach = torch.arange(-count, count + 1, device=sigma.device, dtype=torch.float32).abs()
    sigma, radius = sigma[:, None, None], radius[:, None, None]
    kernel = torch.where(reach <= radius, torch.exp(-0.5 * (reach / sigma) ** 2), 0.0)
    matrix = torch.where(apart <= radius, torch.exp(-0.5 * (apart / sigma) ** 2), 0.0)
    return matrix / kernel.sum(-1, keepdim=True)
