"""Keep the target's glasses in front of the swap, on a GPU: ``glasses``, which explains the method.

Every face is looked at as often as one with glasses: asking the host who wears some would make it wait.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.glasses import FEATHER, HALF, LEAST, OPEN, SHUT, SPECK, halvings
from rtswap.compositing.finishes.occlusion import GAP_S, Turns, shares
from rtswap.compositing.finishes.occlusion_gpu import feather
from rtswap.compositing.finishes.regions_gpu import Islands
from rtswap.core.protocols import Engine, OnDownload
from rtswap.core.types import BatchedTarget, Matrix, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.batched_run import run_batched, run_of
from rtswap.gpu.crops import CUT, halve, pixels_seen
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, bilinear, rounded, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.networks.glasses import HEIGHT, SHRINK, WIDTH, place
from rtswap.vision.crops import sampling

torch = load_torch()


class _Placed(NamedTuple):
    row: int
    face: BatchedTarget
    matrix: Matrix
    """Crop -> strip."""


class GpuGlassesMask:
    """Implements ``protocols.GpuFinish``. Without ``run_on_device`` of ``engine`` its strips pass through the host,
    which waits for them."""

    def __init__(self, engine: Engine, every_s: float = 0.0) -> None:
        self._run = run_of(engine)
        self._turns = Turns(every_s)
        self._frames: dict[int, Tensor] = {}
        """Per track: the smoothed answer (96, 192)."""
        self._kept: dict[int, Tensor] = {}
        self._works: _Works | None = None

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``GlassesMask.apply``. Raises EngineError, and ModelError if the network's outputs violate its contract."""
        placed = [
            _Placed(row, face, matrix)
            for row, face in enumerate(targets.faces)
            if (matrix := place(face.landmarks)) is not None
        ]
        if not placed:
            return swapped
        due = [one for one in placed if not self._turns.may_rest(one.face.track_id, one.face.time_s, quality)]
        with torch.inference_mode():
            works = self._works = self._works or _Works(swapped.masks.device)
            if due:
                self._look(works, due, targets)
            kept = [works.nothing] * len(targets.faces)
            for one in placed:
                kept[one.row] = works.soften(self._kept[one.face.track_id], halvings(one.matrix)).clone()
            numbers = uploaded(_lying(placed, len(targets.faces)), swapped.masks.device)
            return SwappedBatch(swapped.crops, works.without(swapped.masks, torch.stack(kept), numbers))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._turns.forget(track_id)
        self._frames.pop(track_id, None)
        self._kept.pop(track_id, None)

    def _look(self, works: _Works, due: list[_Placed], targets: TargetBatch) -> None:
        """Run the network on these faces and process its answers."""
        device = targets.crops.device
        numbers = uploaded(np.stack([self._pack(one) for one in due]), device)
        strips = torch.empty((len(due), HEIGHT, WIDTH, 3), dtype=torch.uint8, device=device)
        for strip, one, row in zip(strips, due, numbers, strict=True):
            strip.copy_(works.cut(targets.crops[one.row], row[:CUT], _sampling(one)[1]))
        last = torch.stack([self._frames.get(one.face.track_id, works.nothing) for one in due])
        frames = run_batched("glasses", self._run, {"strips": strips}, "frames", (HEIGHT, WIDTH))
        found = works.answered(frames, last, numbers[:, CUT:])
        for one, averaged, kept in zip(due, *(part.clone() for part in found), strict=True):
            self._frames[one.face.track_id], self._kept[one.face.track_id] = averaged, kept

    def _pack(self, one: _Placed) -> NDArray[np.float32]:
        """How to cut a face (8 numbers), and the shares with which the average rises and falls."""
        passed = self._turns.looked(one.face.track_id, one.face.time_s)
        follows = 0 < passed <= GAP_S and one.face.track_id in self._frames
        return np.array([*_sampling(one)[0], *(shares(passed) if follows else (1.0, 1.0))], np.float32)


class _Works:
    """The computations of one device, as captured graphs."""

    def __init__(self, device: Device) -> None:
        on_gpu = device.type == "cuda"
        self.cut = Captured(cut, 2, on_gpu=on_gpu)
        self.answered = Captured(read_answers, 3, on_gpu=on_gpu)
        self.soften = Captured(soften, 1, on_gpu=on_gpu)
        self.without = Captured(limit_masks, 3, on_gpu=on_gpu)
        self.nothing = torch.zeros((HEIGHT, WIDTH), device=device)


def cut(square: Tensor, numbers: Tensor, halved: int) -> Tensor:
    """The strip (96, 192, 3) of a crop (S, S, 3), as ``vision.crops.cut``."""
    planes = square.permute(2, 0, 1)[None].float()
    for _ in range(halved):
        planes = halve(planes)
    return rounded(pixels_seen(planes, numbers[None], WIDTH))[0, :, :HEIGHT].permute(1, 2, 0)


def read_answers(frames: Tensor, last: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smoothed answers (N, 96, 192) 0..1, and 0..255 where the target is kept. ``frames`` is the network's
    output, ``last`` the previous result, ``rates`` (N, 2) the shares of a rise and of a fall to follow."""
    rise, fall = rates.T[:, :, None, None]
    step = frames.float().nan_to_num(0.0).clamp(0, 1) - last
    followed = last + (step * rise).clamp(min=0) + (step * fall).clamp(max=0)
    large = Islands(followed > HALF).sizes() >= SPECK
    large &= large.sum((1, 2), keepdim=True) >= LEAST
    near = torch.nn.functional.max_pool2d(large.float()[:, None], 3, 1, 1)[:, 0]
    share = ((followed - OPEN) * (255 / (SHUT - OPEN))).clamp(0, 255).floor()
    return followed, feather(share * near, FEATHER)


def soften(kept: Tensor, count: int) -> Tensor:
    """``kept`` (96, 192), averaged down ``count`` times and enlarged again."""
    if not count:
        return kept
    small = torch.nn.functional.avg_pool2d(kept[None, None], 1 << count).round()
    return torch.nn.functional.interpolate(small, kept.shape, mode="bilinear")[0, 0].round()


def limit_masks(masks: Tensor, kept: Tensor, numbers: Tensor) -> Tensor:
    """Limit ``masks`` (N, S, S) by ``kept`` (N, 96, 192). ``numbers`` (N, 6): crop -> strip."""
    a, b, c, d, e, f = numbers.T[:, :, None, None]
    place = torch.arange(masks.shape[1], device=masks.device, dtype=torch.float32)
    x, y = place[None, None], place[None, :, None]
    there = bilinear(kept[:, None], a * x + b * y + c, d * x + e * y + f, zero=True)[:, 0]
    return torch.minimum(masks, 255 - rounded(there))


def _lying(placed: list[_Placed], count: int) -> NDArray[np.float32]:
    """The ``numbers`` of ``limit_masks``; a face without a place keeps nothing."""
    numbers = np.zeros((count, 6), np.float32)
    for one in placed:
        numbers[one.row] = one.matrix.ravel()
    return numbers


def _sampling(one: _Placed) -> tuple[list[float], int]:
    return sampling(one.matrix, one.face.size, SHRINK)
