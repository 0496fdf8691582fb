"""Match sharpness, texture and grain on a GPU: ``detail``.

From time to time a patch of both images is downloaded with the frame, and the host measures it as without a GPU. A
face is therefore matched from its second frame on; measurements change over tenths of seconds. One captured graph
applies the correction, with its strengths as inputs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.detail import EVERY_S, Correction, MatchDetail, TrackDetail
from rtswap.compositing.finishes.grain import SIDE, SPREAD, pattern
from rtswap.compositing.finishes.openings import shares_of
from rtswap.compositing.finishes.skin_texture import BLOCK, FOLLOWED, PER_LEVEL, ZERO
from rtswap.compositing.finishes.windows import face_window
from rtswap.core.protocols import OnDownload
from rtswap.core.types import BatchedTarget, Image, Quality, SwappedBatch, SwappedFace, Target, TargetBatch
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, rounded, uploaded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

REACH = 2
"""Radius of the blur in pixels."""
NUMBERS = 16
"""Number of floats: width and height of the face's crop; taps of the blur (5); weights of the image and of its blur;
x, y in the grain's pattern, and its share. The texture's tables follow."""
TABLES = 256 * len(FOLLOWED)
PLANE = 4 * NUMBERS + TABLES
"""Bytes before what follows both."""


class GpuMatchDetail(MatchDetail):
    """Implements ``protocols.GpuFinish``."""

    def __init__(self) -> None:
        super().__init__()
        self._patterns: dict[int, Tensor] = {}
        self._work: Captured | None = None

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``MatchDetail.apply``. Works in ``swapped.crops``."""
        with torch.inference_mode():
            for row, face in enumerate(targets.faces):
                key = face.track_id
                track = self._tracks.setdefault(key, TrackDetail(np.random.default_rng(abs(key))))
                due = not 0 <= face.time_s - track.measured_s < EVERY_S
                if due and (quality.match_color or track.measured_s == -math.inf):
                    self._ask(track, row, face, swapped, targets, on_download)
                where = track.offsets.integers(0, 1 << 16, 2)
                if track.look.needed:
                    self._give(swapped.crops[row], face, track.look, (int(where[0]), int(where[1])))
        return swapped

    def _ask(
        self,
        track: TrackDetail,
        row: int,
        face: BatchedTarget,
        swapped: SwappedBatch,
        targets: TargetBatch,
        on_download: OnDownload,
    ) -> None:
        """Request the download of the face: the green of both images, and the mask."""
        window = face_window(face.landmarks, face.size[::-1])
        if window[0].stop == window[0].start or window[1].stop == window[1].start:
            track.measured_s = face.time_s
            return
        green = (crops[row][window][..., 1] for crops in (targets.crops, swapped.crops))
        corner = np.array([window[1].start, window[0].start, 0], np.float32)

        def measure(patch: Image) -> None:
            theirs, ours = (np.repeat(patch[..., k : k + 1], 3, 2) for k in range(2))
            target = Target(face.track_id, theirs, face.landmarks - corner, face.visibility, face.time_s)
            self._measure(track, SwappedFace(ours, np.ascontiguousarray(patch[..., 2])), target)

        on_download(torch.stack([*green, swapped.masks[row][window]], 2), measure)

    def _give(self, square: Tensor, face: BatchedTarget, look: Correction, where: tuple[int, int]) -> None:
        """Apply the correction to the face in ``square`` (S, S, 3), in place."""
        device = square.device
        self._work = self._work or Captured(apply_correction, 2, on_gpu=device.type == "cuda")
        variance = look.focus.softening or (1.0 if look.focus.sharpening > 0 else 0.0)
        halved = variance >= 1.2
        taps = taps_of((variance - 1) / 4 if halved else variance)
        drawn = uploaded(_pack(face, square.shape[0], look, taps, where), device)
        size = 0 if look.overlay is None else look.overlay.size
        smoothed = look.texture is not None
        square.copy_(self._work(square, drawn, self._pattern(size, device), size, halved, smoothed))

    def _pattern(self, size: int, device: Device) -> Tensor:
        """The grain pattern (1, 3, SIDE, SIDE), float around 0."""
        noise = self._patterns.get(size)
        if noise is None:
            noise = self._patterns[size] = uploaded(pattern(size), device).permute(2, 0, 1)[None].float() - 128
        return noise


