"""Landmarks as networks take them: coordinates, heat maps, masks. Plain operators, so that they export."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rtswap.vision.topology import OVAL

SIGMA = 2.0
"""Of a heat map's bell, in its pixels."""


def normalise(points: Tensor, side: int) -> Tensor:
    """Points (N, P, 3) px of a picture of ``side`` px -> -1..1 from edge to edge; z in the same unit, its mean 0."""
    flat = (points[..., :2] + 0.5) * (2 / side) - 1
    depth = points[..., 2:] * (2 / side)
    return torch.cat([flat, depth - depth.mean(1, keepdim=True)], -1)


def heatmaps(points: Tensor, side: int) -> Tensor:
    """Points (N, P, 2 or more), -1..1 -> bells (N, P, side, side) that are 1 at the point."""
    line = (torch.arange(side, device=points.device, dtype=points.dtype) + 0.5) * (2 / side) - 1
    reach = SIGMA * 2 / side
    columns, rows = (torch.exp(-((line - points[..., axis, None]) / reach).square() / 2) for axis in (0, 1))
    return rows[..., :, None] * columns[..., None, :]


def outline(points: Tensor, side: int) -> Tensor:
    """Masks (N, 1, side, side), 0..1, of faces whose landmarks are ``points`` (N, 468, 3) px, softened by a pixel.

    A pixel is inside if a ray to its left crosses the outline an odd number of times.
    """
    ring = points[:, OVAL, :2].float()
    start, end = ring[:, :, None, None, :], ring.roll(-1, 1)[:, :, None, None, :]
    line = torch.arange(side, device=points.device, dtype=torch.float32)
    x, y = line[None, None, None, :], line[None, None, :, None]
    rise = end[..., 1] - start[..., 1]
    spans = (start[..., 1] > y) != (end[..., 1] > y)
    safe = torch.where(rise == 0, torch.ones_like(rise), rise)
    at = start[..., 0] + (y - start[..., 1]) / safe * (end[..., 0] - start[..., 0])
    crossings = (spans & (at < x)).float().sum(1, keepdim=True)
    inside = crossings - 2 * torch.floor(crossings / 2)
    return functional.avg_pool2d(inside, 3, 1, 1, count_include_pad=False)
