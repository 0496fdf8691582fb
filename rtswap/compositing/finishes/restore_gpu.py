"""Restore what a swapper of low resolution lacks, on a GPU: ``restore``, which explains the method.

As in ``detail_gpu`` a patch is downloaded with the frame and measured on the host, so that a face is restored from
its second frame on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rtswap.compositing.finishes.openings import clamp_points
from rtswap.compositing.finishes.restore import Shares, mask_in
from rtswap.compositing.finishes.windows import window_for
from rtswap.core.protocols import Engine, OnDownload
from rtswap.core.types import BatchedTarget, Image, Matrix, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.batched_run import run_batched, run_of
from rtswap.gpu.crops import cut_face
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Tensor, bilinear, rounded, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.sharpness import MOST, SIZE, place
from rtswap.vision.crops import AVERAGED, sampling

torch = load_torch()


class _Placed(NamedTuple):
    row: int
    face: BatchedTarget
    matrix: Matrix
    due: bool


class GpuRestoreDetail:
    """Implements ``protocols.GpuFinish``. ``engine`` runs the network of ``SharpnessModel``; without
    ``run_on_device`` its crops pass through the host, which waits for them."""

    def __init__(self, engine: Engine) -> None:
        self._run, self._shares = run_of(engine), Shares()
        self._cut: Captured | None = None
        self._laid: Captured | None = None

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``RestoreDetail.apply``. Works in ``swapped.crops``. Raises EngineError, and ModelError if the network's
        output violates its contract."""
        placed = []
        for row, face in enumerate(targets.faces):
            matrix = place(face.landmarks)
            if matrix is None:
                continue
            due = self._shares.due(face.track_id, face.time_s, quality)
            if due or self._shares.of(face.track_id):
                placed.append(_Placed(row, face, matrix, due))
        if placed:
            with torch.inference_mode():
                self._restore(placed, swapped, targets, on_download)
        return swapped

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._shares.forget(track_id)

    def _restore(
        self, placed: list[_Placed], swapped: SwappedBatch, targets: TargetBatch, on_download: OnDownload
    ) -> None:
        device = swapped.crops.device
        cut = self._cut = self._cut or Captured(cut_face, 2, on_gpu=device.type == "cuda")
        lay = self._laid = self._laid or Captured(lay_detail, 3, on_gpu=device.type == "cuda")
        crops = torch.empty((len(placed), SIZE, SIZE, 3), dtype=torch.uint8, device=device)
        for crop, one in zip(crops, placed, strict=True):
            numbers, halvings = sampling(one.matrix, one.face.size, AVERAGED)
            crop.copy_(cut(swapped.crops[one.row], uploaded(np.array(numbers, np.float32), device), halvings, SIZE))
        details = run_batched("sharpness", self._run, {"crops": crops}, "detail", (SIZE, SIZE))
        for detail, one in zip(details, placed, strict=True):
            square = swapped.crops[one.row]
            if one.due:
                restored = lay(square, detail, uploaded(_numbers(one, 1.0), device))
                self._ask(one, restored, swapped, targets, on_download)
            if share := self._shares.of(one.face.track_id):
                square.copy_(lay(square, detail, uploaded(_numbers(one, share), device)))

    def _ask(
        self, one: _Placed, restored: Tensor, swapped: SwappedBatch, targets: TargetBatch, on_download: OnDownload
    ) -> None:
        """Request the download of a patch: the green of the target, of the face, and of the restored face; the
        mask."""
        face = one.face
        window = window_for(clamp_points(face.landmarks), face.size[::-1])
        if window is None:
            return

        def measure(patch: Image) -> None:
            *greens, mask = (np.ascontiguousarray(patch[..., k]) for k in range(4))
            planes = [green.astype(np.float32) for green in greens]
            self._shares.measure(face.track_id, face.time_s, planes, mask_in(mask, window, face.landmarks))

        greens = (crop[window][..., 1] for crop in (targets.crops[one.row], swapped.crops[one.row], restored))
        on_download(torch.stack([*greens, swapped.masks[one.row][window]], 2), measure)


def _numbers(one: _Placed, share: float) -> np.ndarray:
    """Crop -> network's crop (scale, x, y), the crop's width and height, and the share: (6,)."""
    scale, shift = one.matrix[0, 0], one.matrix[:, 2]
    return np.array([scale, *shift, *one.face.size, share], np.float32)


def lay_detail(square: Tensor, detail: Tensor, numbers: Tensor) -> Tensor:
    """``square`` (S, S, 3) with a share of ``detail`` (256, 256), as ``_numbers`` says."""
    place_px = torch.arange(square.shape[0], device=square.device, dtype=torch.float32)
    scale, x, y, width, height, share = numbers
    across, down = (scale * place_px + shift for shift in (x, y))
    where = torch.broadcast_tensors(across[None, None], down[None, :, None])
    levels = detail.float().nan_to_num(0.0).clamp(-MOST, MOST)[None, None]
    change = bilinear(levels, *where, zero=True)[0, 0]
    within = (place_px < width) & (place_px[:, None] < height)
    return rounded(square + (change * share * within)[..., None])
