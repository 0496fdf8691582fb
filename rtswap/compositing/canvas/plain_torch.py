"""The canvas's arithmetic in plain torch: the operations of ``triton_kernels``, for devices without Triton.

Frames and crops are (H, W, 3) BGR uint8. Every function rounds where the canvas in host memory does.
"""

from __future__ import annotations

import numpy as np

from rtswap.compositing.canvas.covers import FINER, Cover
from rtswap.compositing.canvas.face_table import Table
from rtswap.gpu.resample import Tensor, rounded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

CUBIC = -0.75
"""Parameter of OpenCV's bicubic interpolation."""


def crop_faces(frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor:
    """Crops (N, side, side, 3) described by the rows of ``crop_table``; last pixels repeated."""
    x, y = _places(on_device, side, frame.device)
    across = on_device[:, 0, None, None] * x + on_device[:, 1, None, None] * y + on_device[:, 2, None, None]
    down = on_device[:, 3, None, None] * x + on_device[:, 4, None, None] * y + on_device[:, 5, None, None]
    across = torch.minimum(torch.maximum(across, on_device[:, 9, None, None]), on_device[:, 13, None, None])
    down = torch.minimum(torch.maximum(down, on_device[:, 10, None, None]), on_device[:, 14, None, None])
    crops = rounded(_linear(frame, across, down))
    for index, row in enumerate(table):
        if row[8]:
            crops[index] = _average(frame, row, side)
    return crops


def paste_faces(frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None:
    """Blend every face into the frame, in order, as described by the rows of ``paste_table``."""
    for index, row in enumerate(table):
        x1, y1, x2, y2 = (int(edge) for edge in row[8:12])
        if x1 >= x2 or y1 >= y2:
            continue
        x = torch.arange(x1, x2, device=frame.device, dtype=torch.float32)[None]
        y = torch.arange(y1, y2, device=frame.device, dtype=torch.float32)[:, None]
        m = on_device[index]
        u, v = m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]
        size = int(row[6]), int(row[7])
        crop = crops[index, : size[1], : size[0]]
        color = rounded(_cubic(crop, u, v) if row[12] else _linear(crop, u, v)).float()
        share = rounded(_linear(masks[index, : size[1], : size[0], None], u, v, zero=bool(row[13]))).float()
        region = frame[y1:y2, x1:x2]
        own = (region.float() * (255 - share) / 255).round()
        region.copy_(rounded(own + (color * share / 255).round()))


def cover(frame: Tensor, place: Cover, style: str) -> None:
    """Cover a place, as ``HostCanvas.cover`` does."""
    x1, y1, x2, y2 = place.extent
    cells, region = place.cells, frame[y1:y2, x1:x2].float()
    height, width = region.shape[:2]
    shrinking = width >= cells[0] and height >= cells[1]
    rows, columns = (
        area_weights(length, count, shrinking, frame.device)
        for length, count in ((height, cells[1]), (width, cells[0]))
    )
    small = rounded(torch.einsum("ah,hwc,bw->abc", rows, region, columns))
    if style == "pixelate":
        at = [
            (torch.arange(length, device=frame.device) * count / length).floor().long()
            for length, count in ((height, cells[1]), (width, cells[0]))
        ]
        frame[y1:y2, x1:x2] = small[at[0]][:, at[1]]
        return
    planes = small.permute(2, 0, 1)[None].float()
    resize = torch.nn.functional.interpolate
    finer = rounded(resize(planes, (FINER * cells[1], FINER * cells[0]), mode="bicubic", align_corners=False)).float()
    smooth = rounded(resize(finer, (height, width), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)).float()
    share = torch.from_numpy(place.mask()).to(frame.device)[..., None].float()
    own = (region * (255 - share) / 255).round()
    frame[y1:y2, x1:x2] = rounded(own + (smooth * share / 255).round())


def area_weights(length: int, count: int, shrinking: bool, device: object) -> Tensor:
    """Weights (count, length) that average ``length`` values down to ``count`` as OpenCV's INTER_AREA does; it
    interpolates if it does not shrink."""
    place = torch.arange(length, device=device, dtype=torch.float64)[None]
    cell = torch.arange(count, device=device, dtype=torch.float64)[:, None]
    step = length / count
    if shrinking:
        low, high = cell * step, (cell + 1) * step
        weights = (torch.minimum(high, place + 1) - torch.maximum(low, place)).clamp(min=0)
    else:
        first = (cell * step).floor()
        beyond = (cell + 1) - (first + 1) / step
        share = torch.where(beyond <= 0, 0.0, beyond - beyond.floor())
        first, second = first.clamp(max=length - 1), (first + 1).clamp(max=length - 1)
        weights = (place == first) * (1 - share) + (place == second) * share
    return (weights / weights.sum(1, keepdim=True)).float()


def _places(table: Tensor, side: int, device: object) -> tuple[Tensor, Tensor]:
    """x (N, 1, side) and y (N, side, 1) of the crops' pixels, clamped to each crop's last."""
    place = torch.arange(side, device=device, dtype=torch.float32)
    x = torch.minimum(place[None, None], table[:, 6, None, None] - 1)
    y = torch.minimum(place[None, :, None], table[:, 7, None, None] - 1)
    return x, y


def _linear(picture: Tensor, x: Tensor, y: Tensor, *, zero: bool = False) -> Tensor:
    """Bilinear samples (..., C) float32 of ``picture`` (H, W, C) at ``x``, ``y``; its border is replicated, or 0."""
    height, width = picture.shape[:2]
    margin = 1 if zero else 0
    x, y = x.clamp(-margin, width - 1 + margin), y.clamp(-margin, height - 1 + margin)
    left, top = x.floor(), y.floor()
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]

    def at(row: Tensor, column: Tensor) -> Tensor:
        values = picture[row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()].float()
        if not zero:
            return values
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return values * inside[..., None]

    upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share
    lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share
    return upper * (1 - low_share) + lower * low_share


