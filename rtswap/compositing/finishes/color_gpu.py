"""Match colours on a GPU: ``color``, for the transfers that are one map per face.

A few thousand pixels are downloaded with the frame, the host learns the map from them as it does without a GPU, and
the map is applied to the next frame. Only a new face waits for its first map.
"""

from __future__ import annotations

import numpy as np

from rtswap.compositing.finishes.color import LINEAR, ColorMatch, Values, sample_step
from rtswap.compositing.finishes.openings_gpu import gpu_openings
from rtswap.core.protocols import OnDownload
from rtswap.core.types import BatchedTarget, Image, Quality, SwappedBatch, SwappedFace, Target, TargetBatch
from rtswap.gpu.resample import Tensor, rounded, uploaded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

METHODS = (*LINEAR, "hist")


class GpuColorMatch:
    """Implements ``protocols.GpuFinish``. ``method``: one of METHODS."""

    def __init__(self, method: str) -> None:
        if method not in METHODS:
            raise ValueError(f"colour transfers on a GPU: {', '.join(METHODS)}; not {method}")
        self._host = ColorMatch(method)

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``ColorMatch.apply``, one frame behind. Works in ``swapped.crops``."""
        if not quality.match_color:
            return swapped
        with torch.inference_mode():
            for row, face in enumerate(targets.faces):
                self._match(row, face, swapped, targets, on_download)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the smoothed map."""
        self._host.forget(track_id)

    def _match(
        self, row: int, face: BatchedTarget, swapped: SwappedBatch, targets: TargetBatch, on_download: OnDownload
    ) -> None:
        width, height = face.size
        step = sample_step(width * height)
        ours, theirs = (crops[row, :height, :width] for crops in (swapped.crops, targets.crops))
        shown = swapped.masks[row, :height:step, :width:step, None]
        samples = torch.cat([ours[::step, ::step], theirs[::step, ::step], shown], 2)
        if self._host.last(face.track_id) is None:
            self._learn(samples.cpu().numpy(), face, step)
        else:
            on_download(samples, lambda values: self._learn(values, face, step))
        values = self._host.last(face.track_id)
        if values is None:
            return
        openings = gpu_openings(ours, face)
        ours.copy_(_through(values, ours))
        for opening in openings:
            opening.put_back(ours)

    def _learn(self, samples: Image, face: BatchedTarget, step: int) -> None:
        ours, theirs, shown = (np.ascontiguousarray(part) for part in np.split(samples, [3, 6], 2))
        landmarks = np.asarray(face.landmarks / np.float32(step), np.float32)
        target = Target(face.track_id, theirs, landmarks, face.visibility, face.time_s)
        self._host.learnt(SwappedFace(ours, np.ascontiguousarray(shown[..., 0])), target)


def _through(values: Values, crop: Tensor) -> Tensor:
    """Apply a map to every pixel, rounded and clipped to 0..255."""
    there = uploaded(values, crop.device)
    if values.shape == (3, 4):
        return rounded(crop.float() @ there[:, :3].T + there[:, 3])
    curves = there.round()
    channels = (curves[:, k][crop[..., k].long()] for k in range(3))
    return rounded(torch.stack(list(channels), 2))
