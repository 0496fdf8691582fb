"""Sharpness and grain of the target, on a device: ``detail``.

Now and then a patch of both pictures comes down with the frame, and the host measures it as it does without a GPU. So
a face is matched from its second frame on; what is measured changes in tenths of seconds.
"""

from __future__ import annotations

import math

import numpy as np

from rtswap.compositing.cuda_openings import device_openings
from rtswap.compositing.detail import EVERY_S, Followed, Look, MatchDetail, window_for
from rtswap.compositing.grain import SIDE, SPREAD, Overlay, pattern
from rtswap.protocols import Later
from rtswap.tensors import Tensor, rounded, uploaded
from rtswap.torch_door import load_torch
from rtswap.types import AlignedFace, DeviceFace, DeviceFaces, DeviceSwapped, Image, Quality, SwappedFace

torch = load_torch()

NOTHING = Look(0.0, 0.0, None)


class DeviceMatchDetail(MatchDetail):
    """Implements ``protocols.DeviceFinish``."""

    def __init__(self) -> None:
        super().__init__()
        self._patterns: dict[int, Tensor] = {}

    def apply_all(
        self, swapped: DeviceSwapped, targets: DeviceFaces, quality: Quality, later: Later
    ) -> DeviceSwapped:
        """As ``MatchDetail.apply``. Works in ``swapped.crops``."""
        with torch.inference_mode():
            for row, face in enumerate(targets.faces):
                key = face.track_id
                track = self._tracks.setdefault(key, Followed(np.random.default_rng(abs(key))))
                due = not 0 <= face.time_s - track.measured_s < EVERY_S
                if due and (quality.match_color or track.measured_s == -math.inf):
                    self._ask(track, row, face, swapped, targets, later)
                where = track.offsets.integers(0, 1 << 16, 2)
                if track.look != NOTHING:
                    width, height = face.size
                    self._give(swapped.crops[row, :height, :width], face, track.look, (int(where[0]), int(where[1])))
        return swapped

    def _ask(
        self,
        track: Followed,
        row: int,
        face: DeviceFace,
        swapped: DeviceSwapped,
        targets: DeviceFaces,
        later: Later,
    ) -> None:
        """For what is measured: the green of both pictures and the mask where one looks."""
        width, height = face.size
        nothing = np.broadcast_to(np.zeros((), np.uint8), (height, width))
        here = AlignedFace(face.track_id, nothing, face.landmarks, face.visibility, face.time_s)
        window = window_for(here, nothing)
        if window is None:
            track.measured_s = face.time_s
            return
        green = (crops[row][window][..., 1] for crops in (targets.crops, swapped.crops))
        corner = np.array([window[1].start, window[0].start, 0], np.float32)

        def measure(patch: Image) -> None:
            theirs, ours = (np.repeat(patch[..., k : k + 1], 3, 2) for k in range(2))
            target = AlignedFace(face.track_id, theirs, face.landmarks - corner, face.visibility, face.time_s)
            self._measure(track, SwappedFace(ours, np.ascontiguousarray(patch[..., 2])), target)

        later(torch.stack([*green, swapped.masks[row][window]], 2), measure)

    def _give(self, crop: Tensor, face: DeviceFace, look: Look, where: tuple[int, int]) -> None:
        """To ``crop`` (h, w, 3), in place."""
        openings = device_openings(crop, face)
        planes = crop.permute(2, 0, 1)[None].float()
        if look.softening > 0:
            planes = softened(planes, look.softening)
        elif look.sharpening > 0:
            planes = (planes * (1 + look.sharpening) - softened(planes, 1.0) * look.sharpening).round().clamp(0, 255)
        if look.overlay is not None:
            planes = self._laid_over(planes, look.overlay, where)
        crop.copy_(rounded(planes[0].permute(1, 2, 0)))
        for opening in openings:
            opening.put_back(crop)

    def _laid_over(self, planes: Tensor, overlay: Overlay, where: tuple[int, int]) -> Tensor:
        """Grain, from another place of the pattern than without a GPU: there it depends on the mask's box."""
        noise = self._patterns.get(overlay.size)
        if noise is None:
            made = uploaded(pattern(overlay.size), planes.device)
            noise = self._patterns[overlay.size] = made.permute(2, 0, 1)[None].float() - 128
        height, width = planes.shape[2:]
        if max(height, width) > SIDE:
            noise = noise.repeat(1, 1, -(-height // SIDE) + 1, -(-width // SIDE) + 1)
        x, y = where[0] % (noise.shape[3] - width + 1), where[1] % (noise.shape[2] - height + 1)
        return planes + noise[..., y : y + height, x : x + width] * (overlay.spread / SPREAD)


def softened(planes: Tensor, variance: float) -> Tensor:
    """(1, C, H, W) float, whole numbers: ``sharpness.softened``."""
    height, width = planes.shape[2:]
    if variance >= 1.2 and min(height, width) >= 4:
        size = (height + 1) // 2, (width + 1) // 2
        half = torch.nn.functional.interpolate(planes, size, mode="area").round()
        half = softened(half, (variance - 1) / 4)
        return torch.nn.functional.interpolate(half, (height, width), mode="bilinear").round()
    if variance < 0.02:
        return planes
    if variance >= 0.6:
        return _blurred(planes, 2, 1.06 * math.sqrt(variance))
    weight = variance / (2 * (1 - variance))
    return _blurred(planes, 1, math.sqrt(-0.5 / math.log(weight)))


def _blurred(planes: Tensor, reach: int, sigma: float) -> Tensor:
    if min(planes.shape[2:]) <= reach:
        return planes
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = torch.nn.functional.pad(planes, (reach, reach, reach, reach), mode="reflect")
    height, width = planes.shape[2:]
    first, *others = (taps / taps.sum()).tolist()
    across = first * padded[..., :width]
    for place, tap in enumerate(others, start=1):
        across = across + tap * padded[..., place : place + width]
    down = first * across[..., :height, :]
    for place, tap in enumerate(others, start=1):
        down = down + tap * across[..., place : place + height, :]
    return down.round()
