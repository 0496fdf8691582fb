"""Keep grey and tinted pictures as they are on a GPU: ``grey``."""

from __future__ import annotations

from rtswap.compositing.finishes.grey import BRIGHT, CELL, COLOURFUL, DARK, FLAT, INSIDE, LUMA, TINTED
from rtswap.core.protocols import OnDownload
from rtswap.core.types import DeviceTensor, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.resample import rounded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class GpuGreyMatch:
    """Implements ``protocols.GpuFinish``."""

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``GreyMatch.apply``."""
        if min(targets.crops.shape[1:3]) < CELL:
            return swapped
        with torch.inference_mode():
            cells, used = _cells(targets.crops, swapped.masks)
            number = used.sum(1)
            total = (number + 1 + number / 100)[:, None]
            kept = cells * used[..., None]
            mean = kept.sum(1) / total
            covariance = kept.mT @ kept / total[..., None] - mean[:, :, None] * mean[:, None]
            with_luma = _luma(covariance)
            slope = (with_luma + FLAT) / (_luma(with_luma) + FLAT)[:, None]
            rest = covariance - slope[:, :, None] * with_luma[:, None]
            trace = rest.diagonal(dim1=1, dim2=2).sum(1)
            minors = (trace**2 - (rest * rest.mT).sum((1, 2))) / 2
            spread = (trace + (trace**2 - 4 * minors).clamp(min=0).sqrt()).clamp(min=0).div(2).sqrt()
            level = (cells.amax(2) * used).sum(1) / number.clamp(min=1)
            share = ((spread / (level + DARK) - TINTED) / (COLOURFUL - TINTED)).clamp(0, 1)[:, None, None, None]
            crops = swapped.crops.float()
            height = _luma(crops)[..., None] - _luma(mean)[:, None, None, None]
            tint = mean[:, None, None] + slope[:, None, None] * height
            mixed = rounded(tint + share * (crops - tint))
            same = (number == 0)[:, None, None, None] | (share >= 1)
            return SwappedBatch(torch.where(same, swapped.crops, mixed), swapped.masks)

    def forget(self, track_id: int) -> None:
        """Nothing is kept of a track."""


def _luma(colours: DeviceTensor) -> DeviceTensor:
    """Return the luma of colours (..., 3)."""
    return colours[..., 0] * LUMA[0] + colours[..., 1] * LUMA[1] + colours[..., 2] * LUMA[2]


def _cells(crops: DeviceTensor, masks: DeviceTensor) -> tuple[DeviceTensor, DeviceTensor]:
    """Return the cells' mean colours (N, C, 3) and which of them count, (N, C) 0 or 1, as ``grey``."""
    pool = torch.nn.functional.avg_pool2d
    colours = pool(crops.permute(0, 3, 1, 2).float(), CELL).round().flatten(2).mT
    inside = pool(masks[:, None].float(), CELL).round().flatten(1) >= INSIDE
    return colours, (inside & (colours.amax(2) < BRIGHT)).float()
