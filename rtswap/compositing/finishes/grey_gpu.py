"""Keep grey pictures grey on a GPU: ``grey``."""

from __future__ import annotations

from rtswap.compositing.finishes.grey import COLOURFUL, DARK, GREY, LUMA, ROUNDING, STEP
from rtswap.core.protocols import OnDownload
from rtswap.core.types import Quality, SwappedBatch, TargetBatch
from rtswap.gpu.resample import rounded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class GpuGreyMatch:
    """Implements ``protocols.GpuFinish``."""

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``GreyMatch.apply``."""
        with torch.inference_mode():
            shown = (swapped.masks[:, ::STEP, ::STEP] >= 128).float()
            seen = targets.crops[:, ::STEP, ::STEP].float()
            highest = seen.amax(3)
            chroma = (highest - seen.amin(3) - ROUNDING).clamp(min=0)
            level = ((highest + DARK) * shown).sum((1, 2)).clamp(min=1)
            colour = (chroma * shown).sum((1, 2)) / level
            share = ((colour - GREY) / (COLOURFUL - GREY)).clamp(0, 1)[:, None, None, None]
            crops = swapped.crops.float()
            grey = crops[..., :1] * LUMA[0] + crops[..., 1:2] * LUMA[1] + crops[..., 2:] * LUMA[2]
            unseen = (shown.sum((1, 2)) == 0)[:, None, None, None]
            mixed = rounded(grey + share * (crops - grey))
            return SwappedBatch(torch.where(unseen | (share >= 1), swapped.crops, mixed), swapped.masks)

    def forget(self, track_id: int) -> None:
        """Nothing is kept of a track."""