def _pack(
    face: BatchedTarget, side: int, look: Correction, taps: NDArray[np.float64], where: tuple[int, int]
) -> NDArray[np.uint8]:
    """Pack the inputs of one face: NUMBERS floats, TABLES bytes, then (S, S) 255 where eyes and the inside of the
    mouth stay unchanged.

    The grain comes from another place of the pattern than without a GPU, where it depends on the mask's box.
    """
    row = np.zeros(PLANE + side * side, np.uint8)
    numbers, plane = row[: 4 * NUMBERS].view(np.float32), row[PLANE:].reshape(side, side)
    if look.texture is not None:
        row[4 * NUMBERS : PLANE] = look.texture.ravel()
    counts = (0.0, 1.0) if look.focus.softening > 0 else (1 + look.focus.sharpening, -look.focus.sharpening)
    span = [-(-side // SIDE) * SIDE + SIDE if side > SIDE else SIDE] * 2
    x, y = (place % (whole - length + 1) for place, whole, length in zip(where, span, face.size, strict=True))
    share = 0.0 if look.overlay is None else look.overlay.spread / SPREAD
    numbers[:12] = *face.size, *taps, *counts, x, y, share
    for (left, top), opening in shares_of(face.landmarks, face.size):
        region = plane[top : top + opening.shape[0], left : left + opening.shape[1]]
        np.maximum(region, np.round(opening * 255).astype(np.uint8), out=region)
    return row


def apply_correction(square: Tensor, drawn: Tensor, noise: Tensor, size: int, halved: bool, smoothed: bool) -> Tensor:
    """Soften or sharpen ``square`` (S, S, 3) and add grain, as ``drawn`` specifies; ``noise`` is the pattern of
    ``size``. ``halved``: blur at half the size; ``smoothed``: reduce the texture. Pixels outside the crop do not
    change."""
    side = square.shape[0]
    numbers = drawn[: 4 * NUMBERS].view(torch.float32)
    width, height, x, y = numbers[0], numbers[1], numbers[9], numbers[10]
    place = torch.arange(side, device=square.device, dtype=torch.float32)
    across, down = (torch.minimum(place, length - 1).clamp(min=0) for length in (width, height))
    crop = square.index_select(0, down.long()).index_select(1, across.long())  # repeats its last pixels
    planes = crop.permute(2, 0, 1)[None].float()
    blurred = _soften(planes, numbers[2:7], halved)
    planes = (planes * numbers[7] + blurred * numbers[8]).round().clamp(0, 255)
    if smoothed:
        tables = drawn[4 * NUMBERS : PLANE].view(len(FOLLOWED), 256).float() - ZERO
        whole = side // BLOCK * BLOCK
        part = planes[..., :whole, :whole]
        planes[..., :whole, :whole] = (part + _change(part, tables) / PER_LEVEL).round().clamp(0, 255)
    lines, columns = ((place + corner).long() % SIDE for corner in (y, x))
    planes = planes + noise.index_select(2, lines).index_select(3, columns) * numbers[11]
    made = rounded(planes)[0].permute(1, 2, 0)
    share = drawn[PLANE:].view(side, side, 1).float() / 255
    made = rounded(square * share + made * (1 - share))
    within = ((place < width) & (place[:, None] < height))[..., None]
    return torch.where(within, made, square)


def _soften(planes: Tensor, taps: Tensor, halved: bool) -> Tensor:
    """``sharpness.soften`` of (1, C, H, W) float integers."""
    if not halved:
        return _blur(planes, taps)
    half = _blur(torch.nn.functional.avg_pool2d(planes, 2).round(), taps)
    return torch.nn.functional.interpolate(half, planes.shape[2:], mode="bilinear").round()


def _change(planes: Tensor, tables: Tensor) -> Tensor:
    """``skin_texture._change`` of (1, C, H, W) float integers, around 0; ``tables`` around 0."""
    low = torch.nn.functional.avg_pool2d(planes, 2).round()
    details = PER_LEVEL * (planes - _double(low).round()) + ZERO
    change = tables[0][details.clamp(0, 255).long()]
    if len(tables) > 1:
        change = (change + _double(_change(low, tables[1:])).round()).clamp(-ZERO, 255 - ZERO)
    return change


def _double(planes: Tensor) -> Tensor:
    return torch.nn.functional.interpolate(planes, scale_factor=2.0, mode="bilinear")


def _blur(planes: Tensor, taps: Tensor) -> Tensor:
    padded = torch.nn.functional.pad(planes, (REACH, REACH, REACH, REACH), mode="reflect")
    height, width = planes.shape[2:]
    across = sum(taps[place] * padded[..., place : place + width] for place in range(2 * REACH + 1))
    down = sum(taps[place] * across[..., place : place + height, :] for place in range(2 * REACH + 1))
    return down.round()


def taps_of(variance: float) -> NDArray[np.float64]:
    """Taps (5,) of a Gaussian of ``variance`` pixels squared, as in ``sharpness.soften``; 0: identity."""
    places = np.arange(-REACH, REACH + 1)
    if variance < 0.02:
        taps = (places == 0).astype(np.float64)
    elif variance >= 0.6:
        taps = np.exp(-0.5 * (places / (1.06 * math.sqrt(variance))) ** 2)
    else:
        taps = np.where(abs(places) == 1, variance / (2 * (1 - variance)), 1.0) * (abs(places) < 2)
    return np.asarray(taps / taps.sum(), np.float64)
