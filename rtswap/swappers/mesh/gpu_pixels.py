"""Render the swapper ``mesh`` as one function of tensors. No shape, branch or loop depends on a value, so it can be
captured into a CUDA graph, once per number of faces and crop side.

The formulas are those of ``swapper``, which explains them; the numbers come from ``gpu_rows``.
"""

from __future__ import annotations

import numpy as np

from rtswap.core.types import Image, Mask
from rtswap.gpu.resample import Device, Tensor, bilinear, gaussian, rounded
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh import gpu_rows as fields
from rtswap.swappers.mesh.gpu_light import lids_of, light_of, on_darker, seam_of, toned
from rtswap.swappers.mesh.gpu_openings import LidsLight, with_openings
from rtswap.swappers.mesh.light import SourceLight
from rtswap.swappers.mesh.placement import LIGHT_STEP, MASK_STEP
from rtswap.swappers.mesh.ratios import brows_and_lips
from rtswap.swappers.mesh.skin_tones import ONE
from rtswap.swappers.mesh.wrinkles import FINE_STEP, LEAST, MOST, STEP

torch = load_torch()

GREY = (0.114, 0.587, 0.299)
"""Weights of B, G and R."""


def atlas_of(levels: tuple[Image, ...], device: Device) -> Tensor:
    """Pack the levels into one image, (1, 3, H, W) float32: the largest at the left, the others stacked at its
    right."""
    sides = [level.shape[0] for level in levels]
    atlas = np.zeros((max(sides[0], sum(sides[1:])), sides[0] + max(sides[1:], default=0), 3), np.float32)
    for level, (_, x, y) in zip(levels, places(levels), strict=True):
        atlas[y : y + len(level), x : x + len(level)] = level
    return torch.from_numpy(np.ascontiguousarray(atlas.transpose(2, 0, 1))[None]).to(device)


def places(levels: tuple[Image, ...]) -> list[tuple[int, int, int]]:
    """Side, x and y of each level in the atlas."""
    sides = [level.shape[0] for level in levels]
    return [(side, sides[0] if index else 0, sum(sides[1:index])) for index, side in enumerate(sides)]


def chart_planes(face: Mask, device: Device) -> Tensor:
    """The face mask, and where brows and lips are, as (1, 3, h, w) float32."""
    planes = np.concatenate([face[None], brows_and_lips().transpose(2, 0, 1)]).astype(np.float32)
    return torch.from_numpy(planes[None]).to(device)


def render(
    crops: Tensor,
    rows: Tensor,
    atlas: Tensor,
    chart: Tensor,
    black_levels: Tensor,
    source_light: SourceLight | None,
) -> tuple[Tensor, Tensor]:
    """Return swapped crops (N, S, S, 3) and their masks (N, S, S), uint8.

    ``crops`` (N, S, S, 3) uint8; ``rows`` (N, B) from ``gpu_rows.pack``; ``black_levels`` (T,) the target's black
    levels, updated here in every frame; ``chart``: of ``chart_planes``; ``source_light``: of the photo, None if
    ``atlas`` holds skin, not ratios.
    """
    count, side = crops.shape[:2]
    layout = fields.Layout(side)
    edges = layout.edges
    numbers = rows[:, : edges[1]].contiguous().view(torch.float32)
    nodes = rows[:, edges[1] : edges[2]].contiguous().view(torch.float32)
    nodes, wrinkles = nodes.view(count, fields.NODES, fields.NODES, 3).permute(0, 3, 1, 2).split((2, 1), 1)
    planes = crops.permute(0, 3, 1, 2).float()
    u, v = _places(numbers, side, 1.0)
    swapped = rounded(_from_atlas(atlas, nodes, numbers, u, v)).float()
    face, *features = _shown(chart, nodes, numbers, layout.mask, MASK_STEP).split(1, 1)
    lids = None
    if source_light is not None:
        area, around = (
            rows[:, begin:end].reshape(count, layout.light, layout.light).float()
            for begin, end in (edges[2:4], edges[5:7])
        )
        black_level = _followed_black_level(planes, numbers, black_levels)
        features = [_enlarged(one, numbers, u, v, MASK_STEP).round() / 255 for one in features]
        swapped, lids = _lit(swapped, features, planes, area, around / 255, numbers, black_level, source_light, u, v)
    swapped = _with_wrinkles(swapped, planes, wrinkles, numbers, u, v)
    rings = rows[:, edges[4] : edges[5]].view(count, 3, layout.ring, layout.ring).float()
    swapped = with_openings(swapped, planes, rings, numbers, u, v, lids)
    oval = rows[:, edges[3] : edges[4]].view(count, layout.mask, layout.mask).float()
    mask = _feathered(oval, face[:, 0], numbers)
    mask = _enlarged(mask, numbers, u, v, MASK_STEP)[:, 0]
    x1, y1, x2, y2 = numbers[:, fields.EXTENT : fields.GRID].T[:, :, None, None]
    within = (u >= 0) & (v >= 0) & (u < x2 - x1) & (v < y2 - y1)
    edge = (u < 1) | (v < 1) | (u >= x2 - x1 - 1) | (v >= y2 - y1 - 1)
    swapped = torch.where(within[:, None], swapped, planes)
    return rounded(swapped).permute(0, 2, 3, 1).contiguous(), rounded(torch.where(edge, 0.0, mask))


