"""Paste the target's own eyes and inside of the mouth on a GPU; the host's half is in ``swapper``."""

from __future__ import annotations

from typing import NamedTuple

from rtswap.gpu.resample import Tensor, bilinear, gaussian
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh import gpu_rows as fields
from rtswap.swappers.mesh.placement import LIDS
from rtswap.swappers.mesh.swapper import SOFT

torch = load_torch()


class LidsLight(NamedTuple):
    """How the target's lids come into the swap's light."""

    factors: Tensor
    """(N, 3, S, S), above the black level."""
    black: Tensor
    """(N, 1, 1, 1) the target's black level."""


def with_openings(
    swapped: Tensor, own: Tensor, rings: Tensor, numbers: Tensor, u: Tensor, v: Tensor, light: LidsLight | None
) -> Tensor:
    """Paste the target's own eyes and inside of the mouth into the openings of ``swapped`` (N, 3, S, S), as on the
    host. ``own`` (N, 3, S, S); ``rings`` (N, 3, side, side): 1 in the openings, 2 in eyes; ``u``, ``v`` (N, S, S)
    pixels of the extent; ``light``: None if the photo's is kept."""
    count, _, side, _ = rings.shape
    per_ring = numbers[:, fields.RING : fields.RING + 3 * fields.RING_NUMBERS].reshape(count * 3, -1)
    blur = gaussian(side, per_ring[:, 10], per_ring[:, 11]).view(count, 3, side, side)
    shares = (blur @ rings.clamp(max=1) @ blur.mT).view(count, 3, -1)
    between = (rings[:, : len(LIDS)] - 1).clamp(min=0)
    between = torch.nn.functional.avg_pool2d(between, SOFT, 1, SOFT // 2).view(count, len(LIDS), -1)
    x1, y1, x2, y2 = numbers[:, fields.EXTENT : fields.GRID].T[:, :, None, None]
    for index in range(3):
        begin = fields.RING + index * fields.RING_NUMBERS
        a, b, c, d, e, f, left, top, wide, high = numbers[:, begin : begin + 10].T[:, :, None, None]
        x, y = u - left, v - top
        inside = (x >= 0) & (y >= 0) & (x < wide) & (y < high)
        at = (y.clamp(0, side - 1).long() * side + x.clamp(0, side - 1).long()).view(count, -1)
        share = shares[:, index].gather(1, at).view(x.shape) * inside
        there_x = torch.minimum((a * x + b * y + c).clamp(min=0), x2 - x1 - 1) + x1
        there_y = torch.minimum((d * x + e * y + f).clamp(min=0), y2 - y1 - 1) + y1
        moved = bilinear(own, there_x, there_y).round()
        if light is not None and index < len(LIDS):
            relit = (moved * light.factors).round().clamp(max=255) + light.black * (1 - light.factors)
            kept = between[:, index].gather(1, at).view(count, 1, *x.shape[1:])
            relit = relit.round().clamp(0, 255)
            moved = (relit + kept * (moved - relit)).round()
        swapped = (swapped + share[:, None] * (moved - swapped)).round()
    return swapped
