"""OpenCV's resampling in torch, under OpenCV's conventions: pixel centres at whole coordinates, borders continued.

Importing this file loads torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.gpu.torch_import import load_torch

Tensor = Any
"""``torch.Tensor``: torch may be missing where types are checked."""
Device = Any
"""``torch.device``"""


torch = load_torch()


def uploaded(values: NDArray[Any], device: Device) -> Tensor:
    """A copy on the device; nobody waits for it. The pinned memory it comes from is torch's own, which is not given
    to anybody else before the copy is done."""
    if device.type != "cuda":
        return torch.from_numpy(np.array(values)).to(device)
    pinned = torch.empty(values.shape, dtype=torch.from_numpy(values[:0]).dtype, pin_memory=True)
    np.copyto(pinned.numpy(), values)
    return pinned.to(device, non_blocking=True)


def rounded(values: Tensor) -> Tensor:
    """To whole numbers in 0..255, uint8."""
    return values.round().clamp(0, 255).to(torch.uint8)


def bilinear(planes: Tensor, x: Tensor, y: Tensor, limits: Tensor | None = None, *, zero: bool = False) -> Tensor:
    """(N, C, h, w) of ``planes`` (N, C, H, W) float at ``x``, ``y`` (N, h, w) px, the border continued.

    ``limits`` (N, 2): width and height of what counts in each plane; what lies beyond is never read. ``zero``:
    without limits, and 0 beyond the planes.
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


def gaussian(count: int, sigma: Tensor, radius: Tensor) -> Tensor:
    """(N, count, count) matrices that blur a column of ``count`` values by ``sigma`` (N,), cut off at ``radius`` (N,)
    and 0 beyond the ends. ``m @ plane @ m.mT`` blurs a plane; nothing depends on what the values are."""
    place = torch.arange(count, device=sigma.device, dtype=torch.float32)
    apart = (place[:, None] - place[None]).abs()
    reach = torch.arange(-count, count + 1, device=sigma.device, dtype=torch.float32).abs()
    sigma, radius = sigma[:, None, None], radius[:, None, None]
    kernel = torch.where(reach <= radius, torch.exp(-0.5 * (reach / sigma) ** 2), 0.0)
    matrix = torch.where(apart <= radius, torch.exp(-0.5 * (apart / sigma) ** 2), 0.0)
    return matrix / kernel.sum(-1, keepdim=True)