def _cubic(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bicubic samples (h, w, C); the border is replicated."""
    height, width = picture.shape[:2]
    x, y = x.clamp(-2, width + 1), y.clamp(-2, height + 1)
    left, top = x.floor(), y.floor()
    columns, rows = cubic_weights(x - left), cubic_weights(y - top)
    total = torch.zeros((*x.shape, picture.shape[2]), device=picture.device)
    for i, row_weight in enumerate(rows):
        row = (top + i - 1).clamp(0, height - 1).long()
        line = sum(
            column_weight[..., None] * picture[row, (left + j - 1).clamp(0, width - 1).long()].float()
            for j, column_weight in enumerate(columns)
        )
        total = total + row_weight[..., None] * line
    return total


def cubic_weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bicubic weights of the four neighbours of a position ``t`` (0..1) after the second (Keys 1981)."""
    a = CUBIC
    first = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
    second = ((a + 2) * t - (a + 3)) * t * t + 1
    third = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1
    return first, second, third, 1 - first - second - third


def _average(frame: Tensor, row: np.ndarray, side: int) -> Tensor:
    """An averaged crop (side, side, 3), smaller than its region; last pixels repeated."""
    width, height = int(row[6]), int(row[7])
    x1, y1 = int(row[9]), int(row[10])
    wide, high = round(width * float(row[11])), round(height * float(row[12]))
    limits = frame.shape[0] - 1, frame.shape[1] - 1
    rows = torch.arange(y1, y1 + high, device=frame.device).clamp(0, limits[0])
    columns = torch.arange(x1, x1 + wide, device=frame.device).clamp(0, limits[1])
    region = frame[rows][:, columns].float()
    down, across = (
        area_weights(length, count, True, frame.device) for length, count in ((high, height), (wide, width))
    )
    small = rounded(torch.einsum("ah,hwc,bw->abc", down, region, across))
    last_rows, last_columns = (
        torch.arange(side, device=frame.device).clamp(max=count - 1) for count in (height, width)
    )
    return small[last_rows][:, last_columns]