def _places(numbers: Tensor, count: int, step: float) -> tuple[Tensor, Tensor]:
    """x, y (N, count, count) in pixels of the extent of every ``step``-th place of the crop; pixel centres at
    integers."""
    place = (torch.arange(count, device=numbers.device, dtype=torch.float32) + 0.5) * step - 0.5
    x = place[None, None] - numbers[:, fields.EXTENT, None, None]
    y = place[None, :, None] - numbers[:, fields.EXTENT + 1, None, None]
    return x.expand(-1, count, -1), y.expand(-1, -1, count)


def _on_texture(nodes: Tensor, numbers: Tensor, u: Tensor, v: Tensor, side: Tensor) -> Tensor:
    """Texel coordinates (N, 2, h, w) of places in the extent, on a texture of ``side`` texels; never negative."""
    return _on_grid((nodes * side - 0.5).clamp(min=0), numbers, u, v)


def _on_grid(nodes: Tensor, numbers: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Values of the nodes (N, C, NODES, NODES) at places in the extent, (N, C, h, w)."""
    x1, y1, x2, y2 = numbers[:, fields.EXTENT : fields.GRID].T[:, :, None, None]
    across, down = numbers[:, fields.GRID : fields.LEVEL].T[:, :, None, None]
    x, y = (u + 0.5) * across / (x2 - x1) - 0.5, (v + 0.5) * down / (y2 - y1) - 0.5
    return bilinear(nodes, x, y, numbers[:, fields.GRID : fields.LEVEL])


def _from_atlas(atlas: Tensor, nodes: Tensor, numbers: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Sample the source's skin, (N, 3, h, w)."""
    side, left, top = numbers[:, fields.LEVEL : fields.LIGHT].T[:, :, None, None]
    where = _on_texture(nodes, numbers, u, v, side[:, None])
    x, y = (torch.minimum(where[:, k], side - 1) for k in range(2))
    return bilinear(atlas.expand(len(numbers), -1, -1, -1), x + left, y + top)


def _shown(chart: Tensor, nodes: Tensor, numbers: Tensor, count: int, step: int) -> Tensor:
    """Planes of the chart 0..255 on a grid over the crop, (N, C, count, count)."""
    side = torch.full_like(numbers[:, 0], chart.shape[-1])[:, None, None, None]
    where = _on_texture(nodes, numbers, *_places(numbers, count, step), side)
    return bilinear(chart.expand(len(numbers), -1, -1, -1), where[:, 0], where[:, 1]).round()


def _enlarged(field: Tensor, numbers: Tensor, u: Tensor, v: Tensor, step: int) -> Tensor:
    """Enlarge a grid with a node every ``step`` pixels to the crop, (N, C, S, S); nodes outside the extent are not
    read."""
    x1, y1, x2, y2 = numbers[:, fields.EXTENT : fields.GRID].T[:, :, None, None] / step
    x = torch.minimum(((u + 0.5) / step - 0.5).clamp(min=0), x2 - x1 - 1) + x1
    y = torch.minimum(((v + 0.5) / step - 0.5).clamp(min=0), y2 - y1 - 1) + y1
    return bilinear(field, x, y)


def _lit(
    ratios: Tensor,
    features: list[Tensor],
    target: Tensor,
    area: Tensor,
    around: Tensor,
    numbers: Tensor,
    black_level: Tensor,
    source: SourceLight,
    u: Tensor,
    v: Tensor,
) -> tuple[Tensor, LidsLight]:
    """Put the target's light on the ratios (N, 3, S, S), as ``light.relight``. ``features``: the shares of brows and
    of lips, (N, 1, S, S); ``area`` and ``around`` (the eyes), (N, h, w) on the light grid."""
    theirs = torch.nn.functional.avg_pool2d(target, LIGHT_STEP)
    field, skin, mean, black, colour = light_of(theirs, area, numbers, black_level - source.black)
    lighter = torch.log(mean / max(source.mean, 1.0))
    field = on_darker(field, black, theirs, area, numbers, lighter)
    ratios = toned(ratios, features, lighter, source.colour, colour)
    ours = torch.nn.functional.avg_pool2d(ratios, LIGHT_STEP)
    gain = field * seam_of(field, skin, black, theirs, ours, area, numbers)
    lids = lids_of(field, skin, black, theirs, ours * gain / ONE, around[:, None], numbers)
    gain, lids = (_enlarged(one, numbers, u, v, LIGHT_STEP) for one in (gain, lids))
    lit = ((ratios * gain / ONE).round().clamp(0, 255) + black).round().clamp(0, 255)
    return lit, LidsLight(lids, black)


def _followed_black_level(planes: Tensor, numbers: Tensor, black_levels: Tensor) -> Tensor:
    """The target's black level after this frame (N,); updates ``black_levels`` where a measurement is due."""
    slot = numbers[:, fields.BLACK + 4].long()
    past = black_levels.index_select(0, slot)
    share, due = numbers[:, fields.BLACK + 5], numbers[:, fields.BLACK + 6]
    now = _black_level(planes, numbers)
    black_level = torch.where(due > 0, now + share * (past - now), past)
    black_levels.index_copy_(0, slot, black_level)
    return black_level


def _black_level(planes: Tensor, numbers: Tensor) -> Tensor:
    """``light.black_level_of`` on every second pixel of a box, (N,): a binary search with eight counts."""
    count, _, side, _ = planes.shape
    x1, y1, x2, y2 = numbers[:, fields.BLACK : fields.BLACK + 4].T[:, :, None, None]
    step = 2 * torch.arange(side // 2, device=planes.device, dtype=torch.float32)
    x, y = x1 + step[None, None], y1 + step[None, :, None]
    counted = (x < x2) & (y < y2)
    grey = sum(weight * planes[:, channel] for channel, weight in enumerate(GREY)).round()
    at = y.clamp(max=side - 1).long() * side + x.clamp(max=side - 1).long()
    grey = grey.view(count, -1).gather(1, at.view(count, -1))
    grey = torch.where(counted.view(count, -1), grey, 256.0)
    least = 0.01 * counted.sum((1, 2))
    level = torch.zeros_like(least)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        below = (grey < level[:, None] + bit).sum(1)
        level = torch.where(below < least, level + bit, level)
    upto, below = (grey <= level[:, None]).sum(1), (grey < level[:, None]).sum(1)
    return level + 1 - (upto - least) / (upto - below).clamp(min=1)


def _with_wrinkles(swapped: Tensor, own: Tensor, share: Tensor, numbers: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """``wrinkles.deepen``."""
    grey = sum(weight * own[:, channel : channel + 1] for channel, weight in enumerate(GREY)).round()
    around, fold = (
        _averaged(grey, step, numbers[:, offset : offset + 2], numbers, u, v)
        for step, offset in ((STEP, fields.WRINKLES), (FINE_STEP, fields.FOLDS))
    )
    change = (fold / around.clamp(min=1)).clamp(LEAST, MOST) - 1
    factor = (ONE + ONE * _on_grid(share, numbers, u, v) * change).round()
    return (swapped * factor / ONE).round().clamp(0, 255)


def _averaged(grey: Tensor, step: int, blurring: Tensor, numbers: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """``grey`` (N, 1, S, S), averaged and blurred on a grid; ``blurring`` (N, 2): sigma and radius in its nodes."""
    small = torch.nn.functional.avg_pool2d(grey, step).round()
    blur = gaussian(small.shape[-1], *blurring.unbind(1))[:, None]
    return _enlarged(blur @ small @ blur.mT, numbers, u, v, step)


def _feathered(oval: Tensor, shown: Tensor, numbers: Tensor) -> Tensor:
    """The mask 0..255 on its grid, (N, 1, h, w): blurred, without the photo's hair."""
    blur = gaussian(oval.shape[-1], *numbers[:, fields.MASK : fields.BLACK].unbind(1))
    return torch.minimum((blur @ oval @ blur.mT).round(), shown)[:, None]
